"""Examples of another task that are trained on beside a variant's own: which, with which responses."""

from pathlib import Path
from typing import Any

from clearminds.errors import UserError
from clearminds.files.digests import digest
from clearminds.files.settings import settings
from clearminds.stages.select_examples import Choice, SourceTables, choose


@settings
class Replay:
    """What is mixed in.

    Attributes:
        task: its id.
        source: of its responses.
        share: of the examples of a pass, the variant's own included.
        weights: the rule for its tokens.
        when_none_accepted: of a sampled source; None: an example without an accepted response is not replayed.
    """

    task: str
    source: str
    share: float
    weights: dict[str, Any]
    when_none_accepted: str | None = None


def replay_sources(replay: Replay) -> list[str]:
    """The sources whose tables are read, in the order in which they are given to the stage."""
    falls_back = replay.when_none_accepted == "reference" and replay.source != "reference"
    return [replay.source, "reference"] if falls_back else [replay.source]


def replay_tables(
    replay: Replay, verdicts: list[Path], sequences: list[Path], scores: list[Path]
) -> dict[str, SourceTables]:
    """The tables by source. Args: what is replayed; tables of each kind, in the order of `replay_sources`."""
    files = zip(replay_sources(replay), verdicts, sequences, scores, strict=True)
    return {name: SourceTables(*tables) for name, *tables in files}


def replayed_examples(
    replay: Replay, tables: dict[str, SourceTables], max_length: int, example_ids: list[str], own: int
) -> dict[str, Choice]:
    """The examples that are mixed in, in their order, with their responses.

    They are those of the lowest hash, which says nothing of what is in them: a larger share has those of a smaller one.

    Args:
        replay: what is asked for.
        tables: of its sources.
        max_length: most tokens of a conversation.
        example_ids: of its task, in order.
        own: how many examples the variant itself has.

    Raises:
        UserError: there are fewer.
    """
    wanted = max(1, round(own * replay.share / (1 - replay.share)))
    choices, _ = choose(replay.source, tables, replay.when_none_accepted or "drop", max_length, example_ids)
    if len(choices) < wanted:
        raise UserError(
            f"replay: share: {replay.share:g} beside {own} examples asks for {wanted} of {replay.task}, and "
            f"{len(choices)} of its {len(example_ids)} have a usable response of {replay.source}; lower share, or give "
            "the task more examples in split train"
        )
    chosen = set(sorted(choices, key=lambda example_id: digest([replay.task, example_id]))[:wanted])
    return {example_id: choice for example_id, choice in choices.items() if example_id in chosen}
