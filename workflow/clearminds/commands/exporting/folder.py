"""The folder that an export is written to: a new one, and whole or not there."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clearminds.errors import UserError


def refuse_filled(folder: Path) -> None:
    """Refuse a place where something is.

    Raises:
        UserError: it is a file, or a folder that is not empty.
    """
    if folder.is_dir() and not any(folder.iterdir()):
        return
    if folder.exists() or folder.is_symlink():
        raise UserError(f"{folder}: something is there already; name another folder (--out), or move it away")


@contextmanager
def fresh(folder: Path) -> Iterator[Path]:
    """Give a folder under another name beside it, which takes its place when the block ends well, else is removed.

    Raises:
        UserError: as `refuse_filled`.
    """
    refuse_filled(folder)
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        if folder.is_dir():
            folder.rmdir()
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
