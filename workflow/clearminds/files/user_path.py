"""Paths as users write them in a study."""

import os
import re
from pathlib import Path

from clearminds.errors import UserError


def user_path(text: str) -> Path:
    """A path with `~` and environment variables (`$DATA`, `${DATA}`) filled in.

    Raises:
        UserError: a variable is not set.
    """
    path = os.path.expandvars(os.path.expanduser(text))
    unset = re.search(r"\$(\w+|\{[^}]*\})", path)
    if unset and not os.path.exists(path):  # a name may hold a dollar
        raise UserError(
            f"{text}: the environment variable {unset[1].strip('{}')} is not set; set it, or write the path"
        )
    return Path(path)


def require_file(path: Path) -> None:
    """Refuse a path that is no file.

    Raises:
        UserError: nothing is there, or something else.
    """
    if path.is_dir():
        raise UserError(f"{path}: is a folder; name the file in it")
    if not path.is_file():
        raise UserError(f"{path}: no such file (a relative path starts at {Path.cwd()})")
