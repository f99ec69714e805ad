"""The loss weights of one variant: its matched examples, their token ids, and a weight per token by its rule.

Responses stream through one at a time, so that memory does not grow with the number of tokens.
"""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from clearminds.errors import UserError
from clearminds.files import contracts
from clearminds.files.digests import digest
from clearminds.files.layout import draw_of
from clearminds.files.reading import batches
from clearminds.files.settings import settings
from clearminds.files.tables import read_provenance, table_writer
from clearminds.plugins.load import load
from clearminds.stages.nothing_left import every_token_masked, no_example_left
from clearminds.stages.select_examples import Choice, SourceTables, choose, match
from clearminds.stages.source_names import source_names

ROW_GROUP = 1024  # responses in memory at a time


@settings
class Settings:
    """What masks depend on.

    Attributes:
        responses: the variant's source.
        match: the sources that fix the matched examples.
        sources: `when_none_accepted` of each sampled source, by name.
        max_length: most tokens of a conversation.
        weights: the rule, a module of `plugins/weights`, and its settings.
        draw: seed of a rule that draws at random.
    """

    responses: str
    match: list[str]
    sources: dict[str, str]
    max_length: int
    weights: dict[str, Any]
    draw: int | None = None


def source_tables(
    settings: Settings, verdicts: list[Path], sequences: list[Path], scores: list[Path]
) -> dict[str, SourceTables]:
    """The tables by source name. Args: of the stage; tables of each kind, in the order of `source_names`."""
    names = source_names(settings.match, settings.responses, settings.sources)
    files = zip(names, verdicts, sequences, scores, strict=True)
    return {name: SourceTables(*tables) for name, *tables in files}


@dataclass(frozen=True)
class MaskedResponse:
    """The loss weights of one response.

    Attributes:
        row: of the contract MASKS.
        near_tau: its tokens whose distance from tau is within the scorer's own noise; None where the rule has no tau or
            the noise was not measured.
    """

    row: dict
    near_tau: int | None


def write_masks(
    path: Path,
    task: str,
    settings: Settings,
    tables: dict[str, SourceTables],
    chosen: dict[str, Choice],
    provenance: dict,
) -> Counter:
    """Write the contract MASKS for the chosen responses, some rows at a time.

    Args:
        path: the file.
        task, settings, tables, chosen: as of `masked_responses`.
        provenance: facts about how the masks come to be. The counts, the dtype of scoring, and the fingerprints of the
            model and tokenizer that the token ids belong to, are added in the file.

    Returns:
        the counts, see `count`.

    Raises:
        UserError: no token of any response has a weight; nothing is written.
    """
    counts: Counter = Counter()
    scored = read_provenance(tables[settings.responses].scores)
    responses = masked_responses(task, settings, tables, chosen)
    with table_writer(path, contracts.MASKS) as table:
        while batch := list(islice(responses, ROW_GROUP)):
            table.write([response.row for response in batch])
            counts.update(count(batch))
        if not counts["kept"]:
            variant = path.name.removesuffix(".parquet").removesuffix(draw_of(settings.draw))
            best = _best_logprobs(tables, chosen)
            raise UserError(every_token_masked(variant, task, settings.weights, counts["tokens"], best))
        facts = {key: scored[key] for key in ("base", "model", "tokenizer", "chat_template", "scorer")}
        scoring = {"dtype": scored["spec"]["dtype"]}
        table.finish({**provenance, **facts, "masks": dict(counts), "scoring": scoring})
    return counts


def count(responses: list[MaskedResponse]) -> Counter:
    """`tokens` of the responses, `kept` ones, `all_masked`: responses without any; and `near_tau` where it is known."""
    counts = Counter(
        tokens=sum(response.row["n_response"] for response in responses),
        kept=sum(response.row["n_kept"] for response in responses),
        all_masked=sum(response.row["n_kept"] == 0 for response in responses),
    )
    if near := [response.near_tau for response in responses if response.near_tau is not None]:
        counts["near_tau"] = sum(near)
    return counts


