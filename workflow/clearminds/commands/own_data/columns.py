"""Which columns of a user's file hold the conversations: those that are named, or the usual names."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from clearminds.errors import UserError

CONVERSATION, PAIR = {"messages": "messages"}, {"prompt": "prompt", "response": "response"}


def columns_of(data: Path, given: str | None) -> dict[str, str]:
    """The block `columns` of a task that reads a file.

    Args:
        data: the file.
        given: OURS=THEIRS,...; None: `messages`, or else `prompt` and `response`, whichever the first row has.

    Raises:
        UserError: what is given is written otherwise.
    """
    if given is None:
        return PAIR if set(PAIR) <= _names(data) and not set(CONVERSATION) <= _names(data) else CONVERSATION
    pairs = [pair.partition("=") for pair in given.split(",")]
    if not all(ours and sign and theirs for ours, sign, theirs in pairs):
        raise UserError(f"--columns: {given!r} is not OURS=THEIRS,...; write it as prompt=question,response=answer")
    return {ours: theirs for ours, _, theirs in pairs}


def _names(data: Path) -> set[str]:
    """Of the file's first row; none where it cannot be read, which the task's own reader explains."""
    try:
        if data.suffix == ".parquet":
            return set(pq.read_schema(data).names)
        with open(data, encoding="utf-8-sig") as lines:
            first = next((line for line in lines if line.strip()), "")
        if first.lstrip().startswith("["):
            return set(json.loads(data.read_text(encoding="utf-8-sig"))[0])
        return set(json.loads(first))
    except (OSError, ValueError, TypeError, LookupError, pa.ArrowException):
        return set()
