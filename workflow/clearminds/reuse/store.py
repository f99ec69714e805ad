"""A store of what models computed, addressed by content: below every table, shared by studies and users.

A namespace of a store is a folder for one computation (a model's weights, a dtype, the version of the arithmetic; in
words in its `about.json`). It holds immutable Parquet parts, written to a temporary name and renamed:

    {time in ns}-{first 16 digits of its SHA-256}.parquet     columns: key (16 bytes), and the values

Any number of processes write at once, since no two write the same file. Where a key is in two parts, the first part
by name wins, so that a value that was read stays what it is: a new part's name comes after all that are there, whatever
the writer's clock says. A part whose bytes are not those that its name says is
named, set aside as `.damaged`, and its keys count as never computed. Namespaces from before there
were versions (`former_code`) are read too, and never written.
"""

import fcntl
import json
import logging
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from clearminds.errors import one_line
from clearminds.files.digests import digest, file_sha256
from clearminds.files.tables import library_versions, write_json
from clearminds.reuse.former_code import former_folders

log = logging.getLogger("clearminds")

KEY = pa.binary(16)
DIGITS = 16  # of a part's SHA-256, in its name
LIBRARIES = "libraries"  # in a part's metadata: the versions of those that its values were computed with
NUMBER = 20  # digits of the time in its name
LOCK_SECONDS = 10.0  # that a writer waits for others to number their parts, which takes each of them milliseconds
ROW_GROUP = 128  # rows that are decoded together: a look-up often wants a few of a part


def key_of(value: object) -> bytes:
    """The key of a JSON-able value: half of its SHA-256, 16 bytes."""
    return bytes.fromhex(digest(value)[:32])


class Store:
    """One namespace of a store.

    Args:
        folder: of all namespaces of one kind, such as results/store/scores.
        about: what the values depend on beside their key; JSON-able.
        values: schema of the columns beside the key.

    Attributes:
        libraries: versions of libraries, as JSON, with which values were computed that were found; "null" of those
            that do not say it.
    """

    def __init__(self, folder: Path, about: dict, values: pa.Schema):
        self.folder = Path(folder) / digest(about)[:16]
        self.former = former_folders(folder, about)  # are only read
        self.schema = pa.schema([pa.field("key", KEY), *values])
        self.libraries: set[str] = set()
        if not (self.folder / "about.json").is_file():
            write_json(self.folder / "about.json", about)

    def find(self, keys: Sequence[bytes], columns: list[str] | None = None) -> pa.Table:
        """The rows of those of `keys` that are there, each once, in no order.

        Args:
            keys: wanted ones; may repeat.
            columns: which to read beside the key; None: all.

        Returns:
            a table of `key` and the columns. Only the keys of all parts are read, and whole rows of parts that have a
            wanted one.
        """
        names = self.schema.names if columns is None else ["key", *columns]
        none = pa.schema([self.schema.field(name) for name in names]).empty_table()
        return pa.concat_tables([none, *self.pieces(keys, columns)])

    def pieces(self, keys: Sequence[bytes], columns: list[str] | None = None) -> Iterator[pa.Table]:
        """What `find` gives, the rows of one part after those of another. Args: as of `find`."""
        wanted = set(keys)
        names = self.schema.names if columns is None else ["key", *columns]
        order = np.sort(_numbers(list(wanted)))
        for part in self.parts():
            if not wanted:
                break
            if (there := self._keys(part)) is None:
                continue
            numbers = _numbers(there)
            near = np.flatnonzero(order[np.searchsorted(order, numbers).clip(max=len(order) - 1)] == numbers)
            rows = {}
            for row in near.tolist():
                if there[row] in wanted and there[row] not in rows:
                    rows[there[row]] = row
            if not rows or not self._whole(part):
                continue
            found = _rows(part, sorted(rows.values()), names)
            self.libraries.add((found.schema.metadata or {}).get(LIBRARIES.encode(), b"null").decode())
            wanted -= rows.keys()
            yield found

    def computed_with(self) -> list[dict[str, str] | None]:
        """The versions of libraries in `libraries`, each once, in one order: of a table's values there may be many."""
        return [json.loads(versions) for versions in sorted(self.libraries)]

    def has(self, keys: Sequence[bytes]) -> set[bytes]:
        """Those of `keys` that are there, in parts that are whole."""
        return set(self.find(keys, [])["key"].to_pylist())

    def add(self, rows: pa.Table) -> Path:
        """Write one part. Args: rows: of the store's schema. Returns its path."""
        temporary = self.folder / f".{socket.gethostname()}.{os.getpid()}.{time.monotonic_ns()}.tmp"
        try:
            facts = {LIBRARIES: json.dumps(library_versions(), sort_keys=True)}
            pq.write_table(
                rows.cast(self.schema).replace_schema_metadata(facts),
                temporary,
                compression="zstd",
                write_page_checksum=True,
                row_group_size=ROW_GROUP,
            )
            with open(temporary, "rb") as handle:
                os.fsync(handle.fileno())
            promised = file_sha256(temporary)[:DIGITS]
            with self._numbering():
                # numbered last of all, and after every part that is there: whoever reads has read those before this one
                newest = self._newest()
                part = self.folder / f"{max(newest + 1, time.time_ns()):0{NUMBER}d}-{promised}.parquet"
                os.replace(temporary, part)
        except OSError as error:
            error.filename = error.filename or str(self.folder)
            raise
        finally:
            temporary.unlink(missing_ok=True)
        return part

    def parts(self) -> list[Path]:
        """Every part, those of former namespaces among them, first by name first."""
        parts = (part for folder in (self.folder, *self.former) for part in folder.glob("*.parquet"))
        return sorted(parts, key=lambda part: part.name)

    @contextmanager
    def _numbering(self) -> Iterator[None]:
        """Within the block no other process gives a part its number, which one that looked before could come to lie
        before. Not waited for too long, nor where a file system has no locks."""
        about, end = self.folder / "about.json", time.monotonic() + LOCK_SECONDS
        # a network file system locks only what may be written, which another user's file may not
        handle = os.open(about, os.O_RDWR if os.access(about, os.W_OK) else os.O_RDONLY)
        try:
            while time.monotonic() < end:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    time.sleep(0.01)
                except OSError as error:
                    log.debug("store: %s cannot be locked (%s)", about, error.strerror)
                    break
            yield
        finally:
            os.close(handle)

    def _newest(self) -> int:
        """The number of the last part that is there; 0 where there is none."""
        return max((int(number) for part in self.parts() if (number := part.name[:NUMBER]).isdigit()), default=0)

    def _keys(self, part: Path) -> list[bytes] | None:
        try:
            return pq.read_table(part, columns=["key"], page_checksum_verification=True)["key"].to_pylist()
        except (OSError, pa.ArrowException, KeyError) as error:
            set_aside(part, one_line(error, 120))
            return None

    def _whole(self, part: Path) -> bool:
        if (problem := damage(part)) is None:
            return True
        set_aside(part, problem)
        return False


