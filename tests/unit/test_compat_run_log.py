"""What `run_log_compat` relies on, tried on the installed Snakemake with a workflow of which one job fails."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clearminds.commands.watching.run_log_compat import LOCKS, LOGS, Event, RunLog, Told, is_locked, run_log

SNAKEFILE = """
rule all:
    input: "works.txt", "fails.txt"

rule works:
    output: "works.txt"
    log: "logs/s/works/a.b.log"
    shell: "ls .snakemake/locks > {output}"

rule fails:
    output: "fails.txt"
    log: "logs/s/fails/a.b.log"
    shell: "exit 3"
"""
COMMAND = [sys.executable, "-m", "snakemake", "--cores", "1", "--keep-going", "--retries", "1", "--printshellcmds"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    (folder / "Snakefile").write_text(SNAKEFILE)
    done = subprocess.run(COMMAND, cwd=folder, capture_output=True, text=True)
    assert "1 of 3 steps" in done.stderr, done.stderr
    return folder


@pytest.fixture
def here(folder, monkeypatch):
    monkeypatch.chdir(folder)


@pytest.mark.slow
def test_the_log_of_a_run_tells_its_jobs_and_how_they_ended(here):
    log = run_log(0)
    assert log.planned == {"works": 1, "fails": 1, "all": 1}
    assert log.jobs == {
        "logs/s/works/a.b.log": Told(Event.FINISHED, attempts=1),
        "logs/s/fails/a.b.log": Told(Event.FAILED, attempts=2),
    }
    assert not log.on_cluster
    assert run_log(time.time_ns() + 10**12) is None


@pytest.mark.slow
def test_a_log_is_read_on_from_where_it_was_read_to(here, tmp_path):
    [path] = LOGS.glob("*.snakemake.log")
    whole, grown = run_log(0), RunLog(tmp_path / "grown.log")
    text, seen = path.read_bytes(), set()
    for position in range(0, len(text), 7):
        with open(grown.path, "ab") as file:
            file.write(text[position : position + 7])
        grown.read()
        seen |= {told.last for told in grown.jobs.values()}
    assert (grown.planned, grown.jobs) == (whole.planned, whole.jobs)
    assert seen == set(Event)


def test_a_lock_is_there_while_a_run_goes_on_and_gone_after_it(here, folder):
    assert (folder / "works.txt").read_text().split() and not is_locked()
    LOCKS.mkdir(exist_ok=True)
    (LOCKS / "0.output.lock").touch()
    assert is_locked()
    (LOCKS / "0.output.lock").unlink()


def test_a_lock_that_goes_while_it_is_looked_at_is_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    LOCKS.mkdir(parents=True)
    listed = Path.iterdir

    def gone(path):
        shutil.rmtree(path)
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", gone)
    assert not is_locked() and not LOCKS.exists()


def test_the_executor_for_slurm_says_so_in_the_log(tmp_path):
    import inspect

    import snakemake_executor_plugin_slurm as slurm

    from clearminds.commands.watching.run_log_compat import ON_CLUSTER

    assert f'info(f"{ON_CLUSTER}' in inspect.getsource(slurm)
    log = RunLog(tmp_path / "run.log")
    log.path.write_text(f"{ON_CLUSTER}7d1c\n")
    log.read()
    assert log.on_cluster
