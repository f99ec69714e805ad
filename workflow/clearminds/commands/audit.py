"""Recomputes published TI and BWT from the scores beside them, and lists those that do not follow: `make audit`.

make audit FILE=scores.csv
python -m clearminds.commands.audit scores.csv

The columns are `row, model, target, base_TASK..., TASK..., ti, bwt`, with a column and its base for each task; target
is one of the tasks. Blanks are allowed, and are never counted as 0. TI and BWT are in percent. A claim follows when the
digits that are written allow it. All scores of a file count as written with as many decimals as the longest of them,
and so do all claims, since spreadsheets drop zeros at the end.
"""

import argparse
import csv
import math
import sys
from contextlib import suppress
from pathlib import Path

from clearminds.commands.run_command import run_command
from clearminds.errors import UserError
from clearminds.files.user_path import user_path
from clearminds.report.result_table import percent
from clearminds.stages.statistics.audit import Finding, Number, Published, audit

NAMES, CLAIMS, BASE = ("row", "model", "target"), ("ti", "bwt"), "base_"


def main(arguments: list[str] | None = None) -> None:
    """Print what does not follow and how many claims do; exit code 1 if any does not. Args: of the command line.

    Raises:
        UserError: the file is not there, or no such table.
    """
    parser = argparse.ArgumentParser(prog="audit", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("file", help="CSV")
    found = audit(read(user_path(parser.parse_args(arguments).file)))
    unknown = [one for one in found if one.computed is None and not one.causes]
    wrong = [one for one in found if not one.follows and one not in unknown]
    for one in (*wrong, *unknown):
        print(in_words(one))
    rows = {one.published.row for one in wrong}
    print(
        f"{len(found)} claims: {len(found) - len(wrong) - len(unknown)} follow from their scores, {len(wrong)} do not "
        f"(in {len(rows)} rows), {len(unknown)} cannot be computed"
    )
    if wrong:
        sys.exit(1)


def in_words(found: Finding) -> str:
    """A finding as one line."""
    row = found.published
    where = f"row {row.row}: {row.model} trained on {row.target}: {found.what} is given as {percent(found.claimed)}"
    if found.computed is None:
        counted = "".join(f"; likely cause: {cause}" for cause in found.causes[:1])
        return f"{where} and cannot be computed: {found.why}{counted}"
    causes = "; or ".join(found.causes) or "no single cause gives it"
    return f"{where}, from its scores it is {percent(found.computed)}; likely cause: {causes}"


def read(path: Path) -> list[Published]:
    """The rows of a table of published scores.

    Raises:
        UserError: the file is not there; columns are missing, unknown or twice; or a cell is no number.
    """
    if not path.is_file():
        raise UserError(f"there is no file {path}; give a CSV file as FILE=scores.csv")
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            header, *lines = [[cell.strip() for cell in line] for line in csv.reader(file) if any(line)]
        except (ValueError, UnicodeDecodeError, csv.Error) as error:
            raise UserError(
                f"{path}: is empty or no CSV in UTF-8; it needs the columns row, model, target, ..."
            ) from error
    tasks = _tasks(path, header)
    for number, line in enumerate(lines, 2):
        if len(line) != len(header):
            raise UserError(
                f"{path}: line {number}: {len(line)} cells, but there are {len(header)} columns; add commas"
            )
    table = [dict(zip(header, line, strict=True)) for line in lines]
    scores = [*(BASE + task for task in tasks), *tasks]
    halves = {column: _half(table, columns) for columns in (scores, [*CLAIMS]) for column in columns}
    return [_published(path, number, row, tasks, halves) for number, row in enumerate(table, 2)]


def _tasks(path: Path, header: list[str]) -> list[str]:
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise UserError(f"{path}: the column {twice[0]} is there more than once; rename one")
    if missing := [name for name in (*NAMES, *CLAIMS) if name not in header]:
        raise UserError(f"{path}: no column {missing[0]}; the columns are row, model, target, base_TASK, TASK, ti, bwt")
    tasks = [name for name in header if name not in (*NAMES, *CLAIMS) and not name.startswith(BASE)]
    bases = [name.removeprefix(BASE) for name in header if name.startswith(BASE)]
    if alone := sorted(set(tasks) ^ set(bases)):
        lacking = alone[0] if alone[0] in bases else BASE + alone[0]
        raise UserError(f"{path}: no column {lacking}; every task needs its score and that of the base")
    return tasks


def _published(path: Path, line: int, row: dict[str, str], tasks: list[str], halves: dict[str, float]) -> Published:
    if row["target"] not in tasks:
        raise UserError(f"{path}: line {line}: target {row['target'] or '(blank)'} is not one of {', '.join(tasks)}")

    def number(column: str) -> Number | None:
        text = row[column].replace("\N{MINUS SIGN}", "-")
        if not text:
            return None
        with suppress(ValueError):
            if math.isfinite(value := float(text)):
                return Number(value, halves[column])
        raise UserError(f"{path}: line {line}: {column} is {text}, which is no number; a blank is allowed")

    base, scores = {task: number(BASE + task) for task in tasks}, {task: number(task) for task in tasks}
    return Published(row["row"], row["model"], row["target"], base, scores, number("ti"), number("bwt"))


def _half(table: list[dict[str, str]], columns: list[str]) -> float:
    """Half a unit of the last decimal that is written in these columns."""
    decimals = max((len(row[column].partition(".")[2]) for row in table for column in columns), default=0)
    return 0.5 * 10.0**-decimals


if __name__ == "__main__":
    run_command(main)
