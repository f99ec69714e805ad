"""Launchers as Snakemake runs them, in a process of their own: the result, the log, and one line for every failure."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from demo_study import demo, spec
from never_back import CODE as NEVER_BACK

from clearminds.files import contracts
from clearminds.files.tables import read_provenance, read_table, write_json
from clearminds.job.outcome import Kind, Outcome, State, read_outcome, write_outcome
from clearminds.reuse import stage_code as stages
from clearminds.reuse.job_memory import JobMemory, digests, made_by
from clearminds.reuse.run_code import CODE

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
LAUNCHERS = sorted(file for file in SCRIPTS.glob("*.py") if file.name != "_setup.py")
GOOD = ({"prompt": "What is 1 + 1?", "response": "2"}, {"prompt": "What is 2 + 2?", "response": "4"})


class Run:
    """One run of prepare_task.py on a JSONL file, below a folder."""

    def __init__(self, folder: Path, *lines: dict):
        self.data = folder / "data.jsonl"
        self.data.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        self.output = folder / "results" / "examples" / "mine" / "train.parquet"
        self.log = folder / "logs" / "demo" / "prepare_task" / "mine" / "train.log"
        self.launcher = SCRIPTS / "prepare_task.py"
        columns = {"prompt": "prompt", "response": "response"}
        task = {"kind": "file", "splits": {"train": str(self.data)}, "columns": columns, "normalise": "default"}
        self.spec = {"task": task, "split": "train", "needs_reference": True}

    def command(self, **options: str) -> list[str]:
        given = {
            "spec": json.dumps(self.spec),
            "code": stages.fingerprint("prepare_task", self.spec),
            "log": str(self.log),
            "task": "mine",
            "examples": str(self.output),
            **options,
        }
        return [
            sys.executable,
            str(self.launcher),
            *(part for key, text in given.items() for part in (f"--{key}", text)),
        ]

    def __call__(self, limit: int | None = None, **options: str) -> subprocess.CompletedProcess:
        def limit_files():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        prepare = limit_files if limit is not None else None
        return subprocess.run(self.command(**options), capture_output=True, text=True, preexec_fn=prepare)

    def left_over(self) -> list[Path]:
        """Everything beside the output, temporary files too."""
        return [file for file in self.output.parent.glob("*") if file != self.output]


def only_error(done: subprocess.CompletedProcess) -> str:
    """The one line of a failed run that tells the error."""
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert all(c.isprintable() or c == "\n" for c in done.stderr)
    [line] = [line for line in done.stderr.splitlines() if "error: " in line]
    assert line == done.stderr.splitlines()[-1]
    return line.partition("error: ")[2]


def test_a_run_leaves_its_result_its_log_and_its_cost(tmp_path):
    run = Run(tmp_path, *GOOD)
    done = run()
    assert done.returncode == 0, done.stderr
    assert [row["reference"] for row in read_table(run.output, contracts.EXAMPLES).to_pylist()] == ["2", "4"]
    facts = read_provenance(run.output)
    assert (facts["stage"], facts["spec"]) == ("prepare_task", run.spec)
    assert facts["code"] == stages.fingerprint("prepare_task", run.spec)
    prefix = "prepare_task mine/train: "
    assert all(line.startswith(prefix) for line in done.stderr.splitlines())
    assert f"{prefix}2 examples; changed by normalising: none" in done.stderr
    assert "2 examples" in run.log.read_text(encoding="utf-8")
    cost = json.loads(run.log.with_suffix(".run.json").read_text(encoding="utf-8"))
    assert cost.keys() >= {"stage", "versions", "threads", "seconds", "peak_memory_bytes"}
    assert cost["peak_memory_bytes"] > 2**20
    assert read_outcome(run.log) == Outcome(State.DONE, exit_code=0)
    assert not run.left_over()


def test_the_same_job_gives_the_same_bytes(tmp_path):
    run = Run(tmp_path, *GOOD)
    run()
    first = run.output.read_bytes()
    run()
    assert run.output.read_bytes() == first


def test_a_user_s_mistake_is_one_line_and_leaves_no_result(tmp_path):
    run = Run(tmp_path, GOOD[0], {"prompt": "What?", "response": ""})
    error = only_error(run())
    assert error == (f"task mine, split train: {run.data} line 2: empty response; fill it in or take the row out")
    assert not run.output.exists()
    assert not run.left_over()
    assert not run.log.with_suffix(".run.json").exists()
    assert "Traceback" not in run.log.read_text(encoding="utf-8")
    assert read_outcome(run.log) == Outcome(State.FAILED, Kind.USER_ERROR, error, exit_code=1)


def test_a_failed_run_leaves_the_former_result_as_it_was(tmp_path):
    run = Run(tmp_path, *GOOD)
    run()
    before = run.output.read_bytes()
    run.data.write_text("not JSON\n", encoding="utf-8")
    assert "line 1: not valid JSON" in only_error(run())
    assert run.output.read_bytes() == before


def test_an_unexpected_error_leaves_its_traceback_in_the_log_only(tmp_path):
    run = Run(tmp_path, *GOOD)
    run.spec["task"]["columns"] = 3
    error = only_error(run())
    assert error.startswith("unexpected AttributeError: 'int' object has no attribute 'items' ")
    assert error.endswith(f"(traceback in {run.log})")
    log = run.log.read_text(encoding="utf-8")
    assert "Traceback (most recent call last)" in log
    assert "rows.py" in log
    assert read_outcome(run.log) == Outcome(State.FAILED, Kind.UNEXPECTED, error, exit_code=1)


def test_control_characters_of_the_data_never_reach_the_terminal(tmp_path):
    escape = "\x1b[2J\x07red\u202e\nnext"
    run = Run(tmp_path, {"prompt": "p", "response": "r", escape: 1})
    run.spec["task"]["columns"] = {"prompt": "prompt", "response": "reply"}
    error = only_error(run())
    assert r"no column 'reply'; found: prompt, response, \x1b[2J\x07red\u202e next" in error


def test_code_that_changed_after_submission_is_refused(tmp_path):
    run = Run(tmp_path, *GOOD)
    assert only_error(run(code="0" * 32)) == (
        "the code of prepare_task changed after this job was submitted; start the workflow again"
    )
    assert not run.output.exists()


@pytest.mark.slow
def test_the_definition_that_changed_since_the_run_began_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = Run(tmp_path, *GOOD)
    definition, root = "clearminds.stages.normalise:normalise_example", "root scripts.prepare_task:main"
    write_json(CODE, {**stages.everything(), definition: "another", root: "another"})
    named = "the code of clearminds.stages.normalise.normalise_example changed after"
    assert only_error(run(code="0" * 32)).startswith(named)


def test_a_job_run_by_hand_needs_no_code(tmp_path):
    run = Run(tmp_path, *GOOD)
    assert run(code="").returncode == 0
    assert read_provenance(run.output)["code"] == stages.fingerprint("prepare_task", run.spec)


def test_a_log_that_cannot_be_written_is_one_line(tmp_path):
    run = Run(tmp_path, *GOOD)
    (tmp_path / "file").write_text("")
    log = tmp_path / "file" / "train.log"
    assert only_error(run(log=str(log))) == (
        f"cannot write the log {log} (File exists); free or fix that folder, then run again"
    )
    assert not run.output.exists()


def test_an_output_folder_that_is_a_file_is_named(tmp_path):
    run = Run(tmp_path, *GOOD)
    (tmp_path / "results").write_text("")
    assert str(tmp_path / "results") in only_error(run())


def waiting(run: Run, folder: Path, work: str = "open(fed).read()") -> Path:
    """Let a run's launcher do something else: wait forever, unless `work` says what."""
    fed = folder / "fed-by-hand"
    os.mkfifo(fed)
    run.launcher = folder / "prepare_task.py"
    run.launcher.write_text(
        f"import sys; sys.path.insert(0, {str(SCRIPTS)!r}); import _setup\n"
        "from pathlib import Path\n"
        "from clearminds.job.launch import Job, Output, launch\n"
        "from clearminds.stages.prepare_task import Settings\n"
        "def main(job: Job, *, task: str, examples: Output) -> None:\n"
        f"    fed = {str(fed)!r}\n"
        f"    {work}\n"
        "launch(main, Settings)\n",
        encoding="utf-8",
    )
    return fed


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_says_so_and_leaves_nothing(tmp_path, number, code):
    run = Run(tmp_path, *GOOD)
    waiting(run, tmp_path)
    with subprocess.Popen(run.command(), stderr=subprocess.PIPE, text=True) as process:
        assert "started" in process.stderr.readline()
        process.send_signal(number)
        said = process.stderr.read()
    assert process.returncode == code
    line = "stopped by the user or the scheduler; run again to go on"
    assert said.endswith(f"error: {line}\n")
    assert "Traceback" not in said
    assert read_outcome(run.log) == Outcome(State.STOPPED, line=line, exit_code=code)


