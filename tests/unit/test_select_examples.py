"""Which response a variant trains on: verdict first, then perplexity, then sample number; what happens where none was
accepted; and that the matched examples follow from the listed sources alone."""

import itertools

import pytest

from clearminds.errors import UserError
from clearminds.files import contracts
from clearminds.files.tables import write_table
from clearminds.stages.build_masks import Settings, plan_examples
from clearminds.stages.select_examples import Choice, SourceTables, choose, match

IDS = ["a", "b", "c", "d"]


@pytest.fixture
def make(tmp_path):
    names = itertools.count()

    def tables(rows, left_out=None):
        """rows: (example_id, sample, verdict, log-probabilities, length of the prompt)."""
        folder = tmp_path / str(next(names))
        verdicts = [{"example_id": e, "sample": s, "verdict": v, "detail": ""} for e, s, v, *_ in rows]
        sequences = [
            {"example_id": e, "sample": s, "input_ids": [1] * (prompt + len(values)), "n_prompt": prompt}
            for e, s, _, values, prompt in rows
        ]
        blank = dict.fromkeys(contracts.TOKEN_SCORES.schema.names)
        scores = [
            {**blank, "example_id": e, "sample": s, "position": n, "logprob": value}
            for e, s, _, values, _ in rows
            for n, value in enumerate(values)
        ]
        write_table(folder / "verdicts.parquet", verdicts, contracts.VERDICTS, {})
        write_table(folder / "sequences.parquet", sequences, contracts.SEQUENCES, {"left_out": left_out})
        write_table(folder / "scores.parquet", scores, contracts.TOKEN_SCORES, {})
        return SourceTables(*(folder / f"{name}.parquet" for name in ("verdicts", "sequences", "scores")))

    return tables


def choice(tables, policy="drop", max_length=100, ids=IDS, reference=None):
    found = {"own": tables} | ({"reference": reference} if reference else {})
    return choose("own", found, policy, max_length, ids)


def test_of_the_accepted_the_one_of_lowest_mean_nll(make):
    tables = make(
        [
            ("a", 0, "correct", [-1.0, -1.0], 3),
            ("a", 1, "correct", [-0.5, -0.5, -0.5, -0.5, -0.5], 3),  # a larger sum, a smaller mean
            ("a", 2, "incorrect", [-0.1], 3),
            ("b", 0, "format_error", [-0.1], 3),
            ("b", 3, "correct", [-9.0], 3),
        ]
    )
    chosen, counts = choice(tables, ids=["a", "b"])
    assert chosen == {"a": Choice("own", 1), "b": Choice("own", 3)}
    assert counts == {"accepted": 2, "none_accepted": 0, "dropped": 0, "too_long": 0}


def test_a_tie_goes_to_the_lower_sample(make):
    # as many as it takes that no order of a table has the lowest first by chance
    order = [(7 * n) % 31 for n in range(1, 31)]
    rows = [("a", sample, "correct", [-1.0, -3.0] if sample % 2 else [-2.0], 3) for sample in order]
    assert choice(make(rows), ids=["a"])[0] == {"a": Choice("own", 1)}


@pytest.mark.parametrize(
    ("verdict", "accepted"),
    [(v, v in ("correct", "unverified")) for v in contracts.VERDICT_VALUES],
)
def test_correct_and_unverified_are_accepted_and_nothing_else(make, verdict, accepted):
    chosen, counts = choice(make([("a", 0, verdict, [-1.0], 3)]), ids=["a"])
    assert (list(chosen), counts["accepted"], counts["dropped"]) == (["a"] if accepted else [], accepted, not accepted)


def none_accepted(make):
    return make(
        [
            ("a", 0, "correct", [-1.0], 3),
            ("b", 0, "incorrect", [-2.0], 3),
            ("b", 1, "format_error", [-1.0], 3),
            ("d", 0, "timeout", [-1.0], 3),
        ]
    )


def test_without_an_accepted_response_drop_drops(make):
    chosen, counts = choice(none_accepted(make), "drop")
    assert chosen == {"a": Choice("own", 0)}
    assert counts == {"accepted": 1, "none_accepted": 3, "dropped": 3, "too_long": 0}


def test_without_an_accepted_response_the_least_surprising_of_all(make):
    chosen, counts = choice(none_accepted(make), "lowest_perplexity")
    assert chosen == {"a": Choice("own", 0), "b": Choice("own", 1), "d": Choice("own", 0)}
    assert list(chosen) == ["a", "b", "d"]
    assert counts == {"accepted": 1, "none_accepted": 3, "dropped": 1, "too_long": 0}  # c has no response at all


def test_without_an_accepted_response_the_reference(make):
    # whatever a verifier thinks of references, they are what there is
    reference = make([(e, 0, "incorrect", [-1.0], 3) for e in ("a", "b", "c")])
    chosen, counts = choice(none_accepted(make), "reference", reference=reference)
    assert chosen == {"a": Choice("own", 0), "b": Choice("reference", 0), "c": Choice("reference", 0)}
    assert counts == {"accepted": 1, "none_accepted": 3, "dropped": 1, "too_long": 0}


def test_choices_are_in_the_order_of_the_examples(make):
    rows = [(e, 0, "correct", [-1.0], 3) for e in "abcd"]
    assert list(choice(make(rows), ids=["c", "a", "d", "b"])[0]) == ["c", "a", "d", "b"]


