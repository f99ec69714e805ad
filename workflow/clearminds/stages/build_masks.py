"""The loss weights of one variant: its matched examples, their token ids, and a weight per token by its rule.

Responses stream through in blocks, so that memory does not grow with the number of tokens.
"""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from clearminds.errors import UserError
from clearminds.files import contracts
from clearminds.files.layout import draw_of
from clearminds.files.row_groups import in_groups
from clearminds.files.settings import settings
from clearminds.files.tables import read_provenance, table_writer
from clearminds.plugins.rules import apply, fitted
from clearminds.plugins.scores import Scores
from clearminds.stages.masking.blocks import ChosenResponses
from clearminds.stages.masking.replay import Replay
from clearminds.stages.masking.rows import in_background, in_order, mask_rows, usable
from clearminds.stages.nothing_left import every_token_masked, no_example_left
from clearminds.stages.select_examples import Choice, SourceTables, choose, match, response_tokens
from clearminds.stages.source_names import scorer_names, source_names

ROW_GROUP = 1024  # responses of the file's groups of rows


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
        replay: what is mixed in; None: nothing.
        match_by: tokens, where trainings are matched by these; None: where nothing more needs to be counted.
    """

    responses: str
    match: list[str]
    sources: dict[str, str]
    max_length: int
    weights: dict[str, Any]
    draw: int | None = None
    match_by: str | None = None
    replay: Replay | None = None


@dataclass(frozen=True)
class Replayed:
    """What is mixed in: its task and rule, the tables of its sources, and the response per example."""

    replay: Replay
    tables: dict[str, SourceTables]
    chosen: dict[str, Choice]


def source_tables(
    settings: Settings, verdicts: list[Path], sequences: list[Path], scores: list[Path]
) -> dict[str, SourceTables]:
    """The tables by source name. Args: of the stage; tables of each kind, in the order of `source_names`."""
    names = source_names(settings.match, settings.responses, settings.sources)
    files = zip(names, verdicts, sequences, scores, strict=True)
    return {name: SourceTables(*tables) for name, *tables in files}


def other_tables(settings: Settings, scores: list[Path]) -> dict[str, dict[str, Path]]:
    """Other models' scores, by model and source.

    Args:
        settings: of the stage.
        scores: per model of `scorer_names` a file for each source that the variant's responses may be of.
    """
    scorers = scorer_names(settings.weights)
    names = source_names([], settings.responses, settings.sources)
    found: dict[str, dict[str, Path]] = {scorer: {} for scorer in scorers}
    for (scorer, source), path in zip(product(scorers, names), scores, strict=True):
        found[scorer][source] = path
    return found


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
        `select_examples.choose` counted; where trainings are matched by tokens, `matched_tokens`: of the responses that
        the first matched source has for the matched examples.

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
    found = {
        "examples": len(example_ids),
        "matched": len(matched),
        "missing": len(matched) - len(chosen),
        "sources": counts,
    }
    if settings.match_by == "tokens":
        offered = choices[settings.match[0]]
        found["matched_tokens"] = response_tokens({key: offered[key] for key in matched}, tables)
    return chosen, found


def write_masks(
    path: Path,
    task: str,
    settings: Settings,
    tables: dict[str, SourceTables],
    chosen: dict[str, Choice],
    provenance: dict,
    others: dict[str, dict[str, Path]] | None = None,
    replayed: Replayed | None = None,
) -> Counter:
    """Write the contract MASKS for the chosen responses, some rows at a time, and behind them for replayed ones.

    Args:
        path: the file.
        task: its id.
        settings: of the stage.
        tables: of the sources of `chosen`.
        chosen: the response per example; rows are in its order.
        provenance: facts about how the masks come to be. The counts, what the rule took from the responses, the dtype
            of scoring, and the fingerprints of the model and tokenizer that the token ids belong to, are added in the
            file.
        others: of `other_tables`, where the rule asks for any.
        replayed: what is mixed in, which the file counts apart, as `replay`.

    Returns:
        of the variant's own examples: `tokens` of the responses, `kept` ones, `all_masked`: responses without any; and
        `near_tau`: tokens whose distance from tau is within the scorer's own noise, where the rule has a tau and the
        noise was measured.

    Raises:
        UserError: no token of any response has a weight; nothing is written.
    """
    counts: Counter = Counter(tokens=0, kept=0, all_masked=0)
    scored = read_provenance(tables[settings.responses].scores)
    responses = ChosenResponses(tables, chosen, settings.draw, others or {})
    rule = fitted(responses, settings.weights)
    mixed: dict[str, Any] = {}
    with table_writer(path, contracts.MASKS) as table:
        rows = chain(ordered(task, responses, rule, counts), _mixed_in(replayed, mixed))
        in_background(table.write, in_groups(rows, ROW_GROUP, contracts.MASKS.schema))
        if not counts["kept"]:
            variant = path.name.removesuffix(".parquet").removesuffix(draw_of(settings.draw))
            best = (float(scores["logprob"].max()) for scores in responses)
            raise UserError(every_token_masked(variant, task, rule, counts["tokens"], best))
        facts = {key: scored[key] for key in ("base", "model", "tokenizer", "chat_template", "scorer")}
        scoring = {"dtype": scored["spec"]["dtype"]}
        taken = {"fitted": rule} if rule != settings.weights else {}
        taken |= {"replay": mixed} if mixed else {}
        table.finish({**provenance, **facts, "masks": {**counts, **taken}, "scoring": scoring})
    return counts


def _mixed_in(replayed: Replayed | None, counted: dict[str, Any]) -> Iterator[pa.Table]:
    """The rows of what is mixed in. Args: that; what is told of it is added to `counted`."""
    if replayed is None:
        return
    replay, counts = replayed.replay, Counter(tokens=0, kept=0, all_masked=0)
    responses = ChosenResponses(replayed.tables, replayed.chosen)
    rule = fitted(responses, replay.weights)
    yield from ordered(replay.task, responses, rule, counts)
    counted |= {"task": replay.task, "source": replay.source, "examples": len(replayed.chosen), **counts, "rule": rule}


def ordered(task: str, responses: ChosenResponses, rule: dict, counts: Counter) -> Iterator[pa.Table]:
    """The rows of `weighted` in the order of the examples, which a fallback mixes from two sources. Args: of that."""
    rows = weighted(task, responses, rule, counts)
    return rows if len(responses.sources) == 1 else in_order(rows, {key: n for n, key in enumerate(responses.chosen)})


def weighted(task: str, responses: ChosenResponses, rule: dict, counts: Counter) -> Iterator[pa.Table]:
    """The responses as rows of the contract MASKS, block by block.

    Args:
        task: its id.
        responses: the chosen ones.
        rule: the fitted rule.
        counts: what is counted of each block is added.
    """
    noise = {source: _scorer_noise(responses.tables[source].scores) for source in responses.sources}
    for block in responses.blocks():
        weights = usable(apply(block.scores, rule), block, rule["rule"])
        kept = block.scores.count(weights != 0)
        counts.update(tokens=len(weights), kept=int(kept.sum()), all_masked=int((kept == 0).sum()))
        if (distance := noise[block.source]) and "tau" in rule and "scorer" not in rule:
            counts.update(near_tau=_near(block.scores, math.log(float(rule["tau"])), distance))
        yield mask_rows(task, block, weights)


def _near(scores: Scores, loss: float, distance: float) -> int:
    return int((np.abs(scores.loss - loss) <= distance).sum())


def _scorer_noise(path: Path) -> float | None:
    return (read_provenance(path).get("noise") or {}).get("max")
