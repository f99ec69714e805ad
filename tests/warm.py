"""Jobs whose launchers are forks of a process that has imported the large libraries, and nothing of this project.

Of a job that computes for a moment on a tiny model the imports are nearly all of its time. Each job is a process of its
own all the same, run from its command as Snakemake gives it, with its own environment, working directory and output.
Not for tests of how processes start, are stopped or killed, nor of what is read when a library is imported: variables
of the hub and of threads are the session's, and nothing is spared of what a launcher leaves out.
"""

import array
import atexit
import contextlib
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from itertools import cycle
from pathlib import Path

STREAMS = (0, 1, 2)
CLIENT = """#!{python} -IS
import array, json, os, signal, socket, sys
if len(sys.argv) < 2 or os.path.basename(os.path.dirname(sys.argv[1])) != "scripts":
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
job = socket.socket(socket.AF_UNIX)
job.connect({place!r})
job.sendmsg([b"0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", (0, 1, 2)))])
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, frame: job.sendall(b"%d\\n" % number))
job.sendall(json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode() + b"\\n")
code = job.makefile("rb").readline()
os._exit(int(code or 137))
"""


_seeds = cycle("12")


def interpreter() -> Path:
    """A `python` for the jobs of a run.

    As in `forked.run_module`, those of the next run differ in how they hash strings.
    """
    return _interpreter(next(_seeds))


@cache
def _interpreter(seed: str) -> Path:
    """Starts with the session's first call, and ends with the session."""
    folder = Path(tempfile.mkdtemp(prefix="warm-"))
    place, client = folder / "jobs", folder / "python"
    client.write_text(CLIENT.format(python=sys.executable, place=str(place)), encoding="utf-8")
    client.chmod(0o755)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(place))
        listening.listen(64)
        command = [sys.executable, "-P", __file__, str(listening.fileno())]
        alive, ours = os.pipe()
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        environment["PYTHONHASHSEED"] = seed
        process = subprocess.Popen(
            [*command, str(alive)], env=environment, pass_fds=[listening.fileno(), alive], stdin=subprocess.DEVNULL
        )
        os.close(alive)

    @atexit.register
    def end():
        os.close(ours)
        process.wait()
        for file in (place, client):
            file.unlink()
        folder.rmdir()

    return client


def _next_job(listening: socket.socket, alive: int) -> list[str]:
    """Fork for each connection. Returns in the forked jobs only: the command, once all is as it would be for it."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        ready, _, _ = select.select([listening, alive], [], [])
        if alive in ready:  # the tests have ended
            sys.exit()
        asked, _ = listening.accept()
        if os.fork():
            asked.close()
            continue
        listening.close()
        os.close(alive)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        return _job(asked)


def _job(asked: socket.socket) -> list[str]:
    """Fork the job, wait for it, and pass signals and its exit code on. Returns in the job, as `_next_job`."""
    _, control, _, _ = asked.recvmsg(1, socket.CMSG_SPACE(len(STREAMS) * array.array("i").itemsize))
    streams = array.array("i", control[0][2])
    lines = asked.makefile("rb")
    command, cwd, environment = json.loads(lines.readline())
    job = os.fork()
    if not job:
        lines.close()
        asked.close()
        for stream, given in zip(STREAMS, streams, strict=True):
            os.dup2(given, stream)
            os.close(given)
        os.chdir(cwd)
        numpy.random.seed()  # as `random` does by itself
        os.environ.clear()
        os.environ.update(environment)
        sys.path[:0] = [os.path.dirname(command[0]), *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
        if spec := PathFinder.find_spec("sitecustomize"):  # as a Python that starts looks for it
            spec.loader.exec_module(module_from_spec(spec))
        return command
    for given in streams:
        os.close(given)
    ended = os.pidfd_open(job)
    while ended not in (ready := select.select([ended, asked], [], [])[0]):
        if asked in ready:
            said = lines.readline()
            os.kill(job, int(said) if said else signal.SIGKILL)
            if not said:
                break
    code = os.waitstatus_to_exitcode(os.waitpid(job, 0)[1])
    with contextlib.suppress(BrokenPipeError):  # where nobody waits any more
        asked.sendall(b"%d\n" % (code if code >= 0 else 128 - code))
    os._exit(0)


if __name__ == "__main__":
    gc.disable()
    # as every launcher does, before the libraries read it
    for _name in ("TQDM_DISABLE", "HF_HUB_DISABLE_PROGRESS_BARS", "HF_DATASETS_DISABLE_PROGRESS_BARS"):
        os.environ[_name] = "1"
    os.environ["TRANSFORMERS_VERBOSITY"] = "error"
    import datasets  # noqa: F401
    import numpy
    import peft  # noqa: F401
    from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer  # noqa: F401

    # what stays is never searched for garbage, here or in the forks
    gc.freeze()
    gc.enable()
    sys.argv = _next_job(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]))
    runpy.run_path(sys.argv[0], run_name="__main__")
