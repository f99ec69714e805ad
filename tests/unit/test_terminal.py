"""What a run knows of its jobs' times before they run; an estimate that fails is left out and ends nothing."""

from types import SimpleNamespace

import pytest

from clearminds.files.layout import Layout
from clearminds.run.terminal import shown
from clearminds.run.terminal.terminal_compat import KnownJob


def job(number: int, rule: str = "train_adapter", stage: str | None = None) -> KnownJob:
    return KnownJob(number, rule, {"seed": str(number)}, f"logs/s/{stage or rule}/m/{number}.log", True)


@pytest.fixture
def run(monkeypatch):
    """The lines of a run of a study of which only the layout is read; each estimate is noted."""
    monkeypatch.setattr(shown.compat, "log_file", lambda workflow: None)
    monkeypatch.setattr(shown.compat, "failed_for_good", lambda workflow: [])
    return shown._Run(SimpleNamespace(), SimpleNamespace(layout=Layout.of("s")))


def test_few_jobs_of_a_stage_stand_for_its_thousands(run, monkeypatch):
    asked = []
    monkeypatch.setattr(run, "_estimate", lambda stage, one: asked.append(stage) or float(one.id % 2))
    jobs = {number: job(number) for number in range(9000)} | {9001: job(9001, "score_shard", "score_token_perplexity")}
    found = run._expected(jobs)
    assert len(asked) <= shown.MOST + 1 and found.keys() == jobs.keys()
    assert found[9001].stage == "score_token_perplexity"


def test_an_estimate_that_fails_is_left_out(run, monkeypatch):
    def fail(stage, one):
        raise KeyError(stage)

    monkeypatch.setattr(run, "_estimate", fail)
    monkeypatch.setattr(shown.compat, "jobs_to_run", lambda workflow: [job(1), job(2)])
    assert run.begins() == ["2 jobs to do"]
    assert run.starts(1) == [] and run.ends(1) == ["[1 of 2 jobs done]"]


def test_the_line_of_the_gpus_is_first_and_depends_on_the_jobs_to_run(monkeypatch):
    monkeypatch.setattr(shown.compat, "log_file", lambda workflow: None)
    monkeypatch.setattr(
        shown.compat, "jobs_to_run", lambda workflow: [job(1), job(2, "score_shard", "score_token_perplexity")]
    )
    specs = SimpleNamespace(layout=Layout.of("s"))
    run = shown._Run(SimpleNamespace(), specs, lambda stages: [f"GPUs of {sorted(stages)}"])
    said = "GPUs of ['score_token_perplexity', 'train_adapter']"
    assert run.begins() == [said, "2 jobs to do"]
    beside = shown._OnlyGpus(SimpleNamespace(), specs, lambda stages: [f"GPUs of {sorted(stages)}"])
    assert beside.begins() == [said] and beside.starts(1) == beside.ends(1) == []
