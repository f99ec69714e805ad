"""Examples of another task mixed into a variant's own: which, how many, with which weights, and what is refused."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from demo_study import DEMO, MODEL, WILDCARDS, demo, spec, study_with
from hypothesis import given
from hypothesis import strategies as st
from test_build_masks import chosen_of, responses, write
from test_build_masks import spec as settings_of

from clearminds.errors import UserError
from clearminds.files import contracts
from clearminds.files.tables import read_provenance, read_table
from clearminds.reuse import stage_code
from clearminds.run.specs import Specs
from clearminds.stages.build_masks import Replayed, write_masks
from clearminds.stages.masking.replay import Replay, replay_sources, replay_tables, replayed_examples

CHAT = {"kind": "everyday_prompts", "splits": {"train": 8}}
FALLS_BACK = {"samples": 1, "max_new_tokens": 8, "when_none_accepted": "reference"}
MIXED = {"task": "talk", "source": "everyday", "share": 0.2}


def mixing(replay, **more):
    return {"tasks/talk": CHAT, "variants/mixed": {"responses": "reference", "replay": replay}, **more}


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Two responses of each of 24 examples, all accepted."""
    return write(tmp_path_factory.mktemp("replay") / "own", responses(24))


IDS = [f"e{n}" for n in range(24)]


def replayed(tables, share, own, max_length=512, ids=IDS):
    replay = Replay("talk", "own", share, {"rule": "all"})
    return replayed_examples(replay, {"own": tables}, max_length, ids, own)


@given(st.integers(1, 40), st.floats(0.01, 0.5))
def test_the_share_is_that_of_a_pass_and_a_larger_one_has_what_a_smaller_one_has(tables, own, share):
    wanted = max(1, round(own * share / (1 - share)))
    if wanted > 24:
        with pytest.raises(UserError, match="lower share, or give the task more examples"):
            replayed(tables, share, own)
        return
    found = replayed(tables, share, own)
    assert len(found) == wanted and list(found) == [e for e in IDS if e in found]
    assert wanted == 1 or abs(len(found) - share * (own + len(found))) <= 1
    assert replayed(tables, share / 2, own).keys() <= found.keys()


def test_which_examples_are_replayed_does_not_depend_on_their_order_or_on_others(tables):
    found = replayed(tables, 0.2, 20)
    assert replayed(tables, 0.2, 20, ids=IDS[::-1]).keys() == found.keys()
    rest = [e for e in IDS if e in found or int(e[1:]) % 2]
    assert replayed(tables, 0.2, 20, ids=rest).keys() == found.keys()


def test_too_few_examples_are_told_with_what_to_do(tables):
    with pytest.raises(UserError) as caught:
        replayed(tables, 0.5, 25)
    assert str(caught.value) == (
        "replay: share: 0.5 beside 25 examples asks for 25 of talk, and 24 of its 24 have a usable response of own; "
        "lower share, or give the task more examples in split train"
    )


def test_replayed_rows_follow_the_variant_s_own_with_the_weights_of_their_rule(tables, tmp_path):
    found = responses(24)
    own = write(tmp_path / "own", responses(7, seed=1))
    chosen = chosen_of(responses(7, seed=1))
    replay = Replay("talk", "own", 0.3, {"rule": "perplexity", "tau": "2.5"})
    mixed = Replayed(replay, {"own": tables}, replayed_examples(replay, {"own": tables}, 512, IDS, len(chosen)))
    alone, together = tmp_path / "alone.parquet", tmp_path / "together.parquet"
    counts = write_masks(alone, "sums", settings_of("all"), {"own": own}, chosen, {})
    also = write_masks(together, "sums", settings_of("all"), {"own": own}, chosen, {}, replayed=mixed)
    assert counts == also, "what is mixed in is counted apart"
    rows = read_table(together, contracts.MASKS).to_pylist()
    assert rows[:7] == read_table(alone, contracts.MASKS).to_pylist()
    assert [row["task"] for row in rows] == ["sums"] * 7 + ["talk"] * 3
    for row in rows[7:]:
        logprobs = np.array(found[row["example_id"], row["sample"]], np.float32).astype(float)
        first = len(row["example_id"])
        np.testing.assert_array_equal(row["weights"][first : first + len(logprobs)], -logprobs <= np.log(2.5))
    said = read_provenance(together)["masks"]["replay"]
    tokens, kept = (sum(row[key] for row in rows[7:]) for key in ("n_response", "n_kept"))
    assert (said["task"], said["examples"], said["tokens"], said["kept"]) == ("talk", 3, tokens, kept)
    assert "replay" not in read_provenance(alone)["masks"]


