"""A cluster for the session, and studies that run on it through the shipped profile."""

import copy
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from tiny import tiny_model_folder

from clearminds.files.layout import Layout, memory_of
from tests.slurm.scheduler import cluster, why_not
from tests.workflow.conftest import ROOT, Workflow, tiny_study

SHIPPED = ROOT / "profiles" / "slurm" / "config.yaml"
# what a user of this cluster writes into the profile
ACCOUNT = "proj" if os.environ.get("SLURM_TEST_ACCT") == "1" else ""
VALUES = {
    "  slurm_account": f'  slurm_account: "{ACCOUNT}"',
    "  slurm_partition": "  slurm_partition: cpu",
    "    slurm_partition": "    slurm_partition: gpu",
}


class OnCluster(Workflow):
    """A study in a folder of its own that runs on the cluster.

    Attributes:
        profile: the profile's folder.
        root: the checkout that it runs from.
    """

    def __init__(self, folder: Path, config: dict, profile: Path, root: Path = ROOT):
        super().__init__(folder, config)
        self.profile, self.root = profile, root

    def _given(self) -> list[str]:
        self.folder.mkdir(exist_ok=True)
        study = self.folder / "study.yaml"
        study.write_text(yaml.safe_dump(self.config, sort_keys=False), encoding="utf-8")
        return ["--workflow-profile", str(self.profile), "--configfile", str(study), "--directory", str(self.folder)]

    def command(self, *arguments: str) -> list[str]:
        """The snakemake command of the study, whose config it writes."""
        found = super().command(*arguments)
        return [part.replace(str(ROOT / "Snakefile"), str(self.root / "Snakefile")) for part in found]

    @contextmanager
    def started(self, *arguments: str, command: list[str] | None = None) -> Iterator[tuple[subprocess.Popen, Path]]:
        """Snakemake in the background with the file of its output; killed at the end, if it still runs."""
        output = self.folder.with_suffix(".out")
        environment = {**os.environ, "COLUMNS": "200", "PYTHONPATH": str(self.root / "workflow")}
        with open(output, "w") as handle:
            command = command or self.command(*arguments)
            run = subprocess.Popen(command, stdout=handle, stderr=subprocess.STDOUT, env=environment)
        try:
            yield run, output
        finally:
            run.kill()
            run.wait()

    def adapter(self, variant: str) -> Path:
        """The folder of an adapter."""
        return self.folder / "results/tiny/adapters/tiny/sums" / variant / "seed0"

    def writer(self, variant: str) -> dict:
        """Who trains a variant, as its lock says; empty before."""
        try:
            memory = memory_of(self.folder / Layout.of("tiny").jobs, self.adapter(variant) / "adapter.json")
            return json.loads((memory / "writer").read_text())
        except (OSError, ValueError):
            return {}


def moved(study: OnCluster, folder: Path, **changed) -> OnCluster:
    """A copy of a finished study. Args: the study; a folder that is made; other attributes of it."""
    shutil.copytree(study.folder, folder, symlinks=True, ignore=shutil.ignore_patterns("slurm"))
    there = OnCluster(folder, copy.deepcopy(study.config), **changed)
    there.config["runtime"]["checkpoint_seconds"] = 1
    return there


@pytest.fixture(scope="session")
def slurm() -> Iterator[None]:
    """A running cluster: two nodes with CPUs, one with two pretended GPUs."""
    if (reason := why_not()) is not None:
        pytest.skip(reason)
    cluster("start")
    # the pretended GPUs are not devices that torch can see
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLEARMINDS_DEVICES", "0,1")
        patch.delenv("CUDA_VISIBLE_DEVICES", raising=False)  # sbatch would hand it on
        yield
    cluster("stop")


def filled_in(folder: Path) -> Path:
    """The shipped profile with this cluster's values, in a folder that is made."""
    lines = SHIPPED.read_text(encoding="utf-8").split("\n")
    text = "\n".join(VALUES.get(line.partition(":")[0], line) for line in lines)
    folder.mkdir()
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def profile(tmp_path_factory) -> Path:
    """Its folder."""
    return filled_in(tmp_path_factory.mktemp("user") / "profile")


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> Path:
    """A tiny random Llama."""
    return tiny_model_folder(tmp_path_factory.mktemp("model") / "tiny", "llama")


@pytest.fixture(scope="session")
def finished(slurm, profile, model, tmp_path_factory) -> OnCluster:
    """The tiny study, run on the cluster."""
    study = OnCluster(tmp_path_factory.mktemp("cluster"), tiny_study(model) | {"runtime": {"gpus": 1}}, profile)
    done = study.run()
    study.output = done.stdout
    assert done.returncode == 0, done.stdout[-6000:]
    return study
