"""What is done when Snakemake begins to execute: by a run, a dry-run, a dry-run beside a run, and a job on a node."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from clearminds.files.layout import Layout
from clearminds.job.guard import RUN
from clearminds.reuse.run_code import CODE
from clearminds.reuse.snakemake_compat import Records
from clearminds.run import one_run
from clearminds.run.start import prepare_execution

WORKFLOW = Path(__file__).parents[2] / "workflow"
RESULT = "results/s/masks/m/t/v.parquet"
STUDY = {"study": "s", "runtime": {}}


@pytest.fixture(autouse=True)
def handlers():
    """A run answers signals in its own way; the tests' process goes on in its."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with a result that no record tells the origin of."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(RUN, "")
    monkeypatch.setenv("PATH", os.environ["PATH"])
    (tmp_path / RESULT).parent.mkdir(parents=True)
    (tmp_path / RESULT).write_bytes(b"")
    return tmp_path


def execute(*, dry: bool = False, mode: str = "DEFAULT", default: dict | None = None) -> None:
    """Read a Snakefile that prepares its execution, which must change nothing, and execute it."""
    workflow = SimpleNamespace(
        execute=lambda executor_plugin: None,
        delete_output=lambda only_temp, dryrun: None,
        exec_mode=SimpleNamespace(name=mode),
        resource_settings=SimpleNamespace(default_resources=default, overwrite_resources={}),
    )
    before = everything()
    study = SimpleNamespace(model_dump=lambda: STUDY)
    prepare_execution(workflow, SimpleNamespace(study=study, layout=Layout.of("s")))
    assert everything() == before
    workflow.execute(executor_plugin=SimpleNamespace(common_settings=SimpleNamespace(dryrun_exec=dry)))


def everything() -> set[str]:
    return {str(path) for path in Path().rglob("*")}


def adopted() -> bool:
    return Records(Path(".snakemake")).has(RESULT)


def test_a_run_takes_the_lock_and_adopts(folder):
    execute()
    assert adopted() and one_run.alive() and CODE.is_file() and one_run.STUDY.is_file()
    assert os.environ[RUN] == str(os.getpid())
    assert os.environ["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)


def test_a_dry_run_adopts_and_takes_no_lock(folder):
    execute(dry=True, default={"account": "SET_ME"})
    assert adopted()
    assert not any(place.exists() for place in (one_run.LOCK, CODE, one_run.STUDY))


def test_beside_a_run_a_dry_run_writes_nothing_and_a_run_refuses(folder):
    script = (
        f"import sys; sys.path.insert(0, {str(WORKFLOW)!r}); from clearminds.run.one_run import take_lock; "
        "take_lock(); print('mine', flush=True); input()"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as run:
        run.stdout.readline()
        execute(dry=True)
        with pytest.raises(SystemExit, match=rf"error: another run \(process {run.pid}\) is going on"):
            execute()
        run.kill()
    assert not adopted()


def test_a_placeholder_ends_a_run_before_it_locks_or_writes(folder):
    with pytest.raises(SystemExit, match="error: default-resources: account: still SET_ME"):
        execute(default={"account": "SET_ME"})
    assert not one_run.LOCK.exists() and not adopted()


@pytest.mark.parametrize("mode", ["REMOTE", "SUBPROCESS"])
def test_a_job_of_another_snakemake_neither_locks_nor_adopts(folder, mode):
    execute(mode=mode, default={"account": "SET_ME"})
    assert not one_run.LOCK.exists() and not adopted()
    assert os.environ[RUN] == str(os.getpid())


def test_a_file_where_a_folder_must_be_ends_a_run_in_a_line(folder):
    (folder / ".snakemake").write_text("")
    with pytest.raises(SystemExit, match=r"error: \.snakemake is a file, where a folder must be: move it away"):
        execute()
