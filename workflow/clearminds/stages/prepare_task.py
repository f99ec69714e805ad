"""Stage prepare_task: the examples of one split of one task, normalised and checked."""

from collections import Counter
from typing import Any

from clearminds.errors import UserError
from clearminds.files.settings import settings
from clearminds.plugins.load import load
from clearminds.stages.normalise import normalise_example

NORMALISE = ("default", "none")


@settings
class Settings:
    """What the examples depend on.

    Attributes:
        task: the task's block: `kind`, `splits` (of the other splits only that they exist), `normalise`, and what the
            module of its kind reads.
        split: which of its splits.
        needs_reference: whether the split is trained on.
    """

    task: dict[str, Any]
    split: str
    needs_reference: bool


def prepare(task: str, settings: Settings) -> tuple[list[dict], dict]:
    """Load, normalise and check the examples of one split.

    Args:
        task: the task's name, for error messages.
        settings: of the stage.

    Returns:
        Rows of `contracts.EXAMPLES`, and counts: `examples`; `normalised`, how many examples each kind of change has
        changed; and `normalised_characters`, how many characters.

    Raises:
        UserError: the source is at fault, an id appears twice, a message is empty, or a reference that is needed is.
    """
    try:
        return _prepare(settings)
    except UserError as error:
        raise UserError(f"task {task}, split {settings.split}: {error}") from error


def _prepare(settings: Settings) -> tuple[list[dict], dict]:
    spec, split = settings.task, settings.split
    if split not in spec["splits"]:
        raise UserError(f"no such split; declared: {', '.join(spec['splits'])}")
    how = spec.get("normalise", "default")
    if how not in NORMALISE:
        raise UserError(f"normalise: {how!r} is not allowed; allowed: {', '.join(NORMALISE)}")
    rows = load("task_kinds", spec["kind"]).load(spec, split)
    changed: Counter[str]
    characters: Counter[str]
    changed, characters = Counter(), Counter()
    if how == "default":
        for number, row in enumerate(rows):
            rows[number], changes = normalise_example(row)
            changed.update(changes.keys())
            characters.update(changes)
    _check(rows, settings.needs_reference)
    return rows, {"examples": len(rows), "normalised": dict(changed), "normalised_characters": dict(characters)}


def _check(rows: list[dict], needs_reference: bool) -> None:
    seen = set()
    for row in rows:
        name = row["example_id"]
        if name in seen:
            raise UserError(f"example {name} appears twice")
        seen.add(name)
        if not row["messages"] or not all(turn["content"].strip() for turn in row["messages"]):
            raise UserError(f"example {name} has an empty message")
        if needs_reference and not row["reference"].strip():
            raise UserError(f"example {name} has no reference, but this split is trained on")
