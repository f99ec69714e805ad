"""The study's files among the arguments of snakemake, read before Snakemake reads them: it answers many a mistake in
them with a traceback."""

import argparse
from pathlib import Path

from clearminds.config.load import TARGETS
from clearminds.config.yaml_strict import load_yaml
from clearminds.errors import UserError


def refuse_unreadable(arguments: list[str]) -> None:
    """Read every file that `--configfile` names. Args: of snakemake, as they are given in this working directory.

    Raises:
        UserError: names the first that is missing, is a folder, or holds no YAML with keys.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--configfile", "--configfiles", nargs="+", action="extend", type=Path, default=[])
    files = parser.parse_known_args(arguments)[0].configfile
    for file in files:
        try:
            load_yaml(file)
        except UserError as error:
            raise UserError(f"{error}; {TARGETS}" if file != files[0] else str(error)) from None
