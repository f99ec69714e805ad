"""How a run ends: where it fails, each cause stands once at its very end, and nothing after it.

Snakemake's own words about a job are the longest where they say the least: its command, twice. What a job has recorded
of its end is one line, which is printed when it happens and once more when all is over.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from clearminds.checkout import ROOT
from clearminds.errors import UserError
from clearminds.job.outcome import cannot_use, printable
from clearminds.reuse.snakemake_compat import filtered, given_study
from clearminds.run import partial_report, signals
from clearminds.run import run_end_compat as compat
from clearminds.run.failures import Failure, Failures, failure_lines
from clearminds.run.refusals.data_files import refuse_missing_data
from clearminds.run.run_end_compat import Refusal
from clearminds.run.sizing.gpus import Gpus
from clearminds.run.specs import Specs
from clearminds.run.terminal.printing import say
from clearminds.run.terminal.shown import plain_lines

if TYPE_CHECKING:
    from snakemake.workflow import Workflow


class RunEnd:
    """The end of the run that a Snakefile is read for.

    Args:
        workflow: the Snakefile's.
        specs: of its study.
        gpus: of its jobs.
    """

    def __init__(self, workflow: "Workflow", specs: Specs, gpus: Gpus):
        self._workflow, self._specs, self._gpus = workflow, specs, gpus
        self._failures: Failures | None = None

    @contextmanager
    def awaited(self, dry: bool) -> Iterator[None]:
        """A context for Snakemake's execution, which ends in what the user has to know. Args: whether nothing is run.

        Raises:
            SystemExit: it failed or was stopped.
        """
        self._failures = failures = Failures(Path(self._specs.layout.logs))
        lines = compat.FailureLines(self._tell, silent=lambda: signals.stopped_by() is not None)
        try:
            if not dry:
                signals.stop_cleanly()
            # told first, of the failures too that are not said a second time
            lines_of_jobs = plain_lines(self._workflow, self._specs, failures.outcome, self._gpus.gpu_line)
            with lines_of_jobs, filtered(lines):
                yield
        except SystemExit:
            raise
        except BaseException as error:
            with suppress(OSError, ValueError):
                sys.stdout.flush()  # what is still in there must not come after the last line
            if (number := signals.stopped_by()) is not None:
                say("stopped; the same command goes on")  # no lock is left
                sys.exit(128 + number)
            if isinstance(error, UserError):
                sys.exit(f"error: {error}")
            if isinstance(error, OSError):
                compat.note(error)
                sys.exit(f"error: {unusable(error)}")
            self._refuse(error)
            failed = [failures.of(log) for log in compat.failed_jobs(self._workflow)]
            only_jobs = compat.only_says_that_jobs_failed(error)
            if failed and not only_jobs:
                compat.say(self._workflow, error)
            if failed:
                sys.exit("\n".join(["", *failure_lines(failed)]))
            if only_jobs and lines.errors:  # the executor itself failed
                sys.exit(f"error: {' '.join(lines.errors[-1].split())}")
            raise

    def _tell(self, log: str, words: str) -> str | None:
        """The cause of a job's failure; None where its own line about it has just been printed here."""
        assert self._failures is not None
        words = " ".join(words.split())
        self._failures.heard(log, words)
        said = compat.runs_jobs_here(self._workflow) and self._failures.recorded(log) is not None
        if said and not compat.shows_failed_logs(self._workflow):
            return None
        cause = self._failures.of(log).cause
        return f"{cause}; {words}" if words and words not in cause else cause  # while it runs, the scheduler's too

    def _refuse(self, error: BaseException) -> None:
        """Say what to do about what Snakemake refuses to begin with, where it can't know."""
        which = compat.refusal(error)
        if which is Refusal.LOCKED:
            # a run of this folder that is alive has been refused before (one_run.begin)
            sys.exit(
                f"error: {Path.cwd()} is locked by a run that was killed; go on with {self._resume()}"
                "the same command after it was called once with --unlock"
            )
        if which is Refusal.INCOMPLETE:
            sys.exit(
                f"error: a run that was killed left half-written results in {Path.cwd()}; go on with {self._resume()}"
                "the same command and --rerun-incomplete"
            )
        if which is Refusal.MISSING_INPUT:
            try:
                refuse_missing_data(self._specs)
            except UserError as missing:
                sys.exit(f"error: {missing}")

    def _resume(self) -> str:
        """The first of two ways to go on, where it is one: `make resume` knows no profile and no other folder."""
        if Path.cwd() != ROOT or not compat.runs_jobs_here(self._workflow):
            return ""
        given = given_study(self._workflow)
        return f"`make resume STUDY={given}`, or with " if given else "`make resume`, or with "

    def show_what_is_there(self) -> None:
        """Write and print the report of what a failed run has made; nothing where it was stopped."""
        if signals.stopped_by() is not None:
            return
        try:
            asked = compat.outputs(self._workflow)
            said = partial_report.write(self._specs, self._why_missing, asked.__contains__)
        except Exception as error:  # whatever it is, why the run failed is still to be said
            compat.note(error)
            said = f"no report of what is there: {printable(error)}\n"
        with suppress(OSError, ValueError):  # a terminal that has gone
            print(said, end="", flush=True)

    def _why_missing(self, paths: list[str]) -> dict[str, Failure]:
        """Which failed job each of these files waits for, where one does: the first on the way to it."""
        assert self._failures is not None
        failed = set(compat.failed_jobs(self._workflow))
        found = {}
        for path, logs in compat.logs_before(self._workflow, paths).items():
            if (log := next((log for log in logs if log in failed), None)) is not None:
                found[path] = self._failures.of(log)
        return found


def unusable(error: OSError) -> str:
    """A line about a file or folder that a run cannot use, and what to do."""
    place = f"{error.filename}: " if error.filename else ""
    return str(cannot_use(error) or f"{place}{error.strerror or error}; fix that, then run again")
