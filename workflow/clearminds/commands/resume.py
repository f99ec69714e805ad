"""Goes on with a run that was killed: `make resume`.

    python -m clearminds.commands.resume [--directory DIR] [any argument of snakemake]

Removes the lock that the killed run left in its folder, unless a run is alive there, and starts it again. What the
killed jobs left half-made is made again: trainings from their last checkpoint, the rest from what the stores hold.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from clearminds.checkout import SNAKEFILE
from clearminds.commands.run_command import run_command
from clearminds.errors import UserError
from clearminds.run.given_files import refuse_unreadable
from clearminds.run.one_run import take_lock


def main(arguments: list[str] | None = None) -> None:
    """Unlock and run. Args: of the command line; what is not known here goes to snakemake.

    Raises:
        UserError: a run is alive in this folder, or a file of the study cannot be read.
    """
    parser = argparse.ArgumentParser(prog="resume", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--directory", "-d", type=Path, default=Path(), help="where the run worked; default: here")
    parser.add_argument("--snakefile", "-s", type=Path, default=SNAKEFILE)
    given, others = parser.parse_known_args(sys.argv[1:] if arguments is None else arguments)
    refuse_unreadable(others)
    before = Path.cwd()
    os.chdir(given.directory)
    if (run := take_lock()) is not None:
        raise UserError(f"a run (process {run}) is alive in {Path.cwd()}; nothing to resume: wait for it or stop it")
    command = ["snakemake", "--snakefile", str(given.snakefile.resolve()), "--directory", str(Path.cwd()), *others]
    os.chdir(before)  # relative paths among the other arguments are meant from here
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    unlocked = subprocess.run([*command, "--unlock"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if unlocked.returncode:
        sys.stderr.write(unlocked.stdout)
        sys.exit(unlocked.returncode)
    # our lock is freed by this, and the run takes its own
    os.execvp("snakemake", [*command, "--rerun-incomplete"])


if __name__ == "__main__":
    run_command(main)
