"""What a run that failed has to show: the report of what is there, with what is missing and why.

Written beside the study's own report, so that Snakemake does not take it for one, and removed by the run that succeeds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from clearminds.files.digests import file_sha256
from clearminds.files.layout import Artefact, draw_of, run_records
from clearminds.files.reported_files import reported_files
from clearminds.files.study_files import evaluation_rows, task_kinds
from clearminds.job.outcome import printable
from clearminds.reuse.job_memory import read_record, records
from clearminds.run.failures import Failure
from clearminds.run.specs import Specs

WhyMissing = Callable[[list[str]], dict[str, Failure]]
NOT_RUN = "not run: the run ended before"


@dataclass(frozen=True)
class Missing:
    """An evaluation that is not there, and why."""

    path: str
    why: str


def write(specs: Specs, why_missing: WhyMissing, asked: Callable[[str], bool]) -> str:
    """Write the partial report of a study and say so: what it shows, what is missing, and its path.

    Args:
        specs: of the study.
        why_missing: files to the failed job that each waits for, where there is one.
        asked: whether the run was to make a file; of the others the report alone says that they are missing.

    Returns:
        lines to print. What goes wrong here is one of them: it must not hide why the run failed.
    """
    rows = evaluation_rows(specs.names)
    sound = Soundness(specs)
    gone = [row for row in rows if not sound.evaluation(row)]
    if not gone:
        return ""  # it failed after the last evaluation, and the failed stage has said why
    # a run that was asked for less than the evaluations knows what their adapters and masks wait for
    ways = {row["path"]: sound.way_to(row) for row in gone}
    failures = why_missing(list(dict.fromkeys(file for way in ways.values() for file in way)))
    missing, lines = [], []
    for row in gone:
        path = row["path"]
        failure = next((failures[file] for file in ways[path] if file in failures), None)
        other = sound.why_not(row)
        why = f"{failure.job}: {failure.cause} ({failure.log})" if failure else other
        missing.append(Missing(path, why))
        # a failure's cause is printed once, when all is over
        if asked(path):
            lines.append(f"missing: {path}: {f'{failure.job} failed' if failure else other}")
    there = _with_their_base(rows, {one.path for one in missing})
    if any(row["variant"] != "base" for row in there):
        try:
            table, path = _write(specs, there, missing, sound)
            lines = [table, "", *lines, f"report of what is there: {path}"]
        except Exception as error:  # whatever it is, the line about it is all that there is to say
            damaged = ", ".join(map(str, _unreadable(Path(specs.layout.logs)))) or printable(error)
            lines.append(f"no report of what is there: {damaged}: cannot be read; delete it, then run again")
    return "".join(f"{line}\n" for line in lines)


def _write(specs: Specs, there: list[dict], missing: list[Missing], sound: "Soundness") -> tuple[str, Path]:
    """Write the report of some evaluations. Returns their result table for a terminal, and its path."""
    # imported here, since a run that succeeds needs none of it
    from clearminds.files.tables import write_text
    from clearminds.report.page import render
    from clearminds.report.result_table import terminal_table
    from clearminds.stages.report import Settings, frontier_of, gather
    from clearminds.stages.summarise import tables

    spec = specs.report()
    settings = Settings(**spec)
    made = tables(there, task_kinds(spec["tasks"]))
    files = {
        kind: [row for row in rows if sound.shows(kind, row)]
        for kind, rows in reported_files(specs.names, spec["study"].get("analyses", [])).items()
    }
    frontier = frontier_of(settings, made.summary, made.comparisons)
    logs = Path(specs.layout.logs)
    data = gather(
        settings, {**files, "evaluations": there}, made.summary, logs, frontier, missing, comparisons=made.comparisons
    )
    path = Path(specs.layout.partial_report.path())
    write_text(path, render(data))
    return terminal_table(made.summary, made.comparisons), path


def _unreadable(logs: Path) -> list[Path]:
    """The records of what jobs cost that are no JSON."""
    return [path for path in run_records(logs) if read_record(path) is None]


def remove(specs: Specs) -> None:
    """Remove the partial report of an earlier run."""
    Path(specs.layout.partial_report.path()).unlink(missing_ok=True)


def _with_their_base(rows: list[dict], missing: set[str]) -> list[dict]:
    """The rows whose suite has been evaluated of the base and of every task, as relative changes need both."""
    whole: dict[tuple, bool] = {}
    for row in rows:
        key = row["model"], row["target"], row["variant"], row["seed"]
        whole[key] = whole.get(key, True) and row["path"] not in missing
    bases = {model for (model, _, variant, _), there in whole.items() if variant == "base" and there}
    return [
        row for row in rows if row["model"] in bases and whole[row["model"], row["target"], row["variant"], row["seed"]]
    ]


class Soundness:
    """Which results are those of the study as it is now, judged by what their jobs remember.

    A failed job leaves results of an earlier config behind in all jobs below it.

    Args:
        specs: of the study.
    """

    def __init__(self, specs: Specs):
        self.specs = specs
        self.records = records(Path(specs.layout.jobs))
        self.known: dict[str, bool] = {}
        self.digests: dict[str, str | None] = {}

    def evaluation(self, row: dict) -> bool:
        """Whether an evaluation, its adapter and its masks are of the settings and code of now."""
        return all(self._made_by(kind, wildcards) for kind, wildcards in self._chain(row))

    def shows(self, kind: str, row: dict) -> bool:
        """Whether a file that the report reads is whole, and a mask or adapter of the settings and code of now too.

        Args:
            kind, row: as of `reported_files`.
        """
        layout = self.specs.layout
        if kind == "masks":
            return self._made_by(layout.masks, SimpleNamespace(**{**row, "draw": draw_of(row["draw"])}))
        if kind == "adapters":
            return self._made_by(layout.adapter, SimpleNamespace(**row))
        return self.whole(row["path"])

    def why_not(self, row: dict) -> str:
        """Why an evaluation is missing for which no job has failed."""
        damaged = next(filter(None, map(self._damaged, self.way_to(row))), None)
        return f"{damaged} is damaged; delete it, then run again" if damaged else NOT_RUN

    def way_to(self, row: dict) -> list[str]:
        """The masks and the adapter of an evaluation, and itself last."""
        return [kind.path(**vars(wildcards)) for kind, wildcards in self._chain(row)]

    def whole(self, path: str) -> bool:
        """Whether a result is there and what its job has written, as far as is known."""
        found = self._digest(path)
        return found is not None and found == self.records.get(path, {"outputs": {path: found}})["outputs"][path]

    def _damaged(self, path: str) -> str | None:
        """The first of a result and what it was made of, from the bottom up, that is not what its job has written."""
        for name in self.records.get(path, {"inputs": ()})["inputs"]:
            if name in self.records and (found := self._damaged(name)):
                return found
        return path if self._digest(path) is not None and not self.whole(path) else None

    def _digest(self, path: str) -> str | None:
        if path not in self.digests:
            try:
                self.digests[path] = file_sha256(Path(path))
            except OSError:
                self.digests[path] = None
        return self.digests[path]

    def _chain(self, row: dict) -> list[tuple[Artefact, SimpleNamespace]]:
        layout = self.specs.layout
        if row["variant"] == "base":
            return [(layout.base_evaluation, SimpleNamespace(**row))]
        if row["variant"] in [given["variant"] for given in self.specs.names.get("given", [])]:
            return [(kind, SimpleNamespace(**row)) for kind in (layout.given, layout.evaluation)]
        wildcards = SimpleNamespace(**row, draw=self.specs.draws(row["variant"], row["seed"]))
        return [(kind, wildcards) for kind in (layout.masks, layout.adapter, layout.evaluation)]

    def _made_by(self, kind: Artefact, wildcards: SimpleNamespace) -> bool:
        path = kind.path(**vars(wildcards))
        if not self._sound(path):
            return False
        record = self.records.get(path, {})
        # the run's own code, which may have been edited since
        code = self.specs.code(kind.stage)(wildcards)
        return record["spec"] == self.specs.text(kind.stage)(wildcards) and record["code"] == code

    def _sound(self, path: str) -> bool:
        """Whether a result is there as it was made, and its inputs, and theirs, are what it was made of."""
        if path not in self.known:
            record = self.records.get(path)
            self.known[path] = (
                record is not None
                and self.whole(path)
                and all(
                    self._digest(name) == digest and (name not in self.records or self._sound(name))
                    for name, digest in record["inputs"].items()
                )
            )
        return self.known[path]
