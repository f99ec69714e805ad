"""What is done when Snakemake begins to execute: by a run, a dry-run, a dry-run beside a run, and a job on a node."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from demo_study import demo
from snakemake.settings.types import DAGSettings, OutputSettings

from clearminds.files.layout import Layout
from clearminds.job.finding_devices import SCHEDULERS
from clearminds.job.guard import RUN
from clearminds.reuse.adopt import UNKNOWN
from clearminds.reuse.forced import is_forced
from clearminds.reuse.job_memory import JobMemory, digests, made_by
from clearminds.reuse.run_code import CODE
from clearminds.reuse.snakemake_compat import Records
from clearminds.run import one_run
from clearminds.run.sizing import gpu_support
from clearminds.run.sizing.gpus import DECIDED, Gpus, gpus_of
from clearminds.run.start import prepare_execution

WORKFLOW = Path(__file__).parents[2] / "workflow"
RESULT = "results/s/masks/m/t/v.parquet"
STUDY = {"study": "s", "runtime": {"report_to": "none"}}


@pytest.fixture(autouse=True)
def handlers():
    """A run answers signals in its own way; the tests' process goes on in its."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with a result that no record tells the origin of, on a machine without GPUs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLEARMINDS_DEVICES", "")
    monkeypatch.setenv(DECIDED, "")
    monkeypatch.setenv(RUN, "")
    monkeypatch.setenv("PATH", os.environ["PATH"])
    (tmp_path / RESULT).parent.mkdir(parents=True)
    (tmp_path / RESULT).write_bytes(b"")
    return tmp_path


class Planned(SimpleNamespace):
    """One that Snakemake has planned."""

    __hash__ = object.__hash__


def execute(
    *,
    dry: bool = False,
    mode: str = "DEFAULT",
    default: dict | None = None,
    study: dict = STUDY,
    conda: bool = False,
    submits: bool = False,
    touch: bool = False,
    gpus: Gpus | None = None,
    shared: int | None = None,
    jobs: tuple[str, ...] = ("summarise",),
    **forced: object,
) -> bool:
    """Read a Snakefile that prepares its execution, which must change nothing, and execute it.

    Args:
        jobs: the rules of what there is to do.

    Returns:
        whether all jobs wait for the rehearsal.
    """
    planned = [Planned(rule=SimpleNamespace(name=name), wildcards_dict={}) for name in jobs]
    workflow = SimpleNamespace(
        execute=lambda executor_plugin: workflow._build_dag(),
        _build_dag=lambda: None,
        dag=SimpleNamespace(bfs=lambda *_: planned, dependencies={}, targetjobs=[], needrun_jobs=lambda: planned),
        delete_output=lambda only_temp, dryrun: None,
        exec_mode=SimpleNamespace(name=mode),
        dag_settings=DAGSettings(**forced),
        output_settings=OutputSettings(verbose=True),  # what the terminal shows is not the subject
        deployment_settings=SimpleNamespace(deployment_method=[SimpleNamespace(name="CONDA")] if conda else []),
        resource_settings=SimpleNamespace(default_resources=default, overwrite_resources={}, cores=8),
        global_resources={} if shared is None else {"gpu": SimpleNamespace(value=shared)},
    )
    workflow.register_resource = lambda name, n: workflow.global_resources.update({name: SimpleNamespace(value=n)})
    before, gpus = everything(), gpus or gpus_of(demo({"runtime/gpus": 0}))
    given = SimpleNamespace(model_dump=lambda: study, models={}, tasks={}, suites={}, targets=[])
    inputs = SimpleNamespace(all_wait=False)
    ignored = {name: lambda given: None for name in ("use", "settle_code")} | {"text": lambda stage: lambda names: ""}
    specs = SimpleNamespace(study=given, layout=Layout.of("s"), inputs=inputs, **ignored)
    prepare_execution(workflow, specs, gpus)
    assert everything() == before
    workflow.execute(
        executor_plugin=SimpleNamespace(
            common_settings=SimpleNamespace(dryrun_exec=dry, local_exec=not submits, touch_exec=touch)
        )
    )
    return inputs.all_wait


def everything() -> set[str]:
    return {str(path) for path in Path().rglob("*")}


def adopted() -> bool:
    return Records(Path(".snakemake")).has(RESULT)


