"""What `terminal_compat` relies on, tried on the installed Snakemake with a workflow whose jobs end in every way."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # what Snakemake does, which is another only with its next version

WORKFLOW = Path(__file__).parents[2] / "workflow"
SNAKEFILE = f"""
import contextlib, logging, sys
sys.path.insert(0, {str(WORKFLOW)!r})
from clearminds.reuse.snakemake_compat import around_execution, filtered
from clearminds.run.terminal import terminal_compat as compat
class Listener:
    def begins(self):
        self.jobs = {{job.id: job for job in compat.jobs_to_run(workflow)}}
        known = sorted((job.rule, job.wildcards, job.log, job.here) for job in self.jobs.values())
        file = compat.log_file()  # None in a dry-run
        return ["BEGINS " + repr(known), "FILE " + (compat.to_open(workflow, file) if file else "none")]

    def name(self, job):
        return self.jobs[job].rule if job in self.jobs else "target"

    def starts(self, job):
        if "break" in config:
            raise ValueError("broken")
        return ["STARTS " + self.name(job)]

    def submitted(self, job, name, log):
        return ["SUBMITTED"]

    def ends(self, job):
        failed = list(map(self.name, compat.failed_for_good(workflow)))
        return ["ENDS " + self.name(job), "FAILED " + repr(failed)]

    def fails(self, job, cause, log):
        behind = sorted(map(self.name, compat.jobs_behind(workflow, job)))
        again = "again" if compat.is_tried_again(workflow, job) else "for good"
        return ["FAILS {{}} {{}} {{}} {{}}".format(self.name(job), behind, again, cause and (cause, log))]

class Cause(logging.Filter):
    def filter(self, record):
        if getattr(record, "rule_name", None) == "a" and hasattr(record, "aux"):
            record.rule_msg = "CAUSE"
        return True

@contextlib.contextmanager
def told(dry, submits, computes):
    with compat.all_in_the_log_file():
        if compat.speaks_itself(workflow):
            print("ITSELF", flush=True)
            with compat.beside_blocks(Listener()):
                yield
            return
        with compat.in_place_of_blocks(Listener()), filtered(Cause()):
            yield

around_execution(workflow, told)

rule all:
    input: "b.1.txt", "c.txt"
    localrule: True

rule b:
    input: "a.txt"
    output: "b.{{n}}.txt"
    log: "b.{{n}}.log"
    shell: "cat {{input}} > {{output}}"

rule a:
    output: "a.txt"
    log: "a.log"
    retries: 1
    shell: "test -e again || {{{{ touch again; exit 5; }}}}; echo a > {{output}}"

rule c:
    input: "d.txt"
    output: "c.txt"
    log: "c.log"
    shell: "touch {{output}}"

rule d:
    output: "d.txt"
    log: "d.log"
    shell: config.get("fails", "true # makes nothing")
"""


class Said:
    """What a run of that workflow said: its lines, and Snakemake's log file."""

    def __init__(self, folder: Path, *arguments: str):
        (folder / "Snakefile").write_text(SNAKEFILE)
        command = [sys.executable, "-m", "snakemake", "--cores", "1", "--latency-wait", "0", "--keep-going", *arguments]
        done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.code, self.text, self.lines = done.returncode, done.stdout, done.stdout.splitlines()
        logs = sorted(folder.glob(".snakemake/log/*.log"))
        self.file, self.log = (logs[-1].relative_to(folder), logs[-1].read_text()) if logs else (None, "")

    def told(self, word: str) -> list[str]:
        """What follows a word at the beginning of lines."""
        return [line.removeprefix(f"{word} ") for line in self.lines if line.startswith(f"{word} ")]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Said:
    """A run in which a job succeeds at its second attempt, and another makes no result."""
    return Said(tmp_path_factory.mktemp("run"))


def test_a_listener_knows_the_jobs_before_they_start(run):
    known = [("a", {}, "a.log", True), ("b", {"n": "1"}, "b.1.log", True), ("c", {}, "c.log", True)]
    assert run.told("BEGINS") == [repr([*known, ("d", {}, "d.log", True)])]
    assert run.told("FILE") == [str(run.file)]
    assert run.lines.index(f"FILE {run.file}") < min(run.lines.index(f"STARTS {rule}") for rule in "ad")


