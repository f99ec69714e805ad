"""What a run knows of its jobs' times before they run; an estimate that fails is left out and ends nothing."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from clearminds.files.layout import Layout
from clearminds.job.outcome import Outcome, State, write_outcome
from clearminds.run.failures import Failures
from clearminds.run.terminal import shown
from clearminds.run.terminal.terminal_compat import KnownJob


class Panic(BaseException):
    """As polars' PanicException is: no Exception."""


def job(number: int, rule: str = "train_adapter", stage: str | None = None, here: bool = True) -> KnownJob:
    return KnownJob(number, rule, {"seed": str(number)}, f"logs/s/{stage or rule}/m/{number}.log", here)


@pytest.fixture
def run(monkeypatch, tmp_path):
    """The lines of a run, in a folder with an earlier job's record, of a study of which only the layout is read."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shown.compat, "log_file", lambda: None)
    monkeypatch.setattr(shown.compat, "failed_for_good", lambda workflow: [])
    log = Path(job(1).log)
    log.parent.mkdir(parents=True)
    write_outcome(log, Outcome(State.TAKEN_BACK, exit_code=0))
    workflow = SimpleNamespace(rundir=str(tmp_path))
    return shown._Run(workflow, SimpleNamespace(layout=Layout.of("s")), Failures(Path("logs/s")).outcome)


def test_few_jobs_of_a_stage_stand_for_its_thousands(run, monkeypatch):
    asked = []
    monkeypatch.setattr(run, "_estimate", lambda stage, one: asked.append(stage) or float(one.id % 2))
    jobs = {number: job(number) for number in range(9000)} | {9001: job(9001, "score_shard", "score_token_perplexity")}
    found = run._expected(jobs)
    assert len(asked) <= shown.MOST + 1 and found.keys() == jobs.keys()
    assert found[9001].stage == "score_token_perplexity"


@pytest.mark.parametrize("error", [KeyError, Panic])
def test_an_estimate_that_fails_is_left_out(run, monkeypatch, error):
    def fail(stage, one):
        raise error(stage)

    monkeypatch.setattr(run, "_estimate", fail)
    monkeypatch.setattr(shown.compat, "jobs_to_run", lambda workflow: [job(1), job(2)])
    assert run.begins() == ["2 jobs to do"]
    assert run.starts(1) == [] and run.ends(1) == ["[1 of 2 jobs done]"]


def test_what_an_earlier_run_recorded_says_nothing_of_this_ones_jobs(run, monkeypatch):
    monkeypatch.setattr(run, "_estimate", lambda stage, one: 9.0)
    monkeypatch.setattr(shown.compat, "jobs_to_run", lambda workflow: [job(1, here=False), job(2, here=False)])
    run.begins()
    run.starts(1)
    assert run.ends(1)[0].startswith("train_adapter m/1: done ")
    run.starts(2)
    write_outcome(Path(job(2).log), Outcome(State.TAKEN_BACK, exit_code=0))
    assert run.ends(2)[0].startswith("train_adapter m/2: taken back: ")


def test_logs_are_named_as_they_can_be_opened_from_where_the_run_was_called(run, monkeypatch, tmp_path):
    monkeypatch.setattr(run, "_estimate", lambda stage, one: 9.0)
    monkeypatch.setattr(shown.compat, "jobs_to_run", lambda workflow: [job(1, here=False)])
    monkeypatch.setattr(shown.compat, "log_file", lambda: str(tmp_path / ".snakemake/log/x.log"))
    monkeypatch.setattr(shown.compat, "is_tried_again", lambda workflow, job: True)
    log = str(tmp_path / "logs/41.log")
    assert run.begins() == ["1 job to do; its command is in .snakemake/log/x.log"]
    assert run.submitted(1, "SLURM job 41", log) == ["train_adapter m/1: is SLURM job 41 (log: logs/41.log)"]
    run._workflow.rundir = "/elsewhere"
    assert run.begins() == [f"1 job to do; its command is in {tmp_path}/.snakemake/log/x.log"]
    assert run.submitted(1, "SLURM job 41", log) == [f"train_adapter m/1: is SLURM job 41 (log: {log})"]
    assert run.fails(1, "no memory", "logs/a.log") == [
        f"train_adapter m/1: error: no memory (log: {tmp_path}/logs/a.log)"
    ]


def test_the_line_of_the_gpus_is_first_and_depends_on_the_jobs_to_run(monkeypatch):
    monkeypatch.setattr(shown.compat, "log_file", lambda: None)
    monkeypatch.setattr(
        shown.compat, "jobs_to_run", lambda workflow: [job(1), job(2, "score_shard", "score_token_perplexity")]
    )
    specs = SimpleNamespace(layout=Layout.of("s"))
    run = shown._Run(SimpleNamespace(rundir="/"), specs, lambda log: None, lambda stages: [f"GPUs of {sorted(stages)}"])
    said = "GPUs of ['score_token_perplexity', 'train_adapter']"
    assert run.begins() == [said, "2 jobs to do"]
    beside = shown._OnlyGpus(SimpleNamespace(), specs, lambda log: None, lambda stages: [f"GPUs of {sorted(stages)}"])
    assert beside.begins() == [said] and beside.starts(1) == beside.ends(1) == []
