"""What `run_end_compat` relies on, tried on the installed Snakemake with a workflow whose jobs fail."""

import json
from base64 import b64encode
from pathlib import Path

import pytest
from forked import run_module

WORKFLOW = Path(__file__).parents[2] / "workflow"
SNAKEFILE = f"""
import contextlib, json, sys
sys.path.insert(0, {str(WORKFLOW)!r})
from clearminds.reuse.snakemake_compat import around_execution, filtered
from clearminds.run import run_end_compat as compat

told = []

def tell(log, words):
    told.append([log, words])
    return None if log == "said.log" else "THE CAUSE"

@contextlib.contextmanager
def seen(dry, submits, computes):
    lines = compat.FailureLines(tell, silent=lambda: False)
    try:
        with filtered(lines):
            yield
    except Exception as error:
        compat.note(error)
        found = {{
            "refusal": compat.refusal(error),
            "only": compat.only_says_that_jobs_failed(error),
            "failed": compat.failed_jobs(workflow),
            "before": compat.logs_before(workflow, ["all.txt", "none.txt"]),
            "outputs": sorted(compat.outputs(workflow)),
            "told": sorted(told),
            "errors": lines.errors,
            "here": compat.runs_jobs_here(workflow),
        }}
        sys.exit("FOUND " + json.dumps(found))

around_execution(workflow, seen)

rule all_of_them:
    input: "said.txt", "silent.txt", "unmade.txt"
    output: "all.txt"
    log: "all.log"
    shell: "touch {{output}}"

rule said:
    input: "made.txt"
    output: "said.txt"
    log: "said.log"
    shell: "exit 3"

rule silent:
    output: "silent.txt"
    log: "silent.log"
    shell: "echo once >> tries; exit 4"

rule unmade:
    output: "unmade.txt"
    log: "unmade.log"
    shell: "true"

rule made:
    output: "made.txt"
    log: "made.log"
    retries: 1
    shell: "test -e again || {{{{ touch again; exit 5; }}}}; touch {{output}}"

rule data:
    input: "users.txt"
    output: "data.txt"
    shell: "touch {{output}}"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="module")
def run(folder):
    """Calls snakemake in a folder with that workflow: what it said, and what was found at its end."""
    (folder / "Snakefile").write_text(SNAKEFILE)

    def snakemake(*arguments: str) -> tuple[str, dict]:
        done = run_module("snakemake", "--cores", "1", "--latency-wait", "0", *arguments, cwd=folder)
        assert done.returncode == 1, done.stdout
        said, _, found = done.stdout.partition("FOUND ")
        return said, json.loads(found)

    return snakemake


@pytest.fixture
def snakemakes(failed, folder):
    """The folder of Snakemake's own files."""
    return folder / ".snakemake"


@pytest.fixture(scope="module")
def failed(run):
    """The end of a run with failed jobs."""
    return run("--keep-going", "--printshellcmds")


def test_jobs_that_failed_for_good_are_told(failed):
    _, found = failed
    assert found["failed"] == ["said.log", "silent.log", "unmade.log"]  # not `made`, whose retry went well
    assert found["only"] and found["refusal"] is None and found["here"]


def test_the_jobs_that_lead_to_a_file_are_told_in_order(failed):
    _, found = failed
    assert found["before"] == {
        "all.txt": ["made.log", "said.log", "silent.log", "unmade.log", "all.log"],
        "none.txt": [],
    }


def test_what_a_run_was_not_asked_for_is_none_of_its_outputs(failed, run):
    _, found = failed
    assert found["outputs"] == ["all.txt", "made.txt", "said.txt", "silent.txt", "unmade.txt"]
    assert run("--until", "silent")[1]["outputs"] == ["silent.txt"]


def test_a_failed_job_is_said_with_its_cause_and_without_its_command(failed):
    said, found = failed
    assert found["told"] == [["made.log", ""], ["said.log", ""], ["silent.log", ""]]
    assert "Error in rule silent:" in said and "    message: THE CAUSE\n" in said
    assert "Error in rule said:" not in said
    assert "CalledProcessError" not in said and said.count("echo once >> tries") == 1  # where it started
    [error] = found["errors"]
    assert error.startswith("MissingOutputException")  # no command's exit code, so it is kept


def test_what_snakemake_refuses_is_told_apart(run, snakemakes):
    assert run("data.txt")[1]["refusal"] == "missing input"
    locks = snakemakes / "locks"
    locks.mkdir(exist_ok=True)
    (locks / "0.input.lock").write_text("users.txt\n")
    (locks / "0.output.lock").write_text("made.txt\n")
    assert run("made.txt", "--forceall")[1]["refusal"] == "locked"
    for lock in locks.iterdir():
        lock.unlink()


def test_incomplete_files_are_told_apart(run, snakemakes):
    (snakemakes.parent / "made.txt").touch()
    marks = snakemakes / "incomplete"
    marks.mkdir(exist_ok=True)
    (marks / b64encode(b"made.txt").decode()).write_text("")
    assert run("made.txt", "--forcerun", "made")[1]["refusal"] == "incomplete"
