"""Talking to vLLM's process: what is said when it is missing, dies or talks nonsense, and that it never outlives us.

Stand-ins play the failures; `test_vllm_engine.py` runs the real one.
"""

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clearminds.checkout import ROOT
from clearminds.errors import UserError
from clearminds.model.backends.vllm import Sampler
from clearminds.model.loading import Loading
from clearminds.model.vllm import client as vllm_client
from clearminds.model.vllm.client import Engine, interpreter

REQUEST = {"model": "m", "adapter": None, "rank": None, "dtype": "float32", "longest": 8, "gpus": 0}


def stand_in(tmp_path: Path, body: str) -> str:
    """An interpreter that runs `body` whatever it is asked to run."""
    script = tmp_path / "python"
    script.write_text(f"#!{sys.executable}\nimport json, os, signal, sys, time\nread = sys.stdin.readline\n{body}\n")
    script.chmod(0o755)
    return str(script)


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
        ("read(); sys.exit(0)", "vLLM ended while starting (without a word); its own lines are in the job's log"),
        ("sys.exit(1)", "vLLM ended while starting (without a word, exit code 1)"),
        ("read(); os.kill(os.getpid(), signal.SIGKILL)", "(SIGKILL, perhaps killed for want of memory)"),
        ("read(); os.kill(os.getpid(), signal.SIGSEGV)", "vLLM ended while starting (SIGSEGV)"),
        (
            "read(); print('Loading ...', flush=True); read()",
            "vLLM said 'Loading ...' while starting, which is no answer",
        ),
        ("read(); print('[1]', flush=True); read()", "vLLM said '[1]' while starting, which is no answer"),
        ("read(); print('{\"tor', end='', flush=True)", "vLLM ended while starting"),
    ],
)
def test_an_engine_that_fails_ends_in_one_line_that_says_how(tmp_path, body, expected):
    assert expected in refusal(stand_in(tmp_path, body))


@pytest.mark.parametrize(
    ("where", "error", "expected"),
    [
        ("import", "ImportError: libtorch", "cannot import vLLM (ImportError: libtorch); run `make setup-vllm` again"),
        (
            "device",
            "RuntimeError: vllm 1 is built for CPUs, but",
            "backend: vllm: vllm 1 is built for CPUs, but, or let",
        ),
        ("model", "ValueError: no architecture", "vLLM cannot load the model (ValueError: no architecture); its own"),
        ("model", "ValueError: KV cache needs 9 GiB memory", "out of memory or too little of it, in vLLM (ValueErr"),
        ("generation", "RuntimeError: odd", "vLLM cannot generate (RuntimeError: odd); its own lines are in the job"),
    ],
)
def test_what_the_engine_cannot_do_is_told_with_what_to_do_next(tmp_path, where, error, expected):
    body = f"read(); print(json.dumps({{'error': {error!r}, 'where': {where!r}}}), flush=True); read()"
    assert expected in refusal(stand_in(tmp_path, body))


def test_a_gpu_without_memory_for_vllm_is_not_tried_again(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    error = {"error": "OutOfMemoryError: CUDA out of memory", "where": "model"}
    assert refusal(stand_in(tmp_path, f"read(); print(json.dumps({error}), flush=True); read()")).startswith(
        "out of memory on the GPU, in vLLM (OutOfMemoryError: CUDA out of memory); lower max_new_tokens; "
    )


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
    with pytest.raises(UserError):  # a folder of that name is no library
        interpreter("nowhere")
    (tmp_path / "vllm" / "__init__.py").write_text("")
    vllm_client.importlib.invalidate_caches()
    assert interpreter("nowhere") == sys.executable


def test_its_lines_go_to_the_log_alone_and_a_long_start_is_told(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(vllm_client, "PATIENCE", 0.2)
    body = 'read(); print(\'chatter\', file=sys.stderr); time.sleep(1); print(\'{"version": "1", "device": "cpu"}\','
    with caplog.at_level(logging.DEBUG):
        engine = Engine(stand_in(tmp_path, f"{body} flush=True); read()"), REQUEST)
        engine.close()
    assert ("vllm", logging.DEBUG, "chatter") in caplog.record_tuples
    ours = [message for name, _, message in caplog.record_tuples if name == "clearminds"]
    assert any(message.startswith("vLLM is starting (") for message in ours)
    assert ours[-1].startswith("vLLM 1 started in")


def test_nothing_is_started_for_nothing(tmp_path):
    with Sampler(tmp_path, dtype="float32", loading=Loading(), vllm_python="nowhere") as draw:
        assert draw.cost() == {}


HOLDER = """
import subprocess, sys, os, time
engine = subprocess.Popen([sys.executable, "-P", "-m", "clearminds.model.vllm.engine", str(os.getpid())])
print(engine.pid, flush=True)
time.sleep(60)
"""


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
