"""Tables as text, in the styles that all printed tables share: the terminal's, Markdown and LaTeX."""

from collections.abc import Sequence
from dataclasses import dataclass

from tabulate import tabulate


@dataclass(frozen=True)
class Style:
    """How tables are written.

    Attributes:
        table: a table format of tabulate.
        heading: of a model and a target.
        note: of a sentence below.
    """

    table: str
    heading: str = "{model}, trained on {target}"
    note: str = "{}"


TERMINAL = Style("simple")
MARKDOWN = Style("github", "**{model}, trained on {target}**")
# comments, which need no escapes, so that a paper takes the file as it is and says these things in its own caption
LATEX = Style("latex_booktabs", "% {model}, trained on {target}; needs \\usepackage{{booktabs}}", "% {}")


def text_table(lines: Sequence[Sequence[object]], headers: Sequence[str], style: Style, names: int = 1) -> str:
    """A table, its first columns aligned to the left and numbers to the right.

    Args:
        lines: of cells, which are shown as they are.
        headers: of the columns.
        style: of the table.
        names: how many columns hold names, not numbers.
    """
    aligned = [*["left"] * names, *["right"] * (len(headers) - names)]
    return tabulate(lines, headers, style.table, disable_numparse=True, colalign=aligned)


def joined(blocks: Sequence[str]) -> str:
    """Headings, tables and notes as one text, with a blank line between them."""
    return "\n\n".join(blocks) + "\n"
