"""Training items that are evaluated too: exact copies only, of the prompt alone and of prompt and reference."""

from clearminds.files.digests import digest

NAMED = 5  # examples that are named


def overlap(target: str, trained: list[dict], task: str, split: str, evaluated: list[dict]) -> dict | None:
    """Which rows of a target's train split have a copy among the evaluated ones.

    Args:
        target: the task that is trained on.
        trained: rows of its train split, of the contract EXAMPLES.
        task: a task that is evaluated, perhaps the same.
        split: of that task.
        evaluated: its rows.

    Returns:
        None where no prompt has one; else `target`, `task`, `split`, `trained` (rows there are), `prompts` (rows whose
        prompt has a copy), `with_reference` (those whose reference is the copy's too) and the first of them by id.
    """
    prompts = {digest(row["messages"]) for row in evaluated}
    pairs = {digest([row["messages"], row["reference"]]) for row in evaluated}
    copied = [row for row in trained if digest(row["messages"]) in prompts]
    if not copied:
        return None
    return {
        "target": target,
        "task": task,
        "split": split,
        "trained": len(trained),
        "prompts": len(copied),
        "with_reference": sum(digest([row["messages"], row["reference"]]) in pairs for row in copied),
        "examples": [row["example_id"] for row in copied[:NAMED]],
    }


def in_words(found: dict) -> str:
    """An overlap as one line. Args: as `overlap` returns it."""
    return (
        f"{found['prompts']:,} of {found['trained']:,} training prompts of {found['target']} are in split "
        f"{found['split']} of {found['task']}, which is evaluated, {found['with_reference']:,} of them with the same "
        f"reference: {', '.join(found['examples'])}{', ...' if found['prompts'] > len(found['examples']) else ''}"
    )
