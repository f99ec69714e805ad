"""Studies with one odd value anywhere: each is either a study or one line that refuses it, never a traceback."""

import copy
import math
from types import SimpleNamespace

import pytest
from demo_study import DEMO
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clearminds.config.load import load_study
from clearminds.config.study import Study
from clearminds.errors import UserError
from clearminds.reuse.stage_code import STAGES
from clearminds.run.sizing.resources import LONGEST
from clearminds.run.specs import Specs

ODD = [None, [], {}, "", " ", -1, 0, 1e400, -1e400, math.nan, True, False, 1.5, 2**31, 2**64, 10**400, "x" * 300]
ODD += ["x", "1", "no", "a\nb", "\0", "\ud800", "~", "$NONE", "../x", "{x}", "lm_eval:", "all", "reference", "base"]
ODD += [[[]], [None], ["x", "x"], {"x": {}}, {1: 2}, {None: None}, {"kind": []}, {"rule": {}}, b"x", {"x"}, 1j, 1e-300]


def places(node: object, above: tuple = ()) -> list[tuple]:
    """The places of all blocks, lists and values of a study."""
    below = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [above, *(place for key, value in below for place in places(value, (*above, key)))]


PLACES = [place for place in places(DEMO) if place]
# every kind of block once, also those that the demo does not have
MORE = copy.deepcopy(DEMO)
MORE["tasks"] = {name: MORE["tasks"][name] for name in ("sums", "humaneval-text", "chat-drift")}
MORE["suites"] = {"small": ["sums", "humaneval-text", "chat-drift"]}
MORE["sources"] = {name: {"kind": "self_output", "samples": 2} for name in ("self_output", "everyday")}
MORE["match"] = {"sources": ["reference"]}
MORE["variants"] = {name: MORE["variants"][name] for name in ("ground-truth", "stm-2.5", "random-2.5")}
MORE["tasks"]["file"] = {"kind": "file", "splits": {"test": {"path": "a", "limit": 2}}, "columns": {"id": "a"}}
MORE["tasks"]["hub"] = {"kind": "hub", "hub": "a/b", "splits": {"test": "a[:2]"}, "prompt_only": True, "config": "c"}
MORE["models"]["path"] = {"path": "a", "chat_template": {"arguments": {"a": {"b": [1]}}}, "quantization": "none"}
MORE["sources"]["self_output"] |= {"temperature": 1.0, "seed": 3, "backend": "transformers"}
MORE["variants"]["own"] = {"responses": "reference", "training": {"rank": 2, "epochs": 1, "target_modules": ["a"]}}
MORE["variants"]["theirs"] = {"adapter": {"hub": "a/b", "revision": "a" * 40, "base": "path"}, "trained_on": "sums"}
MORE["variants"]["then"] = {"responses": "reference", "targets": ["sums"], "start_from": {"variant": "ground-truth"}}
MORE["tasks"]["talk"] = {"kind": "everyday_prompts", "splits": {"train": 8}}
MORE["variants"]["mixed"] = {
    "responses": "reference",
    "replay": {"task": "talk", "source": "everyday", "share": 0.1, "weights": {"rule": "rank", "top": 3}},
}
MORE["match"]["by"] = "examples"
MORE["runtime"] |= {"store": "s", "gpus": 2, "report_to": ["wandb"], "checkpoint_seconds": 1, "fsdp": False}
MORE["suites"]["more"] = ["lm_eval:arc"]
MORE_PLACES = [place for place in places(MORE) if place]


def changed(study: dict, place: tuple, value: object) -> dict:
    study = copy.deepcopy(study)
    node = study
    for key in place[:-1]:
        node = node[key]
    node[place[-1]] = value
    return study


def outcome(study: object) -> str | None:
    """The line that refuses a study as Snakemake gives it; None: it is one, and all of its specs can be written."""
    try:
        specs = Specs(load_study([], study))
    except UserError as error:
        line = str(error)
        assert "\n" not in line and line.isprintable() and len(line) < 2000, line
        return line
    for stage in STAGES:
        job = one_job(specs.study)
        if stage == "take_adapter":
            if not specs.study.given:
                continue
            job.variant = next(iter(specs.study.given))
        assert specs.text(stage)(job).encode() and specs.launch(stage)["how"](job, 1).encode()
        assert 0 < specs.memory(stage)(job, 1) < 1e30 and 0 < specs.minutes(stage)(job) <= LONGEST
    return None


def one_job(study: Study) -> SimpleNamespace:
    """Wildcards of a job of every stage."""
    model, variant, target = next(iter(study.models)), next(reversed(study.variants)), study.targets[0]
    source, suite = next(iter(study.sources), "reference"), next(iter(study.suites))
    names = {"model": model, "scorer": model, "task": target, "target": target, "source": source, "suite": suite}
    others = {"draw": "", "seed": study.seeds[0], "shard": "1of2", "analysis": "weight_change"}
    return SimpleNamespace(**names, split="train", variant=variant, **others)


@pytest.mark.parametrize("value", ODD, ids=lambda value: repr(value)[:20])
def test_no_odd_value_anywhere_is_a_traceback(value):
    for place in MORE_PLACES:
        outcome(changed(MORE, place, copy.deepcopy(value)))


@pytest.mark.parametrize("place", [(), *(place for place in MORE_PLACES if len(place) < 4)], ids=str)
def test_an_unknown_key_is_refused_in_every_block(place):
    node = MORE
    for key in place:
        node = node[key]
    if isinstance(node, dict) and place[-1:] != ("parameters",):
        assert outcome(changed(MORE, (*place, "un known\n"), 1))


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(ODD[:20]),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=5) | st.integers(), below, max_size=3),
    max_leaves=5,
)


@settings(max_examples=150)
@given(st.lists(st.tuples(st.sampled_from(PLACES), json_like), min_size=1, max_size=3))
@example([(("tasks", "sums", "kind"), [])])
@example([(("seeds",), {0: 1})])
def test_no_mixture_of_odd_values_is_a_traceback(changes):
    study = DEMO
    for place, value in changes:
        try:
            study = changed(study, place, value)
        except (LookupError, TypeError):
            continue  # the place is gone with an earlier change
    outcome(study)


@pytest.mark.parametrize("study", [None, [], "x", 3, {}, {"study": []}], ids=repr)
def test_what_is_no_study_at_all_is_refused(study):
    assert outcome(study) or study is None
