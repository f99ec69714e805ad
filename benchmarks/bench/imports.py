"""What a job of each stage imports, by `python -X importtime`: in the bench seconds of all of it, and in
`results/bench/imports.parquet` each module (stage, module, own_ms, cumulative_ms: with what it imports itself).

Python takes these times by the clock; they are multiplied by the share of a core that the job had, so that a busy
machine changes them less. To each of some thousand modules it adds a little of its own. Processes that the job starts
are left out.
"""

import re
from pathlib import Path

import polars as pl
import start_up
import tiny_run
from measured import Measured, Places

FILE = "imports.parquet"
SCHEMA = {"stage": pl.String, "module": pl.String, "own_ms": pl.Float64, "cumulative_ms": pl.Float64}
LINE = re.compile(r"^import time: +(\d+) \| +(\d+) \| +(\S+)$", re.MULTILINE)  # in microseconds
SHOWN = 6  # modules of a stage


def own(stage: str, places: Places) -> Measured:
    """One job of a stage, computed anew; in place of seconds of a core those of its imports."""
    folder = start_up.emptied(places)
    python, *rest = tiny_run.job(folder, stage, start_up.JOBS[stage])
    job, said = tiny_run.run([python, "-X", "importtime", *rest], folder)
    found = modules(stage, said, job.cpu / job.wall)
    save(places.work / FILE, found)
    seconds = float(found["own_ms"].sum()) / 1000
    return Measured(1.0, seconds, seconds, job.memory)


def modules(stage: str, said: str, share: float = 1.0) -> pl.DataFrame:
    """The modules that a job imported, the largest first.

    Args:
        stage: of the job.
        said: what it wrote, other lines among them.
        share: of a core that it had.
    """
    per_ms = share / 1000
    rows = [(stage, name, int(own) * per_ms, int(whole) * per_ms) for own, whole, name in LINE.findall(said)]
    found = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    # one that failed and was tried again has several lines
    once = found.group_by("stage", "module").agg(pl.sum("own_ms"), pl.max("cumulative_ms"))
    return once.sort("cumulative_ms", "module", descending=[True, False])


def save(path: Path, found: pl.DataFrame) -> None:
    """Put a stage's modules in place of those of an earlier job."""
    stages = found["stage"].unique().to_list()
    kept = [pl.read_parquet(path).filter(~pl.col("stage").is_in(stages))] if path.exists() else []
    pl.concat([*kept, found]).write_parquet(path)


def as_markdown(path: Path) -> str:
    """Of each stage seconds and number of all modules, and the largest with what they import, one a package."""
    found = pl.read_parquet(path)
    package = pl.col("module").str.split(".").list.first()
    lines = ["| stage | imports, s | modules | largest, with what they import, s |", "|---|---|---|---|"]
    for stage in start_up.JOBS:
        of_stage = found.filter(pl.col("stage") == stage)
        if of_stage.is_empty():
            continue
        largest = of_stage.sort("cumulative_ms", descending=True).unique(package, keep="first", maintain_order=True)
        named = [f"{name} {ms / 1000:.2f}" for name, ms in largest.select("module", "cumulative_ms").head(SHOWN).rows()]
        total = of_stage["own_ms"].sum() / 1000
        lines.append(f"| {stage} | {total:.2f} | {of_stage.height:,} | {', '.join(named)} |")
    return "\n".join(lines)
