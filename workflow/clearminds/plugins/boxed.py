r"""Reading what a mathematical solution boxes as its answer: `\boxed{...}`, also `\fbox{...}`."""

import re

# an even number of backslashes before it ends a line and is no part of the command; TeX boxes the next token where no
# brace follows
BOX = re.compile(r"(?<!\\)(?:\\\\)*\\(?:boxed|fbox)(?![A-Za-z])\s*")
BRACE = re.compile(r"\\.|[{}]", re.DOTALL)  # an escaped brace opens and closes nothing
TOKEN = re.compile(r"\\[A-Za-z]+|[A-Za-z0-9]")


def boxed(text: str) -> str | None:
    r"""What the last box of `text` holds, or None where there is no box or the last one is not closed.

    A box within a box belongs to the outer one.

    >>> boxed(r"so $x = \boxed{\frac{1}{2}}$, not \fbox 3"), boxed(r"\boxed{\{1, 2\}}"), boxed(r"\boxed{1")
    ('3', '\\{1, 2\\}', None)
    """
    content, place = None, 0
    while box := BOX.search(text, place):
        place = box.end()
        if text.startswith("{", place):
            end = _closing(text, place)
            if end is None:
                return None
            content, place = text[place + 1 : end].strip(), end + 1
        else:
            token = TOKEN.match(text, place)
            content = token.group() if token else None
    return content


def _closing(text: str, opening: int) -> int | None:
    """Where the brace that opens at `opening` is closed."""
    depth = 0
    for brace in BRACE.finditer(text, opening):
        depth += {"{": 1, "}": -1}.get(brace.group(), 0)
        if depth == 0:
            return brace.start()
    return None
