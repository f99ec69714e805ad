"""Which source each of the project's modules was imported from in this process, told when it is imported.

Its bytecode is that of this source. Python takes a bytecode whose time and size are those of the source, which an edit
may have kept; one that holds the source's hash it compares by that, and keeps it so when it compiles again.

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
HASHED = 1  # the bit of a bytecode's flags, the second four bytes (PEP 552), that says so

_imported: dict[str, str] = {}  # path of a source: the SHA-256 that it had


def watch() -> None:
    """Note sources from now on, and that of the launcher itself. Before other modules of the project are imported."""
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)  # a class, as Python's own finders are
    if launcher := getattr(sys.modules["__main__"], "__file__", None):
        _note(str(Path(launcher).resolve()))


def others(known: Mapping[str, str], below: Path) -> dict[str, str]:
    """The sources that were imported in another version than is known. Args: SHA-256 by path; their folder."""
    return {
        path: sha256
        for path, sha256 in _imported.items()
        if known.get(path) != sha256 and Path(path).is_relative_to(below)
    }


def _note(path: str) -> None:
    _imported[path] = hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _compile_by_hash(path: str) -> None:
    """Leave the bytecode of a source with its hash, if there is none or one that goes by its time."""
    if sys.dont_write_bytecode:
        return
    try:
        head = Path(cache_from_source(path)).read_bytes()[:8]
    except OSError:
        head = b""
    if len(head) == 8 and head[4] & HASHED:
        return
    # where it cannot be written or compiled, the import says so or does without
    with suppress(OSError, PyCompileError):
        py_compile.compile(path, doraise=True, invalidation_mode=PycInvalidationMode.CHECKED_HASH)


class _Loader(SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType | None:
        _note(self.path)
        _compile_by_hash(self.path)
        return super().get_code(fullname)


class _Finder:
    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name.partition(".")[0] != PACKAGE:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec
