"""What rules are given: each function has its signature beside it, and says the same whenever it is asked."""

import inspect
from types import SimpleNamespace

import pytest
from demo_study import demo

from clearminds.files.layout import Artefact, Layout
from clearminds.run.asked_by_rules import asked_by_rules
from clearminds.run.inputs import WAITING, Inputs
from clearminds.run.kept_layout import keep_kinds
from clearminds.run.specs import NAMES, Specs


@pytest.fixture(scope="module")
def specs() -> Specs:
    return Specs(demo())


def has_signature(function) -> bool:
    kept = getattr(function, "__func__", function).__dict__.get("__signature__")
    return kept is not None and kept == inspect.signature(getattr(function, "__func__", function))


def test_a_signature_is_kept_and_is_that_of_the_function():
    def function(wildcards, attempt=1):
        return attempt

    before = inspect.signature(function)
    assert asked_by_rules(function) is function and inspect.signature(function) == before


def test_all_that_a_rule_asks_of_a_study_has_its_signature(specs):
    stage = "train_adapter"
    given = [specs.text(stage), specs.code(stage), specs.memory(stage), specs.minutes(stage)]
    given += [specs.launch(stage)["how"], specs.environment("a", "b"), specs.inputs.shards("scores")]
    given += [specs.inputs.mask_inputs("scores"), specs.inputs.of_sources("scores")]
    given += [specs.inputs.replay_inputs("scores"), *map(specs.inputs.rehearsal, WAITING)]
    makers = ("mask_inputs", "replay_inputs", "of_sources", "shards", "rehearsal")
    own = [name for name in vars(Inputs) if not name.startswith("_") and name not in makers]
    given += [getattr(specs.inputs, name) for name in own]
    assert [function for function in given if not has_signature(function)] == []


def test_a_spec_is_told_by_every_wildcard_of_a_rule(specs):
    assert set(specs.constraints()) - {"shard"} == set(NAMES)


@pytest.mark.parametrize("name, other", [("variant", "ground-truth"), ("seed", "1")])
def test_a_job_that_was_asked_before_says_what_a_fresh_study_says(specs, name, other):
    given = {"model": "smollm2-135m-q4", "target": "sums", "variant": "stm-2.5", "seed": "0"}
    for wildcards in (given, {**given, name: other}, given):
        asked = SimpleNamespace(**wildcards)
        assert specs.text("train_adapter")(asked) == Specs(demo()).text("train_adapter")(asked)


def test_a_layout_that_keeps_its_kinds_has_the_same_ones():
    kept = keep_kinds(Layout.of("s"))
    kinds = [name for name, kind in vars(Layout).items() if isinstance(kind, Artefact)]
    assert [getattr(kept, name) for name in kinds] == [getattr(Layout.of("s"), name) for name in kinds]
    assert kept.masks is kept.masks and kept == Layout.of("s")
