"""What names in one block of a study must be in another: of what there is, once, with the splits they need."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from clearminds.config.tasks import Task
from clearminds.config.wording import nearest, short


def among(where: str, found: Sequence[str | None], allowed: Collection[str]) -> None:
    """Refuse names that are not of those allowed; the nearest one is offered. Args: where: the key, in words."""
    for value in found:
        if value not in allowed:
            raise ValueError(f"{where}: {short(value)} is not one of {', '.join(allowed)}{nearest(value, allowed)}")


def has_split(name: str, task: Task, split: str, why: str) -> None:
    """Refuse a task without a split. Args: name, task; split; why: what it is needed for, as the end of a sentence."""
    if split not in task.splits:
        raise ValueError(
            f"tasks: {name}: splits: {split} is missing, {why}; found: {', '.join(task.splits)}"
            f"{nearest(split, task.splits)}"
        )


def unique(where: str, values: list) -> None:
    """Refuse a list that has a value twice. Args: where: the key, in words."""
    twice = [value for n, value in enumerate(values) if value in values[:n]]
    if twice:
        raise ValueError(f"{where}: {twice[0]!r} appears twice; take one out")
