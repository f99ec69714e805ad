"""Tasks of reasoning-gym: splits that share nothing, references, and how bad settings are named."""

import json
import re
from collections import Counter

import pytest
import reasoning_gym
from task_rows import questions

from clearminds.errors import UserError
from clearminds.plugins.task_kinds import reasoning_gym as generators

SUMS = {
    "kind": "reasoning_gym",
    "generator": "chain_sum",
    "parameters": {"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 2},
    "splits": {"train": 160, "validation": 48, "test": 96},
    "seed": 7,
}


def numbers_of(row: dict) -> tuple[int, ...]:
    """The operands of a sum, read from the question and so by another way than the code's."""
    return tuple(sorted(int(number) for number in re.findall(r"\d+", row["messages"][0]["content"])))


def test_splits_share_no_operands():
    found = {split: generators.load(SUMS, split) for split in SUMS["splits"]}
    assert {split: len(rows) for split, rows in found.items()} == SUMS["splits"]
    operands = {split: {numbers_of(row) for row in rows} for split, rows in found.items()}
    assert not operands["train"] & operands["test"]
    assert not operands["train"] & operands["validation"]
    assert not operands["validation"] & operands["test"]
    assert all(len(set(questions(rows))) == len(rows) for rows in found.values())


def test_splits_share_no_operands_across_seeds():
    train = {numbers_of(row) for row in generators.load(SUMS, "train")}
    test = {numbers_of(row) for row in generators.load({**SUMS, "seed": 1000}, "test")}
    assert not train & test


def test_growing_a_split_only_appends():
    larger = {**SUMS, "splits": {"train": 500, "validation": 48, "test": 96}}
    assert generators.load(larger, "train")[:160] == generators.load(SUMS, "train")
    assert generators.load(larger, "test") == generators.load(SUMS, "test")


def test_size_of_another_split_does_not_matter():
    alone = {**SUMS, "splits": {"train": None, "validation": None, "test": 96}}
    assert generators.load(alone, "test") == generators.load(SUMS, "test")


def test_growing_beyond_a_block_only_appends(monkeypatch):
    spec = {"generator": "gsm_symbolic", "splits": {"test": 30}, "seed": 7}
    monkeypatch.setattr(generators, "BLOCK", 20)
    first = generators.load(spec, "test")
    assert generators.load({**spec, "splits": {"test": 50}}, "test")[:30] == first


def test_shares_of_the_splits():
    items = [{"question": f"q{number}", "metadata": {}} for number in range(4000)]
    counts = Counter(generators.split_of(item, {"train": 1, "test": 1}) for item in items)
    assert counts["train"] / 4000 == pytest.approx(60 / 85, abs=0.03)
    counts = Counter(generators.split_of(item, SUMS["splits"]) for item in items)
    assert counts["validation"] / 4000 == pytest.approx(0.15, abs=0.03)


@pytest.mark.parametrize(
    ("metadata", "operands"),
    [
        ({"expression": "58 + 26 - 58"}, ["26", "58", "58"]),
        ({"expression": "-58 - -26"}, ["26", "58"]),
        ({"expression": "0.5 + 12.25"}, ["0.5", "12.25"]),
        ({"numbers": [12, 8]}, ["12", "8"]),
        ({"numbers": 3}, ["how much?"]),
        ({"expression": "A + B"}, ["how much?"]),
        ({}, ["how much?"]),
    ],
)
def test_operands(metadata, operands):
    assert generators.operands({"question": "how much?", "metadata": metadata}) == operands


def test_split_is_stable():
    """Pinned: another hash would move every example of every study to another split."""
    items = [{"question": "", "metadata": {"expression": f"{a} + 1"}} for a in range(12)]
    assert "".join(generators.split_of(item, SUMS["splits"])[1] for item in items) == "arrararrrrrr"


def test_ids_and_verification():
    row = generators.load(SUMS, "train")[12]
    assert row["example_id"] == "train-00012"
    assert row["reference"] == row["answer"]
    meta = json.loads(row["meta"])
    assert (meta["generator"], meta["parameters"]) == ("chain_sum", SUMS["parameters"])
    assert meta["entry"]["question"] == questions([row])[0]
    dataset = reasoning_gym.create_dataset(meta["generator"], **meta["parameters"])
    assert dataset.score_answer(row["answer"], meta["entry"]) == 1
    assert dataset.score_answer("-1", meta["entry"]) < 1


def test_products_of_one_digit():
    parameters = {"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 1}
    rows = generators.load(
        {"generator": "products", "parameters": parameters, "splits": {"test": 96}, "seed": 7}, "test"
    )
    assert len(set(questions(rows))) == 96


def test_gcd_of_small_numbers():
    rows = generators.load(
        {"generator": "gcd", "parameters": {"max_value": 30}, "splits": {"test": 96}, "seed": 7}, "test"
    )
    assert len(set(questions(rows))) == 96


def test_reference_from_the_metadata():
    rows = generators.load(
        {"generator": "gsm_symbolic", "splits": {"test": 96}, "seed": 7, "reference": "answer_cot"}, "test"
    )
    assert len(rows) == 96
    assert all(f"#### {row['answer']}" in row["reference"] for row in rows)


def test_worded_references_are_stable_and_varied():
    spec = {**SUMS, "reference": "wordings"}
    rows = generators.load(spec, "train")
    assert rows == generators.load(spec, "train")
    assert all(re.findall(r"-?\d+", row["reference"])[-1] == row["answer"] for row in rows)
    assert len({re.sub(r"\d+", "N", row["reference"]) for row in rows}) > 8
    other = generators.load({**spec, "seed": 8}, "train")
    worded = {row["messages"][0]["content"]: row["reference"] for row in rows}
    again = [(worded[q], row["reference"]) for q, row in zip(questions(other), other, strict=True) if q in worded]
    assert any(before != after for before, after in again)


def test_worded_references_of_longer_and_negative_sums():
    parameters = {"min_terms": 3, "max_terms": 4, "max_digits": 2, "allow_negation": True}
    rows = generators.load(
        {**SUMS, "parameters": parameters, "reference": "wordings", "splits": {"train": 20}}, "train"
    )
    assert all(re.findall(r"-?\d+", row["reference"])[-1] == row["answer"] for row in rows)


def test_generator_without_a_single_answer():
    rows = generators.load({"generator": "rubiks_cube", "splits": {"test": 2}}, "test")
    assert [(row["answer"], row["reference"]) for row in rows] == [("", ""), ("", "")]


def test_too_few_distinct_items():
    parameters = {"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 1}
    spec = {"generator": "products", "parameters": parameters, "splits": {"test": 101}, "seed": 7}
    with pytest.raises(
        UserError, match="products has too few distinct items: 100 found, 101 asked for, nothing new in 20200"
    ):
        generators.load(spec, "test")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"generator": "chain_sums"}, "reasoning-gym has no 'chain_sums'; nearest: chain_sum"),
        ({"parameters": {"min_term": 2}}, "min_term is not allowed for chain_sum; allowed: .*min_terms"),
        ({"parameters": {"seed": 2}}, "seed is not allowed for chain_sum"),
        ({"parameters": {"min_terms": -2}}, "chain_sum refuses .* min_terms must be positive"),
        ({"parameters": {"min_terms": "two"}}, "chain_sum refuses"),
        ({"splits": {"train": 1, "dev": 2}}, "splits: dev is not allowed; allowed: train, validation, test"),
        (
            {"reference": "answer_cot"},
            "'answer_cot' is not allowed for chain_sum; allowed: answer, wordings, .*expression",
        ),
        ({"generator": "gcd", "parameters": {}, "reference": "wordings"}, "no wordings for gcd"),
        ({"generator": "arc_agi", "parameters": {}}, "arc_agi cannot verify an answer from a stored entry"),
    ],
)
def test_bad_generator_settings(change, message):
    with pytest.raises(UserError, match=message):
        generators.load({**SUMS, **change}, "train")
