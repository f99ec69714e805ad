"""Checks every file of a study against the record of the job that made it, reading all of them: `make verify`.

    python -m clearminds.commands.verify [--configfile STUDY.yaml] [--directory DIR]

A run compares them too when it begins, but reads only files whose size, time or inode changed. Nothing is removed or
written: the next run makes again what is named here.
"""

import argparse
import os
import sys
from pathlib import Path

from clearminds.checkout import CONFIG
from clearminds.commands.run_command import run_command
from clearminds.config.load import load_study
from clearminds.errors import UserError
from clearminds.files.layout import Layout
from clearminds.reuse.adopt import results_without_record
from clearminds.reuse.integrity import deviations, replaced_inputs
from clearminds.reuse.job_memory import companions, made_files, memories
from clearminds.run.one_run import alive


def verify(layout: Layout) -> tuple[list[str], int]:
    """Compare a study's files with their records. Returns what is wrong, a line each, and how many files are right."""
    jobs, right = memories(Path(layout.jobs)), 0
    wrong: dict[str, None] = {}
    made = made_files(jobs.values())
    for memory, record in jobs.items():
        found = deviations(memory, record, anew=True, save=False)
        wrong |= dict.fromkeys(map(str, found))
        replaced = replaced_inputs(memory, record, made, save=False)
        wrong |= {f"{min(record['outputs'])}: was made of another {path} than is there now": None for path in replaced}
        if there := [path for path in record["outputs"] if Path(path).is_file()]:
            right += len(there) + len(companions(record)) - sum(not one.is_input for one in found)
    wrong |= {f"{path}: no job has it on record": None for path in results_without_record(layout, jobs.values())}
    return list(wrong), right


def main(arguments: list[str] | None = None) -> None:
    """Print what is not as recorded; exit code 1 if anything is.

    Args:
        arguments: of the command line; default: this process's.

    Raises:
        UserError: there is no such study or folder.
    """
    parser = argparse.ArgumentParser(prog="verify", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--configfile", type=Path, help="the study; default: config.yaml beside the Snakefile")
    parser.add_argument("--directory", type=Path, default=Path(), help="where its runs work; default: here")
    given = parser.parse_args(arguments)
    layout = Layout.of(load_study([given.configfile or CONFIG]).study)
    if not given.directory.is_dir():
        raise UserError(f"--directory: {given.directory} is not a folder; give the one where the workflow was run")
    os.chdir(given.directory)
    if alive():
        raise UserError(f"a run is going on in {Path.cwd()} and makes files; wait for it or stop it, then verify again")
    wrong, right = verify(layout)
    print("\n".join([*wrong, f"{right} files below {layout.results}/ are as recorded, {len(wrong)} are not"]))
    if wrong:
        sys.exit(1)


if __name__ == "__main__":
    run_command(main)
