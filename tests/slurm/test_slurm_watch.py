"""A run on a cluster, as `make watch` sees it: jobs that wait and run, and those that outlive a killed run."""

import time

import pytest

from clearminds.commands.watching.snapshot import JobState, RunState, Watched
from clearminds.commands.watching.view import lines
from tests.slurm.conftest import OnCluster
from tests.workflow.conftest import tiny_study

pytestmark = pytest.mark.slurm

SOME = ("--until", "fetch_model", "prepare_task")


def test_jobs_are_seen_in_the_queue_on_their_nodes_and_after_their_run_was_killed(
    slurm, profile, model, tmp_path, monkeypatch
):
    study = OnCluster(tmp_path / "study", tiny_study(model) | {"runtime": {"gpus": 1}}, profile)
    study.folder.mkdir()
    monkeypatch.chdir(study.folder)
    watched, seen = Watched(), set()

    def states() -> set[JobState]:
        return {job.state for job in watched.look().jobs}

    with study.started(*SOME) as (run, output):
        while JobState.RUNNING not in seen or len(watched.look().jobs) < 6:
            seen |= states()
            assert run.poll() is None, output.read_text()[-3000:]
            time.sleep(0.2)
        assert watched.look().run is RunState.ALIVE and watched.look().planned == {"prepare_task": 5, "fetch_model": 1}
        run.kill()
        run.wait()
        assert watched.look().run is RunState.KILLED
        while (seen_now := watched.look()).of(JobState.RUNNING, JobState.WAITING):
            assert "its jobs may still be with the scheduler (`squeue --me`)" in lines(seen_now)
            time.sleep(0.2)
    assert JobState.WAITING in seen and states() == {JobState.DONE}
    assert lines(watched.look())[0].startswith("tiny: killed, 6 of 6 jobs done; `make resume` goes on")
    study.run("--unlock")
    done = study.run(*SOME, "--rerun-incomplete")
    assert done.returncode == 0, done.stdout[-3000:]
    # the killed run's jobs had made all there was to make
    assert lines(watched.look())[0] == "tiny: has ended, and started no job"
