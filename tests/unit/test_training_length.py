"""How long a training is where the trainings of a target are matched by steps or tokens, and what it records."""

import json

import pytest
import torch
from demo_study import demo, spec, study_with
from hypothesis import given
from hypothesis import strategies as st
from small_training import masks, runtime, training
from tiny import tiny_model_folder
from transformers import AutoModelForCausalLM

from clearminds.files import contracts
from clearminds.files.tables import write_table
from clearminds.report.trained import differences, trained_rows
from clearminds.stages.select_examples import Choice, SourceTables, response_tokens
from clearminds.stages.train_adapter import Length
from clearminds.stages.training.adapter import add_adapter
from clearminds.stages.training.amounts import amounts
from clearminds.stages.training.checkpoints import Checkpoints
from clearminds.stages.training.length import counts_read, optimiser_steps
from clearminds.stages.training.trainer import WeightedTrainer, seeded, train


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny_model_folder(tmp_path_factory.mktemp("tiny") / "llama")


def trained(base, folder, table, steps=None, seconds=300, **changed):
    chosen = training(**changed)
    seeded(0)
    model = add_adapter(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), chosen, "owner/name")
    kept = Checkpoints(folder / "checkpoints", {})
    return train(model, table, chosen, 0, runtime(checkpoint_seconds=seconds), kept, steps)[0]


def test_steps_are_those_of_the_matched_examples_whatever_a_variant_has_of_them():
    length = Length(epochs=2.5, batch_examples=4, by="steps")
    assert {optimiser_steps(length, batch, masks(n), {"matched": 10}) for n, batch in ((10, 4), (7, 4), (30, 2))} == {8}
    assert optimiser_steps(None, 4, masks(10), {"matched": 10}) is None


