"""Writes a variant's training set and adapter into a folder that other trainers read: `make export VARIANT=stm-2.5`.

    python -m clearminds.commands.export --variant VARIANT [--configfile STUDY.yaml] [--directory DIR] [--target TARGET]
        [--model MODEL] [--seed SEED] [--out FOLDER] [--merged] [--data-only]

Nothing is computed but for the merging: what the study has not made yet is named, with the command that makes it.
"""

import argparse
import os
from pathlib import Path

from clearminds.checkout import CONFIG
from clearminds.commands.exporting.artefacts import chosen
from clearminds.commands.exporting.folder import refuse_filled
from clearminds.commands.exporting.write import write
from clearminds.commands.run_command import run_command
from clearminds.config.load import load_study
from clearminds.errors import UserError
from clearminds.run.specs import Specs


def main(arguments: list[str] | None = None) -> None:
    """Write the folder, and print where it is and what is in it.

    Args:
        arguments: of the command line; default: this process's.

    Raises:
        UserError: there is no such study, variant or folder; a result is missing, damaged, or made by other settings;
            something is in the folder already.
    """
    parser = argparse.ArgumentParser(prog="export", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--variant", required=True, help="its id")
    parser.add_argument("--configfile", type=Path, help="the study; default: config.yaml beside the Snakefile")
    parser.add_argument("--directory", type=Path, default=Path(), help="where its runs work; default: here")
    parser.add_argument("--target", help="default: the only one")
    parser.add_argument("--model", help="default: the only one")
    parser.add_argument("--seed", type=int, help="default: the first of seeds")
    parser.add_argument("--out", type=Path, help="a new folder; default: one among the study's results")
    parser.add_argument("--merged", action="store_true", help="the adapter merged into the base's weights")
    parser.add_argument("--data-only", action="store_true", help="the training set without the adapter")
    given = parser.parse_args(arguments)
    if given.merged and given.data_only:
        raise UserError("--merged and --data-only: what is not exported cannot be merged; take one of them out")
    file = given.configfile or CONFIG
    specs = Specs(load_study([file]))
    if not given.directory.is_dir():
        raise UserError(f"--directory: {given.directory} is not a folder; give the one where the workflow was run")
    out = given.out and Path.cwd() / given.out  # meant from here
    if given.directory != Path():
        file = file.absolute()
        os.chdir(given.directory)
    exported = chosen(specs, file, given.variant, model=given.model, target=given.target, seed=given.seed)
    out = out or Path(specs.layout.exported.path(**exported.names))
    refuse_filled(out)
    found = write(exported, out, trained=not given.data_only, merged=given.merged)
    print(told(found, out))


def told(found: dict, out: Path) -> str:
    """What an export holds, in a line. Args: its facts; where it is."""
    counted = found["counts"]
    return (
        f"{out}: {counted['examples']:,} examples, {counted['labelled']:,} of {counted['response']:,} response tokens "
        f"with a label ({found['words']}); how to train on them is in its README.md and in docs/export.md"
    )


if __name__ == "__main__":
    run_command(main)
