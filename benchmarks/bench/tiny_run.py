"""A study of every stage on a tiny random model, run to its end once and kept: what is left of a job or a plan is what
it takes to begin."""

import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml
from measured import Measured

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
QUIET = {"HF_HUB_OFFLINE": "1", "CLEARMINDS_DEVICES": "", "CUDA_VISIBLE_DEVICES": "", "COLUMNS": "200"}


def finished(work: Path) -> Path:
    """The folder of the finished study. Args: work: where it is kept."""
    folder = work / "tiny-study"
    if not (folder / "results" / "tiny" / "report.html").is_file():
        from tiny import tiny_model_folder

        from tests.workflow.conftest import tiny_study

        study(folder, tiny_study(tiny_model_folder(work / "tiny-model", "llama")))
        subprocess.run(snakemake(folder), check=True, stdout=subprocess.DEVNULL, env={**os.environ, **QUIET})
    return folder


def study(folder: Path, config: dict) -> None:
    """Write a study into a folder of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


def snakemake(folder: Path, *arguments: str) -> list[str]:
    """The command that runs the study of a folder."""
    given = ["--configfile", str(folder / "study.yaml"), "--directory", str(folder), "--cores", "1"]
    profile = ["--workflow-profile", str(ROOT / "profiles" / "default")]
    return [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), *given, *profile, *arguments]


def job(folder: Path, stage: str, name: str) -> list[str]:
    """The command of a job as its log has it, without what would take its former result back.

    Args:
        folder: of the finished study.
        stage, name: of the job, as its log's path has them.
    """
    log = folder / "logs" / "tiny" / stage / f"{name}.log"
    found = re.search(r"command: (.*)", log.read_text(encoding="utf-8"))
    assert found, f"{log} has no command"
    command = shlex.split(found[1])
    for option in ("--memory", "--code"):
        at = command.index(option)
        del command[at : at + 2]
    command[command.index("--log") + 1] = str(folder / "bench.log")  # the job's own keeps its command
    return command


def timed(command: list[str], folder: Path) -> Measured:
    """What a command takes, run to its end in a folder. Args, raises: as of `run`."""
    return run(command, folder)[0]


def run(command: list[str], folder: Path) -> tuple[Measured, str]:
    """Run a command to its end.

    Args:
        command: its words.
        folder: where it runs.

    Returns:
        what it took, with what it has started itself and waited for; and what it said.

    Raises:
        RuntimeError: it failed; the message is the end of what it said.
    """
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as output:
        ran = subprocess.Popen(command, stdout=output, stderr=output, cwd=folder, env={**os.environ, **QUIET})
        _, status, usage = os.wait4(ran.pid, 0)
        wall, ran.returncode = time.perf_counter() - start, os.waitstatus_to_exitcode(status)
        output.seek(0)
        said = output.read()
        if ran.returncode:
            raise RuntimeError(f"{shlex.join(command)}: {said[-3000:]}")
    return Measured(1.0, usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024), said
