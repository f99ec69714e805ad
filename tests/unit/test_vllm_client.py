"""The client of vLLM's process: what is said when it is missing, dies or answers wrongly; it ends with its job.

Stand-ins play the failures; `test_vllm_engine.py` runs the real one.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from clearminds.checkout import ROOT
from clearminds.errors import OutOfMemory, UserError
from clearminds.model.backends import vllm as vllm_backend
from clearminds.model.backends.vllm import Sampler
from clearminds.model.loading import Loading
from clearminds.model.vllm import client as vllm_client
from clearminds.model.vllm import engine as vllm_engine
from clearminds.model.vllm.client import Engine, EngineError, interpreter

REQUEST = {"model": "m", "adapter": None, "rank": None, "dtype": "float32", "longest": 8, "gpus": 0}


def stand_in(tmp_path: Path, body: str) -> str:
    """An interpreter that runs `body` whatever it is asked to run."""
    script = tmp_path / "python"
    script.write_text(f"#!{sys.executable}\nimport json, os, signal, sys, time\nread = sys.stdin.readline\n{body}\n")
    script.chmod(0o755)
    return str(script)


def answering(**answer: str) -> str:
    """The body of a stand-in that answers so."""
    return f"read(); print(json.dumps({answer!r}), flush=True); read()"


def refusal(python: str) -> str:
    with pytest.raises(UserError) as caught:
        Engine(python, REQUEST)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            "read(); print('ValueError: no such thing', file=sys.stderr); sys.exit(3)",
            "(ValueError: no such thing, exit",
        ),
        ("read(); sys.exit(0)", "vLLM ended while starting (without saying why); its own lines are in the job's log"),
        ("sys.exit(1)", "vLLM ended while starting (without saying why, exit code 1)"),
        ("read(); os.kill(os.getpid(), signal.SIGKILL)", "(SIGKILL, perhaps killed for lack of memory)"),
        ("read(); os.kill(os.getpid(), signal.SIGSEGV)", "vLLM ended while starting (SIGSEGV)"),
        (
            "read(); print('Loading ...', flush=True); read()",
            "vLLM said 'Loading ...' while starting, which is not an answer",
        ),
        ("read(); print('[1]', flush=True); read()", "vLLM said '[1]' while starting, which is not an answer"),
        ("read(); print('{\"tor', end='', flush=True)", "vLLM ended while starting"),
    ],
)
def test_an_engine_that_fails_ends_in_one_line_that_says_how(tmp_path, body, expected):
    assert expected in refusal(stand_in(tmp_path, body))


@pytest.mark.parametrize(
    ("where", "kind", "error", "expected"),
    [
        (
            "import",
            "other",
            "ImportError: libtorch",
            "cannot import vLLM (ImportError: libtorch); run `make setup-vllm` again",
        ),
        (
            "device",
            "other",
            "RuntimeError: vllm 1 is built for CPUs, but",
            "backend: vllm: vllm 1 is built for CPUs, but, or let",
        ),
        (
            "model",
            "other",
            "ValueError: no architecture",
            "vLLM cannot load the model (ValueError: no architecture);",
        ),
        ("model", "memory", "ValueError: KV cache needs 9 GiB", "out of memory or too little of it, in vLLM (ValueErr"),
        (
            "model",
            "other",
            "ValueError: memory, a word",
            "vLLM cannot load the model (ValueError: memory, a word);",
        ),
        ("adapter", "adapter", "ValueError: rank", "vLLM cannot load the adapter (ValueError: rank); its own lines"),
        (
            "generation",
            "other",
            "RuntimeError: odd",
            "vLLM cannot generate (RuntimeError: odd); its own lines are in",
        ),
    ],
)
def test_what_the_engine_cannot_do_is_told_with_what_to_do_next(tmp_path, where, kind, error, expected):
    assert expected in refusal(stand_in(tmp_path, answering(error=error, where=where, kind=kind)))


@pytest.mark.parametrize("gpus", [0, 1])
def test_only_a_gpu_without_memory_for_vllm_is_not_tried_again(tmp_path, gpus):
    python = stand_in(tmp_path, answering(error="OutOfMemoryError: words", where="generation", kind="memory"))
    with pytest.raises(OutOfMemory) as caught:
        Engine(python, {**REQUEST, "gpus": gpus})
    assert caught.value.on_gpu == caught.value.retry_is_pointless == bool(gpus)
    on_gpu = "out of memory on the GPU, in vLLM (OutOfMemoryError: words); lower max_new_tokens; "
    assert str(caught.value).startswith(on_gpu) == bool(gpus)


def raised_in(module: str, error: Exception) -> Exception:
    """An error as a function of that module would raise it."""
    space = {"__name__": module, "error": error}
    exec("def f():\n    raise error", space)
    try:
        space["f"]()
    except Exception as caught:
        return caught
    raise AssertionError


@pytest.mark.parametrize(
    ("error", "where", "kind"),
    [
        (raised_in("torch", torch.OutOfMemoryError("words")), "model", "memory"),
        (raised_in("torch", torch.OutOfMemoryError("words")), "adapter", "memory"),
        (MemoryError(), "generation", "memory"),
        (raised_in("vllm.v1.core", ValueError("No available memory for the cache blocks")), "model", "memory"),
        (raised_in("torch", RuntimeError("DefaultCPUAllocator: can't allocate memory")), "generation", "memory"),
        (raised_in("vllm.config", KeyError("memory")), "model", "other"),
        (raised_in("vllm.lora.utils", ValueError("unsupported")), "adapter", "adapter"),
        (raised_in("vllm.lora.utils", ValueError("unsupported")), "model", "adapter"),
        (raised_in("vllm.v1.worker.lora_model_runner_mixin", ValueError("unsupported")), "model", "adapter"),
        (raised_in("vllm.lora.utils", ValueError("unsupported")), "generation", "other"),
        (raised_in("vllm.model_executor", ValueError("no lora, a word")), "model", "other"),
        (ImportError("memory"), "import", "other"),
    ],
)
def test_the_engine_tells_its_errors_by_type_and_by_where_they_were_raised(error, where, kind):
    assert vllm_engine.kind_of(error, where) == kind


class OneEngine:
    """In the place of `Engine`: fails with each of some errors, then starts."""

    def __init__(self, *errors: Exception):
        self.errors, self.requests = list(errors), []

    def __call__(self, python, request):
        self.requests.append(request)
        if self.errors:
            raise self.errors.pop(0)
        return "engine"


@pytest.fixture
def adapted(tmp_path, monkeypatch):
    """A sampler with an adapter, whose engine is to be replaced."""
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "adapter_config.json").write_text(json.dumps({"r": 8}))
    monkeypatch.setattr(vllm_backend, "interpreter", lambda runtime: "python")
    monkeypatch.setattr(vllm_backend, "merged_copy", lambda *given, **named: nullcontext(tmp_path / "merged"))
    return Sampler(tmp_path, dtype="float32", loading=Loading(), adapter=tmp_path / "adapter")


def test_an_adapter_that_vllm_cannot_take_is_merged(adapted, monkeypatch):
    engine = OneEngine(EngineError("words", "adapter"))
    monkeypatch.setattr(vllm_backend, "Engine", engine)
    assert adapted._started() == "engine"
    assert [Path(request["model"]).name for request in engine.requests][1] == "merged"
    assert [request["adapter"] is None for request in engine.requests] == [False, True]


def test_a_whole_model_is_taken_in_the_place_of_its_base(tmp_path, monkeypatch):
    whole = tmp_path / "whole"
    whole.mkdir()
    (whole / "config.json").write_text("{}")
    engine = OneEngine()
    monkeypatch.setattr(vllm_backend, "interpreter", lambda runtime: "python")
    monkeypatch.setattr(vllm_backend, "Engine", engine)
    sampler = Sampler(tmp_path, dtype="float32", loading=Loading(), adapter=whole)
    assert sampler._started() == "engine"
    assert [(request["model"], request["adapter"]) for request in engine.requests] == [(str(whole), None)]
    sampler.engine = SimpleNamespace(version="1", device="cpu")
    assert sampler.cost()["vllm"]["adapter"] == "model"


@pytest.mark.parametrize("error", [EngineError("a lora, a word", "other"), OutOfMemory("adapter", on_gpu=True)])
def test_what_merging_does_not_help_is_told_at_once(adapted, monkeypatch, error):
    engine = OneEngine(error)
    monkeypatch.setattr(vllm_backend, "Engine", engine)
    with pytest.raises(type(error)):
        adapted._started()
    assert len(engine.requests) == 1


def test_an_environment_without_vllm_is_named():
    """The real engine, in an environment that lacks the library."""
    message = refusal(sys.executable)
    assert message.startswith(f"runtime: vllm_python: {sys.executable} cannot import vLLM (ModuleNotFoundError")
    assert message.endswith("run `make setup-vllm` again")


def test_a_missing_environment_is_named_with_the_command_that_makes_it(tmp_path):
    with pytest.raises(
        UserError, match=r"runtime: vllm_python: .*/nowhere/python does not exist; run `make setup-vllm`"
    ):
        interpreter(str(tmp_path / "nowhere" / "python"))


def test_the_environment_is_looked_for_in_the_checkout_wherever_the_study_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert interpreter("Makefile") == str(ROOT / "Makefile")
    assert interpreter(sys.executable) == sys.executable


def test_jobs_of_a_conda_environment_with_vllm_run_it_themselves(tmp_path, monkeypatch):
    (tmp_path / "vllm").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError):  # a folder of that name is not the library
        interpreter("nowhere")
    (tmp_path / "vllm" / "__init__.py").write_text("")
    vllm_client.importlib.invalidate_caches()
    assert interpreter("nowhere") == sys.executable


def test_its_lines_go_to_the_log_alone_and_a_long_start_is_told(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(vllm_client, "START_LINE_SECONDS", 0.2)
    body = 'read(); print(\'chatter\', file=sys.stderr); time.sleep(1); print(\'{"version": "1", "device": "cpu"}\','
    with caplog.at_level(logging.DEBUG):
        engine = Engine(stand_in(tmp_path, f"{body} flush=True); read()"), REQUEST)
        engine.close()
    assert ("vllm", logging.DEBUG, "chatter") in caplog.record_tuples
    ours = [message for name, _, message in caplog.record_tuples if name == "clearminds"]
    assert any(message.startswith("vLLM is starting (") for message in ours)
    assert ours[-1].startswith("vLLM 1 started in")


def test_nothing_is_started_before_it_is_needed(tmp_path):
    with Sampler(tmp_path, dtype="float32", loading=Loading(), vllm_python="nowhere") as sampler:
        assert sampler.cost() == {}


HOLDER = """
import subprocess, sys, os, time
engine = subprocess.Popen([sys.executable, "-P", "-m", "clearminds.model.vllm.engine", str(os.getpid())])
print(engine.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.slow
def test_the_engine_dies_with_a_killed_job():
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow")}
    # the engine reads what the job reads, which stays open: only the kernel can tell it
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    job = subprocess.Popen([sys.executable, "-c", HOLDER], **pipes, env=environment)
    engine = int(job.stdout.readline())
    time.sleep(2)  # it has asked the kernel by then
    assert Path(f"/proc/{engine}").exists()
    job.kill()
    job.wait()
    end = time.monotonic() + 10
    while _alive(engine) and time.monotonic() < end:
        time.sleep(0.1)
    assert not _alive(engine)
    job.stdin.close()
    job.stdout.close()


def _alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


@pytest.mark.slow
def test_ctrl_c_is_left_to_the_job(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow")}
    command = [sys.executable, "-P", "-m", "clearminds.model.vllm.engine", str(os.getpid())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=environment) as engine:
        time.sleep(2)
        engine.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert engine.poll() is None
        engine.stdin.close()
        assert engine.wait(10) == 0, "it ends with its input"