def _rows(part: Path, rows: list[int], columns: list[str]) -> pa.Table:
    """Chosen rows of a part, in order; no row group without one of them is decoded."""
    file = pq.ParquetFile(part, memory_map=True)
    ends = np.cumsum([file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)])
    groups = np.searchsorted(ends, rows, side="right")
    wanted = np.unique(groups)
    # how far a row moves up when the groups that are left out before it are gone
    kept = np.concatenate([[0], np.cumsum(np.diff(ends, prepend=0)[wanted])])[:-1]
    starts = np.concatenate([[0], ends])[:-1]
    places = np.asarray(rows) - starts[groups] + kept[np.searchsorted(wanted, groups)]
    return file.read_row_groups(wanted.tolist(), columns=columns).take(pa.array(places))


def _numbers(keys: list[bytes]) -> np.ndarray:
    """The first half of each key as a number, to search many at once."""
    return np.frombuffer(b"".join(keys), dtype=">u8").reshape(-1, 2)[:, 0].astype("u8")


def damage(part: Path) -> str | None:
    """What is wrong with a part: its bytes are not those that its name says. None: nothing."""
    try:
        found = file_sha256(part)[:DIGITS]
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    promised = part.stem.rpartition("-")[2]
    return None if found == promised else f"its bytes have checksum {found}, its name promises {promised}"


def set_aside(part: Path, why: str) -> None:
    """Take a damaged part out of use, named in the log; what it held is computed again."""
    if not part.exists():
        return  # another process was faster
    try:
        part.rename(part.with_suffix(".damaged"))
        log.warning("store: %s is damaged (%s): set aside as .damaged, what it held is computed again", part, why)
    except OSError:
        log.warning("store: %s is damaged (%s): not used, what it held is computed again", part, why)


def namespaces(store: Path) -> Iterator[Path]:
    """The folders of a store that hold parts, of every kind."""
    yield from sorted(file.parent for file in Path(store).glob("*/*/about.json"))


def note_use(store: Path, kind: str, asked: int, hits: int, computed: int) -> None:
    """Add one look-up to the store's `usage.jsonl`, which `store_stats` adds up."""
    line = json.dumps({"kind": kind, "asked": asked, "hits": hits, "computed": computed}) + "\n"
    try:
        handle = os.open(Path(store) / "usage.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        os.write(handle, line.encode())  # in one piece, so that lines of several writers do not mix
        os.close(handle)
    except OSError as error:
        log.debug("store: use not noted (%s)", error)


def usage(store: Path) -> dict[str, dict[str, int]]:
    """Sums over all look-ups, per kind: asked, hits, computed."""
    sums: dict[str, dict[str, int]] = {}
    path = Path(store) / "usage.jsonl"
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            entry = json.loads(line)
        except ValueError:
            continue  # torn by a kill
        total = sums.setdefault(entry.pop("kind"), dict.fromkeys(entry, 0))
        for name, count in entry.items():
            total[name] += count
    return sums
