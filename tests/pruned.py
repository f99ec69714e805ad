"""A made-up tree of results of a study, and what pruning it lists and removes."""

import copy
import os
import subprocess
import sys
from pathlib import Path

import yaml

from clearminds.commands import prune
from clearminds.config.load import load_study
from clearminds.run.specs import Specs

ROOT = Path(__file__).parents[1]
VARIANTS = {
    "plain": {"responses": "reference"},
    "stm-2.5": {"responses": "reference", "weights": {"rule": "perplexity", "tau": "2.5"}},
    "random-2.5": {"responses": "reference", "weights": {"rule": "random", "like": "stm-2.5"}},
}


class Tree:
    """A study `mine` with all results that it names, and much that is not a result, in a folder of its own."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.results = folder / "results" / "mine"
        demo = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
        [model] = demo["models"].values()
        self.study = demo | {"study": "mine", "models": {"m": model}, "variants": copy.deepcopy(VARIANTS)}
        self.study |= {"targets": ["sums"], "suites": {"all": ["sums"], "more": ["gcd"]}, "seeds": [0, 1]}
        self.results.mkdir(parents=True)

    @property
    def configfile(self) -> Path:
        return self.folder / "study.yaml"

    def save(self) -> None:
        self.configfile.write_text(yaml.safe_dump(self.study, sort_keys=False), encoding="utf-8")

    def specs(self) -> Specs:
        self.save()
        return Specs(load_study([self.configfile]))

    def fill(self) -> None:
        """Make every result that the study names now, as jobs leave it."""
        specs = self.specs()
        for path in [*specs.inputs.masks(), *specs.inputs.evaluations(), *specs.inputs.scores()]:
            self.write(path.removeprefix("results/mine/"))
        for model, target, variant, seed in self.trainings():
            folder = f"adapters/{model}/{target}/{variant}/seed{seed}"
            for name in ("adapter.json", "adapter_model.safetensors", "README.md", "run.json"):
                self.write(f"{folder}/{name}")
        for path in ("examples/sums/train", "responses/m/sums/train.reference", "verdicts/m/sums/train.reference"):
            self.write(f"{path}.parquet")
        for path in ("report.html", "tables/summary.parquet", "models/m/model.json"):
            self.write(path)

    def trainings(self):
        s = self.study
        return [(m, t, v, n) for m in s["models"] for t in s["targets"] for v in s["variants"] for n in s["seeds"]]

    def write(self, path: str, size: int = 1000) -> Path:
        file = self.results / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(path.encode() + bytes(size - len(path)))
        return file

    def all(self) -> dict[str, bytes | str | None]:
        """Everything below the working folder but the study's file: files' bytes, links' targets, None for folders."""
        found: dict[str, bytes | str | None] = {}
        for top, folders, files in os.walk(self.folder):
            for name in [*folders, *files]:
                path = Path(top, name)
                key = str(path.relative_to(self.folder))
                found[key] = path.read_bytes() if path.is_file() else None
                if path.is_symlink():
                    found[key] = str(path.readlink())
        return {k: v for k, v in found.items() if k != "study.yaml" and not k.startswith(".snakemake")}

    def stale(self) -> list[str]:
        """What is listed, below the study's results; checks that looking changes nothing."""
        specs, before = self.specs(), self.all()
        found = [str(one.pieces[-1].relative_to(self.results)) for one in prune.stale(specs, self.folder)]
        assert self.all() == before
        return found

    def prune(self) -> set[str]:
        """Remove what is listed, and give the paths below the study's results that are gone; the rest is untouched."""
        before = self.all()
        prune.remove(prune.stale(self.specs(), self.folder), self.results)
        after = self.all()
        assert after.items() <= before.items()
        assert self.stale() == []
        return {path.removeprefix("results/mine/") for path in before.keys() - after.keys()}

    def run(self, *options: str, configfile: bool = True) -> subprocess.CompletedProcess:
        self.save()
        chosen = ["--configfile", str(self.configfile)] if configfile else []
        return subprocess.run(
            [sys.executable, "-m", "clearminds.commands.prune", *chosen, "--directory", str(self.folder), *options],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT / "workflow")},
        )


def below(folders: list[str], gone: set[str]) -> bool:
    """Whether all that is gone was at or below these."""
    return all(any(path == f or path.startswith(f"{f}/") for f in folders) for path in gone)
