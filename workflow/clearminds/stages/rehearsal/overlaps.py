"""Training items that are evaluated too: copies of the prompt alone, of prompt and reference, and items of equal id.

Texts that differ in blanks and line ends alone are copies; nothing else is, neither another wording nor another case.
The id is `origin` in an example's `meta`, by which data sets that are made of each other know their items.
"""

import json

from clearminds.files.digests import digest

NAMED = 5  # examples that are named


def overlaps(target: str, trained: list[dict], split: str, evaluated: dict[str, list[dict]]) -> list[dict]:
    """The overlaps of a target with every evaluated task, those without one left out. Args: as of `overlap`."""
    prompts = [_prompt(row) for row in trained]  # once for all tasks
    found = (overlap(target, trained, prompts, task, split, evaluated[task]) for task in sorted(evaluated))
    return [one for one in found if one is not None]


def overlap(
    target: str, trained: list[dict], trained_prompts: list[str], task: str, split: str, evaluated: list[dict]
) -> dict | None:
    """Which rows of a target's train split have a copy among the evaluated ones.

    Args:
        target: the task that is trained on.
        trained: rows of its train split, of the contract EXAMPLES.
        trained_prompts: of each, as of `_prompt`.
        task: a task that is evaluated, perhaps the same.
        split: of that task.
        evaluated: its rows.

    Returns:
        None where no row has one; else `target`, `task`, `split`, `trained` (rows there are), `prompts` (rows whose
        prompt has a copy), `with_reference` (those whose reference is the copy's too), `same_item` (rows whose origin
        is evaluated, whatever their prompts are) and `examples`, the first of all these by their ids.
    """
    prompts = {_prompt(row) for row in evaluated}
    copied = [row for row, prompt in zip(trained, trained_prompts, strict=True) if prompt in prompts]
    origins = {_origin(row) for row in evaluated} - {None}
    same = [row for row in trained if _origin(row) in origins] if origins else []
    found = {row["example_id"] for row in (*copied, *same)}
    if not found:
        return None
    pairs = {_pair(row) for row in evaluated if row["reference"]}
    return {
        "target": target,
        "task": task,
        "split": split,
        "trained": len(trained),
        "prompts": len(copied),
        "with_reference": sum(bool(row["reference"]) and _pair(row) in pairs for row in copied),
        "same_item": len(same),
        "examples": [row["example_id"] for row in trained if row["example_id"] in found][:NAMED],
    }


def _prompt(row: dict) -> str:
    return digest([[turn["role"], _text(turn["content"])] for turn in row["messages"]])


def _origin(row: dict) -> str | None:
    return json.loads(row.get("meta") or "{}").get("origin")


def _pair(row: dict) -> str:
    return digest([_prompt(row), _text(row["reference"])])


def _text(text: str) -> str:
    return " ".join(text.split())


def in_words(found: dict) -> str:
    """An overlap as one line. Args: as `overlap` returns it."""
    more = max(found["prompts"], found["same_item"]) > len(found["examples"])
    named = f"{', '.join(found['examples'])}{', ...' if more else ''}"
    place = f"split {found['split']} of {found['task']}, which is evaluated"
    if not found["prompts"]:
        return (
            f"{found['same_item']:,} of {found['trained']:,} training items of {found['target']} are by their ids in "
            f"{place}, under other prompts: {named}"
        )
    by_id = f"; by their ids {found['same_item']:,} are the same items" if found["same_item"] else ""
    return (
        f"{found['prompts']:,} of {found['trained']:,} training prompts of {found['target']} are in {place}, "
        f"{found['with_reference']:,} of them with the same reference{by_id}: {named}"
    )
