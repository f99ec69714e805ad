"""Code in a response: in fenced blocks, or where there are none, what reads as Python."""

import ast
import re
import textwrap
from itertools import islice

_OPENS = re.compile(r"^[ \t]{0,3}(?P<fence>`{3,}|~{3,})[ \t]*(?P<language>[\w+#.-]*)[^\n`]*$")
_MOST_TRIED = 300  # pieces of a text
_BEGINS = re.compile(r"^(?:def|async def|class|import|from|@\w)")


def fenced(text: str) -> list[tuple[str, str, bool]]:
    """The fenced blocks of a text, as Markdown has them.

    Returns:
        For each, in their order: its language in small letters, "" where it names none; what stands between its
        fences; whether the second fence is there.
    """
    blocks = []
    lines = iter(text.replace("\r\n", "\n").split("\n"))
    for line in lines:
        opened = _OPENS.match(line)
        if not opened:
            continue
        fence, inside, closed = opened["fence"], [], False
        for inner in lines:
            said = inner.strip()
            if said.startswith(fence) and not said.strip(fence[0]):
                closed = True
                break
            inside.append(inner)
        blocks.append((opened["language"].lower(), textwrap.dedent("\n".join(inside)), closed))
    return blocks


def python_like(text: str) -> str | None:
    """What reads as Python in a text without fences: all of it, or the most lines that begin with a definition or an
    import and parse. None: nothing does."""
    lines = text.replace("\r\n", "\n").split("\n")
    starts = [0, *(n for n, line in enumerate(lines) if n and _BEGINS.match(line))]
    # what follows code is prose: it ends before a line that is not indented
    pieces = (
        (start, end)
        for start in starts
        for end in (len(lines), *(n for n in range(len(lines) - 1, start, -1) if lines[n][:1].strip()))
    )
    for start, end in islice(pieces, _MOST_TRIED):
        if _defines(code := "\n".join(lines[start:end])):
            return code
    return None


def _defines(code: str) -> bool:
    """Whether this is Python that defines something: a word is Python too."""
    try:
        body = ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Assign) for node in body)
