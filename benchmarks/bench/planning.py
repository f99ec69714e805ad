"""Planning: what Snakemake and this project spend where nothing is to be done, and before the first of 5,000 jobs."""

import copy
from pathlib import Path

import tiny_run
import yaml
from measured import Measured, Places

JOBS, SEEDS = 5000, 20
# runs per second of a core
PLANS, RUNS = 1 / 8, 1 / 2.5


def nothing_to_do(places: Places) -> Measured:
    """A run of a study that is finished."""
    folder = tiny_run.finished(places.work)
    tiny_run.timed(tiny_run.snakemake(folder), folder)  # by the code of now
    return tiny_run.timed(tiny_run.snakemake(folder), folder)


def dry_run(places: Places) -> Measured:
    """A dry run of a sweep of thresholds and seeds of which nothing is there yet."""
    folder = places.work / "sweep-study"
    tiny_run.study(folder, sweep(tiny_run.finished(places.work)))
    return tiny_run.timed(tiny_run.snakemake(folder, "--dry-run", "--quiet", "rules"), folder)


def sweep(folder: Path) -> dict:
    """The study of a folder with so many thresholds that it has some `JOBS` jobs."""
    study = yaml.safe_load((folder / "study.yaml").read_text(encoding="utf-8"))
    thresholds = range(100, 100 + round(JOBS / (1 + 2 * SEEDS)))  # masks, and per seed a training and an evaluation
    rules = {f"stm-{n}": {"rule": "perplexity", "tau": str(n)} for n in thresholds}
    variants = {name: {"responses": "reference", "weights": rule} for name, rule in rules.items()}
    return {**copy.deepcopy(study), "variants": variants, "seeds": list(range(SEEDS)), "runtime": {"gpus": 0}}
