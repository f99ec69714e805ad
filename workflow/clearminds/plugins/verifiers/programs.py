"""Verifier: the response's program passes the example's tests, in a sandbox.

`meta` holds `tests` and, where they need it, `setup` (trusted code that runs before them) and `entry_point` (a function
to be written of which `setup` has the beginning).
"""

import ast
import json
import textwrap
from functools import cache
from typing import Any

from clearminds.errors import UserError
from clearminds.plugins.fenced import fenced, python_like
from clearminds.sandbox.programs import Sandbox, Trial, Unjudgeable

FILTERS = ("lenient", "strict")
_PYTHON = ("", "py", "py3", "python", "python3")


def verify_many(asked: list[tuple[str, dict, bool]], sandbox: Sandbox) -> list[tuple[str, str]]:
    """Run the program of every response; equal programs that face equal tests run once.

    Strict: the first fenced block, which has to be closed, and nothing but it. Lenient: the first one in Python, also
    one that was cut, or without a fence what reads as Python; an example's `entry_point` may then be given as its body
    only, and without the imports and helpers that the example shows.

    Args:
        asked: response, example and whether it is read strictly.
        sandbox: open.

    Raises:
        UserError: an example cannot be judged, or the sandbox broke.
    """
    trials = [_trial(response, example, strict) for response, example, strict in asked]
    distinct = list(dict.fromkeys(trial for trial in trials if trial is not None))
    try:
        results = dict(zip(distinct, sandbox.run(distinct), strict=True))
    except Unjudgeable as error:
        example = asked[trials.index(error.trial)][1]
        raise UserError(f"example {example['example_id']!r}: {error}; correct its tests, or leave it out") from None
    return [
        ("format_error", "no fenced block of code" if strict else "no Python in the response")
        if trial is None
        else (results[trial].verdict, results[trial].detail)
        for trial, (_, _, strict) in zip(trials, asked, strict=True)
    ]


def check(example: dict) -> None:
    """Refuse an example that no program can be judged by.

    Raises:
        ValueError: there are no tests, or they are not Python.
    """
    _meta(example["meta"])


def _trial(response: str, example: dict, strict: bool) -> Trial | None:
    try:
        meta = _meta(example["meta"])
    except ValueError as error:
        raise UserError(f"example {example['example_id']!r}: {error}; correct it, or leave it out") from None
    tests, setup, entry = meta["tests"], meta["setup"], meta["entry_point"]
    program = _strictly(response) if strict else _leniently(response, entry)
    if program is None:
        return None
    if not strict and entry and "from __future__" not in program:
        program = _completed(program, setup, entry)
    return Trial(program, tests, setup, entry)


def _strictly(response: str) -> str | None:
    for _, code, closed in fenced(response):
        return code if closed and code.strip() else None
    return None


def _leniently(response: str, entry: str) -> str | None:
    blocks = [(language, code) for language, code, _ in fenced(response) if code.strip()]
    for language, code in blocks:
        if language in _PYTHON:
            return code
    if blocks:
        return blocks[0][1]
    found = python_like(response)
    # lines of a body are no Python of their own
    return response if found is None and entry and _parses(_body("f", response)) else found


def _completed(program: str, setup: str, entry: str) -> str:
    """With what the prompt gave: the definition's head where only its body was written."""
    if _defines(program, entry) or not _defines(setup, entry):
        return f"{setup}\n{program}"
    return f"{setup.rstrip()}\n{textwrap.indent(textwrap.dedent(program).strip(), '    ')}\n"


def _body(name: str, lines: str) -> str:
    return f"def {name}():\n{textwrap.indent(textwrap.dedent(lines).strip(), '    ')}\n"


def _defines(code: str, name: str) -> bool:
    """Whether it defines the name; what is no Python defines nothing, unless it begins so."""
    try:
        nodes = ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return f"def {name}" in code
    return any(getattr(node, "name", None) == name for node in nodes) or any(
        isinstance(target, ast.Name) and target.id == name
        for node in nodes
        if isinstance(node, ast.Assign)
        for target in node.targets
    )


def _parses(code: str) -> bool:
    try:
        ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


@cache
def _meta(text: str) -> dict[str, Any]:
    """What an example's `meta` says, all keys there.

    Raises:
        ValueError: it is not enough to judge by.
    """
    given = json.loads(text or "{}")
    meta = {key: given.get(key) or "" for key in ("tests", "setup", "entry_point")}
    for key, value in meta.items():
        if not isinstance(value, str):
            raise ValueError(f"{key} of its meta is a {type(value).__name__}, and must be Python as text")
    for key in ("setup", "tests"):
        try:
            body = ast.parse(meta[key]).body
            compile(meta[key], f"<{key}>", "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            where = f" (line {error.lineno})" if isinstance(error, SyntaxError) else ""
            said = error.msg if isinstance(error, SyntaxError) else error
            raise ValueError(f"{key} of its meta is not Python: {said}{where}") from None
    if not body:
        raise ValueError("it has no tests to judge a program by")
    if meta["entry_point"] and not meta["entry_point"].isidentifier():
        raise ValueError(f"its entry_point {meta['entry_point']!r} is not a name")
    return meta
