"""Typed settings of stages: parsed once, unknown keys refused, and no default that a spec would not show."""

import dataclasses
import json

import pytest
from demo_study import demo, jobs

from clearminds.errors import UserError
from clearminds.files.settings import as_keys, chosen, parse
from clearminds.model.loading import Loading
from clearminds.stages import (
    analyse,
    build_masks,
    evaluate,
    fetch_model,
    generate_responses,
    measure_gradients,
    prepare_task,
    rehearse,
    report,
    score_token_perplexity,
    summarise,
    take_adapter,
    train_adapter,
    verify_responses,
)

MODULES = (prepare_task, fetch_model, rehearse, generate_responses, verify_responses, score_token_perplexity)
MODULES += (build_masks, train_adapter, take_adapter, evaluate, analyse, measure_gradients, summarise, report)
CLASSES = [
    value
    for module in MODULES
    for value in (*vars(module).values(), Loading)
    if isinstance(value, type) and dataclasses.is_dataclass(value) and hasattr(value, "__pydantic_config__")
]
# a source whose responses are copied has no other keys than its kind
OF_REFERENCES = {"samples", "temperature", "top_p", "max_new_tokens", "seed", "dtype"}


def settings_of(stage: str) -> type:
    modules = {module.__name__.rpartition(".")[2]: module for module in MODULES}
    return modules["evaluate" if stage.startswith("evaluate") else stage].Settings


def test_the_spec_of_every_job_of_the_demo_is_parsed_and_given_back():
    for (stage, *_), text in jobs(demo()).items():
        spec = json.loads(text)
        found = parse(settings_of(stage), spec, "--spec")
        assert as_keys(found).keys() <= spec.keys()


@pytest.mark.parametrize("cls", dict.fromkeys(CLASSES), ids=lambda cls: f"{cls.__module__}.{cls.__name__}")
def test_no_default_of_a_setting_changes_a_result_unseen(cls):
    """A key that is null is in no spec, so that a default other than nothing would be in no fingerprint either."""
    for field in dataclasses.fields(cls):
        if cls is generate_responses.Source and field.name in OF_REFERENCES:
            continue
        nothing = field.default in (dataclasses.MISSING, None, False) or field.default == fetch_model.ChatTemplate()
        assert nothing and field.default_factory is dataclasses.MISSING, field.name


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_token": 4}, "--runtime: batch_token: unknown key; known here: store, batch_tokens, part_seconds"),
        ({"batch_tokens": "many"}, "--runtime: batch_tokens: input should be a valid integer"),
        ({"store": ...}, "--runtime: store: field required"),
    ],
)
def test_what_does_not_fit_is_named(changes, message):
    given = {"store": "s", "batch_tokens": 4096, "part_seconds": 60, **changes}
    with pytest.raises(UserError) as caught:
        parse(score_token_perplexity.Runtime, {k: v for k, v in given.items() if v is not ...}, "--runtime")
    assert str(caught.value).startswith(message)


def test_what_is_none_is_in_no_spec():
    assert chosen(Loading, {"quantization": None, "trust_remote_code": True, "hub": "x"}) == {"trust_remote_code": True}
    assert as_keys(Loading()) == {"trust_remote_code": False}