def plan_examples(
    settings: Settings, tables: dict[str, SourceTables], example_ids: list[str]
) -> tuple[dict[str, Choice], dict]:
    """The response that a variant trains on for each matched example.

    Args:
        settings: of the stage.
        tables: of every source named there.
        example_ids: the task's examples in order.

    Returns:
        choices in order, and the counts that the report shows: matched and missing examples, and per source what
        `select_examples.choose` counted.

    Raises:
        UserError: there is none.
    """
    names = dict.fromkeys([*settings.match, settings.responses])
    choices, counts = {}, {}
    for name in names:
        policy = settings.sources.get(name, "drop")
        choices[name], counted = choose(name, tables, policy, settings.max_length, example_ids)
        counts[name] = dict(counted)
    matched = match(choices, settings.match, example_ids)
    chosen = {
        example_id: choices[settings.responses][example_id]
        for example_id in matched
        if example_id in choices[settings.responses]
    }
    if not chosen:
        raise UserError(
            no_example_left(settings.responses, settings.match, settings.sources, settings.max_length, tables, choices)
        )
    return chosen, {
        "examples": len(example_ids),
        "matched": len(matched),
        "missing": len(matched) - len(chosen),
        "sources": counts,
    }


def masked_responses(
    task: str, settings: Settings, tables: dict[str, SourceTables], chosen: dict[str, Choice]
) -> Iterator[MaskedResponse]:
    """The chosen responses with their weights, in the order of `chosen`.

    Args:
        task: its id.
        settings: of the stage.
        tables: of the sources of `chosen`.
        chosen: the response per example.
    """
    order = {key: n for n, key in enumerate(chosen)}
    by_source: dict[str, dict[str, int]] = {}
    for example_id, choice in chosen.items():
        by_source.setdefault(choice.source, {})[example_id] = choice.sample
    if len(by_source) == 1:
        [(source, samples)] = by_source.items()
        yield from _of_source(task, source, settings, tables[source], samples)
        return
    # a fallback mixes two sources; their rows are brought into the examples' order
    mixed = [
        response
        for source, samples in by_source.items()
        for response in _of_source(task, source, settings, tables[source], samples)
    ]
    yield from sorted(mixed, key=lambda response: order[response.row["example_id"]])


def _of_source(
    task: str, source: str, settings: Settings, tables: SourceTables, samples: dict[str, int]
) -> Iterator[MaskedResponse]:
    rule = load("weights", settings.weights["rule"])
    noise = _scorer_noise(tables.scores)
    # sequences and scores have the same order, so the two files are read side by side
    scores = responses_of(tables.scores)
    for batch in batches(tables.sequences, ROW_GROUP):
        for sequence in batch.to_pylist():
            key, columns = next(scores, (None, {}))
            if key != (sequence["example_id"], sequence["sample"]):
                raise UserError(f"{tables.scores}: rows do not follow {tables.sequences}; delete both and run again")
            if samples.get(key[0]) != key[1]:
                continue
            rng = np.random.default_rng(int(digest([settings.draw, *key])[:16], 16))
            values = rule.weights(columns, settings.weights, rng)
            n_response, n_after = len(values), len(sequence["input_ids"]) - sequence["n_prompt"] - len(values)
            row = {
                "task": task,
                "source": source,
                "example_id": key[0],
                "sample": key[1],
                "input_ids": sequence["input_ids"],
                "weights": [0.0] * sequence["n_prompt"] + values.tolist() + [0.0] * n_after,
                "n_kept": int(np.count_nonzero(values)),
                "n_response": n_response,
            }
            yield MaskedResponse(row, _near_tau(columns["logprob"], settings.weights.get("tau"), noise))


def _best_logprobs(tables: dict[str, SourceTables], chosen: dict[str, Choice]) -> Iterator[float]:
    """The largest log-probability of a token in each chosen response."""
    for source in {choice.source for choice in chosen.values()}:
        for (example_id, sample), columns in responses_of(tables[source].scores):
            if chosen.get(example_id) == Choice(source, sample):
                yield float(columns["logprob"].max())


def _near_tau(logprob: np.ndarray, tau: str | None, noise: float | None) -> int | None:
    if not noise or tau is None:
        return None
    distance = np.abs(-logprob.astype(np.float64) - math.log(float(tau)))
    return int((distance <= noise).sum())


def responses_of(path: Path) -> Iterator[tuple[tuple[str, int], dict[str, np.ndarray]]]:
    """The token scores of a file, one response at a time: (example_id, sample) and its columns as arrays."""
    rest: pl.DataFrame | None = None
    for batch in batches(path, 65536):
        frame: pl.DataFrame = pl.from_arrow(batch)  # type: ignore[assignment]  # a Series comes of single arrays only
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
