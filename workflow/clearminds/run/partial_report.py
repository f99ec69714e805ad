"""What a run that failed has to show: the report of what is there, with what is missing and why.

Written beside the study's own report, so that Snakemake does not take it for one, and removed by the run that succeeds.
"""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from clearminds.files.digests import canonical, file_sha256
from clearminds.files.layout import Artefact
from clearminds.files.study_files import evaluation_rows, mask_rows, rehearsal_rows, score_rows, task_kinds
from clearminds.job.outcome import SUFFIX, State, log_path, read_outcome
from clearminds.reuse.job_memory import records
from clearminds.reuse.stage_code import fingerprint
from clearminds.run.specs import Specs


@dataclass(frozen=True)
class Missing:
    """An evaluation that is not there, and why."""

    path: str
    why: str


def write(specs: Specs) -> str:
    """Write the partial report of a study and say so: what it shows, what is missing, and its path."""
    # imported here, since a run that succeeds needs none of it
    from clearminds.files.tables import write_text
    from clearminds.report import figures
    from clearminds.report.page import render
    from clearminds.report.result_table import terminal_table
    from clearminds.stages.report import Settings, gather
    from clearminds.stages.summarise import summarise

    rows = evaluation_rows(specs.names)
    sound = _Soundness(specs)
    missing = [Missing(row["path"], sound.why_not(row)) for row in rows if not sound.evaluation(row)]
    if not missing:
        return ""  # it failed after the last evaluation, and the failed stage has said why
    lines = [f"missing: {one.path}: {one.why}" for one in missing]
    there = _with_their_base(rows, {one.path for one in missing})
    if not any(row["variant"] != "base" for row in there):
        return "\n".join(lines)
    spec = specs.report()
    summary = summarise(there, task_kinds(spec["tasks"]))
    files = {
        "evaluations": there,
        "masks": [row for row in mask_rows(specs.names) if Path(row["path"]).is_file()],
        "scores": [row for row in score_rows(specs.names) if Path(row["path"]).is_file()],
        "rehearsals": [row for row in rehearsal_rows(specs.names) if Path(row["path"]).is_file()],
    }
    drawing = Path(specs.layout.partial_ti_bwt.path())
    figures.save_svg(figures.ti_bwt(summary), drawing)
    data = gather(Settings(**spec), files, summary, Path(specs.layout.logs), drawing, missing)
    drawing.unlink()
    path = Path(specs.layout.partial_report.path())
    write_text(path, render(data))
    return "\n".join([terminal_table(summary), "", *lines, f"report of what is there: {path}"])


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


class _Soundness:
    """Which results are those of the study as it is now, judged by what their jobs remember.

    A failed job leaves results of an earlier config behind in all jobs below it.
    """

    def __init__(self, specs: Specs):
        self.specs = specs
        self.records = records(Path(specs.layout.jobs))
        self.known: dict[str, bool] = {}

    def evaluation(self, row: dict) -> bool:
        """Whether an evaluation, its adapter and its masks are of the settings and code of now."""
        return all(self._made_by(kind, wildcards) for kind, wildcards in self._chain(row))

    def why_not(self, row: dict) -> str:
        """The first failure that the jobs which lead to an evaluation have recorded."""
        logs = Path(self.specs.layout.logs)
        shared = ["prepare_task", "fetch_model", "rehearse", "generate_responses", "verify_responses"]
        if row["variant"] != "base":
            shared.append("score_token_perplexity")
        ended = [record for stage in shared for record in sorted((logs / stage).rglob(f"*{SUFFIX}"))]
        own = [Path(kind.log_path(**vars(wildcards))) for kind, wildcards in self._chain(row)]
        for log in [*map(log_path, ended), *own]:
            if (failure := _failure(log)) is not None:
                return f"{log.relative_to(logs).parts[0]}: {failure} ({log})"
        return "not run: the run ended before"

    def _chain(self, row: dict) -> list[tuple[Artefact, SimpleNamespace]]:
        layout = self.specs.layout
        if row["variant"] == "base":
            return [(layout.base_evaluation, SimpleNamespace(**row))]
        wildcards = SimpleNamespace(**row, draw=self.specs.draws(row["variant"], row["seed"]))
        return [(kind, wildcards) for kind in (layout.masks, layout.adapter, layout.evaluation)]

    def _made_by(self, kind: Artefact, wildcards: SimpleNamespace) -> bool:
        path = kind.path(**vars(wildcards))
        if not self._sound(path):
            return False
        spec = getattr(self.specs, kind.stage)(wildcards)
        record = self.records.get(path, {})
        return record["spec"] == canonical(spec) and record["code"] == fingerprint(kind.stage, spec)

    def _sound(self, path: str) -> bool:
        """Whether a result is there and its inputs, and theirs, are what it was made of."""
        if path not in self.known:
            record = self.records.get(path)
            self.known[path] = (
                Path(path).is_file()
                and record is not None
                and all(
                    Path(name).is_file()
                    and file_sha256(Path(name)) == digest
                    and (name not in self.records or self._sound(name))
                    for name, digest in record["inputs"].items()
                )
            )
        return self.known[path]


def _failure(log: Path) -> str | None:
    """Why a job failed, by the record beside its log; None where it ended well or was never begun."""
    outcome = read_outcome(log)
    if outcome is None or outcome.state in (State.DONE, State.TAKEN_BACK):
        return None
    return outcome.line or "it was killed, perhaps out of memory"
