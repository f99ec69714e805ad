"""Which definitions ran while the stages of a study computed, as `tracing/sitecustomize.py` noted them."""

import ast
import json
import os
from collections import defaultdict
from functools import cache
from pathlib import Path

import yaml
from forked import run_module

TRACING = Path(__file__).with_name("tracing")


def run_traced(snakefile: Path, study: dict, folder: Path, python: Path | None = None) -> list[dict]:
    """Run a study in a folder of its own and note what its launchers ran.

    Args:
        snakefile: of the checkout whose code is run.
        study: its config.
        folder: the working directory; it must not exist.
        python: as of `run_module`.

    Returns:
        per job its `stage`, `spec`, `ran`: keys of definitions ("module:name"), and `called`: functions and methods
        ("module:Class.method").
    """
    notes = folder / "notes"
    notes.mkdir(parents=True)
    file = folder / "study.yaml"
    file.write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")
    workflow = snakefile.parent / "workflow"
    command = ["snakemake", "--snakefile", str(snakefile), "--directory", str(folder)]
    command += ["--workflow-profile", str(snakefile.parent / "profiles" / "default"), "--cores", "2"]
    environment = os.environ | {"TRACE_TO": str(notes), "PYTHONPATH": os.pathsep.join([str(TRACING), str(workflow)])}
    done = run_module(*command, "--configfile", str(file), env=environment, python=python)
    if done.returncode:
        raise RuntimeError(done.stdout[-6000:])
    jobs = []
    for note in sorted(notes.glob("*.json")):
        found = json.loads(note.read_text(encoding="utf-8"))
        ran = {key for file, line, _ in found["ran"] for key in definitions_at(workflow / file, line, workflow)}
        called = {f"{_module(workflow / file, workflow)}:{name}" for file, _, name in found["ran"]}
        jobs.append({**found, "ran": ran, "called": called})
    return jobs


def definitions_at(file: Path, line: int, workflow: Path) -> list[str]:
    """Keys of what the top-level statement of a module that has this line binds."""
    return [f"{_module(file, workflow)}:{name}" for name in _statements(file)[line]]


def _module(file: Path, workflow: Path) -> str:
    return ".".join(file.relative_to(workflow).with_suffix("").parts).removesuffix(".__init__")


@cache
def _statements(file: Path) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names, first = [node.name], min([node.lineno, *(d.lineno for d in node.decorator_list)])
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names, first = (
                [t.id for target in targets for t in ast.walk(target) if isinstance(t, ast.Name)],
                node.lineno,
            )
        else:
            continue
        for line in range(first, (node.end_lineno or first) + 1):
            found[line] = names
    return found
