"""Normalising text: differences that readers do not see, but a tokenizer does, are taken out before anything is scored.

A carriage return or a trailing blank is a token that a language model finds improbable; left in, it would be masked or
trained on for its layout alone. What carries meaning stays: leading indentation, blank lines inside a text, and
compatibility characters (NFC, not NFKC: a superscript two is not a 2).
"""

import unicodedata
from collections import Counter


def normalise(text: str) -> tuple[str, Counter]:
    """Rewrite a text in its normal form. Normalising twice changes nothing.

    Returns:
        The text, and the number of characters removed or replaced for each kind of change made (no zeros):
        `byte_order_mark` at the start of the text, removed; `line_ends` of CRLF or CR, now LF; `unicode`, characters
        that NFC replaces; `trailing_blanks`, spaces and tabs at a line's end, and line ends at the text's end, removed.
    """
    bare = text.lstrip("\ufeff")
    lines = bare.replace("\r\n", "\n").replace("\r", "\n")
    composed = unicodedata.normalize("NFC", lines)
    result = "\n".join(line.rstrip(" \t") for line in composed.split("\n")).rstrip("\n")
    changed = Counter(
        byte_order_mark=len(text) - len(bare),
        line_ends=bare.count("\r"),
        unicode=_replaced(lines, composed),
        trailing_blanks=len(composed) - len(result),
    )
    return result, +changed


def normalise_example(example: dict) -> tuple[dict, Counter]:
    """Normalise the messages, the reference and the answer of one row of `contracts.EXAMPLES`.

    Its `meta` stays as it is: that is what a verifier runs.

    Returns:
        A new row, and the number of characters changed in it for each kind of change, as `normalise` counts them.
    """
    changed: Counter = Counter()

    def clean(text: str) -> str:
        text, changes = normalise(text)
        changed.update(changes)
        return text

    messages = [{"role": turn["role"], "content": clean(turn["content"])} for turn in example["messages"]]
    texts = {"reference": clean(example["reference"]), "answer": clean(example["answer"])}
    return {**example, "messages": messages, **texts}, changed


def _replaced(before: str, after: str) -> int:
    if before == after:
        return 0
    # Marks that only change places leave the same bag of characters: count one.
    return max(1, (Counter(before) - Counter(after)).total())
