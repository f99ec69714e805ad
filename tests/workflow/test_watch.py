"""`make watch` beside a real run: while it goes on, after it was killed, and when it has finished."""

import os
import re
import subprocess
import sys

import pytest

from .conftest import ROOT, Workflow, tiny_study
from .watching import begin

SOME = ("--until", "fetch_model", "prepare_task")  # the first two stages, six jobs


def watch(study):
    command = [sys.executable, "-m", "clearminds.commands.watch", "--directory", str(study.folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def watch_until_a_job_runs(study, run):
    """What is shown when one of the jobs is seen running, between two of which there are moments without any."""
    while run.poll() is None:
        if re.search(r"^(prepare_task|fetch_model) \S+, for 0:", seen := watch(study), flags=re.MULTILINE):
            return seen
    raise AssertionError("the run ended before a job of it was seen running")


@pytest.mark.slow
def test_a_run_is_seen_alive_killed_and_finished(tmp_path, tiny_model):
    workflow = Workflow(tmp_path, tiny_study(tiny_model))
    assert watch(workflow) == f"no run has been started in {workflow.folder}\n"
    run = begin(workflow, "prepare_task", *SOME)
    seen = watch_until_a_job_runs(workflow, run)
    assert re.match(rf"tiny: running for 0:\S+, \d of 6 jobs done\nprocess {run.pid} in {workflow.folder}\n", seen)
    assert re.search(r"^prepare_task .* 5$", seen, flags=re.MULTILINE)
    run.kill()
    run.communicate()
    seen = watch(workflow)
    assert re.match(r"tiny: killed, \d of 6 jobs done; `make resume` goes on", seen)
    assert f"\nprocess {run.pid} is gone, " in seen
    assert "running for" not in seen
    assert workflow.run("--unlock").returncode == 0
    done = workflow.run(*SOME)
    assert done.returncode == 0, done.stdout[-3000:]
    assert re.match(r"tiny: finished, (\d) of \1 jobs done\n", watch(workflow))
