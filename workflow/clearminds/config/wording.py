"""What is wrong with a value, in words: what was found and what is allowed, on one line."""

import re
from collections.abc import Collection, Sequence
from difflib import get_close_matches

from pydantic_core import ErrorDetails

# what a key takes, by the error of a value that is of another type
NEEDED = {
    "string_type": "a text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a block of keys",
    "model_type": "a block of keys",
    "model_attributes_type": "a block of keys",
}


def problem(errors: Sequence[ErrorDetails]) -> str:
    """What is wrong with the value of one key.

    Args:
        errors: of this value: several where it may be of several types and is of none.
    """
    types = dict.fromkeys(NEEDED[error["type"]] for error in errors if error["type"] in NEEDED)
    values = dict.fromkeys(value for error in errors for value in _values(error))
    telling = [error for error in errors if error["type"] not in NEEDED]
    # of a number that is out of its range no error needs to say that it is not a certain text either
    first = next((error for error in telling if error["type"] != "literal_error"), [*telling, *errors][0])
    kind, found = first["type"], first["input"]
    if kind == "literal_error" and "a whole number" in types:
        remedy = nearest(found, values) or _remedy("int_type", found)
        return f"{_either(types)} or {' or '.join(values)} is needed, not {short(found)}{remedy}"
    if kind == "literal_error":
        lists = " or a list of them" if "a list" in types else ""
        return f"{short(found)} is not one of {', '.join(values)}{lists}{nearest(found, values)}"
    if kind in NEEDED:
        if found is None or types.keys() == {"a block of keys"}:
            return f"{_either(types)} belongs here, not {short(found)}; fill it in or take the key out"
        return f"{_either(types)} is needed, not {short(found)}{_remedy(kind, found)}"
    if kind == "finite_number":
        return f"a finite number is needed, not {found}"
    if kind in ("too_short", "string_too_short"):
        return f"at least one entry is needed, not {short(found)}"
    if kind == "value_error":
        return first["msg"].removeprefix("Value error, ")
    if kind == "int_parsing_size":
        return f"{short(found)} is too large a number; write a smaller one"
    return f"{first['msg'][0].lower()}{first['msg'][1:]}, not {short(found)}"


def nearest(found: object, allowed: Collection[str], otherwise: str = "") -> str:
    """The allowed name that is most like the one found, as the end of a message; else all, after `otherwise`."""
    near = get_close_matches(found, allowed, n=1) if isinstance(found, str) else []
    if not near and isinstance(found, str):
        near = get_close_matches(found.lower(), allowed, n=1)
    return f"; did you mean {near[0]}?" if near else f"; {otherwise}: {', '.join(allowed)}" if otherwise else ""


def short(value: object) -> str:
    """A value as Python writes it, cut off where it is long."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}..."


def printable(key: object) -> str:
    """A key as the file has it, or as Python writes it where a terminal could not show it."""
    text = str(key)
    return (text if len(text) <= 80 else f"{text[:80]}...") if text.isprintable() else short(text)


def _values(error: ErrorDetails) -> list[str]:
    """What is allowed where one of a few texts belongs."""
    return re.findall(r"'([^']*)'", error["ctx"]["expected"]) if error["type"] == "literal_error" else []


def _either(types: Collection[str]) -> str:
    return " or ".join(types)


def _remedy(kind: str, found: object) -> str:
    """How to write what was probably meant, as the end of a message."""
    if kind == "string_type" and isinstance(found, bool):
        return "; YAML reads no, off, yes and on as true or false: write the word in quotes"
    if kind == "string_type" and isinstance(found, int | float):
        return "; write it in quotes"
    if isinstance(found, str) and kind in ("int_type", "float_type"):
        return "; write it without quotes" if re.fullmatch(r"[+-]?[0-9]+(\.[0-9]*)?", found) else ""
    if kind == "int_type" and isinstance(found, float) and found.is_integer():
        return f"; write {found:.0f}"
    if kind == "bool_type":
        return "; write one of these two words without quotes"
    return ""
