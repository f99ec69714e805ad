"""Paths as users write them in a study."""

import os
import re
from pathlib import Path

from clearminds.errors import UserError


def located(text: str) -> Path:
    """A path with `~` and environment variables (`$DATA`, `${DATA}`) filled in; one that is not set stays as it is."""
    return Path(os.path.expandvars(os.path.expanduser(text)))


def user_path(text: str) -> Path:
    """As `located`, of what must be there.

    Raises:
        UserError: a variable is not set.
    """
    path = located(text)
    unset = re.search(r"\$(\w+|\{[^}]*\})", str(path))
    if unset and not path.exists():  # a name may hold a dollar
        raise UserError(
            f"{text}: the environment variable {unset[1].strip('{}')} is not set; set it, or write the path"
        )
    return path


def require_file(path: Path) -> None:
    """Refuse a path that is no file.

    Raises:
        UserError: nothing is there, or something else.
    """
    if path.is_dir():
        raise UserError(f"{path}: is a folder; name the file in it")
    if not path.is_file():
        raise UserError(f"{path}: no such file (a relative path starts at {Path.cwd()})")