def test_a_response_of_just_the_longest_length_is_kept(make):
    tables = make([("a", 0, "correct", [-1.0] * 4, 6)])
    assert choice(tables, max_length=10, ids=["a"])[0] == {"a": Choice("own", 0)}
    assert choice(tables, max_length=9, ids=["a"]) == (
        {},
        {"accepted": 0, "none_accepted": 1, "dropped": 1, "too_long": 1},
    )


def spec(**changed):
    usual = {"responses": "own", "match": ["reference", "own"], "max_length": 20, "sources": {"own": "drop"}}
    return Settings(**usual | {"weights": {"rule": "all"}} | changed)


def three_sources(make):
    return {
        "reference": make([(e, 0, "unverified", [-1.0] * (30 if e == "c" else 2), 3) for e in IDS]),
        "own": make([(e, 0, "correct" if e != "d" else "incorrect", [-1.0], 3) for e in IDS]),
        "other": make([("a", 0, "unverified", [-1.0], 3), ("c", 0, "unverified", [-1.0], 3)]),
    }


def test_an_example_too_long_in_one_source_is_dropped_from_every_variant(make):
    tables = three_sources(make)
    for responses in ("reference", "own"):
        chosen, counts = plan_examples(spec(responses=responses), tables, IDS)
        assert list(chosen) == ["a", "b"]
        assert (counts["examples"], counts["matched"], counts["missing"]) == (4, 2, 0)
        assert counts["sources"]["reference"]["too_long"] == 1


def test_the_match_does_not_depend_on_the_variant(make):
    tables = three_sources(make)
    found = [
        plan_examples(spec(responses=responses, weights=weights, draw=draw), tables, IDS)[1]
        for responses in ("reference", "own", "other")
        for weights in ({"rule": "all"}, {"rule": "perplexity", "tau": "1.1"})
        for draw in (0, 1)
    ]
    assert {counts["matched"] for counts in found} == {2}
    chosen, counts = plan_examples(spec(responses="other"), tables, IDS)
    # a source that is not matched may lack examples, which is counted, but adds none
    assert (list(chosen), counts["missing"]) == (["a"], 1)


def test_match_asks_every_listed_source():
    choices = {"x": {"a": 1, "b": 1}, "y": {"b": 1, "c": 1}, "z": {}}
    assert match(choices, ["x", "y"], ["c", "b", "a"]) == ["b"]
    assert match(choices, ["x"], ["c", "b", "a"]) == ["b", "a"]
    assert match(choices, ["x", "z"], ["c", "b", "a"]) == []


def why(settings, tables, ids=IDS):
    with pytest.raises(UserError) as caught:
        plan_examples(settings, tables, ids)
    begin = f"variant of source {settings.responses}: no example is left to train on: "
    assert str(caught.value).startswith(begin)
    return str(caught.value).removeprefix(begin)


def test_all_too_long_asks_for_a_larger_max_length(make):
    assert why(spec(max_length=2), three_sources(make)) == (
        "of source reference's responses 4 are longer than training: max_length (2 tokens): raise training: "
        "max_length; "
        "of source own's responses 4 are longer than training: max_length (2 tokens): raise training: max_length"
    )


def test_all_cut_asks_for_more_new_tokens(make):
    tables = {**three_sources(make), "own": make([], left_out={"cut": 16, "too_long": 0, "merged": 0})}
    assert why(spec(), tables) == (
        "of source own's responses 16 were cut at sources: own: max_new_tokens: raise sources: own: max_new_tokens"
    )


def test_none_accepted_asks_for_samples_or_another_policy_and_the_most_frequent_reason_is_first(make):
    rows = [(e, 0, "incorrect", [-1.0], 3) for e in IDS]
    tables = {**three_sources(make), "own": make(rows, left_out={"cut": 3})}
    assert why(spec(), tables) == (
        "of source own's responses 4 were not accepted by the verifier, 3 were cut at sources: own: max_new_tokens: "
        "raise sources: own: samples or set sources: own: when_none_accepted, or raise sources: own: max_new_tokens"
    )


def test_where_references_are_fallen_back_on_they_are_told_of_too(make):
    tables = {"own": make([], left_out={"cut": 4}), "reference": make([("a", 0, "unverified", [-1.0] * 90, 3)])}
    found = why(spec(match=["own"], sources={"own": "reference"}), tables)
    assert found.endswith(
        "of source reference's responses 1 are longer than training: max_length (20 tokens): raise training: max_length"
    )
    assert found.startswith("of source own's responses 4 were cut at")


def test_sources_that_offer_different_examples_ask_for_fewer_of_them(make):
    tables = {name: make([(e, 0, "correct", [-1.0], 3)]) for name, e in (("reference", "a"), ("own", "b"))}
    assert why(spec(), tables).startswith(
        "no example is offered by all of reference, own (examples that each offers: reference: 1, own: 1); ask for more"
    )


def test_a_source_without_any_response_is_named(make):
    assert why(spec(responses="other"), three_sources(make), ["b", "d"]).startswith("source other has no response to")
    assert why(spec(), {**three_sources(make), "own": make([])}) == "source own has no response to any of the examples"


def test_references_that_no_verifier_accepts_are_to_be_corrected(make):
    tables = {**three_sources(make), "reference": make([("a", 0, "incorrect", [-1.0], 3)])}
    found = "of source reference's responses 1 were not accepted by the verifier: correct the references, or set the"
    assert why(spec(), tables) == f"{found} task's verifier: unverified"
