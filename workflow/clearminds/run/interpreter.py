"""Which python the jobs run: the one that runs Snakemake, unless a conda env is activated before it."""

import os
import sys
from pathlib import Path


def put_first_in_path() -> None:
    """Put the running interpreter's folder first in PATH.

    A plain `python` in a rule would otherwise be the system's where someone calls .venv/bin/snakemake without
    activating, and an absolute path in the command would rerun everything when the environment moves.
    """
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
