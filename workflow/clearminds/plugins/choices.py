"""The choices of a multiple-choice example, as its `meta` has them."""

import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Choices:
    """The choices of one example.

    Attributes:
        texts: of the choices, two or more.
        labels: what each is called, such as A and B; without labels their texts.
        gold: the index of the right one.
    """

    texts: list[str]
    labels: list[str]
    gold: int


def choices_of(example: dict) -> Choices:
    """Read an example's choices. Args: a row of the contract EXAMPLES.

    Raises:
        ValueError: it has none, one only, an empty one, none of them is the right one, or another reads like that one.
            Wrong ones may read alike.
    """
    meta = json.loads(example["meta"] or "{}")
    texts = meta.get("choices")
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError("it has no choices; name them in the task's template (choices, labels, gold)")
    if len(texts) < 2:
        raise ValueError(f"it has {len(texts)} choice; two or more are needed, take the row out")
    if not all(text.strip() for text in texts):
        raise ValueError(f"choice {[bool(text.strip()) for text in texts].index(False)} is empty; take the row out")
    labels = meta.get("labels") or texts
    if len(labels) != len(texts):
        raise ValueError(f"it has {len(texts)} choices and {len(labels)} labels; every choice needs one")
    gold = meta.get("gold")
    if not isinstance(gold, int) or isinstance(gold, bool) or not 0 <= gold < len(texts):
        raise ValueError(f"gold is {gold!r}; it must be the place of the right choice, 0 to {len(texts) - 1}")
    if equal := [place for place, text in enumerate(texts) if text == texts[gold] and place != gold]:
        places = ", ".join(str(place) for place in sorted([gold, *equal]))
        raise ValueError(  # likelihood can't tell them apart: the first would be taken, right or wrong
            f"choices {places} are all {' '.join(texts[gold].split())[:60]!r}, and one is the right one; the others "
            "can't be wrong: correct the row, or take it out"
        )
    return Choices(texts, [str(label) for label in labels], gold)
