"""Which source each of the project's modules was imported from in this process, told when it is imported.

Its bytecode is that of this source. Python takes a bytecode whose time and size are those of the source, which an edit
may have kept; one that holds the source's hash and is to be checked it compares by that, and keeps it so when it
compiles again. Every other bytecode is passed by.

Imports come late: what needs torch is imported after a job has waited for a GPU, hours after its code was compared with
the run's. A comparison of files at the end would not notice an edit that was taken back meanwhile; this does.
"""

import hashlib
import py_compile
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import cache_from_source
from pathlib import Path
from py_compile import PycInvalidationMode, PyCompileError
from types import CodeType, ModuleType

PACKAGE = __package__.partition(".")[0]
CHECKED = 3  # a bytecode's flags: it holds its source's hash, and is compared by it

_imported: dict[str, str] = {}  # path of a source: the SHA-256 that it had


def watch() -> None:
    """Note sources from now on, and that of the launcher itself. Before other modules of the project are imported."""
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)  # a class, as Python's own finders are
    if launcher := getattr(sys.modules["__main__"], "__file__", None):
        path = Path(launcher).resolve()
        _note(str(path), path.read_bytes())


def others(known: Mapping[str, str], below: Path) -> dict[str, str]:
    """The sources that were imported in another version than is known. Args: SHA-256 by path; their folder."""
    return {
        path: sha256
        for path, sha256 in _imported.items()
        if known.get(path) != sha256 and Path(path).is_relative_to(below)
    }


def _note(path: str, source: bytes) -> None:
    _imported[path] = hashlib.sha256(source).hexdigest()


def _goes_by_hash(path: str) -> bool:
    """Whether the bytecode of a source holds its hash and is to be checked against it; made so where it can be."""
    if _flags(path) == CHECKED:
        return True
    if sys.dont_write_bytecode:
        return False
    # where it cannot be written or compiled, the import says so or does without
    with suppress(OSError, PyCompileError):
        py_compile.compile(path, doraise=True, invalidation_mode=PycInvalidationMode.CHECKED_HASH)
    return _flags(path) == CHECKED


def _flags(path: str) -> int | None:
    """The second four bytes of a bytecode (PEP 552); None: there is none."""
    try:
        head = Path(cache_from_source(path)).read_bytes()[:8]
    except OSError:
        return None
    return int.from_bytes(head[4:], "little") if len(head) == 8 else None


class _Loader(SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType | None:
        source = super().get_data(self.path)
        _note(self.path, source)
        if not _goes_by_hash(self.path):
            return self.source_to_code(source, self.path)
        self._source = source
        try:
            return super().get_code(fullname)
        finally:
            del self._source

    def get_data(self, path: str) -> bytes:
        # what was noted is what is compared and compiled: the file may be another one by now
        return self._source if path == self.path and hasattr(self, "_source") else super().get_data(path)


class _Finder:
    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name.partition(".")[0] != PACKAGE:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec
