"""A study of every stage on a tiny random model, run to its end once and kept: what is left of a job or a plan is what
it takes to begin."""

import os
import re
import resource
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
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


def timed(command: list[str], folder: Path, before: Callable[[], None] = lambda: None) -> Measured:
    """Run a command to its end. Args: before: what is done first, and not measured."""
    before()
    start, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True, cwd=folder, env={**os.environ, **QUIET})
    wall, now = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    return Measured(1.0, cpu, wall, now.ru_maxrss / 1024)
