"""The stages of a study as a drawing from top to bottom: what each reads, how many jobs it had, how long they took."""

from collections.abc import Mapping, Sequence
from html import escape

from clearminds.report.numbers import duration

# what each stage reads, as the rules of `workflow/rules` say; those of studies that do not have a stage pass it by
READS: dict[str, tuple[str, ...]] = {
    "prepare_task": (),
    "fetch_model": (),
    "rehearse": ("prepare_task", "fetch_model"),
    "generate_responses": ("prepare_task", "fetch_model", "rehearse"),
    "verify_responses": ("generate_responses",),
    "score_token_perplexity": ("generate_responses", "fetch_model", "rehearse"),
    "build_masks": ("verify_responses", "score_token_perplexity"),
    "train_adapter": ("build_masks", "fetch_model", "rehearse"),
    "take_adapter": ("fetch_model",),
    "evaluate_base": ("fetch_model", "generate_responses", "rehearse"),
    "evaluate_adapter": ("train_adapter", "take_adapter", "generate_responses", "rehearse"),
    "measure_gradients": ("score_token_perplexity", "fetch_model"),
    "analyse": ("build_masks", "train_adapter", "score_token_perplexity"),
    "summarise": ("evaluate_base", "evaluate_adapter"),
    "report": ("summarise", "build_masks", "analyse", "measure_gradients"),
}
BOX_WIDTH, BOX_HEIGHT, GAP_X, GAP_Y = 150, 40, 12, 30  # units of the drawing, which is three boxes wide
MARGIN = 6 + GAP_X  # with room for a line beside the outermost boxes

Place = tuple[float, float]


def drawing(costs: Sequence[Mapping]) -> str:
    """The graph of the stages as SVG, in the page's own colours.

    Args:
        costs: of `costs.per_stage`: `stage`, `jobs`, `seconds`. The stage `report`, which is still running, is added.
    """
    known = {row["stage"]: row for row in costs if row["stage"] in READS}
    stages = [stage for stage in READS if stage in known or stage == "report"]
    edges = _edges(stages)
    rows = _layers(stages, edges)
    places, width = _places(rows)
    height = max(y for _, y in places.values()) + BOX_HEIGHT + MARGIN
    lines = [_edge(places[above], places[below], list(places.values())) for above, below in edges]
    boxes = [_box(stage, known.get(stage), *place) for stage, place in places.items()]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="dag" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}">{"".join(lines)}{"".join(boxes)}</svg>'
    )


def _edges(stages: Sequence[str]) -> list[tuple[str, str]]:
    """What feeds what, without an edge where a longer way leads to the same stage."""
    direct = [(above, below) for below in stages for above in READS[below] if above in stages]
    feeds: dict[str, set[str]] = {}
    for above, below in direct:
        feeds.setdefault(above, set()).add(below)

    def reached(start: str) -> set[str]:
        below = feeds.get(start, set())
        return below.union(*(reached(stage) for stage in below)) if below else set()

    return [(a, b) for a, b in direct if not any(b in reached(via) for via in feeds[a] if via != b)]


def _layers(stages: Sequence[str], edges: Sequence[tuple[str, str]]) -> list[list[str]]:
    """The stages in rows: each below all that it reads. `stages` come in an order in which that holds."""
    depth: dict[str, int] = {}
    for stage in stages:
        depth[stage] = max((depth[above] + 1 for above, below in edges if below == stage), default=0)
    return [[stage for stage in stages if depth[stage] == n] for n in range(max(depth.values()) + 1)]


def _places(rows: Sequence[Sequence[str]]) -> tuple[dict[str, tuple[float, float]], float]:
    """The upper left corner of each box, rows centred; and the drawing's width."""
    widest = max(map(len, rows))
    width = widest * BOX_WIDTH + (widest - 1) * GAP_X + 2 * MARGIN
    places: dict[str, tuple[float, float]] = {}
    for n, row in enumerate(rows):
        used = len(row) * BOX_WIDTH + (len(row) - 1) * GAP_X
        for k, stage in enumerate(row):
            places[stage] = ((width - used) / 2 + k * (BOX_WIDTH + GAP_X), MARGIN + n * (BOX_HEIGHT + GAP_Y))
    return places, width


def _edge(above: Place, below: Place, others: Sequence[Place]) -> str:
    """A line from one box to another; past the boxes of the rows between, beside the outermost where one is in its way.

    Args:
        above, below: upper left corners of its boxes.
        others: those of all boxes.
    """
    x1, y1 = above[0] + BOX_WIDTH / 2, above[1] + BOX_HEIGHT
    x2, y2 = below[0] + BOX_WIDTH / 2, below[1]
    between = [place for place in others if y1 < place[1] < y2 - BOX_HEIGHT]
    if not between:
        return f'<path class="edge" fill="none" d="M{x1:g},{y1:g}{_bend(x1, y1, x2, y2)}"/>'
    free = all(not x - GAP_X / 2 < x1 < x + BOX_WIDTH + GAP_X / 2 for x, _ in between)
    way = x1 if free else max(x for x, _ in between) + BOX_WIDTH + GAP_X
    top, bottom = min(y for _, y in between), max(y for _, y in between) + BOX_HEIGHT
    past = f"{_bend(x1, y1, way, top)}L{way:g},{bottom:g}{_bend(way, bottom, x2, y2)}"
    return f'<path class="edge" fill="none" d="M{x1:g},{y1:g}{past}"/>'


def _bend(x1: float, y1: float, x2: float, y2: float) -> str:
    bend = (y2 - y1) / 2
    return f"C{x1:g},{y1 + bend:g} {x2:g},{y2 - bend:g} {x2:g},{y2:g}"


def _box(stage: str, cost: Mapping | None, x: float, y: float) -> str:
    jobs = (
        "this page"
        if cost is None
        else f"{cost['jobs']:,} job{'s' if cost['jobs'] != 1 else ''}, {duration(cost['seconds'])}"
    )
    middle = x + BOX_WIDTH / 2
    return (
        f'<rect class="stage" x="{x:g}" y="{y:g}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="6"/>'
        f'<text class="name" x="{middle:g}" y="{y + 17:g}" text-anchor="middle">{escape(stage)}</text>'
        f'<text class="jobs" x="{middle:g}" y="{y + 32:g}" text-anchor="middle">{escape(jobs)}</text>'
    )
