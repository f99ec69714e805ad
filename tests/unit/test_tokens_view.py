"""Tokens of the page: sampled within a budget, and counted by the slider as masks count them."""

import json
import math

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearminds.files import contracts
from clearminds.files.tables import write_table
from clearminds.report import tokens_view
from clearminds.report.embedded import embedded

HOSTILE = "</script><script>alert(1)</script>"
PROMPT = [7, 8]


def tables(folder, responses, weights, scored=None):
    """A study of one model, target and source.

    Args:
        responses: example -> perplexities of its tokens.
        weights: variant -> example -> weights of these.
        scored: other examples that have scores alone.
    """
    rows = {**responses, **(scored or {})}
    tokens = [
        {
            "example_id": name,
            "sample": 0,
            "position": n,
            "token_id": n,
            "token": f"t{n}{HOSTILE}",
            "logprob": -math.log(p),
        }
        for name, perplexities in rows.items()
        for n, p in reversed(list(enumerate(perplexities)))  # in no order
    ]
    write_table(folder / "scores.parquet", tokens, contracts.TOKEN_SCORES, {})
    sequences = [
        {"example_id": name, "sample": 0, "input_ids": [*PROMPT, *range(len(p)), 9], "n_prompt": len(PROMPT)}
        for name, p in rows.items()
    ]
    write_table(folder / "sequences.parquet", sequences, contracts.SEQUENCES, {})
    turn = [{"role": "user", "content": HOSTILE}]
    write_table(
        folder / "examples.parquet", [{"example_id": n, "messages": turn} for n in rows], contracts.EXAMPLES, {}
    )
    masks = []
    for variant, own in weights.items():
        found = [
            {
                "task": "sums",
                "source": "reference",
                "example_id": name,
                "sample": 0,
                "input_ids": [*PROMPT, *range(len(w)), 9],
                "weights": [0.0, 0.0, *w, 0.0],
                "n_response": len(w),
            }
            for name, w in own.items()
        ]
        other = {**found[0], "task": "replayed", "example_id": "elsewhere"}
        write_table(folder / f"{variant}.parquet", [*found, other], contracts.MASKS, {})
        masks.append({"path": folder / f"{variant}.parquet", "model": "tiny", "target": "sums", "variant": variant})
    source = {"model": "tiny", "target": "sums", "source": "reference"}
    scores, lengths = ({**source, "path": folder / f"{kind}.parquet"} for kind in ("scores", "sequences"))
    return masks, [scores], [lengths], {"sums": folder / "examples.parquet"}


def test_a_variant_s_weights_are_those_of_the_response_alone(tmp_path):
    weights = {"stm": {"a": [1.0, 0.0, 1.0]}, "soft": {"a": [1.0, 0.25, 0.123456]}}
    files = tables(tmp_path, {"a": [1, 50, 2]}, weights)
    [view] = tokens_view.views(*files, tokens_view.thresholds())
    [example] = view.shown
    assert (view.variants, view.examples, example["id"]) == (["stm", "soft"], 1, "a")
    assert example["weights"] == [[0, "101"], [0, [1.0, 0.25, 0.1235]]]
    [response] = example["responses"]
    assert response["tokens"] == [f"t{n}{HOSTILE}" for n in range(3)] and response["ppl"] == [1.0, 50.0, 2.0]
    assert example["turns"] == [["user", HOSTILE]]


def test_an_example_that_a_variant_does_not_train_on_has_no_weights_of_it(tmp_path):
    files = tables(tmp_path, {"a": [1], "b": [2]}, {"stm": {"a": [1.0], "b": [1.0]}, "own": {"b": [0.0]}})
    [view] = tokens_view.views(*files, tokens_view.thresholds())
    found = {example["id"]: example["weights"] for example in view.shown}
    assert found == {"a": [[0, "1"], None], "b": [[0, "1"], [0, "0"]]}


