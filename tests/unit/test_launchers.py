"""What each launcher imports before it has to: its arguments and refusals need no torch, its devices come first."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from demo_study import demo, spec
from launched import GOOD, SCRIPTS, Run, only_error, waiting

from clearminds.job.outcome import Outcome, State, read_outcome
from clearminds.reuse import stage_code as stages
from clearminds.reuse.job_memory import JobMemory, digests, made_by

LAUNCHERS = sorted(file for file in SCRIPTS.glob("*.py") if file.name != "_setup.py")
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
