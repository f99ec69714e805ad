"""The loss weights of one arm: its matched examples, their token ids, and a weight per token by the variant's rule.

Responses stream through one at a time, so that memory does not grow with the number of tokens.
"""

import math
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from clearminds.errors import UserError
from clearminds.files import contracts
from clearminds.files.digests import digest
from clearminds.files.tables import read_provenance, table_writer
from clearminds.plugins.load import load
from clearminds.stages.select_examples import Choice, SourceTables, choose, match
from clearminds.stages.source_names import source_names

ROW_GROUP = 1024  # responses in memory at a time


def source_tables(
    spec: dict, verdicts: list[Path], sequences: list[Path], scores: list[Path]
) -> dict[str, SourceTables]:
    """The tables by source name. Args: the stage's spec; tables of each kind, in the order of `source_names`."""
    files = zip(source_names(spec), verdicts, sequences, scores, strict=True)
    return {name: SourceTables(*tables) for name, *tables in files}


def write_masks(
    path: Path, task: str, spec: dict, tables: dict[str, SourceTables], arm: dict[str, Choice], provenance: dict
) -> Counter:
    """Write the contract MASKS for the arm, some rows at a time; returns what `mask_rows` counted.

    `provenance` gets the same counts and the fingerprints of the model and tokenizer that the token ids belong to.
    """
    counts: Counter = Counter()
    scored = read_provenance(tables[spec["responses"]].scores)
    provenance |= {key: scored[key] for key in ("base", "model", "tokenizer", "chat_template", "scorer")}
    rows = mask_rows(task, spec, tables, arm, counts)
    with table_writer(path, "MASKS", provenance) as writer:
        while batch := list(islice(rows, ROW_GROUP)):
            writer.write_table(pa.Table.from_pylist(batch, schema=contracts.MASKS))
        provenance["masks"] = dict(counts)
    return counts


def plan_examples(
    spec: dict, tables: dict[str, SourceTables], example_ids: list[str]
) -> tuple[dict[str, Choice], dict]:
    """The response that the arm trains on for each matched example.

    Args:
        spec: responses (the arm's source), match (source names), max_length, and sources (name to when_none_accepted).
        tables: of every source named there.
        example_ids: the task's examples in order.

    Returns:
        choices in order, and the counts that the report shows: matched and missing examples, and per source what
        `select_examples.choose` counted.
    """
    names = dict.fromkeys([*spec["match"], spec["responses"]])
    choices, counts = {}, {}
    for name in names:
        policy = spec["sources"].get(name, "drop")
        choices[name], counted = choose(name, tables, policy, spec["max_length"], example_ids)
        counts[name] = dict(counted)
    matched = match(choices, spec["match"], example_ids)
    arm = {
        example_id: choices[spec["responses"]][example_id]
        for example_id in matched
        if example_id in choices[spec["responses"]]
    }
    if not arm:
        raise UserError(
            f"variant of source {spec['responses']}: no example is left to train on (counted: {counts}); "
            "ask for more samples, set when_none_accepted: reference, or list fewer sources under match"
        )
    return arm, {
        "examples": len(example_ids),
        "matched": len(matched),
        "missing": len(matched) - len(arm),
        "sources": counts,
    }


def mask_rows(
    task: str, spec: dict, tables: dict[str, SourceTables], arm: dict[str, Choice], counts: Counter
) -> Iterator[dict]:
    """Rows of the contract MASKS, in the order of `arm`.

    Args:
        task: its id.
        spec: weights (the rule and its settings) and draw (seed of rules that draw at random).
        tables: of the arm's sources.
        arm: the chosen responses.
        counts: filled with `tokens`, `kept`, `all_masked` (examples without any kept token) and `near_tau` (tokens
            whose distance from tau is within the scorer's own noise, where that was measured).
    """
    order = {key: n for n, key in enumerate(arm)}
    by_source: dict[str, list[str]] = {}
    for example_id, choice in arm.items():
        by_source.setdefault(choice.source, []).append(example_id)
    if len(by_source) == 1:
        [(source, ids)] = by_source.items()
        yield from _source_rows(task, source, spec, tables[source], {i: arm[i].sample for i in ids}, counts)
        return
    # a fallback mixes two sources; their rows are brought into the examples' order
    rows = [
        row
        for source, ids in by_source.items()
        for row in _source_rows(task, source, spec, tables[source], {i: arm[i].sample for i in ids}, counts)
    ]
    yield from sorted(rows, key=lambda row: order[row["example_id"]])


def _source_rows(
    task: str, source: str, spec: dict, tables: SourceTables, wanted: dict[str, int], counts: Counter
) -> Iterator[dict]:
    rule = load("weights", spec["weights"]["rule"])
    noise = _scorer_noise(tables.scores)
    # sequences and scores stand in the same order, so the two files are read side by side
    scores = responses_of(tables.scores)
    for batch in pq.ParquetFile(tables.sequences).iter_batches(ROW_GROUP):
        for sequence in batch.to_pylist():
            key, columns = next(scores, (None, {}))
            if key != (sequence["example_id"], sequence["sample"]):
                raise UserError(f"{tables.scores}: rows do not follow {tables.sequences}; delete both and run again")
            if wanted.get(key[0]) != key[1]:
                continue
            rng = np.random.default_rng(int(digest([spec["draw"], *key])[:16], 16))
            values = rule.weights(columns, spec["weights"], rng)
            n_response, n_after = len(values), len(sequence["input_ids"]) - sequence["n_prompt"] - len(values)
            kept = int(np.count_nonzero(values))
            counts.update(tokens=n_response, kept=kept, all_masked=int(kept == 0))
            if noise and "tau" in spec["weights"]:
                distance = np.abs(-columns["logprob"].astype(np.float64) - math.log(float(spec["weights"]["tau"])))
                counts["near_tau"] += int((distance <= noise).sum())
            yield {
                "task": task,
                "source": source,
                "example_id": key[0],
                "sample": key[1],
                "input_ids": sequence["input_ids"],
                "weights": [0.0] * sequence["n_prompt"] + values.tolist() + [0.0] * n_after,
                "n_kept": kept,
                "n_response": n_response,
            }


def responses_of(path: Path) -> Iterator[tuple[tuple[str, int], dict[str, np.ndarray]]]:
    """The token scores of a file, one response at a time: (example_id, sample) and its columns as arrays."""
    rest: pl.DataFrame | None = None
    for batch in pq.ParquetFile(path).iter_batches(65536):
        frame = pl.from_arrow(batch)
        if rest is not None:
            frame = pl.concat([rest, frame])
        groups = frame.partition_by("example_id", "sample", maintain_order=True)
        rest = groups.pop()  # the batch may end within a response
        yield from map(_columns, groups)
    if rest is not None:
        yield _columns(rest)


def _columns(frame: pl.DataFrame) -> tuple[tuple[str, int], dict[str, np.ndarray]]:
    numbers = frame.drop("token", "example_id", "sample")
    return (frame["example_id"][0], frame["sample"][0]), {name: numbers[name].to_numpy() for name in numbers.columns}


def _scorer_noise(path: Path) -> float | None:
    return (read_provenance(path).get("noise") or {}).get("max")
