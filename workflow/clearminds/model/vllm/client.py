"""The client of vLLM, which runs in a process and an environment of its own (`clearminds.model.vllm.engine`).

Its own lines go to the job's log. It ends with the `with` block, and with this process however that ends.
"""

import importlib.util
import json
import logging
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from pathlib import Path

from clearminds.checkout import ROOT, WORKFLOW
from clearminds.errors import OutOfMemory, UserError
from clearminds.model.vllm import engine as vllm_engine

log = logging.getLogger("clearminds")
vllm_log = logging.getLogger("vllm")  # in the log file only

START_LINE_SECONDS = 10.0  # between two lines while it starts
SHUTDOWN_SECONDS = 10.0  # that it may take to end
SETTINGS = {  # unless the user's environment says otherwise
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # one process, which ends with us
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # else every job of a machine binds itself to the same cores
    "VLLM_CPU_KVCACHE_SPACE": "2",  # GiB, used up at once; else half of the memory
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_COLOR": "0",
}


class EngineError(UserError):
    """vLLM could not do it. Args: one line; what it is about, as of the engine's protocol: adapter or other."""

    def __init__(self, message: str, kind: str = "other"):
        super().__init__(message)
        self.kind = kind


def interpreter(vllm_python: str) -> str:
    """The Python that has vLLM: this one (a conda environment may), else that of `runtime: vllm_python`.

    Raises:
        UserError: there is none.
    """
    found = importlib.util.find_spec("vllm")
    if found and found.origin:
        return sys.executable
    path = ROOT / vllm_python  # an absolute one is taken as it is
    if not path.is_file():
        raise UserError(
            f"backend: vllm needs an environment of its own, and runtime: vllm_python: {path} does not exist; "
            f"run `make setup-vllm` in {ROOT}, or run Snakemake with --sdm conda"
        )
    return str(path)


class Engine:
    """A running vLLM with a model loaded.

    Args:
        python: the interpreter that has vLLM.
        request: the first of `engine`'s protocol.

    Attributes:
        version, device: of vLLM, and what it runs on.

    Raises:
        OutOfMemory, EngineError: it does not start.
    """

    def __init__(self, python: str, request: dict):
        self.python, self.gpus, self.waiting = python, request["gpus"], b""
        self.last_lines: deque[str] = deque(maxlen=50)
        self.scratch = tempfile.TemporaryDirectory(prefix="clearminds-vllm-")  # vLLM leaves files in its TMPDIR
        path = os.pathsep.join([str(Path(python).parent), os.environ.get("PATH", "")])
        places = {"PATH": path, "PYTHONPATH": str(WORKFLOW), "TMPDIR": self.scratch.name}
        self.process = subprocess.Popen(
            # -P: a folder named vllm in the working directory is not the library
            [python, "-P", "-m", vllm_engine.__name__, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**SETTINGS, **os.environ, **places},
        )
        stdin, stdout, stderr = self.process.stdin, self.process.stdout, self.process.stderr
        assert stdin and stdout and stderr
        self.stdin, self.stdout, self.stderr = stdin, stdout, stderr
        self.reader = threading.Thread(target=self._log_lines, daemon=True)
        self.reader.start()
        try:
            self.start = time.monotonic()
            answer = self.ask(request, "starting")
            self.version, self.device = answer["version"], answer["device"]
            log.info("vLLM %s started in %.0f s on %s", self.version, time.monotonic() - self.start, self.device)
        except BaseException:
            self.kill()
            raise

    def ask(self, request: dict, doing: str = "generating") -> dict:
        """The answer to a request. Args: as of the protocol; what an error says it was doing.

        Raises:
            OutOfMemory: it has too little.
            EngineError: it died, could not do it, or said what is not an answer.
        """
        try:
            self.stdin.write(json.dumps(request).encode() + b"\n")
            self.stdin.flush()
            line = self._line(doing)
        except BrokenPipeError:
            line = b""
        if not line:
            raise EngineError(f"vLLM ended while {doing} ({self._how_it_ended()}); {self._advice()}")
        try:
            answer = json.loads(line)
            error = answer.get("error")
        except (ValueError, AttributeError):
            said = line.decode(errors="replace").strip()[:80]
            raise EngineError(f"vLLM said {said!r} while {doing}, which is not an answer; {self._advice()}") from None
        if error:
            raise self._failure(error, answer["where"], answer["kind"])
        return answer

    def close(self) -> None:
        """End it: it does so with its input."""
        try:
            self.stdin.close()
            self.process.wait(SHUTDOWN_SECONDS)
        except (OSError, subprocess.TimeoutExpired):
            pass
        self.kill()

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()
        self.reader.join(SHUTDOWN_SECONDS)
        for stream in (self.stdin, self.stdout, self.stderr):
            try:
                stream.close()
            except BrokenPipeError:  # a request that it never read
                continue
        self.scratch.cleanup()

    def _line(self, doing: str) -> bytes:
        """The next line of its answers; b"" where it has closed them."""
        while b"\n" not in self.waiting:
            if not select.select([self.stdout], [], [], START_LINE_SECONDS)[0]:
                if doing == "starting":
                    log.info("vLLM is starting (%.0f s so far)", time.monotonic() - self.start)
                continue
            if not (more := os.read(self.stdout.fileno(), 2**20)):
                return b""
            self.waiting += more
        line, _, self.waiting = self.waiting.partition(b"\n")
        return line + b"\n"

    def _log_lines(self) -> None:
        for line in self.stderr:
            text = line.decode(errors="replace").rstrip()
            self.last_lines.append(text)
            vllm_log.debug("%s", text)

    def _how_it_ended(self) -> str:
        try:
            code = self.process.wait(SHUTDOWN_SECONDS)
        except subprocess.TimeoutExpired:
            code = None
        self.reader.join(SHUTDOWN_SECONDS)
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            return f"{name}, perhaps killed for lack of memory" if name == "SIGKILL" else name
        said = [line.strip() for line in self.last_lines if line.strip()]
        return (said[-1][:300] if said else "without saying why") + (f", exit code {code}" if code else "")

    def _failure(self, error: str, where: str, kind: str) -> UserError:
        """What the engine could not do, with what to do next. Args: its answer's `error`, `where` and `kind`."""
        if where == "import":
            again = "run `make setup-vllm` again"
            return EngineError(f"runtime: vllm_python: {self.python} cannot import vLLM ({error}); {again}")
        if where == "device":
            other = "or let `make setup-vllm` install the other build"
            return EngineError(f"backend: vllm: {error.partition(': ')[2]}, {other}")
        if kind == "memory" and self.gpus:
            message = f"out of memory on the GPU, in vLLM ({error}); lower max_new_tokens; {self._advice()}"
            return OutOfMemory(message, on_gpu=True)
        if kind == "memory":
            kept = os.environ.get("VLLM_CPU_KVCACHE_SPACE", SETTINGS["VLLM_CPU_KVCACHE_SPACE"])
            more = f"lower max_new_tokens, or change VLLM_CPU_KVCACHE_SPACE (now {kept} GiB)"
            message = f"out of memory or too little of it, in vLLM ({error}); {more}; {self._advice()}"
            return OutOfMemory(message, on_gpu=False)
        doing = {"model": "load the model", "adapter": "load the adapter", "generation": "generate"}[where]
        return EngineError(f"vLLM cannot {doing} ({error}); {self._advice()}", kind)

    def _advice(self) -> str:
        return "its own lines are in the job's log; backend: transformers does without it"
