"""`python -m MODULE` for modules that import Snakemake, without the second and a half that its import costs each time.

Two processes per test session have imported it, and nothing of this project; runs are forks of them in turn. They
differ in how they hash strings, as any two processes do: what depends on the order of a set is another in the next run.
"""

import atexit
import gc
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from functools import cache
from itertools import cycle
from multiprocessing.connection import Connection
from multiprocessing.connection import Pipe as pipe
from pathlib import Path


def run_module(
    module: str,
    *arguments: str,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
    timeout: float = 1200,
    python: Path | None = None,
) -> subprocess.CompletedProcess:
    """Run a module to its end.

    Args:
        module: what would follow `python -m`.
        arguments: what would follow that.
        cwd: the working directory; None: this process's own.
        env: the variables of its environment; None: this process's own.
        timeout: in seconds, for a run that waits forever, and not one that is slow.
        python: the interpreter that it takes for its own, and that its jobs run; None: the one of the tests.

    Returns:
        its exit code, and as text its output and errors, together.
    """
    command = [module, *arguments]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        place = f"/proc/{os.getpid()}/fd/{output.fileno()}"
        forks = _forks(next(_seeds))
        forks.send((command, str(cwd or Path.cwd()), dict(os.environ if env is None else env), place, python))
        pid = forks.recv()
        ended = False
        try:
            ended = forks.poll(timeout)
        finally:
            if not ended:  # nor when the tests are interrupted is anything of it left
                _kill(pid)
            code = forks.recv()
        output.seek(0)
        if not ended:
            raise subprocess.TimeoutExpired(command, timeout, output.read())
        return subprocess.CompletedProcess(command, code, output.read())


def _kill(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:  # it has not come to lead a group
        os.kill(pid, signal.SIGKILL)


_seeds = cycle("12")


@cache
def _forks(seed: str) -> Connection:
    ours, theirs = pipe()
    # as `python -m` puts the working directory of each run before all other places of modules
    command = [sys.executable, "-P", __file__, str(theirs.fileno())]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["PYTHONHASHSEED"] = seed
    process = subprocess.Popen(command, env=environment, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
    theirs.close()

    @atexit.register
    def end():
        ours.close()
        process.wait()

    return ours


def _next_run(requests: Connection) -> list[str]:
    """Fork at each request. Returns in the forked processes only: the command, once all is as it would be for it."""
    while True:
        try:
            command, cwd, environment, place, python = requests.recv()
        except EOFError:
            sys.exit()
        if pid := os.fork():
            requests.send(pid)
            requests.send(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            continue
        requests.close()
        os.setsid()  # with all that it starts it can be killed
        output = os.open(place, os.O_WRONLY | os.O_APPEND)
        for stream in (1, 2):
            os.dup2(output, stream)
        os.close(output)
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(environment)
        if python:
            sys.executable = str(python)
        sys.path[:0] = [cwd, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
        return command


if __name__ == "__main__":
    gc.disable()
    import smart_open  # noqa: F401 (which Snakemake imports later)
    import snakemake.cli  # noqa: F401

    # what stays is never searched for garbage, here or in the forks
    gc.freeze()
    gc.enable()
    sys.argv = _next_run(Connection(int(sys.argv[1])))
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
