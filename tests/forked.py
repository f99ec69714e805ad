"""`python -m MODULE` for modules that import Snakemake, without the second and a half that its import costs each time.

One process per test session has imported it, and nothing of this project; each run is a fork of that.
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
from multiprocessing.connection import Connection
from multiprocessing.connection import Pipe as pipe
from pathlib import Path


def run_module(
    module: str, *arguments: str, cwd: Path | None = None, env: dict[str, str] | None = None, timeout: float = 1200
) -> subprocess.CompletedProcess:
    """Run a module to its end.

    Args:
        module: what would follow `python -m`.
        arguments: what would follow that.
        cwd: the working directory; None: this process's own.
        env: the variables of its environment; None: this process's own.
        timeout: in seconds, for a run that waits forever, and not one that is slow.

    Returns:
        its exit code, and as text its output and errors, together.
    """
    command = [module, *arguments]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        place = f"/proc/{os.getpid()}/fd/{output.fileno()}"
        forks = _forks()
        forks.send((command, str(cwd or Path.cwd()), dict(os.environ if env is None else env), place))
        pid = forks.recv()
        if not forks.poll(timeout):
            os.kill(pid, signal.SIGKILL)
            forks.recv()
            raise subprocess.TimeoutExpired(command, timeout)
        code = forks.recv()
        output.seek(0)
        return subprocess.CompletedProcess(command, code, output.read())


@cache
def _forks() -> Connection:
    ours, theirs = pipe()
    # as `python -m` puts the working directory of each run before all other places of modules
    command = [sys.executable, "-P", __file__, str(theirs.fileno())]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
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
            command, cwd, environment, place = requests.recv()
        except EOFError:
            sys.exit()
        if pid := os.fork():
            requests.send(pid)
            requests.send(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            continue
        requests.close()
        output = os.open(place, os.O_WRONLY | os.O_APPEND)
        for stream in (1, 2):
            os.dup2(output, stream)
        os.close(output)
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(environment)
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