# --- what the record of a job's end decides ---------------------------------------------------------------------------


def until(done, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_killed_run_leaves_a_record_that_it_started(tmp_path):
    run = Run(tmp_path, *GOOD)
    run()
    waiting(run, tmp_path)
    with subprocess.Popen(run.command(), stderr=subprocess.DEVNULL) as process:
        until(lambda: read_outcome(run.log) == Outcome(State.STARTED))
        process.kill()
    assert read_outcome(run.log) == Outcome(State.STARTED)


@pytest.mark.slow
def test_a_run_that_does_not_answer_a_signal_was_stopped(tmp_path):
    run = Run(tmp_path, *GOOD)
    waiting(run, tmp_path, NEVER_BACK)
    with subprocess.Popen(run.command(), stderr=subprocess.DEVNULL) as process:
        until(lambda: read_outcome(run.log) == Outcome(State.STARTED))
        time.sleep(1)  # until it is at work
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 143
    assert (read_outcome(run.log).state, read_outcome(run.log).exit_code) == (State.STOPPED, 143)


@pytest.mark.slow
def test_a_run_that_meets_another_writer_leaves_its_record_alone(tmp_path):
    first = Run(tmp_path, *GOOD)
    waiting(first, tmp_path)
    memory = {"memory": str(tmp_path / ".jobs")}
    with subprocess.Popen(first.command(**memory), stderr=subprocess.PIPE, text=True) as process:
        until(lambda: read_outcome(first.log) == Outcome(State.STARTED))
        assert "another job is writing it" in only_error(first(**memory))
        assert read_outcome(first.log) == Outcome(State.STARTED)
        process.kill()


OUT_OF_MEMORY = Outcome(State.FAILED, Kind.OUT_OF_MEMORY, "out of memory on the GPU: lower it", True, 1)


@pytest.mark.slow
def test_a_retry_after_a_gpu_ran_out_of_memory_is_refused_by_the_record(tmp_path):
    run = Run(tmp_path, *GOOD)
    run.log.parent.mkdir(parents=True)
    write_outcome(run.log, OUT_OF_MEMORY)
    for attempt in (2, 3):
        assert only_error(run(runtime=json.dumps({"attempt": attempt}))) == OUT_OF_MEMORY.line
        assert read_outcome(run.log) == replace(OUT_OF_MEMORY, attempt=attempt)
    assert not run.output.exists()
    assert run(runtime=json.dumps({"attempt": 1})).returncode == 0  # the user runs again
    assert read_outcome(run.log) == Outcome(State.DONE, exit_code=0)


def test_an_error_of_a_library_is_recorded_by_its_type(tmp_path):
    run = Run(tmp_path, *GOOD)
    waiting(run, tmp_path, "raise MemoryError")
    error = only_error(run())
    assert error.startswith("out of memory: free some (on a cluster: ")
    assert read_outcome(run.log) == Outcome(State.FAILED, Kind.OUT_OF_MEMORY, error, exit_code=1)


def test_the_traceback_of_another_process_is_not_logged_again(tmp_path):
    run = Run(tmp_path, *GOOD)
    names = "from clearminds.job.outcome import Kind, Outcome, RecordedFailure, State"
    recorded = "RecordedFailure('unexpected it', Outcome(State.FAILED, Kind.UNEXPECTED, 'it'))"
    waiting(run, tmp_path, f"{names}; raise {recorded}")
    assert only_error(run()) == "unexpected it"
    assert read_outcome(run.log) == Outcome(State.FAILED, Kind.UNEXPECTED, "unexpected it", exit_code=1)
    assert "Traceback" not in run.log.read_text(encoding="utf-8")


def test_what_main_returns_is_its_cost(tmp_path):
    run = Run(tmp_path, *GOOD)
    waiting(run, tmp_path, "return {'tokens': 7, 'peak_memory_bytes': 9}")
    assert run().returncode == 0
    cost = json.loads(run.log.with_suffix(".run.json").read_text(encoding="utf-8"))
    assert (cost["tokens"], cost["peak_memory_bytes"], cost["stage"]) == (7, 9, "prepare_task")


# --- torch is imported by main alone ----------------------------------------------------------------------------------

LARGE = ("torch", "transformers", "peft", "datasets", "lm_eval", "accelerate")


@pytest.fixture
def no_large_library(tmp_path, monkeypatch):
    """Jobs that import torch or another large library fail."""
    folder = tmp_path / "no-large-library"
    for name in LARGE:
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text("raise ImportError(f'{__name__} was imported')")
    monkeypatch.setenv("PYTHONPATH", str(folder))


ON_A_GPU = '{"gpus": 1, "batch_tokens": 64, "batch_rows": 4, "vllm_python": "", "sandbox": "bubblewrap"}'
RUNTIME = '{"batch_tokens": 64, "batch_rows": 4, "vllm_python": "", "sandbox": "bubblewrap"}'


class Evaluation:
    """A job of evaluate_base.py, whose main needs torch."""

    def __init__(self, folder: Path):
        study_spec = spec(demo(), "evaluate_base")
        self.spec, self.model = json.loads(study_spec), folder / "model.json"
        self.model.write_text('{"files": {}}')
        self.output, self.log = folder / "all.parquet", folder / "logs" / "evaluate_base" / "m" / "all.log"
        self.memory = folder / ".jobs"
        self.code = stages.fingerprint("evaluate_base", self.spec)
        self.text = study_spec

    def remember(self) -> None:
        """As if it had run."""
        self.output.write_text("result")
        memory = JobMemory(self.memory / "evaluate_base" / "m" / "all", [self.output])
        parts = stages.parts("evaluate_base", self.spec)
        memory.keep(made_by("evaluate_base", self.spec, self.code, parts, digests([self.model])))
        self.output.unlink()

    def __call__(self, runtime: str = RUNTIME, code: str = "") -> subprocess.CompletedProcess:
        command = [sys.executable, SCRIPTS / "evaluate_base.py", "--spec", self.text, "--code", code or self.code]
        command += ["--runtime", runtime, "--memory", self.memory, "--log", self.log, "--examples", "--answers"]
        command += ["--model", self.model, "--evaluation", self.output]
        return subprocess.run(list(map(str, command)), capture_output=True, text=True)


def test_a_job_that_takes_its_result_back_imports_no_torch_and_takes_no_gpu(tmp_path, no_large_library, monkeypatch):
    monkeypatch.setenv("CLEARMINDS_DEVICES", "")
    job = Evaluation(tmp_path)
    job.remember()
    done = job(runtime=ON_A_GPU)
    assert done.returncode == 0, done.stderr
    assert "taken back: settings, code and inputs are what they were" in done.stderr
    assert job.output.read_text() == "result"
    assert read_outcome(job.log) == Outcome(State.TAKEN_BACK, exit_code=0)


@pytest.mark.slow
def test_a_job_that_is_refused_imports_no_torch(tmp_path, no_large_library, monkeypatch):
    job = Evaluation(tmp_path)
    assert "changed after this job was submitted" in only_error(job(code="0" * 32))
    monkeypatch.setenv("CLEARMINDS_DEVICES", "")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert "runtime: gpus: asked 1, found 0 devices on this machine" in only_error(job(runtime=ON_A_GPU))
    assert "transformers was imported" in only_error(job()), "which its main uses"


def test_the_devices_are_chosen_before_main_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("CLEARMINDS_DEVICES", "0,1")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    run = Run(tmp_path, *GOOD)
    waiting(run, tmp_path, "import os; return {'found': os.environ['CUDA_VISIBLE_DEVICES']}")
    for runtime, found in (("{}", ""), ('{"gpus": 1}', "0"), ('{"gpus": 2}', "0,1")):
        assert run(runtime=runtime).returncode == 0
        cost = json.loads(run.log.with_suffix(".run.json").read_text(encoding="utf-8"))
        assert cost["found"] == cost["devices"] == found


@pytest.mark.parametrize("runtime", ["{", "3", "[1]"])
def test_a_runtime_that_is_no_json_object_is_a_wrong_argument(tmp_path, runtime):
    done = Run(tmp_path, *GOOD)(runtime=runtime)
    assert done.returncode == 2 and "argument --runtime: " in done.stderr and "Traceback" not in done.stderr


# --- full and read-only disks -----------------------------------------------------------------------------------------


@pytest.fixture
def mounted(tmp_path):
    """Mounts a small file system of its own at a folder; skips where that is not permitted."""
    folders = []

    def mount(folder: Path, size: str) -> Path:
        folder.mkdir(parents=True)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True, text=True
        )
        if done.returncode:
            pytest.skip(f"mounting a tmpfs is not permitted here: {done.stderr.strip()}")
        folders.append(folder)
        return folder

    yield mount
    for folder in folders:
        subprocess.run(["umount", "--lazy", folder], check=True)


