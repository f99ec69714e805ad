"""What is measured against what, and what is to be reached: a line each."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module

from measured import Measured, Places


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        stage: what is measured.
        peer: what it is compared with; "": nothing.
        own, other: of this project and the peer: "module:function", and what that is called with beside the places.
        target: the ratio to reach, or where there is no peer the figure in `unit`; None: a measurement alone.
        unit: of the figures that are shown.
    """

    stage: str
    peer: str
    own: tuple
    other: tuple | None
    target: float | None
    unit: str


def called(work: tuple) -> Callable[[Places], Measured]:
    """The function that a row names, with its settings."""
    name, *settings = work
    module, _, function = name.partition(":")
    return partial(getattr(import_module(module), function), *settings)


def rows(items: int, tokens: int, wide: int) -> list[Row]:
    """All lines. Args: word problems that are scored; tokens of made-up tables; of statistics of a wide vocabulary."""
    single, samples = ("single", items), ("samples", items)
    found = [
        Row("matrix product", "", ("matrix_peak:own",), None, None, "FLOP/s"),
        Row(
            "scoring, one response",
            "one example at a time",
            ("scoring:own", *single),
            ("scoring:one_at_a_time", *single),
            1.6,
            "conversations/s",
        ),
        Row(
            "scoring, one response",
            "lm-evaluation-harness",
            ("scoring:own", *single),
            ("scoring:harness", *single),
            1.6,
            "conversations/s",
        ),
        Row(
            "scoring, 8 samples",
            "lm-evaluation-harness",
            ("scoring:own", *samples),
            ("scoring:harness", *samples),
            4.0,
            "conversations/s",
        ),
        Row(
            "statistics, vocabulary 256k",
            "whole blocks",
            ("token_statistics:own", wide),
            ("token_statistics:blocks", wide),
            None,
            "tokens/s",
        ),
        Row("mask building", "", ("mask_rows:own", tokens), None, 2e7, "tokens/s"),
        Row("score table, three columns", "", ("score_table:reading", tokens), None, None, "tables/s"),
        Row("score table, tokens a byte", "", ("score_table:size", items), None, 1 / 12, "tokens/B"),
    ]
    return found + begins()


def begins() -> list[Row]:
    """What it takes until a run, or a job of each stage, begins to compute."""
    planning, start_up = import_module("planning"), import_module("start_up")
    found = [
        Row("dry run of 5,000 jobs", "", ("planning:dry_run",), None, planning.PLANS, "runs/s"),
        Row("run with nothing to do", "", ("planning:nothing_to_do",), None, planning.RUNS, "runs/s"),
    ]
    return found + [
        Row(f"start of a job, {stage}", "", ("start_up:own", stage), None, start_up.TARGET, "starts/s")
        for stage in start_up.JOBS
    ]
