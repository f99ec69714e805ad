"""Which evaluated items are in the training data too: exactly but for case, blanks and Unicode, or by 13 words on end.

A prompt is evaluated in its chat template, and training prompts are texts without one. So an item is an exact copy
where a training prompt stands in its prompt and covers all of it that is not the same in every item of its task. A task
with one prompt does not show what that is: there, what all prompts of the study share is left out.

Thirteen words in a row that training and evaluation share are the measure of GPT-3 (arXiv 2005.14165, appendix C). As
there, what stands in more than 10 training examples is the wording of a task and no copy; in a small training set, what
stands in more than a tenth of them.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

WORDS = 13
COMMON = 10
STARTS = 3  # words by which places are sought where a training prompt may begin

Words = tuple[str, ...]


@dataclass(frozen=True)
class Item:
    """An evaluated item: what names it, its prompt as the model saw it, and the expected answer."""

    subtask: str
    doc_id: str
    doc_hash: str
    prompt: str
    target: str


class TrainingTexts:
    """The training data of a target, ready for look-ups.

    Args:
        examples: rows of the contract EXAMPLES.
    """

    def __init__(self, examples: Sequence[Mapping]):
        self._prompts: dict[Words, str] = {}
        counts: Counter[Words] = Counter()
        first: dict[Words, str] = {}
        for row in examples:
            asked = [turn["content"] for turn in row["messages"] if turn["role"] == "user"]
            if prompt := _symbols(asked[-1] if asked else ""):
                self._prompts.setdefault(prompt, row["example_id"])
            found = set(_grams(" ".join([*(turn["content"] for turn in row["messages"]), row["reference"] or ""])))
            counts.update(found)
            first.update((gram, row["example_id"]) for gram in found if gram not in first)
        most = max(1, min(COMMON, len(examples) // 10))
        self._grams = {gram: example for gram, example in first.items() if counts[gram] <= most}
        self._starts = {prompt[:STARTS] for prompt in self._prompts}
        self._lengths = {len(prompt) for prompt in self._prompts}

    def overlaps(self, task: str, items: Sequence[Item], others: Sequence[str] = ()) -> Iterator[dict]:
        """The items of a task that are in the training data, as `files.summary.OVERLAPS` says but for `target`.

        Args:
            task: its name.
            items: of the task.
            others: prompts of other tasks, as the model saw them.
        """
        texts = [_symbols(item.prompt) for item in items]
        before, after = _around(texts if len(set(texts)) > 1 else [*texts, *map(_symbols, others)])
        for item, text in zip(items, texts, strict=True):
            grams = list(_grams(f"{item.prompt} {item.target}"))
            shared = [self._grams[gram] for gram in grams if gram in self._grams]
            copy = self._copy(text, before, after)
            if copy or shared:
                yield {
                    "eval_task": task,
                    "subtask": item.subtask,
                    "doc_id": item.doc_id,
                    "doc_hash": item.doc_hash,
                    "exact": copy is not None,
                    "shared": len(shared) / len(grams) if grams else 0.0,
                    "example_id": copy or shared[0],
                }

    def _copy(self, text: Words, before: int, after: int) -> str | None:
        """The example whose prompt covers all of a text but for so many words at its ends, which all items share."""
        for start in range(min(before, len(text)) + 1):
            if not any(text[start : start + n] in self._starts for n in range(1, STARTS + 1)):
                continue
            for end in range(max(start + 1, len(text) - after), len(text) + 1):
                if end - start in self._lengths and (found := self._prompts.get(text[start:end])):
                    return found
        return None


def _around(texts: Sequence[Words]) -> tuple[int, int]:
    """How many words all texts begin with, and end with; 0 where there is one text only, which shows neither."""
    return _common(texts), _common([text[::-1] for text in texts])


def _common(texts: Sequence[Words]) -> int:
    if len(set(texts)) < 2:
        return 0
    low, high = min(texts), max(texts)
    return next((n for n, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))


def _symbols(text: str) -> Words:
    """Words, and each other sign as a word: 3 + 4 is not 3 * 4."""
    return tuple(re.findall(r"\w+|[^\w\s]", _normalised(text)))


def _grams(text: str) -> Iterator[Words]:
    words = re.findall(r"\w+", _normalised(text))
    return (tuple(words[n : n + WORDS]) for n in range(len(words) - WORDS + 1))


def _normalised(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
