"""Masks as the trainer reads them: weights on response tokens alone, rows in the order of the examples whatever the
sizes of batches and row groups, counts, and what is refused."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest

from clearminds.errors import UserError
from clearminds.files import contracts
from clearminds.files.tables import read_provenance, read_table, write_table
from clearminds.stages import build_masks
from clearminds.stages.build_masks import Settings, count, masked_responses, responses_of, source_tables, write_masks
from clearminds.stages.select_examples import Choice, SourceTables

FACTS = {"base": "b", "model": "m", "tokenizer": "t", "chat_template": "c", "scorer": "s"}
N_AFTER = 2  # tokens of the template after the end of turn


def responses(n, seed=0):
    """(example_id, sample) to log-probabilities; some responses are all surprising."""
    rng = np.random.default_rng(seed)
    return {
        (f"e{i}", s): -rng.exponential(1, rng.integers(1, 9)) - (9 if i % 4 == 3 else 0)
        for i in range(n)
        for s in range(2)
    }


def write(folder, found, noise=None, row_group=None):
    folder.mkdir(exist_ok=True)
    blank = dict.fromkeys(contracts.TOKEN_SCORES.schema.names) | {"token": "x"}
    scores = [
        {**blank, "example_id": e, "sample": s, "position": n, "token_id": n, "logprob": value, "rank": n}
        for (e, s), values in found.items()
        for n, value in enumerate(values)
    ]
    sequences = [
        {"example_id": e, "sample": s, "input_ids": list(range(len(e) + len(values) + N_AFTER)), "n_prompt": len(e)}
        for (e, s), values in found.items()
    ]
    verdicts = [{"example_id": e, "sample": s, "verdict": "correct", "detail": ""} for e, s in found]
    facts = {**FACTS, "noise": noise, "spec": {"dtype": "float32"}}
    write_table(folder / "v.parquet", verdicts, contracts.VERDICTS, facts)
    write_table(folder / "q.parquet", sequences, contracts.SEQUENCES, facts)
    write_table(folder / "s.parquet", scores, contracts.TOKEN_SCORES, facts)
    if row_group:
        table = pq.read_table(folder / "s.parquet")
        pq.write_table(table, folder / "s.parquet", row_group_size=row_group)
    return SourceTables(folder / "v.parquet", folder / "q.parquet", folder / "s.parquet")


def spec(rule="perplexity", draw=None, **settings):
    weights = {"rule": rule, **settings}
    return Settings("own", match=[], sources={}, max_length=512, weights=weights, draw=draw)


def rows_of(tables, chosen, spec):
    responses = list(masked_responses("sums", spec, tables, chosen))
    return [response.row for response in responses], count(responses)


def chosen_of(found, sample=0, source="own"):
    return {e: Choice(source, sample) for e, s in found if s == sample}


def test_only_tokens_of_the_response_have_weights(tmp_path):
    found = responses(6)
    rows, counts = rows_of({"own": write(tmp_path, found)}, chosen_of(found, 1), spec(tau="2.5"))
    for row in rows:
        values = found[row["example_id"], 1].astype(np.float32)
        n_prompt, expected = len(row["example_id"]), (-values <= np.log(2.5)).astype(float).tolist()
        assert row["weights"] == [0.0] * n_prompt + expected + [0.0] * N_AFTER
        assert len(row["weights"]) == len(row["input_ids"])
        assert (row["n_kept"], row["n_response"]) == (sum(expected), len(values))
        assert (row["task"], row["source"], row["sample"]) == ("sums", "own", 1)
    assert [row["example_id"] for row in rows] == [f"e{i}" for i in range(6)]
    assert counts["tokens"] == sum(row["n_response"] for row in rows)
    assert counts["kept"] == sum(row["n_kept"] for row in rows) > 0


def test_an_example_all_masked_stays_and_is_counted(tmp_path):
    found = responses(8)
    rows, counts = rows_of({"own": write(tmp_path, found)}, chosen_of(found), spec(tau="2.5"))
    empty = [row for row in rows if row["n_kept"] == 0]
    assert len(rows) == 8
    assert {"e3", "e7"} <= {row["example_id"] for row in empty}
    assert all(not any(row["weights"]) and row["n_response"] > 0 for row in empty)
    assert counts["all_masked"] == len(empty)


@pytest.mark.parametrize(
    ("weights", "name"),
    [
        (spec(tau="1.9"), "stm-1.9.parquet"),
        (spec("random", draw=3, like={"rule": "perplexity", "tau": "1.9"}), "stm-1.9.draw3.parquet"),
    ],
)
def test_a_variant_whose_every_token_is_masked_is_refused_and_leaves_no_file(tmp_path, weights, name):
    found = {("a", 0): -np.log([3.0, 2.00041]), ("a", 1): -np.log([1.5]), ("b", 0): -np.log([2.5, 9.0, 4.0])}
    tables = {"own": write(tmp_path / "t", found)}
    with pytest.raises(UserError) as caught:
        write_masks(tmp_path / "m" / name, "sums", weights, tables, chosen_of(found), {})
    assert str(caught.value) == (
        f"variant stm-1.9, target sums: rule {weights.weights['rule']} masks all 5 response tokens: tau is 1.9, and "
        "the smallest perplexity of any is 2.001; set tau to at least that, or take the variant out"
    )
    assert not list((tmp_path / "m").iterdir())
    kept = replace(weights, weights={"rule": "perplexity", "tau": "2.001"})
    assert write_masks(tmp_path / "m" / name, "sums", kept, tables, chosen_of(found), {})["kept"] == 1


def test_a_rule_without_tau_that_masks_all_is_refused(tmp_path, monkeypatch):
    rule = SimpleNamespace(weights=lambda scores, parameters, rng: np.zeros(len(scores["logprob"]), np.float32))
    monkeypatch.setattr(build_masks, "load", lambda kind, name: rule)
    found = responses(2)
    with pytest.raises(UserError, match=r"^variant mine, target sums: rule none masks all \d+ .*; change its weights"):
        tables = {"own": write(tmp_path / "t", found)}
        write_masks(tmp_path / "mine.parquet", "sums", spec("none"), tables, chosen_of(found), {})


def test_every_token_counts_under_the_rule_all(tmp_path):
    found = responses(4)
    rows, counts = rows_of({"own": write(tmp_path, found)}, chosen_of(found), spec("all"))
    assert all(row["n_kept"] == row["n_response"] == sum(row["weights"]) for row in rows)
    assert counts["kept"] == counts["tokens"] and counts["all_masked"] == 0


def test_random_masks_match_in_number_and_follow_the_draw(tmp_path):
    found = responses(30)
    tables = {"own": write(tmp_path, found)}
    like = {"rule": "perplexity", "tau": "2.5"}
    imitated, _ = rows_of(tables, chosen_of(found), spec(tau="2.5"))
    draws = [rows_of(tables, chosen_of(found), spec("random", draw=draw, like=like))[0] for draw in (0, 0, 1)]
    for drawn in draws:
        assert [row["n_kept"] for row in drawn] == [row["n_kept"] for row in imitated]
        for row in drawn:
            n = len(row["example_id"])
            assert not any(row["weights"][:n]) and not any(row["weights"][n + row["n_response"] :])
    assert draws[0] == draws[1]
    assert draws[0] != draws[2]


def test_a_random_mask_does_not_depend_on_the_other_examples(tmp_path):
    found = responses(12)
    tables = {"own": write(tmp_path, found)}
    one = spec("random", draw=3, like={"rule": "perplexity", "tau": "2.5"})
    every, _ = rows_of(tables, chosen_of(found), one)
    few, _ = rows_of(tables, {"e5": Choice("own", 0), "e9": Choice("own", 0)}, one)
    assert few == [row for row in every if row["example_id"] in ("e5", "e9")]


@pytest.mark.parametrize(("batch", "row_group"), [(1, None), (2, 3), (5, 1), (7, 4), (64, 2)])
def test_batches_and_row_groups_cut_nothing(tmp_path, monkeypatch, batch, row_group):
    found = responses(20)
    whole = list(responses_of(write(tmp_path / "whole", found).scores))
    cut = write(tmp_path / "cut", found, row_group=row_group)
    iter_batches = pq.ParquetFile.iter_batches
    monkeypatch.setattr(pq.ParquetFile, "iter_batches", lambda self, size: iter_batches(self, min(size, batch)))
    pieces = list(responses_of(cut.scores))
    assert [key for key, _ in pieces] == [key for key, _ in whole] == list(found)
    for (key, columns), (_, expected) in zip(pieces, whole, strict=True):
        np.testing.assert_array_equal(columns["logprob"], found[key].astype(np.float32))
        assert columns.keys() == expected.keys()
        np.testing.assert_array_equal(columns["position"], expected["position"])


@pytest.mark.parametrize("row_group", [1, 3, 1000])
def test_the_file_holds_the_rows_and_the_counts(tmp_path, monkeypatch, row_group):
    monkeypatch.setattr(build_masks, "ROW_GROUP", row_group)
    found = responses(10)
    tables = {"own": write(tmp_path, found)}
    rows, counts = rows_of(tables, chosen_of(found), spec(tau="2.5"))
    given = {"code": "x"}
    written = write_masks(tmp_path / "m.parquet", "sums", spec(tau="2.5"), tables, chosen_of(found), given)
    assert given == {"code": "x"}
    assert read_table(tmp_path / "m.parquet", contracts.MASKS, tokenizer="t").to_pylist() == rows
    assert pq.ParquetFile(tmp_path / "m.parquet").num_row_groups == -(-10 // row_group)
    facts = read_provenance(tmp_path / "m.parquet")
    assert written == counts
    assert facts["masks"] == dict(counts)
    assert facts["code"] == "x"
    assert {key: facts[key] for key in FACTS} == FACTS
    assert facts["scoring"] == {"dtype": "float32"}
    with pytest.raises(UserError, match="tokenizer of the model that is trained"):
        read_table(tmp_path / "m.parquet", contracts.MASKS, tokenizer="other")


def test_a_fallback_to_another_source_keeps_the_order_of_the_examples(tmp_path):
    found = responses(6)
    tables = {"own": write(tmp_path / "own", found), "reference": write(tmp_path / "reference", responses(6, seed=1))}
    sources = ["own", "reference", "reference", "own", "reference", "own"]
    chosen = {f"e{n}": Choice(source, 0) for n, source in enumerate(sources)}
    rows, counts = rows_of(tables, chosen, spec(tau="2.5"))
    assert [(row["example_id"], row["source"]) for row in rows] == [(f"e{n}", s) for n, s in enumerate(sources)]
    assert counts["tokens"] == sum(row["n_response"] for row in rows)


def test_tokens_within_the_scorer_s_noise_of_tau_are_counted(tmp_path):
    near = {("a", 0): -np.log([2.5, 2.6, 2.4, 9.0, 1.0])}
    noisy = {"own": write(tmp_path / "noisy", near, noise={"mean": 0.01, "max": 0.05})}
    assert rows_of(noisy, chosen_of(near), spec(tau="2.5"))[1]["near_tau"] == 3
    assert "near_tau" not in rows_of({"own": write(tmp_path / "exact", near)}, chosen_of(near), spec(tau="2.5"))[1]


def test_scores_that_do_not_follow_the_sequences_are_refused(tmp_path):
    found = responses(3)
    tables = write(tmp_path / "x", found)
    other = write(tmp_path / "y", dict(reversed(found.items())))
    mixed = {"own": SourceTables(tables.verdicts, tables.sequences, other.scores)}
    with pytest.raises(UserError, match="rows do not follow"):
        rows_of(mixed, chosen_of(found), spec(tau="2.5"))


def test_scores_that_end_before_the_sequences_are_refused(tmp_path):
    found = responses(3)
    short = write(tmp_path / "y", dict(list(found.items())[:-1]))
    mixed = {"own": SourceTables(short.verdicts, write(tmp_path / "x", found).sequences, short.scores)}
    with pytest.raises(UserError, match="rows do not follow"):
        rows_of(mixed, chosen_of(found), spec(tau="2.5"))


def test_an_empty_file_has_no_responses(tmp_path):
    write_table(tmp_path / "s.parquet", [], contracts.TOKEN_SCORES, FACTS)
    assert list(responses_of(tmp_path / "s.parquet")) == []


def test_tables_are_named_by_their_source(tmp_path):
    policies = {"own": "drop", "my.odd": "reference"}
    given = Settings("own", match=["own", "my.odd"], sources=policies, max_length=9, weights={})
    order = ("own", "my.odd", "reference")
    paths = [[tmp_path / kind / f"train.{source}.parquet" for source in order] for kind in "vqs"]
    found = source_tables(given, *paths)
    assert tuple(found) == order
    for source in order:
        assert found[source] == SourceTables(*(tmp_path / kind / f"train.{source}.parquet" for kind in "vqs"))
    with pytest.raises(ValueError, match="zip"):
        source_tables(replace(given, match=["own"], sources={"own": "drop"}), *paths)
