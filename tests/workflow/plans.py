"""What a dry-run plans, as a set of jobs: for tests of what reruns after a change and what does not."""

import os
import re
import shutil
from pathlib import Path

import yaml
from forked import run_module
from warm import interpreter

ROOT = Path(__file__).parents[2]
CHECKOUT = ("Snakefile", "config.yaml", "workflow", "profiles", "envs")

Job = tuple[str, frozenset[tuple[str, str]]]  # rule and wildcards


def job(rule: str, **wildcards: str) -> Job:
    """A job as plans have it."""
    return rule, frozenset(wildcards.items())


def copy_checkout(to: Path, source: Path = ROOT) -> Path:
    """A copy of what the workflow runs from, with new times on all files: as a fresh clone has them."""
    for name in CHECKOUT:
        place = source / name
        if place.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(place, to / name, copy_function=shutil.copyfile, ignore=ignored)
        else:
            to.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(place, to / name)
    return to


class Checkout:
    """A checkout of the code, run as a user runs it.

    Args:
        folder: with the Snakefile.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    def call(self, command: list[str], directory: Path, config: dict, *arguments: str) -> str:
        """Run a module with the usual arguments of snakemake. Returns its output and errors together.

        Args:
            command: the module, and what comes before the arguments.
            directory: the working directory, where results and logs are.
            config: the study; written beside the directory, never into it.
            arguments: more of them.
        """
        study = directory.parent / f"{directory.name}.study.yaml"
        study.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
        environment = {**os.environ, "PYTHONPATH": str(self.folder / "workflow")}
        given = ["--configfile", str(study), "--directory", str(directory)]
        done = run_module(*command, *given, *arguments, env=environment, python=interpreter())
        assert done.returncode == 0, done.stdout[-6000:]
        return done.stdout

    def run(self, directory: Path, config: dict, *arguments: str) -> str:
        """Run the workflow."""
        command = ["snakemake", "--snakefile", str(self.folder / "Snakefile")]
        profile = ["--workflow-profile", str(self.folder / "profiles" / "default")]
        return self.call([*command, *profile], directory, config, *(arguments or ("--cores", "2")))

    def plan(self, directory: Path, config: dict, *arguments: str) -> set[Job]:
        """The jobs that a run would run, without targets."""
        return planned_jobs(self.run(directory, config, "--dry-run", *(arguments or ("--cores", "2"))))

    def explain(self, directory: Path, config: dict) -> list[str]:
        """The lines of `make explain`."""
        output = self.call(["clearminds.commands.explain"], directory, config)
        return [line for line in output.splitlines() if not line.startswith("Using workflow specific profile")]


def planned_jobs(output: str) -> set[Job]:
    """The jobs that the output of a dry-run lists, without targets, which run no command."""
    found: set[Job] = set()
    for block in re.split(r"\n(?=(?:local)?rule \w+:\n)", output)[1:]:
        lines = block.split("\n\n")[0].splitlines()
        rule = lines[0].removeprefix("local").removeprefix("rule ").rstrip(":")
        wildcards = next((line for line in lines if line.startswith("    wildcards: ")), "    wildcards: ")
        pairs = [pair.partition("=") for pair in wildcards.removeprefix("    wildcards: ").split(", ") if pair]
        if rule != "all":
            found.add(job(rule, **{name: value for name, _, value in pairs}))
    total = re.search(r"^total +(\d+)$", output, re.MULTILINE)
    if total is None:
        assert "Nothing to be done" in output and not found, output[-6000:]
    else:
        assert len(found) in (int(total[1]), int(total[1]) - 1), output[-6000:]  # `all` is counted there
    return found