def long_texts(number: int) -> list[dict]:
    return [{"prompt": f"{n} {os.urandom(500).hex()}", "response": os.urandom(500).hex()} for n in range(number)]


@pytest.mark.slow
def test_a_full_disk_is_named_and_the_former_result_stays(tmp_path, mounted):
    disk = mounted(tmp_path / "results", "64k")
    run = Run(tmp_path, *GOOD)
    run()
    before = run.output.read_bytes()
    run.data.write_text("".join(json.dumps(line) + "\n" for line in long_texts(200)), encoding="utf-8")
    assert only_error(run()) == (
        f"no space left on the disk of {run.output}: free some, then run again (nothing finished is lost)"
    )
    assert run.output.read_bytes() == before
    assert not run.left_over(), disk


def test_a_full_disk_under_the_log_too_gives_the_same_line(tmp_path, mounted):
    mounted(tmp_path / "disk", "64k")
    run = Run(tmp_path, *long_texts(200))
    run.output = tmp_path / "disk" / "train.parquet"
    run.log = tmp_path / "disk" / "logs" / "train.log"
    filler = tmp_path / "disk" / "filler"
    run.log.parent.mkdir()
    try:
        filler.write_bytes(b"x" * 2**17)
    except OSError:
        assert filler.stat().st_size > 0
    error = only_error(run())
    assert error == f"no space left on the disk of {run.output}: free some, then run again (nothing finished is lost)"


