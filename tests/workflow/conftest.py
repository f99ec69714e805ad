"""Running the real workflow on a tiny random model."""

import copy
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from forked import run_module
from tiny import tiny_model_folder
from warm import interpreter

ROOT = Path(__file__).parents[2]
OUTPUT = "output.txt"
# folders of results that a test may begin with
PREPARED = ("examples", "models", "rehearsals")
MASKED = (*PREPARED, "responses", "verdicts", "scores", "masks", "evaluations/tiny/base")


class Workflow:
    """A study in a folder of its own.

    Attributes:
        folder: the working directory; results and logs land in it.
        config: the study as a dict; written to study.yaml before each run.
        warm: whether jobs of `run` begin with their libraries imported (tests/warm.py); False: as a user's do.
    """

    def __init__(self, folder: Path, config: dict, warm: bool = True):
        self.folder, self.config, self.warm = folder, config, warm

    def command(self, *arguments: str) -> list[str]:
        """The snakemake command of the study, whose config it writes."""
        return [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), *self._given(), *arguments]

    def run(self, *arguments: str) -> subprocess.CompletedProcess:
        """Run snakemake with these arguments; output and errors come back together as text."""
        return _run(self.command(*arguments)[2:], interpreter() if self.warm else None)

    def resume(self) -> subprocess.CompletedProcess:
        """Do what `make resume` does."""
        return _run(["clearminds.commands.resume", *self._given()])

    def _given(self) -> list[str]:
        self.folder.mkdir(exist_ok=True)
        study = self.folder / "study.yaml"
        study.write_text(yaml.safe_dump(self.config, sort_keys=False), encoding="utf-8")
        profile = ["--workflow-profile", str(ROOT / "profiles" / "default"), "--cores", "2"]
        return [*profile, "--configfile", str(study), "--directory", str(self.folder)]


def _run(command: list[str], python: Path | None = None) -> subprocess.CompletedProcess:
    """Run a module; arguments follow it. Args: python: as of `run_module`."""
    environment = {**os.environ, "COLUMNS": "200", "PYTHONPATH": str(ROOT / "workflow")}
    return run_module(*command, env=environment, python=python)


def tiny_study(model: Path) -> dict:
    """A study of every stage on a random model that can answer nothing right."""
    chain_sum = {"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 2}
    return {
        "study": "tiny",
        "models": {"tiny": {"path": str(model)}},
        "tasks": {
            "sums": {
                "kind": "reasoning_gym",
                "generator": "chain_sum",
                "parameters": chain_sum,
                "splits": {"train": 8, "test": 4},
                "reference": "wordings",
            },
            "gcd": {"kind": "reasoning_gym", "generator": "gcd", "splits": {"test": 3}},
            "code": {"kind": "human_eval", "splits": {"test": 1}, "evaluate": "likelihood"},
            "chat": {"kind": "everyday_prompts", "splits": {"test": 2}, "evaluate": "drift", "answers": "everyday"},
        },
        "targets": ["sums"],
        "suites": {"all": ["sums", "gcd", "code", "chat"]},
        "sources": {
            "self_output": {"samples": 2, "max_new_tokens": 6, "when_none_accepted": "reference", "dtype": "float32"},
            "everyday": {"kind": "self_output", "samples": 1, "max_new_tokens": 6, "dtype": "float32"},
        },
        "match": {"sources": ["reference", "self_output"]},
        "variants": {
            "self-output": {"responses": "self_output"},
            "stm-200": {"responses": "reference", "weights": {"rule": "perplexity", "tau": "200"}},
            "random-200": {"responses": "reference", "weights": {"rule": "random", "like": "stm-200"}},
        },
        "training": {"rank": 2, "epochs": 1, "batch_examples": 4, "learning_rate": 0.01, "dtype": "float32"},
        "evaluation": {"max_new_tokens": 6, "dtype": "float32"},
        "seeds": [0],
    }


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that is made once in a session, by the first of its processes that asks for it.

    Args:
        factory: of temporary folders.
        name: of the folder.
        make: fills it; what it raises is raised in each test that asks.
    """
    base = factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    shared.mkdir(exist_ok=True)
    folder, made = shared / name, shared / f"{name}.made"
    with open(shared / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            made.touch()
    return folder


class Finished:
    """The tiny study after a run to its end. No test changes a file of it.

    Args:
        folder: its working directory.
        config: the study.
    """

    def __init__(self, folder: Path, config: dict):
        self.folder, self._config = folder, config

    @property
    def config(self) -> dict:
        return copy.deepcopy(self._config)

    @property
    def output(self) -> str:
        """What the run said."""
        return (self.folder / OUTPUT).read_text(encoding="utf-8")

    def copy(self, to: Path) -> Workflow:
        """All of it in another folder: results, logs, and Snakemake's records."""
        return Workflow(shutil.copytree(self.folder, to, dirs_exist_ok=True), self.config)

    def begin(self, to: Path, folders: tuple[str, ...]) -> Workflow:
        """A study of which some results are there, with what their jobs remember; no logs, and an empty store.

        Args:
            to: its working directory.
            folders: of results, such as `MASKED`: what the run begins with.
        """
        for jobs in ("", ".jobs/"):
            for name in folders:
                place = f"results/tiny/{jobs}{name}"
                shutil.copytree(self.folder / place, to / place)
        return Workflow(to, self.config)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> Path:
    """A tiny random Llama."""
    return once(tmp_path_factory, "model", lambda folder: tiny_model_folder(folder / "tiny", "llama")) / "tiny"


@pytest.fixture(scope="session")
def finished(tmp_path_factory, tiny_model) -> Finished:
    """The tiny study, run to its end."""

    def make(folder: Path) -> None:
        done = Workflow(folder, tiny_study(tiny_model), warm=False).run()
        assert done.returncode == 0, done.stdout[-6000:]
        (folder / OUTPUT).write_text(done.stdout, encoding="utf-8")

    return Finished(once(tmp_path_factory, "finished", make), tiny_study(tiny_model))