def test_tables_are_named_by_their_source_with_the_references_where_it_falls_back(tmp_path):
    replay = Replay("talk", "own", 0.1, {"rule": "all"}, "reference")
    assert replay_sources(replay) == ["own", "reference"]
    assert list(replay_tables(replay, *[[tmp_path, tmp_path]] * 3)) == ["own", "reference"]
    assert replay_sources(Replay("talk", "reference", 0.1, {"rule": "all"})) == ["reference"]


def test_replay_is_in_the_specs_of_its_masks_and_of_the_rehearsal():
    study, place = demo(mixing(MIXED)), SimpleNamespace(**{**vars(WILDCARDS), "variant": "mixed"})
    found = json.loads(spec(study, "build_masks", variant="mixed"))["replay"]
    assert found == {**MIXED, "weights": {"rule": "all"}, "when_none_accepted": "drop"}
    assert spec(study, "build_masks") == spec(demo(), "build_masks")
    assert json.loads(spec(study, "rehearse"))["replayed"] == {"talk": ["self_output"]}
    specs = Specs(study)
    assert specs.inputs.replay_examples(place) == ["results/demo/examples/talk/train.parquet"]
    [scores] = specs.inputs.replay_inputs("scores")(place)
    assert scores == f"results/demo/scores/{MODEL}/{MODEL}/talk/train.everyday.parquet"
    assert specs.inputs.replay_inputs("scores")(WILDCARDS) == specs.inputs.replay_examples(WILDCARDS) == []
    assert specs.inputs.train_examples(place)[-1] == "results/demo/examples/talk/train.parquet"
    rule = {"rule": "perplexity", "tau": "3"}
    ruled = json.loads(spec(demo(mixing({**MIXED, "weights": rule})), "build_masks", variant="mixed"))
    roots = [stage_code.roots("build_masks", one) for one in (ruled, {**ruled, "replay": None})]
    assert set(roots[0]) - set(roots[1]) == {
        root for root in roots[0] if root.startswith("clearminds.plugins.weights.perplexity")
    }


def test_references_of_what_is_replayed_are_needed():
    task = {**DEMO["tasks"]["gcd"], "splits": {"train": 40, "test": 8}}
    replay = {"tasks/gcd": task, "variants/mixed": {"responses": "reference", "replay": {"task": "gcd", "share": 0.2}}}
    needs = [
        json.loads(spec(demo(changes), "prepare_task", task="gcd", split="train"))["needs_reference"]
        for changes in ({"tasks/gcd": task}, replay)
    ]
    assert needs == [False, True]


@pytest.mark.parametrize(
    ("replay", "message"),
    [
        ({**MIXED, "task": "tlak"}, "task: 'tlak' is not one of "),
        ({**MIXED, "source": "everday"}, "source: 'everday' is not one of reference, "),
        ({**MIXED, "task": "gcd"}, "splits: train is missing, of which variants: mixed replays examples; found: test"),
        ({**MIXED, "task": "sums"}, "task: sums is what the variant is trained on itself; name another task"),
        ({"task": "talk", "share": 0.1}, "source: talk has no references; name one of sources"),
        ({**MIXED, "share": 1}, "share: "),
        ({**MIXED, "weights": {"rule": "random", "like": "stm-2.5"}}, "weights: a rule that is like another variant's"),
        ({**MIXED, "weights": {"rule": "dpf", "reference": MODEL}}, "weights: a rule that is like another variant's"),
        ({**MIXED, "sahre": 0.1}, "sahre: unknown key; did you mean share?"),
    ],
)
def test_what_cannot_be_replayed_is_refused(refusal, replay, message):
    found = refusal(study_with(mixing(replay)))
    assert message in found and ("mixed" in found)


def test_a_formula_for_replayed_tokens_is_checked_before_the_run():
    rule = {"rule": "expression", "formula": "exp(logprop)"}
    with pytest.raises(UserError, match=r"variants: mixed: weights: expression: .*did you mean logprob"):
        Specs(demo(mixing({**MIXED, "weights": rule})))


def test_answers_that_fall_back_to_references_are_not_replayed_where_there_are_none():
    study = {"tasks/talk": CHAT, "sources/self_output": FALLS_BACK}
    mixed = {"responses": "reference", "replay": {**MIXED, "source": "self_output"}}
    with pytest.raises(ValueError, match="talk has no references; name one of sources"):
        demo({**study, "variants/mixed": mixed})
