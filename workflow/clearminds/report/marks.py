"""Marks of variants in a figure: a colour and a shape each, and which of their names can stand beside them."""

from collections.abc import Mapping, Sequence
from typing import Literal

from clearminds.report.figures import PALETTE

# seen on white and on the dark page, and told apart from each other
COLOURS = (*PALETTE, "#7A5BD0", "#8C6D31", "#C2255C", "#6F8F1E", "#16808A", "#6C7FA3")
# Vega's own, and paths in a box from -1 to 1
SHAPES = (
    *("circle", "square", "triangle-up", "diamond", "triangle-down"),
    "M0,-1L0.225,-0.309L0.951,-0.309L0.363,0.118L0.588,0.809L0,0.382L-0.588,0.809L-0.363,0.118L-0.951,-0.309"
    "L-0.225,-0.309Z",  # a star
    "M-1,-0.6L-0.6,-1L0,-0.4L0.6,-1L1,-0.6L0.4,0L1,0.6L0.6,1L0,0.4L-0.6,1L-1,0.6L-0.4,0Z",  # an x
    "triangle-right",
    "M-0.8,-1L0.8,-1L-0.8,1L0.8,1Z",  # an hourglass
    "triangle-left",
    "M-1,-0.8L1,0.8L1,-0.8L-1,0.8Z",  # a bow tie
    "M-1,0.5A1,1,0,0,1,1,0.5Z",  # half a disk
)
LETTER, LINE, REACH = 6.0, 12.0, 8.0  # pixels: of a name's letter, of its height, and from a mark to its name
Align = Literal["left", "center", "right"]
# where a name may stand: how it is aligned, and how far it is moved
PLACES: dict[str, tuple[Align, float, float]] = {
    "right": ("left", REACH, 4.0),
    "left": ("right", -REACH, 4.0),
    "above": ("center", 0.0, -REACH),
    "below": ("center", 0.0, REACH + LINE - 3),
}

Box = tuple[float, float, float, float]  # left, top, right, bottom


def marks(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """A colour and a shape for each name, in their order; no two names share both, up to 144 of them."""
    n = len(COLOURS)
    return [COLOURS[i % n] for i in range(len(names))], [SHAPES[(i + i // n) % n] for i in range(len(names))]


def beside(points: Mapping[str, tuple[float, float]], width: float, height: float) -> dict[str, str]:
    """Which of `PLACES` a name has beside its mark; names that would cover a mark or another name have none.

    Args:
        points: name -> x and y of its mark, in pixels from the upper left corner of the panel.
        width, height: of the panel.
    """
    taken: list[Box] = [(x - 6, y - 6, x + 6, y + 6) for x, y in points.values()]
    found = {}
    for name, (x, y) in points.items():
        for place, (align, dx, dy) in PLACES.items():
            box = _box(name, x + dx, y + dy, align)
            inside = box[0] >= 0 and box[1] >= 0 and box[2] <= width and box[3] <= height
            if inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                found[name] = place
                break
    return found


def _box(name: str, x: float, baseline: float, align: Align) -> Box:
    width = LETTER * len(name)
    left = x - {"left": 0.0, "center": width / 2, "right": width}[align]
    return left, baseline - LINE + 3, left + width, baseline + 3


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
