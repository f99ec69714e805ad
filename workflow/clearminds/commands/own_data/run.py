"""Runs the workflow for a study that was made of a command line, as far as one file."""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from clearminds.checkout import ROOT, SNAKEFILE
from clearminds.commands.own_data.columns import columns_of
from clearminds.commands.own_data.models import model_of
from clearminds.commands.own_data.study import study_of
from clearminds.config.load import load_study
from clearminds.errors import UserError
from clearminds.files.layout import Layout
from clearminds.files.tables import write_text
from clearminds.files.user_path import require_file
from clearminds.run.specs import Specs


@dataclass(frozen=True)
class Own:
    """A study of a user's file.

    Attributes:
        specs: of the study.
        file: where its YAML is, so that any other command takes it too.
        model: id of its model.
        variant: id of its variant.
    """

    specs: Specs
    file: Path
    model: str
    variant: str

    def make(self, path: str, cores: str) -> None:
        """Have Snakemake make a file of the study; its lines are shown. Args: the file; how many cores, or all.

        Raises:
            SystemExit: it failed, and has said why.
        """
        snakemake = [sys.executable, "-m", "snakemake", "--snakefile", str(SNAKEFILE), "--cores", cores]
        profile = ["--workflow-profile", str(ROOT / "profiles" / "default")]
        command = [*snakemake, *profile, f"--configfile={self.file}", path]
        process = subprocess.Popen(command)
        code = _waited(process.wait)
        if code:
            sys.exit(code)


def _waited(wait: Callable[[], int]) -> int:
    """The exit code of a run; Ctrl-C reaches it too, and it ends its jobs before it ends."""
    try:
        return wait()
    except KeyboardInterrupt:
        return wait() or 130


def parser(name: str, about: str | None) -> argparse.ArgumentParser:
    """The command line that `score` and `mask` share. Args: the command; its docstring."""
    made = argparse.ArgumentParser(
        prog=name, description=about, formatter_class=argparse.RawTextHelpFormatter, allow_abbrev=False
    )
    made.add_argument("data", type=Path, help="JSON Lines, JSON or Parquet: messages, or prompt and response")
    made.add_argument("--model", required=True, help="a folder, owner/name of the hub, or a model of the study")
    made.add_argument("--revision", help="of a model of the hub: the full hash of a commit")
    made.add_argument("--configfile", type=Path, help="the study whose models are known by name; default: config.yaml")
    made.add_argument("--columns", help="OURS=THEIRS,...: messages, or prompt and response; default: by these names")
    made.add_argument("--dtype", default="float32", help="of scoring; below float32 rounding decides some tokens")
    made.add_argument("--max-length", type=int, default=1024, help="tokens; longer conversations get no masks")
    made.add_argument("--store", help="folder of the stores; default: the study's, or results/store")
    made.add_argument("--directory", type=Path, default=Path(), help="where results/ is; default: here")
    made.add_argument("--cores", default="all", help="as of snakemake")
    return made


def own_study(given: argparse.Namespace, weights: dict[str, Any]) -> Own:
    """Make a study of a command line, and write it among its results; the working directory becomes that of its run.

    Args:
        given: of `parser`.
        weights: the rule of its variant.

    Raises:
        UserError: the file, the folder or the model is not there, or a setting is wrong.
    """
    require_file(given.data)
    if not given.directory.is_dir():
        raise UserError(f"--directory: {given.directory} is not a folder; make it first")
    model, origin, runtime = model_of(given.model, given.revision, given.configfile)
    columns = columns_of(given.data, given.columns)
    store = {"store": os.path.abspath(given.store)} if given.store else {}  # meant from here
    more = {"dtype": given.dtype, "max_length": given.max_length, "runtime": {**runtime, **store}}
    data = Path(os.path.relpath(given.data, given.directory))
    study = study_of(data, columns, model, origin, weights=weights, **more)
    [variant] = study["variants"]
    os.chdir(given.directory)
    specs = Specs(_checked(study, variant))
    file = Path(Layout.of(study["study"]).own_study.path())
    write_text(file, yaml.safe_dump(study, sort_keys=False, allow_unicode=True))
    return Own(specs, file, model, variant)


def _checked(study: dict[str, Any], variant: str) -> Any:
    try:
        return load_study([], study)
    except UserError as error:
        # in the words of the command line, as nobody has written this study
        rule = study["variants"][variant]["weights"]["rule"]
        said = str(error).removeprefix("config: ")
        raise UserError(said.replace(f"variants: {variant}: weights: ", f"--rule {rule}: ", 1)) from error
