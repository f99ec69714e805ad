"""From measurements to the lines of the table, on disk and on the terminal."""

import statistics
import sys
from pathlib import Path

import polars as pl
from catalogue import MEMORY, Row
from measured import Measured

from clearminds.stages.reporting.made import machine

SCHEMA = {
    "stage": pl.String,
    "peer": pl.String,
    **dict.fromkeys(("own", "other", "ratio", "lowest", "highest", "target"), pl.Float64),
    "reached": pl.Boolean,
    **dict.fromkeys(("memory", "other_memory", "share_of_peak"), pl.Float64),
    "unit": pl.String,
    "pairs": pl.Int64,
    "machine": pl.String,
}
SHOWN = ("stage", "peer", "own", "other", "unit", "ratio", "lowest", "highest", "target", "reached", "memory")
SHOWN += ("other_memory", "share_of_peak")


def median_speed(measured: list[Measured]) -> float:
    """Amounts per second of a core."""
    return statistics.median(map(_speed, measured))


def line(row: Row, own: list[Measured], other: list[Measured], peak: float | None) -> dict:
    """A row's figures. Args: the row; measurements of both sides, in pairs; FLOP/s of the machine, where known."""
    memory = row.of == MEMORY
    figure = _memory if memory else _speed
    ratios = [figure(a) / max(figure(b), 1e-9) for a, b in zip(own, other, strict=False)]
    middle, ratio = statistics.median(map(figure, own)), statistics.median(ratios) if ratios else None
    share = statistics.median(one.flops / one.cpu for one in own) / peak if peak and own[0].flops else None
    against = middle if ratio is None else ratio
    return {
        "stage": row.stage,
        "peer": row.peer,
        "own": middle,
        "other": statistics.median(map(figure, other)) if other else None,
        "ratio": ratio,
        "lowest": min(ratios, default=None),
        "highest": max(ratios, default=None),
        "target": row.target,
        "reached": None if row.target is None else against <= row.target if memory else against >= row.target,
        "memory": statistics.median(map(_memory, own)),
        "other_memory": statistics.median(map(_memory, other)) if other else None,
        "share_of_peak": None if memory else share,
        "unit": row.unit,
        "pairs": len(own),
        "machine": machine(),
    }


def require_same(row: Row, own: tuple[float, ...], other: tuple[float, ...]) -> None:
    """Refuse a comparison whose two sides did not do the same.

    Raises:
        SystemExit: they came to other numbers.
    """
    apart = [abs(a - b) / max(abs(b), 1e-9) for a, b in zip(own, other, strict=True)]
    if max(apart, default=0.0) > row.within:
        sys.exit(f"{row.stage}, {row.peer}: not the same work: {own} here and {other} there")


def save(path: Path, lines: list[dict], order: list[tuple[str, str]]) -> None:
    """Put lines into the table in place of earlier ones of their rows. Args: order: of all rows, by stage and peer."""
    found = {(one["stage"], one["peer"]): one for one in [*_read(path), *lines]}
    pl.DataFrame([found[name] for name in order if name in found], schema=SCHEMA).write_parquet(path)


def as_markdown(path: Path) -> str:
    """The whole table, and the machine of its last row."""
    found = pl.DataFrame(_read(path), schema=SCHEMA)
    texts = [[_text(row[name]) for name in SHOWN] for row in found.iter_rows(named=True)]
    rule = ["---"] * len(SHOWN)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [list(SHOWN), rule, *texts]) + f"\n{found['machine'][-1]}"


def _read(path: Path) -> list[dict]:
    return pl.read_parquet(path).to_dicts() if path.exists() else []


def _text(value: str | float | bool | None) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str) or value is None:
        return value or ""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g} {letter}"
    return f"{value:.3g}"


def _speed(one: Measured) -> float:
    return one.amount / one.cpu


def _memory(one: Measured) -> float:
    return one.memory
