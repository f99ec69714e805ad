"""Masks as the trainer reads them: weights on response tokens alone, rows in the order of the examples whatever the
sizes of batches and row groups, counts, and what is refused."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow.parquet as pq
import pytest

from clearminds.errors import UserError
from clearminds.files import contracts
from clearminds.files.digests import digest
from clearminds.files.tables import read_provenance, read_table, write_table
from clearminds.plugins.rules import fitted
from clearminds.stages import build_masks
from clearminds.stages.build_masks import Settings, other_tables, source_tables, write_masks
from clearminds.stages.masking import blocks
from clearminds.stages.masking.blocks import ChosenResponses
from clearminds.stages.select_examples import Choice, SourceTables

FACTS = {"base": "b", "model": "m", "tokenizer": "t", "chat_template": "c", "scorer": "s"}
# of `test_existing_rules_give_what_they_always_gave`
GOLDEN = [
    "bf08dbb34999141f",
    "7a9b8e5e51319e3a",
    "5d0715d2f0cb24ba",
    "86d7748f39aabb13",
]
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
        said = {"clearminds": pq.read_metadata(folder / "s.parquet").metadata[b"clearminds"]}
        table = pq.read_table(folder / "s.parquet").replace_schema_metadata(said)
        pq.write_table(table, folder / "s.parquet", row_group_size=row_group)
    return SourceTables(folder / "v.parquet", folder / "q.parquet", folder / "s.parquet")


def spec(rule="perplexity", draw=None, **settings):
    weights = {"rule": rule, **settings}
    return Settings("own", match=[], sources={}, max_length=512, weights=weights, draw=draw)


def rows_of(tables, chosen, spec):
    with TemporaryDirectory() as folder:
        counts = write_masks(Path(folder, "m.parquet"), "sums", spec, tables, chosen, {})
        return read_table(Path(folder, "m.parquet"), contracts.MASKS).to_pylist(), counts


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


def test_a_rule_without_tau_that_masks_all_is_refused(tmp_path):
    found, none = responses(2), spec("expression", formula="0 * logprob")
    expected = r"^variant mine, target sums: rule expression masks all \d+ .* weighted by 0 \* logprob\).*; change its"
    with pytest.raises(UserError, match=expected):
        tables = {"own": write(tmp_path / "t", found)}
        write_masks(tmp_path / "mine.parquet", "sums", none, tables, chosen_of(found), {})
    assert not (tmp_path / "mine.parquet").exists()


@pytest.mark.parametrize(("formula", "value"), [("-position", "-1"), ("1 / (1 - position)", "inf"), ("log(-1)", "nan")])
def test_a_weight_that_cannot_weigh_a_loss_is_refused_and_its_token_named(tmp_path, formula, value):
    found = {("a", 0): [-1.0, -2.0, -3.0], ("b", 0): [-1.0, -2.0]}
    token = 0 if value == "nan" else 1
    with pytest.raises(UserError) as caught:
        rows_of({"own": write(tmp_path, found)}, chosen_of(found), spec("expression", formula=formula))
    assert str(caught.value) == (
        f"rule expression: the weight of example a, sample 0, position {token} is {value}; weights are finite and at "
        "least 0: change the rule's settings"
    )


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


@pytest.mark.parametrize(("size", "row_group"), [(1, None), (2, 3), (5, 1), (7, 4), (64, 2), (3, 1000)])
@pytest.mark.parametrize("sample", [0, 1])
def test_blocks_and_row_groups_cut_nothing(tmp_path, monkeypatch, size, row_group, sample):
    found = responses(20)
    rule = spec("budget", keep=50.0, per="set")
    whole, _ = rows_of({"own": write(tmp_path / "whole", found)}, chosen_of(found, sample), rule)
    monkeypatch.setattr(blocks, "RESPONSES", size)
    tables = {"own": write(tmp_path / "cut", found, row_group=row_group)}
    chosen = ChosenResponses(tables, chosen_of(found, sample))
    parts = list(chosen)
    assert max(len(part.keys) for part in parts) <= size
    assert [key for part in parts for key in part.keys] == [key for key in found if key[1] == sample]
    for name, expected in (("logprob", None), ("position", None), ("token", "x")):
        values = [part[name][a:b] for part in parts for a, b in zip(part.starts, part.starts[1:], strict=False)]
        for (_, logprobs), value in zip(((k, v) for k, v in found.items() if k[1] == sample), values, strict=True):
            wanted = {"logprob": logprobs.astype(np.float32), "position": np.arange(len(logprobs))}.get(name, expected)
            np.testing.assert_array_equal(value, np.broadcast_to(wanted, len(logprobs)))
    assert rows_of(tables, chosen_of(found, sample), rule)[0] == whole


def test_a_column_that_no_rule_asks_for_is_not_read(tmp_path, monkeypatch):
    found, read = responses(6), []
    tables = {"own": write(tmp_path, found)}
    read_row_groups = pq.ParquetFile.read_row_groups

    def noted(self, groups, columns):
        read.extend(columns)
        return read_row_groups(self, groups, columns=columns)

    monkeypatch.setattr(pq.ParquetFile, "read_row_groups", noted)
    rows_of(tables, chosen_of(found), spec(tau="2.5"))
    assert set(read) == {"example_id", "sample", "position", "logprob"}
    rows_of(tables, chosen_of(found), spec("rank", top=1))
    assert "rank" in read and "token" not in read


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
    assert facts["masks"] == dict(counts), "nothing was taken from the responses"
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


def test_what_a_rule_took_from_the_chosen_responses_is_in_the_file(tmp_path):
    found = responses(40)
    tables, auto = {"own": write(tmp_path, found)}, spec(tau="auto")
    write_masks(tmp_path / "m.parquet", "sums", auto, tables, chosen_of(found), {})
    rule = read_provenance(tmp_path / "m.parquet")["masks"]["fitted"]
    losses = np.concatenate([-values for key, values in found.items() if key[1] == 0])
    assert float(rule["tau"]) == pytest.approx(np.exp(losses.mean()), rel=1e-4) and float(rule["tau"]) > 2.5
    assert rule == fitted(ChosenResponses(tables, chosen_of(found)), auto.weights)


def test_existing_rules_give_what_they_always_gave(tmp_path):
    """Weights, as one digest of all, as they were before responses were weighed in blocks."""
    found = responses(300, seed=5)
    tables = {"own": write(tmp_path, found)}
    like = {"rule": "perplexity", "tau": "2.5"}
    specs = [spec("all"), spec(tau="2.5"), spec("random", draw=3, like=like), spec("random", draw=4, like=like)]
    digests = [digest([row["weights"] for row in rows_of(tables, chosen_of(found, 1), one)[0]])[:16] for one in specs]
    assert digests == GOLDEN


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


STM_OTHER = {"tau": "2.5", "scorer": "other"}


@pytest.mark.parametrize("size", [2, 64])
def test_scores_of_another_model_are_those_of_the_same_responses(tmp_path, monkeypatch, size):
    monkeypatch.setattr(blocks, "RESPONSES", size)
    found, rng = responses(20), np.random.default_rng(9)
    theirs = {key: -rng.exponential(1, len(values)) for key, values in found.items()}
    more = {("first", 0): -np.ones(3)} | dict(list(theirs.items())[:9]) | {("between", 0): -np.ones(2)} | theirs
    less = {key: values for key, values in theirs.items() if key[1] == 1}  # the others are too long for it
    tables = {"own": write(tmp_path / "own", found)}
    expected = {key[0]: (-values.astype(np.float32) <= np.log(2.5)).tolist() for key, values in less.items()}
    for name, given in (("same", theirs), ("more", more), ("less", less)):
        others = {"other": {"own": write(tmp_path / name, given).scores}}
        path = tmp_path / f"{name}.parquet"
        write_masks(path, "sums", spec(**STM_OTHER), tables, chosen_of(found, 1), {}, others)
        rows = read_table(path, contracts.MASKS).to_pylist()
        kept = {r["example_id"]: [bool(w) for w in r["weights"][len(r["example_id"]) : -N_AFTER]] for r in rows}
        assert kept == expected


def test_a_response_that_the_other_model_did_not_score_is_named(tmp_path):
    found = responses(6)
    short = write(tmp_path / "y", {key: values for key, values in found.items() if key != ("e4", 0)})
    with pytest.raises(UserError, match=r"s.parquet: other did not score example e4, sample 0, .*lower training: max_"):
        tables, others = {"own": write(tmp_path / "x", found)}, {"other": {"own": short.scores}}
        write_masks(tmp_path / "m.parquet", "sums", spec(**STM_OTHER), tables, chosen_of(found), {}, others)


def test_scores_of_other_tokens_are_refused(tmp_path):
    found = responses(6)
    longer = {key: np.append(values, -1) if key == ("e4", 0) else values for key, values in found.items()}
    for name, other in (("longer", longer), ("turned", dict(reversed(found.items())))):
        tables, others = {"own": write(tmp_path / "x", found)}, {"other": {"own": write(tmp_path / name, other).scores}}
        with pytest.raises(UserError, match="rows are not of the tokens that are trained on; delete it"):
            write_masks(tmp_path / "m.parquet", "sums", spec(**STM_OTHER), tables, chosen_of(found), {}, others)


def test_tables_of_other_models_are_named_by_model_and_source():
    rules = [{"rule": "excess", "reference": "b"}, {"rule": "rank", "scorer": "a"}, {"rule": "all"}]
    given = spec("combine", of=rules)
    given = replace(given, match=["mine"], sources={"own": "reference"})
    paths = [Path(name) for name in ("a1", "a2", "b1", "b2")]
    assert other_tables(given, paths) == {
        "a": {"own": Path("a1"), "reference": Path("a2")},
        "b": {"own": Path("b1"), "reference": Path("b2")},
    }
    assert other_tables(spec(tau="2.5"), []) == {}


def test_an_empty_file_has_no_responses(tmp_path):
    assert list(ChosenResponses({"own": write(tmp_path, {})}, {"a": Choice("own", 0)})) == []


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