def test_a_log_on_a_full_disk_costs_no_result(tmp_path, mounted):
    disk = mounted(tmp_path / "logs", "64k")
    run = Run(tmp_path, *GOOD)
    run.log.parent.mkdir(parents=True)
    try:
        (disk / "filler").write_bytes(b"x" * 2**17)
    except OSError:
        assert (disk / "filler").stat().st_size > 0
    done = run()
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "what this run cost is not recorded: no space left on the disk of " in done.stderr
    assert read_table(run.output, contracts.EXAMPLES).num_rows == 2


def test_a_result_whose_record_finds_no_room_is_not_taken_for_an_edited_one(tmp_path, mounted):
    disk = mounted(tmp_path / "jobs", "128k")
    run, memory = Run(tmp_path, *GOOD), {"memory": str(disk / ".jobs")}
    assert run(**memory).returncode == 0
    [record] = disk.rglob("record.json")
    try:
        (disk / "filler").write_bytes(b"x" * 2**18)
    except OSError:
        assert (disk / "filler").stat().st_size > 0
    run.data.write_text(run.data.read_text().replace("?", "!"))
    done = run(**memory)
    assert done.returncode == 0 and "what made this result is not recorded: no space left" in done.stderr, done.stderr
    assert not record.exists()  # it was of the result before