def test_a_run_takes_the_lock_and_adopts(folder):
    execute()
    assert adopted() and one_run.alive() and CODE.is_file() and one_run.STUDY.is_file()
    assert os.environ[RUN] == str(os.getpid())
    assert os.environ["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)


def test_a_run_with_nothing_to_do_reads_no_code(folder):
    execute(jobs=())
    assert adopted() and one_run.STUDY.is_file() and not CODE.exists()


def test_a_touch_computes_nothing_that_code_could_change(folder):
    execute(touch=True)
    assert adopted() and not CODE.exists()


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


@pytest.mark.parametrize("dry", [True, False])
def test_a_tracker_that_is_not_installed_ends_a_run_where_jobs_have_no_environment_of_their_own(folder, dry):
    study = {"study": "s", "runtime": {"report_to": ["comet_ml"]}}
    with pytest.raises(SystemExit, match="error: runtime: report_to: comet_ml needs the package comet_ml, which is no"):
        execute(dry=dry, study=study)
    assert not one_run.LOCK.exists() and not adopted()
    execute(dry=True, study=study, conda=True)
    assert adopted()


@pytest.mark.parametrize("mode", ["REMOTE", "SUBPROCESS"])
def test_a_job_of_another_snakemake_neither_locks_nor_adopts(folder, mode):
    execute(mode=mode, default={"account": "SET_ME"})
    assert not one_run.LOCK.exists() and not adopted()
    assert os.environ[RUN] == str(os.getpid())


def test_a_file_where_a_folder_must_be_ends_a_run_in_a_line(folder):
    (folder / ".snakemake").write_text("")
    with pytest.raises(SystemExit, match=r"error: \.snakemake is a file, where a folder must be: move it away"):
        execute()


# --- GPUs -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def two_gpus(folder, monkeypatch):
    """A machine with two pretended GPUs."""
    for name in (*SCHEDULERS, "JOB_ID", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLEARMINDS_DEVICES", "0,1")


@pytest.mark.parametrize(
    ("asked", "shared", "line"),
    [
        ("auto", None, "GPUs: 2; one a job, up to 2 jobs at a time"),
        (1, None, "GPUs: 2; one a job, up to 2 jobs at a time"),
        ("auto", 1, "GPUs: 2; one a job, 1 job at a time, as resources: gpu=1 allows no more: 1 stays idle"),
        (0, None, "GPUs: 2; idle, as the study has runtime: gpus: 0: jobs run on the CPU (gpus: auto would use them)"),
    ],
)
def test_a_run_of_models_says_what_it_found_and_one_that_computes_nothing_does_not(two_gpus, asked, shared, line):
    gpus = asking(asked)
    for nothing in {"dry": True}, {"touch": True}:
        execute(gpus=gpus, shared=shared, **nothing)
        assert gpus.gpu_line(["train_adapter"]) == [] and os.environ[DECIDED] == ""
        one_run.LOCK.unlink(missing_ok=True)  # as if that run had ended
    execute(gpus=gpus, shared=shared)
    assert gpus.gpu_line(["prepare_task", "train_adapter"]) == [line]
    assert gpus.gpu_line(["prepare_task", "fetch_model", "report"]) == []
    assert os.environ[DECIDED] == ("0" if asked == 0 else "1")


def test_a_terminal_that_has_gone_ends_no_run(two_gpus, monkeypatch):
    class Gone:
        def write(self, text):
            raise OSError(5, "gone")

        flush = write

    monkeypatch.setattr(sys, "stderr", Gone())
    execute(gpus=asking(1))
    assert adopted()


def asking(gpus: int | str) -> Gpus:
    return gpus_of(demo({"runtime/gpus": gpus}))


@pytest.mark.parametrize("dry", [True, False])
@pytest.mark.parametrize("asked", ["auto", 2])
def test_jobs_that_take_gpus_may_not_share_none(two_gpus, asked, dry):
    with pytest.raises(SystemExit, match=r"^error: resources: gpu=0 of .*; for a run on the CPU set runtime: gpus: 0"):
        execute(gpus=asking(asked), shared=0, dry=dry)
    assert not one_run.LOCK.exists() and not adopted()
    execute(gpus=asking(0), shared=0, dry=dry)
    assert adopted()


@pytest.mark.parametrize("how", [{"dry": True}, {"touch": True}, {}])
def test_only_a_run_that_computes_asks_the_driver(two_gpus, monkeypatch, how):
    asked: list[None] = []
    monkeypatch.setattr(gpu_support, "unusable", lambda: asked.append(None) or "WHY")
    gpus = asking("auto")
    assert gpus.per_training == 1
    execute(gpus=gpus, **how)
    assert (gpus.per_training, len(asked)) == ((1, 0) if how else (0, 1))
    if not how:
        assert os.environ[DECIDED] == "0" and gpus.gpu_line(["rehearse"]) == ["GPUs: 2; idle, jobs run on the CPU: WHY"]
        assert len(asked) == 1


def test_auto_is_refused_where_jobs_are_submitted(two_gpus):
    with pytest.raises(SystemExit, match=r"^error: runtime: gpus: auto, the default, .* write a number into the study"):
        execute(submits=True, gpus=asking("auto"), default={"account": "SET_ME"})
    assert not one_run.LOCK.exists() and not adopted()


@pytest.mark.parametrize("asked", [0, 1])
def test_where_jobs_are_submitted_a_number_is_taken_and_no_gpu_looked_for(two_gpus, asked):
    gpus = asking(asked)
    execute(submits=True, gpus=gpus)
    assert adopted() and gpus.gpu_line(["train_adapter"]) == []


# --- what is forced ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "stages"),
    [
        ({}, set()),
        ({"forceall": True}, {"train_adapter", "build_masks", "score_token_perplexity"}),
        ({"forcerun": {"train_adapter"}}, {"train_adapter"}),
        ({"forcerun": {RESULT}}, {"build_masks"}),
        ({"targets": {RESULT}, "forcetargets": True}, {"build_masks"}),
        ({"targets": {RESULT}}, set()),
        ({"forcerun": {"score_shard"}}, {"score_token_perplexity"}),
    ],
)
def test_jobs_learn_what_the_run_forces(folder, given, stages):
    execute(**given)
    outputs = {"build_masks": RESULT, "train_adapter": "adapter.json", "score_token_perplexity": "scores.parquet"}
    assert {stage for stage, output in outputs.items() if is_forced(stage, [Path(output)])} == stages
    one_run.LOCK.unlink()  # as if that run had ended
    execute()
    assert not any(is_forced(stage, [Path(output)]) for stage, output in outputs.items())


# --- results that are not as recorded ---------------------------------------------------------------------------------


class Job:
    """A mask that its job has made and remembers, of a file of the user's."""

    def __init__(self):
        self.result, self.data = Path(RESULT), Path("data.jsonl")
        self.result.write_bytes(b"masks")
        self.data.write_text("data")
        memory = JobMemory.of(Path("results/s/.jobs"), [self.result], "build_masks", "m/t/v")
        memory.keep(made_by("build_masks", {"tau": "2"}, "c", {}, digests([self.data])))

    @staticmethod
    def params() -> list[str]:
        return Records(Path(".snakemake")).params(RESULT)


MADE = sorted(map(repr, ('{"tau":"2"}', "c")))


def test_snakemake_is_told_what_the_job_of_a_result_remembers(folder, capsys):
    job = Job()
    execute(dry=True)
    assert job.params() == MADE and capsys.readouterr().err == ""
    # a launcher was run by hand with another spec before
    Records(Path(".snakemake")).write(RESULT, params=["'of the study'"])
    execute(dry=True)
    assert job.params() == MADE


def test_a_touched_or_copied_result_is_the_same(folder, capsys):
    job = Job()
    copy = Path("copy")
    copy.write_bytes(job.result.read_bytes())
    copy.replace(job.result)
    os.utime(job.result, (1, 1))
    execute(dry=True)
    assert job.params() == MADE and capsys.readouterr().err == ""


def test_an_edited_result_is_named_and_made_again(folder, capsys):
    job = Job()
    execute(dry=True)
    with open(job.result, "r+b") as handle:
        handle.write(b"MASKS")
    assert not execute(dry=True)
    assert job.params() == UNKNOWN
    assert capsys.readouterr().err == (
        f"{RESULT}: is not what its job made (edited or damaged): it is made again where this run needs it\n"
    )


def test_what_was_made_of_a_user_s_file_that_is_another_now_is_made_again_whatever_its_time(folder, capsys):
    job = Job()
    old = job.data.stat()
    job.data.write_text("DATA")
    os.utime(job.data, ns=(old.st_atime_ns, old.st_mtime_ns - 10**12))
    assert execute(dry=True)  # what is made of other data is rehearsed with them first
    assert job.params() == UNKNOWN
    assert capsys.readouterr().err.startswith("data.jsonl: is not the file that the results were made of: what was ")


def test_all_wait_for_the_rehearsal_where_the_files_of_a_model_are_others(folder):
    model, weights = Path("results/s/models/m/model.json"), Path("results/s/models/m/model.safetensors")
    model.parent.mkdir(parents=True)
    weights.write_text("weights")
    model.write_text('{"files": {}}')
    memory = JobMemory.of(Path("results/s/.jobs"), [model], "fetch_model", "m")
    memory.keep(made_by("fetch_model", {}, "c", {}, {}))
    assert not execute(dry=True)
    weights.write_text("others")
    assert execute(dry=True)
