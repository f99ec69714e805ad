"""Telling quickly that a file is still the one whose hash is known: by its size, its last change, its inode, and the
last change of that, which no program can set.

A stamp that is the same spares reading gigabytes; where it differs the hash decides, so that a copy, a `touch` or a
clone is no change. A stamp is trusted only if the file was older than `YOUNGEST` when it was taken: a change within the
clock's grain of a file system would leave it as it is.
"""

import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from clearminds.errors import UserError
from clearminds.files.digests import file_sha256
from clearminds.files.tables import content_sha256, write_json

YOUNGEST = 2_000_000_000  # nanoseconds; the coarsest clocks of file systems in use count in 2 s

Stamp = tuple[int, int, int, int]

# what this process has found to be as recorded: its hash, and the stamp it had then; see `refuse_changed`
_checked: dict[Path, tuple[str, Stamp | None]] = {}


def stamp(file: Path) -> Stamp | None:
    """Size in bytes, time of the last change in ns, inode, and time of its last change (ctime, in ns) of what a path
    leads to; None: to no file."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino, found.st_ctime_ns


class Stamps:
    """Hashes of files with the stamp that each had, kept in a JSON file.

    Args:
        path: the JSON file; one that is missing or damaged knows nothing.
    """

    def __init__(self, path: Path):
        self.path = path
        self._known, self._changed = _read(path), False

    def sha256(self, file: Path, *, anew: bool = False) -> str | None:
        """The SHA-256 of a file in hexadecimal; None where there is none that can be read.

        Args:
            file: read only if its stamp is not the known one.
            anew: read it whatever its stamp.
        """
        return self._hash(str(file), file, file_sha256, anew)

    def content_sha256(self, file: Path, also: Sequence[str] = ()) -> str | None:
        """As `sha256`, of what the file says. Args: as of `tables.content_sha256`."""
        of = f" with {', '.join(also)}" if also else ""
        return self._hash(f"content{of} of {file}", file, partial(content_sha256, also=also))

    def _hash(self, key: str, file: Path, of: Callable[[Path], str], anew: bool = False) -> str | None:
        if (now := stamp(file)) is None:
            return None
        known = self._known.get(key)
        if not anew and known is not None and tuple(known[1:]) == now:
            return known[0]
        try:
            found = of(file)
        except (OSError, UserError):
            return None
        if time.time_ns() - now[1] > YOUNGEST:
            self._known[key] = [found, *now]
            self._changed = True
        return found

    def linked(self, file: Path) -> None:
        """Note that this process has just given a file another name, which changed its inode and nothing in it."""
        known, now = self._known.get(str(file)), stamp(file)
        if known is not None and now is not None and tuple(known[1:-1]) == now[:-1]:
            self._known[str(file)] = [known[0], *now]
            self._changed = True

    def save(self) -> None:
        """Write what is new; where that is not possible the files are read again next time."""
        if self._changed:
            try:
                write_json(self.path, self._known)
            except OSError:
                return
            self._changed = False


def _read(path: Path) -> dict[str, list]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


# --- within one process -----------------------------------------------------------------------------------------------


def checked(file: Path, sha256: str) -> None:
    """Note that a file is as recorded, and must stay so while this process computes. Args: the file; its hash."""
    _checked[file.absolute()] = sha256, stamp(file)


def refuse_changed(folder: Path | None = None) -> None:
    """Check that nothing changed since it was noted.

    Args:
        folder: only what is directly in it; None: everything.

    Raises:
        UserError: names the first file that did.
    """
    for file, (sha256, before) in list(_checked.items()):
        if (folder is not None and file.parent != folder.absolute()) or stamp(file) == before:
            continue
        now = stamp(file)
        if now is None or file_sha256(file) != sha256:
            raise UserError(f"{file}: changed while this job worked with it; leave it alone, then run again")
        _checked[file] = sha256, now  # touched, or put back