@given(st.integers(1, 40), st.integers(1, 8), st.sampled_from([0.25, 0.5, 1.0]), st.integers(1, 4))
def test_kept_tokens_are_those_of_the_matched_source_to_half_a_step(n, batch, keep, epochs):
    table = masks(n, keep=keep, all_masked=0)
    kept = sum(table["n_kept"].to_pylist())
    if not kept:
        return
    wanted = epochs * sum(table["n_response"].to_pylist())
    length = Length(epochs=epochs, batch_examples=batch, by="tokens")
    steps = optimiser_steps(length, batch, table, {"matched_tokens": wanted / epochs})
    a_step = kept / -(-n // batch)
    assert steps >= 1 and abs(steps * a_step - wanted) <= max(a_step, a_step / 2 + 1e-6)
    if keep == 1.0:
        assert steps == epochs * -(-n // batch), "what masks nothing trains for its epochs"


@pytest.mark.parametrize("by", ["steps", "tokens"])
def test_the_count_that_a_length_depends_on_is_the_one_that_is_declared(by):
    length, table = Length(epochs=2, batch_examples=4, by=by), masks(8)
    [declared] = counts_read(length)
    name = declared.removeprefix("counts.")
    assert optimiser_steps(length, 4, table, {name: 80}) > optimiser_steps(length, 4, table, {name: 8})
    assert counts_read(None) == []


def test_a_training_takes_these_steps_and_records_what_it_has_seen(base, tmp_path):
    table = masks(10)
    rows = table.to_pylist()
    found = amounts(trained(base, tmp_path, table), table, "t")
    tokens, kept = sum(len(row["input_ids"]) for row in rows), sum(row["n_kept"] for row in rows)
    assert found == {
        "examples": 10,
        "replayed": 0,
        "steps": 6,
        "examples_seen": 20,
        "seen_tokens": 2 * tokens,
        "kept_tokens": 2 * kept,
    }
    longer = amounts(trained(base, tmp_path / "longer", table, steps=7), table, "another")
    assert (longer["steps"], longer["examples_seen"], longer["replayed"]) == (7, 24, 10)


def test_a_resumed_training_counts_the_steps_before(base, tmp_path, monkeypatch):
    table, step = masks(10), WeightedTrainer.training_step

    def stops(self, *given, **named):
        if self.state.global_step == 4:
            raise KeyboardInterrupt
        return step(self, *given, **named)

    whole = trained(base, tmp_path / "whole", table, steps=7)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(WeightedTrainer, "training_step", stops)
        trained(base, tmp_path / "cut", table, steps=7, seconds=0)
    resumed = trained(base, tmp_path / "cut", table, steps=7, seconds=0)
    assert amounts(resumed, table, "t") == amounts(whole, table, "t")
    assert all(torch.equal(a, b) for a, b in zip(resumed.model.parameters(), whole.model.parameters(), strict=True))


def test_tokens_of_the_chosen_responses_are_counted_in_the_scores(tmp_path):
    blank = dict.fromkeys(contracts.TOKEN_SCORES.schema.names) | {"token": "x", "logprob": -1.0}
    rows = [{**blank, "example_id": e, "sample": s, "position": n} for e, s, k in LENGTHS for n in range(k)]
    write_table(tmp_path / "s.parquet", rows, contracts.TOKEN_SCORES, {})
    tables = dict.fromkeys(("own", "reference"), SourceTables(tmp_path, tmp_path, tmp_path / "s.parquet"))
    chosen = {"a": Choice("own", 1), "b": Choice("reference", 0), "c": Choice("own", 0)}
    assert response_tokens(chosen, tables) == 5 + 2 + 11
    assert response_tokens({}, tables) == 0


LENGTHS = [("a", 0, 3), ("a", 1, 5), ("b", 0, 2), ("b", 1, 7), ("c", 0, 11)]


def test_by_what_trainings_are_matched_is_in_the_specs_of_those_that_count_it():
    def specs(by):
        study = demo({"match/by": by})
        return [json.loads(spec(study, stage)) for stage in ("build_masks", "train_adapter")]

    masked, adapter = specs("examples")
    assert [masked, adapter] == [json.loads(spec(demo(), stage)) for stage in ("build_masks", "train_adapter")]
    passes = {"epochs": 3.0, "batch_examples": 8}
    assert specs("steps") == [masked, {**adapter, "length": {"by": "steps", **passes}}]
    assert specs("tokens") == [{**masked, "match_by": "tokens"}, {**adapter, "length": {"by": "tokens", **passes}}]


def test_a_variant_s_own_epochs_are_refused_where_others_decide(refusal):
    own = {"variants/rephrase/training": {"epochs": 4}}
    assert demo(own).match.by is None
    assert refusal(study_with({**own, "match/by": "steps"})) == (
        "variants: rephrase: training: epochs: match: by: steps makes trainings equally long, by the epochs of all "
        "variants; take the key out, or set match: by: examples"
    )


def row(variant, seed=0, **changed):
    usual = {"examples": 10, "replayed": 0, "steps": 6, "examples_seen": 20, "seen_tokens": 500, "kept_tokens": 300}
    return {"model": "m", "target": "t", "variant": variant, "seed": seed}, {**usual, **changed}


def test_where_variants_differ_is_said_in_words():
    runs = [row("all"), row("stm", kept_tokens=200), row("less", examples=9, steps=5), row("old")]
    adapters, records = zip(*runs, strict=True)
    rows = trained_rows(adapters, [*records[:3], {}])
    assert [r["variant"] for r in rows] == ["all", "stm", "less"], "what has no record is not shown"
    assert differences(rows) == [
        "m, t: examples per pass differ between variants: from 9 (less) to 10 (all)",
        "m, t: optimiser steps differ between variants: from 5 (less) to 6 (all)",
        "m, t: kept tokens seen differ between variants: from 200 (stm) to 300 (all)",
    ]
    assert differences(rows[:1]) == []


def test_seeds_are_one_row_where_they_are_alike():
    adapters, records = zip(row("a"), row("a", 1), row("b"), row("b", 1, kept_tokens=299), strict=True)
    rows = trained_rows(adapters, records)
    assert [(r["variant"], r["seed"]) for r in rows] == [("a", None), ("b", 0), ("b", 1)]
    assert differences(rows) == [], "equal to a percent"
