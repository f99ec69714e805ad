"""Tasks that a reasoning-gym generator makes: as many examples as asked for, each with a verifiable answer.

The generator's items are walked in their order, and a hash of an item's operands decides which split it belongs to.
No split shares operands with another (58 + 26 and 26 - 58 stay together), and a larger split only appends examples.
"""

import difflib
import importlib
import json
import random
import re
from collections.abc import Iterator
from dataclasses import fields

import reasoning_gym
from reasoning_gym.dataset import ProceduralDataset
from reasoning_gym.factory import DATASETS

from clearminds.errors import UserError
from clearminds.files.digests import digest
from clearminds.plugins.load import load as load_plugin
from clearminds.plugins.load import module, names

SHARES = {"train": 60, "validation": 15, "test": 25}  # of the operands; only the declared splits take part
MAX_REPEATS = 200  # items without a new example, for each example asked for, until the walk is given up
# Some generators draw all their tasks at once, so that an item depends on the number of items; a fixed number keeps the
# walk the same however many examples are asked for.
BLOCK = 1000
NUMBER = re.compile(r"\d+(?:\.\d+)?")


def load(spec: dict, split: str) -> list[dict]:
    """The first examples of one split.

    Args:
        spec: `generator` (a reasoning-gym data set), `splits` (name to number of examples), `seed`, `parameters` (the
            generator's own settings) and `reference`: "answer" (the default), "wordings" (written by
            `clearminds.plugins.wordings.GENERATOR`) or the key of a text in the item's metadata, such as "answer_cot";
            `choices`, where items are asked as multiple choice: how many.
        split: train, validation or test.

    Returns:
        Rows of `contracts.EXAMPLES`; `meta` holds generator, parameters and entry, which is what `score_answer` needs.
        An item without a single answer (reasoning-gym calls it None) has "" as its answer.

    Raises:
        UserError: an unknown generator, parameter, split or reference; a generator with too few distinct items, or one
            that cannot verify an answer from a stored entry.
    """
    if unknown := set(spec["splits"]) - set(SHARES):
        raise UserError(f"splits: {', '.join(sorted(unknown))} is not allowed; allowed: {', '.join(SHARES)}")
    asked = spec["splits"][split]
    examples: list[dict] = []
    seen: set[str] = set()
    in_vain = 0
    for dataset, item in _walk(spec):
        if len(examples) == asked:
            break
        if item["question"] not in seen and split_of(item, spec["splits"]) == split:
            seen.add(item["question"])
            examples.append(_example(dataset, item, spec, f"{split}-{len(examples):05}"))
            in_vain = 0
        else:
            in_vain += 1
        if in_vain == MAX_REPEATS * asked:
            raise UserError(
                f"{spec['generator']} has too few distinct items: {len(examples)} found, {asked} asked for, nothing "
                f"new in {in_vain} items; ask for fewer, or widen its parameters"
            )
    return examples


def operands(item: dict) -> list[str]:
    """The numbers of an item's expression, sorted, without signs; its question where it has no expression."""
    metadata = item["metadata"]
    numbers = metadata.get("numbers")  # in some generators no list, but how many there are
    text = " ".join(map(str, numbers)) if isinstance(numbers, list | tuple) else str(metadata.get("expression", ""))
    return sorted(NUMBER.findall(text)) or [item["question"]]


def split_of(item: dict, splits: dict) -> str:
    """The split that an item belongs to, out of the declared ones, in proportion to `SHARES`.

    Neither task nor seed enters the hash: two tasks that declare the same splits keep them apart from each other, too.
    """
    slots = [name for name, share in SHARES.items() if name in splits for _ in range(share)]
    return slots[int(digest(operands(item)), 16) % len(slots)]


def _walk(spec: dict) -> Iterator[tuple[ProceduralDataset, dict]]:
    """All items in order, without end, each with the data set it is from."""
    seed = spec.get("seed", 0)
    while True:
        dataset = _dataset(spec, seed)
        for index in range(BLOCK):
            yield dataset, dataset[index]
        seed += BLOCK  # reasoning-gym seeds an item by seed + index: blocks continue one another


def _dataset(spec: dict, seed: int) -> ProceduralDataset:
    generator, parameters = spec["generator"], spec.get("parameters") or {}
    if generator not in DATASETS:
        near = difflib.get_close_matches(generator, DATASETS, n=3) or sorted(DATASETS)
        raise UserError(f"generator: reasoning-gym has no {generator!r}; nearest: {', '.join(near)}")
    allowed = {field.name for field in fields(DATASETS[generator][1])} - {"seed", "size"}
    if unknown := set(parameters) - allowed:
        raise UserError(
            f"parameters: {', '.join(sorted(unknown))} is not allowed for {generator}; allowed: "
            f"{', '.join(sorted(allowed))} (seed and sizes are keys of the task)"
        )
    try:
        return reasoning_gym.create_dataset(generator, **parameters, seed=seed, size=BLOCK)
    except (AssertionError, TypeError, ValueError) as error:
        raise UserError(f"parameters: {generator} refuses {json.dumps(parameters)}: {error}") from error


def _example(dataset: ProceduralDataset, item: dict, spec: dict, example_id: str) -> dict:
    return {
        "example_id": example_id,
        "messages": [{"role": "user", "content": item["question"]}],
        "reference": _reference(item, spec),
        "answer": item["answer"] or "",
        "meta": _meta(dataset, item, spec),
    }


def _meta(dataset: ProceduralDataset, item: dict, spec: dict) -> str:
    entry = {key: item[key] for key in ("question", "answer", "metadata")}
    meta = {"generator": spec["generator"], "parameters": spec.get("parameters") or {}, "entry": entry}
    text = json.dumps(meta, ensure_ascii=False, default=str)
    stored, answer = json.loads(text)["entry"], item["answer"]
    # JSON makes lists of tuples and texts of fractions; most verifiers read neither, the others would judge wrongly.
    if answer and dataset.score_answer(answer, stored) != dataset.score_answer(answer, item):
        raise UserError(f"generator: {spec['generator']} cannot verify an answer from a stored entry; choose another")
    if number := spec.get("choices"):
        # by name, as it is code of those tasks alone that ask for choices
        distractors = importlib.import_module(module("task_kinds", "distractors"))
        right = distractors.choices_for(
            item, number, spec["generator"], lambda said: dataset.score_answer(said, item) >= 1
        )
        text = json.dumps({**json.loads(text), **right}, ensure_ascii=False)
    return text


def _reference(item: dict, spec: dict) -> str:
    kind = spec.get("reference", "answer")
    if kind == "answer":
        return item["answer"] or ""
    if kind == "wordings":
        return _word_reference(item, spec)
    text = item["metadata"].get(kind)
    if not isinstance(text, str):
        texts = [key for key, value in item["metadata"].items() if isinstance(value, str)]
        raise UserError(
            f"reference: {kind!r} is not allowed for {spec['generator']}; allowed: answer, wordings, {', '.join(texts)}"
        )
    return text


def _word_reference(item: dict, spec: dict) -> str:
    if spec["generator"] not in names("wordings"):
        written = ", ".join(names("wordings"))
        raise UserError(f"reference: there are no wordings for {spec['generator']}, only for {written}; use answer")
    tokens = item["metadata"]["expression"].split(" ")
    # Keyed by the question, so that an example keeps its wording wherever it is.
    rng = random.Random(digest([spec.get("seed", 0), item["question"]]))
    terms, operators = [int(token) for token in tokens[::2]], tokens[1::2]
    return load_plugin("wordings", spec["generator"]).word_reference(terms, operators, int(item["answer"]), rng)