def test_a_read_only_disk_is_named(tmp_path, mounted):
    disk = mounted(tmp_path / "results", "64k")
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    run = Run(tmp_path, *GOOD)
    error = only_error(run())
    assert error.startswith(f"no access to {disk}/examples")
    assert error.endswith(" (Read-only file system); fix its permissions, then run again")


def test_a_file_that_may_not_grow_fails_in_one_line(tmp_path):
    run = Run(tmp_path, *GOOD)
    run()
    before = run.output.read_bytes()
    run.data.write_text("".join(json.dumps(line) + "\n" for line in long_texts(200)), encoding="utf-8")
    assert "File too large" in only_error(run(limit=2**15))
    assert run.output.read_bytes() == before
    assert not run.left_over()


# --- all launchers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("launcher", LAUNCHERS, ids=lambda file: file.stem)
def test_every_launcher_lists_its_arguments_without_a_large_library(launcher, no_large_library):
    done = subprocess.run([sys.executable, launcher, "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.startswith(f"usage: {launcher.name} ")
    for option in ("--spec", "--code", "--runtime", "--log"):
        assert option in done.stdout


def test_every_stage_has_a_launcher_and_a_rule_of_its_name():
    rules = (SCRIPTS.parent / "rules").glob("*.smk")
    named = {
        line.split()[1].rstrip(":")
        for file in rules
        for line in file.read_text().splitlines()
        if line.startswith("rule ")
    }
    assert {file.stem for file in LAUNCHERS} == set(stages.STAGES)
    assert named == set(stages.STAGES) | {"generate_shard", "score_shard"}  # which share their table's launcher
