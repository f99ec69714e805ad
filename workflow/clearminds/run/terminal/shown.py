"""What the terminal shows while a run works: its jobs' own lines, and the run's; Snakemake's go to its log file.

Where the user asks for Snakemake's own blocks (--verbose, --printshellcmds, --show-failed-logs) they are shown as they
are.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

from clearminds.files.layout import job_title
from clearminds.job.outcome import Outcome, State
from clearminds.run.sizing.costs import Rates, cost
from clearminds.run.sizing.hardware import DEVICES, UTILISATION
from clearminds.run.specs import Specs
from clearminds.run.terminal import terminal_compat as compat
from clearminds.run.terminal.run_lines import RunJob, RunLines
from clearminds.run.terminal.terminal_compat import KnownJob
from clearminds.run.terminal.time_left import Expected, TimeLeft

if TYPE_CHECKING:
    from snakemake.workflow import Workflow

MOST = 20  # jobs of a stage that are estimated one by one, which takes up to 2 ms each; the others as these in the mean
GpuLine = Callable[[Iterable[str]], list[str]]  # stages of the jobs to run, to what is said of their GPUs
LEARNS_NOTHING = ("rehearse",)  # stages that load much and compute little

OutcomeOf = Callable[[str], Outcome | None]


@contextmanager
def plain_lines(workflow: "Workflow", specs: Specs, outcome_of: OutcomeOf, gpu_line: GpuLine) -> Iterator[None]:
    """A context in which a run is told in plain lines.

    Args:
        workflow: the Snakefile's.
        specs: of its study.
        outcome_of: a job's log to what this run has recorded of its end.
        gpu_line: the stages of the jobs to run to what is said of their GPUs.
    """
    with compat.all_in_the_log_file():  # `make watch` reads it
        if compat.speaks_itself(workflow):
            with compat.beside_blocks(_OnlyGpus(workflow, specs, outcome_of, gpu_line)):
                yield
            return
        with compat.in_place_of_blocks(_Run(workflow, specs, outcome_of, gpu_line)):
            yield


class _Run:
    """Tells the jobs of a run, and answers with its lines."""

    def __init__(
        self, workflow: "Workflow", specs: Specs, outcome_of: OutcomeOf, gpu_line: GpuLine = lambda stages: []
    ):
        self._workflow, self._specs, self._outcome_of, self._gpu_line = workflow, specs, outcome_of, gpu_line
        self._logs: dict[int, str] = {}
        self._failed: set[int] = set()
        self._lines = RunLines({}, TimeLeft(), time.monotonic)

    def begins(self) -> list[str]:
        jobs = {job.id: job for job in compat.jobs_to_run(self._workflow)}
        self._logs = {number: job.log for number, job in jobs.items()}
        told = {number: RunJob(job_title(Path(job.log), self._stage(job)), job.here) for number, job in jobs.items()}
        self._lines = RunLines(told, TimeLeft(self._expected(jobs)), time.monotonic)
        begun = self._lines.begins(self._to_open(compat.log_file()))
        return [*self._gpu_line(map(self._stage, jobs.values())), *begun]

    def starts(self, job: int) -> list[str]:
        return self._lines.starts(job)

    def submitted(self, job: int, name: str, log: str) -> list[str]:
        return self._lines.submitted(job, f"{name} (log: {self._to_open(log)})")

    def ends(self, job: int) -> list[str]:
        for failed in set(compat.failed_for_good(self._workflow)) - self._failed:
            self._failed.add(failed)
            self._lines.fails(failed, None, compat.jobs_behind(self._workflow, failed))
        outcome = self._outcome_of(self._logs[job]) if job in self._logs else None
        return self._lines.ends(job, outcome is not None and outcome.state is State.TAKEN_BACK)

    def fails(self, job: int, cause: str | None, log: str | None) -> list[str]:
        again = compat.is_tried_again(self._workflow, job)
        blocked = [] if again else compat.jobs_behind(self._workflow, job)
        said = f"{cause} (log: {self._to_open(log)})" if log else cause
        return self._lines.fails(job, said, blocked, again)

    def _to_open(self, path: str | None) -> str | None:
        return path and compat.to_open(self._workflow, path)

    def _stage(self, job: KnownJob) -> str:
        return Path(job.log).relative_to(self._specs.layout.logs).parts[0]  # shards have rules of their own

    def _expected(self, jobs: Mapping[int, KnownJob]) -> dict[int, Expected]:
        """What is known of each job's time. Nothing of any where an estimate fails."""
        by_stage: dict[str, list[KnownJob]] = {}
        for job in jobs.values():
            by_stage.setdefault(self._stage(job), []).append(job)
        found = {}
        try:
            for stage, same in by_stage.items():
                sample = same[:: -(-len(same) // MOST)]
                seconds = {job.id: self._estimate(stage, job) for job in sample}
                mean = sum(seconds.values()) / len(seconds)
                for job in same:
                    found[job.id] = Expected(stage, seconds.get(job.id, mean), stage not in LEARNS_NOTHING, job.here)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:  # polars' PanicException is no Exception; a guess at the time is worth no run
            return {}
        return found

    def _estimate(self, stage: str, job: KnownJob) -> float:
        works = self._specs.workloads
        device = DEVICES["a100" if works.gpus(stage) else "cpu"]
        return cost(stage, SimpleNamespace(**job.wildcards), works, device, UTILISATION, Rates()).seconds


class _OnlyGpus(_Run):
    """Beside Snakemake's blocks, which tell all but that."""

    def begins(self) -> list[str]:
        return self._gpu_line(map(self._stage, compat.jobs_to_run(self._workflow)))

    def starts(self, job: int) -> list[str]:
        return []

    def submitted(self, job: int, name: str, log: str) -> list[str]:
        return []

    def ends(self, job: int) -> list[str]:
        return []

    def fails(self, job: int, cause: str | None, log: str | None) -> list[str]:
        return []