@pytest.mark.parametrize("tau", [1, 2.5, 10, 1000])
def test_the_slider_counts_as_polars_does(tmp_path, tau):
    edge = math.exp(float(pa.array([math.log(2.5)], pa.float32())[0].as_py()))
    responses = {"a": [1, 1.5, 2.5, edge, 3, 9.99, 10, 10.01], "b": [999, 1000, 1e5]}
    files = tables(tmp_path, responses, {"stm": {name: [1.0] * len(p) for name, p in responses.items()}}, {"c": [2, 4]})
    taus = tokens_view.thresholds()
    [view] = tokens_view.views(*files, taus)
    place, loss = taus.index(tau), -pl.col("logprob").cast(pl.Float64)
    table = pl.read_parquet(tmp_path / "scores.parquet").with_columns(kept=loss <= math.log(tau))
    [source] = view.sources
    assert (source["tokens"], source["kept"][place]) == (table.height, table["kept"].sum())
    for example in view.shown:
        kept = table.filter(pl.col("example_id") == example["id"]).sort("position")["kept"]
        assert [step <= place for step in example["responses"][0]["step"]] == kept.to_list()
        assert tokens_view.kept(example["responses"][0], place) == kept.sum()


@given(st.lists(st.floats(1, 1e6), max_size=5))
def test_thresholds_rise_and_hold_the_study_s_own(own):
    taus = tokens_view.thresholds(own)
    assert taus == sorted(set(taus)) and {*own, 1, 1.5, 2, 2.5, 10, 100, 1000} <= set(taus)


def test_the_sample_fits_its_budget_and_no_result_sways_it(tmp_path):
    responses = {f"e{n}": [2.0] * 40 for n in range(60)}
    weights = {"stm": {name: [1.0] * 40 for name in responses}}
    files = tables(tmp_path, responses, weights)
    taus = tokens_view.thresholds()
    [whole] = tokens_view.views(*files, taus)
    [part] = tokens_view.views(*files, taus, budget=100_000)
    assert len(whole.shown) == whole.examples == 60 and 1 < len(part.shown) < 60
    assert part.shown == whole.shown[: len(part.shown)]
    assert len(embedded(part.shown).encode()) <= 100_000 + 10 * len(part.shown)
    [least] = tokens_view.views(*files, taus, budget=1)
    assert len(least.shown) == 1, "one is always there"
    (tmp_path / "other").mkdir()
    shuffled = dict(reversed(responses.items()))
    files = tables(tmp_path / "other", shuffled, {"stm": {name: weights["stm"][name] for name in shuffled}})
    assert tokens_view.views(*files, taus, budget=100_000)[0].shown == part.shown


def test_without_scores_or_masks_there_is_nothing_to_show(tmp_path):
    masks, scores, sequences, examples = tables(tmp_path, {"a": [1]}, {"stm": {"a": [1.0]}})
    assert tokens_view.views([], scores, sequences, examples, [1.0]) == []
    assert tokens_view.views(masks, [], [], examples, [1.0]) == []
    assert tokens_view.views(masks, scores, [], examples, [1.0]) == []
    assert tokens_view.views(masks, scores, sequences, {}, [1.0]) == []
    other = [[{**row, "source": "self_output"} for row in rows] for rows in (scores, sequences)]
    assert tokens_view.views(masks, *other, examples, [1.0]) == [], "scores of another source than is trained on"


def test_colours_rise_with_perplexity():
    assert [tokens_view.colour(p) for p in (1, 1.2, 1.3, 2.5, 2.6, 1e9)] == [0, 0, 1, 2, 3, len(tokens_view.BINS)]


@given(st.text())
def test_embedded_data_ends_no_element_and_is_read_back(text):
    said = str(embedded({"x": text + HOSTILE + "<!--"}))
    assert not {"<", ">", "&"} & set(said)
    assert json.loads(said) == {"x": text + HOSTILE + "<!--"}
