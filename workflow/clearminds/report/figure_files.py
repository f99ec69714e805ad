"""Figures as files: several drawings below each other as one SVG, and an SVG as PDF."""

import re
from collections.abc import Sequence
from pathlib import Path

import vl_convert as vlc

from clearminds.files.tables import atomic_path, write_text
from clearminds.report.figures import message, styled, svg

SIZE = re.compile(r'<svg [^>]*?width="([\d.]+)" height="([\d.]+)"')
TRIES = 200
# lines of a dictionary of resources: a name, and the object that it stands for
RESOURCES = re.compile(rb"(?:^ +/[A-Za-z]+\d+ \d+ 0 R\n){2,}", re.MULTILINE)
FONT = re.compile(rb"/FontName /(\S+)")


def save_figure(drawings: Sequence[str], empty: str, path: Path, pdf_path: Path) -> None:
    """Write a figure as SVG and as PDF, both atomically.

    Args:
        drawings: SVG texts, which are put below each other.
        empty: what the figure says where there are none.
        path, pdf_path: where to.
    """
    drawn = stacked(drawings or [svg(styled(message(empty)))])
    write_text(path, drawn)
    with atomic_path(pdf_path) as temporary:
        temporary.write_bytes(pdf(drawn))


def stacked(drawings: Sequence[str]) -> str:
    """Drawings below each other, as one; a single one as it is. Args: one or more SVG texts of Vega."""
    if len(drawings) == 1:
        return drawings[0]
    sizes = [(float(found[1]), float(found[2])) for one in drawings if (found := SIZE.match(one))]
    width, height = max(width for width, _ in sizes), sum(height for _, height in sizes)
    placed, top = [], 0.0
    for drawing, (_, own) in zip(drawings, sizes, strict=True):
        placed.append(drawing.replace("<svg ", f'<svg y="{top:g}" ', 1))
        top += own
    size = f'width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{"".join(placed)}</svg>'


def pdf(drawn: str) -> bytes:
    """An SVG text as PDF; equal drawings give equal bytes.

    vl-convert writes resources and fonts in the order of a hash that is another each time. Resources are sorted, which
    moves no other byte. Fonts are objects, whose order decides where all that follows is: the drawing is converted
    again until they come in the order of their names, which takes two tries in the mean with two fonts.
    """
    for _ in range(TRIES):
        made = RESOURCES.sub(lambda found: b"".join(sorted(found[0].splitlines(keepends=True))), vlc.svg_to_pdf(drawn))
        fonts = FONT.findall(made)
        if fonts == sorted(fonts):
            break
    return made