def test_starts_ends_and_failures_are_told(run):
    assert sorted(run.told("STARTS")) == ["a", "a", "b", "d"]
    assert run.told("ENDS") == ["a", "b"]
    failures = run.told("FAILS")
    assert failures[:2] == ["a ['b', 'target'] again None", "a ['b', 'target'] again ('CAUSE', 'a.log')"]
    assert run.code == 1
    assert "Error in rule a:" not in run.text
    # of a job that makes no result no event tells; it may run before the second attempt of another
    first, last = run.told("FAILED")
    assert first in ("[]", "['d']") and last == "['d']"


def test_nothing_routine_reaches_the_terminal_and_all_of_it_the_log_file(run):
    routine = (
        *("SNAKEMAKE", "Building DAG", "Using shell", "Provided cores", "Rules claiming", "Job stats", "Select jobs"),
        *(
            "Execute 1 jobs",
            "rule a:",
            "    wildcards: ",
            "Shell command: ",
            "Finished jobid",
            "steps (",
            "to restart job",
        ),
    )
    for words in routine:
        assert words not in run.text, words
        assert words in run.log, words
    assert "Shell command: cat a.txt > b.1.txt" in run.log
    assert "MissingOutputException" in run.text and f"Complete log(s): {run.file.absolute().parent}"[:15] in run.text


def test_a_job_that_fails_for_good_is_known_and_paths_are_absolute_in_another_folder(tmp_path):
    place = tmp_path / "place"
    said = Said(tmp_path, "c.txt", "--directory", str(place), "--config", "fails=rmdir")
    assert said.told("FILE") == [str(next(place.glob(".snakemake/log/*.log")))]
    assert said.told("FAILS") == ["d ['c'] for good None"]


@pytest.mark.parametrize("argument", ["--dry-run", "--printshellcmds", "--show-failed-logs"])
def test_snakemake_speaks_itself_where_it_is_asked_to(tmp_path, argument):
    said = Said(tmp_path, argument, "a.txt")
    assert "ITSELF" in said.lines and "rule a:" in said.text and "BEGINS" in said.text


@pytest.mark.parametrize(
    ("quiet", "kept"),
    [(["rules"], ["ENDS a"]), (["progress"], ["STARTS a"]), (["all"], []), (["all", "-p"], []), ([], [])],
)
def test_quiet_is_obeyed_on_the_terminal_and_the_log_file_has_the_plan_and_all_jobs(tmp_path, quiet, kept):
    (tmp_path / "again").touch()
    said = Said(tmp_path, "a.txt", "--quiet", *quiet)
    assert said.code == 0
    assert [line for line in said.lines if line.startswith(("STARTS", "ENDS"))] == kept
    for words in ("Job stats:", "rule a:", "    log: a.log", "Shell command: "):  # ends are not even told
        assert words in said.log, words


def test_a_listener_that_raises_ends_no_run(tmp_path):
    said = Said(tmp_path, "a.txt", "--config", "break=1")
    assert said.code == 0 and (tmp_path / "a.txt").exists()
    assert "the run's own lines end here, Snakemake's follow (ValueError: broken)" in said.lines
    assert "rule a:" in said.text and "1 of 1 steps (100%) done" in said.text


def test_a_disk_that_is_full_under_the_terminal_ends_no_run(tmp_path):
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    (tmp_path / "again").touch()
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "snakemake", "--cores", "1", "a.txt", "b.1.txt"]
        subprocess.run(command, cwd=tmp_path, stdout=full, stderr=full)
    assert (tmp_path / "b.1.txt").exists()
    [log] = tmp_path.glob(".snakemake/log/*.log")
    assert "2 of 2 steps (100%) done" in log.read_text()


def test_the_line_of_a_submitted_job_is_known():
    import snakemake_executor_plugin_slurm as plugin

    from clearminds.run.terminal.terminal_compat import SUBMITTED

    said = re.search(r'f"(Job \{job\.jobid\} has been submitted .*?)"\s*f"(.*?)"\n', inspect.getsource(plugin))
    line = "".join(said.groups())
    line = line.format(job=type("Job", (), {"jobid": 7}), slurm_jobid="41", slurm_logfile="/x/41.log")
    assert SUBMITTED.fullmatch(line).groups() == ("7", "41", "/x/41.log")
