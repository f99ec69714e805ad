"""Names the variant to use and exports its adapter with a card that carries the study: `make best`.

python -m clearminds.commands.best [--configfile STUDY.yaml] [--directory DIR] [--loss 5] [--model M] [--target T]
    [--out FOLDER]

The rule: of the variants whose 95 % interval of BWT stays above the loss that is acceptable, the one of the largest TI.
Where no variant can be named nothing is exported, and the exit code is 1.
"""

import argparse
import json
import os
import shutil
import sys
from pathlib import Path

import polars as pl

from clearminds.checkout import CONFIG
from clearminds.commands.exporting.checks import Checks
from clearminds.commands.exporting.folder import fresh
from clearminds.commands.run_command import run_command
from clearminds.config.load import load_study
from clearminds.config.study import Study
from clearminds.errors import UserError
from clearminds.files.reading import readable
from clearminds.files.tables import write_text
from clearminds.files.user_path import user_path
from clearminds.report.result_table import markdown_table
from clearminds.run.specs import Specs
from clearminds.stages.statistics.choice import LOSS, Choice, choose

LIMITS = """## Limits

- The numbers are of these items and of these tasks; of other abilities they say nothing.
- An interval over items only is a claim about this adapter, not about the method that made it.
- The variant was chosen by the same scores that are shown, so that its own are flattered a little.
- The adapter is that of the first seed, not of the best one."""


def main(arguments: list[str] | None = None) -> None:
    """Print the choice and its reason, and write the folder. Args: of the command line.

    Raises:
        UserError: a table or the adapter is missing, damaged, or made by other settings or of other files than there
            are now; there is no such model or target, or something is in the folder already.
    """
    parser = argparse.ArgumentParser(prog="best", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--configfile", type=Path, help="the study; default: config.yaml beside the Snakefile")
    parser.add_argument("--directory", type=Path, default=Path(), help="where its runs work; default: here")
    parser.add_argument("--loss", type=float, default=LOSS, help="most percent of BWT that may be lost; default: 5")
    parser.add_argument("--model", help="default: the only one")
    parser.add_argument("--target", help="default: the only one")
    parser.add_argument("--out", help="a new folder; default: one beside the study's tables")
    given = parser.parse_args(arguments)
    if not given.loss > 0:
        raise UserError(f"--loss: {given.loss:g} is not above 0; give the percent of BWT that may be lost, such as 5")
    if not given.directory.is_dir():
        raise UserError(f"--directory: {given.directory} is not a folder; give the one where the workflow was run")
    file = (given.configfile or CONFIG).absolute()
    study = load_study([file])
    names = {
        "model": _only(list(study.models), given.model, "model"),
        "target": _only(list(study.targets), given.target, "target"),
    }
    out = user_path(given.out).absolute() if given.out else None
    os.chdir(given.directory)
    specs = Specs(study)
    checks, layout = Checks(specs, file), specs.layout
    summary, comparisons = (_of(checks, Path(kind.path()), names) for kind in (layout.summary, layout.comparisons))
    choice = choose(summary, comparisons, given.loss)
    print("\n".join(filter(None, [choice.why, choice.runner_up])))
    if choice.variant is None:
        sys.exit(1)
    folder = out or Path(layout.best.path(**names))
    place = {**names, "variant": choice.variant, "seed": choice.seed}
    stage = "train_adapter" if choice.variant in study.variants else "take_adapter"
    adapter = Path((layout.adapter if stage == "train_adapter" else layout.given).path(**place))
    checks.trained(adapter, stage, place)
    export(adapter, folder, card(study, choice, summary, comparisons))
    print(f"{folder}: the adapter of seed {choice.seed}, with a card")


def export(adapter: Path, folder: Path, added: str) -> None:
    """Copy an adapter's folder, with more in its card.

    Args:
        adapter: what declares it whole.
        folder: a new or empty one.
        added: what its card says of the study.

    Raises:
        UserError: something is in the folder already.
    """
    with fresh(folder) as made:
        shutil.copytree(adapter.parent, made, dirs_exist_ok=True)
        card = made / "README.md"
        own = card.read_text(encoding="utf-8").rstrip() if card.is_file() else f"# {adapter.parent.name}"
        write_text(card, f"{own}\n\n{added}\n")


def card(study: Study, choice: Choice, summary: pl.DataFrame, comparisons: pl.DataFrame) -> str:
    """What a card says of the study: why this variant, the result table, comparisons, settings, limits, as Markdown."""
    others = comparisons.filter(
        (pl.col("variant") == choice.variant) | (pl.col("other") == choice.variant), pl.col("role").is_in(["ti", "bwt"])
    )
    lines = [
        f"- {row['measure']} of `{row['variant']}` against `{row['other']}`: {_difference(row)}"
        for row in others.iter_rows(named=True)
    ]
    settings = study.model_dump(exclude={"runtime"}, exclude_none=True, mode="json")
    data = {name: settings["tasks"][name] for name in settings["tasks"]}
    return "\n\n".join(
        [
            f"## Why this variant\n\n{choice.why} {choice.runner_up}".rstrip(),
            f"## The study `{study.study}`\n\n{markdown_table(summary, comparisons).strip()}",
            "\n".join(["### Comparisons", "", *lines]),
            f"## Data\n\n{_tasks(summary)}\n\n```json\n{json.dumps(data, indent=1, ensure_ascii=False)}\n```",
            "## Settings\n\n```json\n"
            + json.dumps({k: v for k, v in settings.items() if k != "tasks"}, indent=1, ensure_ascii=False)
            + "\n```",
            LIMITS,
        ]
    )


def _difference(row: dict) -> str:
    if row["difference"] is None or row["low"] is None:
        return row["note"] or "undefined"
    least = row["detectable_holm"]
    detectable = "none, by so few items" if least is None else f"{least:.1f}"
    return (
        f"{row['difference']:+.2f} ({row['low']:+.2f} to {row['high']:+.2f}, {row['unit']}, over {row['interval']}), "
        f"after Holm p {row['p_holm']:.3g}, detectable {detectable}: {row['verdict']}"
    )


def _tasks(summary: pl.DataFrame) -> str:
    """A line per evaluated task: how many items, and how many of them were trained on."""
    first = summary.unique("eval_task", maintain_order=True, keep="first")
    rows = first.select("eval_task", "role", "metric", "n_items", "n_overlap").iter_rows()
    return "\n".join(
        f"- `{task}` ({role}, {metric}): {n} items" + (f", {seen} of them in the training data too" if seen else "")
        for task, role, metric, n, seen in rows
    )


def _of(checks: Checks, path: Path, names: dict[str, str]) -> pl.DataFrame:
    """The rows of a table that are of one model and target."""
    checks.recorded(path, "summarise")
    with readable(path):
        return pl.read_parquet(path).filter(*(pl.col(key) == value for key, value in names.items()))


def _only(names: list[str], asked: str | None, what: str) -> str:
    if asked is not None and asked not in names:
        raise UserError(f"--{what}: {asked} is not one of {', '.join(names)}")
    if asked is None and len(names) > 1:
        raise UserError(f"the study has {len(names)} {what}s; name one with --{what} (make: {what.upper()}=)")
    return asked or names[0]


if __name__ == "__main__":
    run_command(main)
