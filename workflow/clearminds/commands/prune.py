"""Removes results of what a study no longer names: `make prune` lists them, `make prune YES=1` removes them.

    python -m clearminds.commands.prune [--configfile STUDY.yaml] [--directory DIR] [--yes [1]]

Masks, adapters and evaluations of variants, seeds, targets, suites and models that were renamed or taken out. Scores,
responses, verdicts and examples stay: they are expensive, and shared by variants.
"""

import argparse
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from clearminds.checkout import CONFIG
from clearminds.config.load import load_study
from clearminds.errors import UserError
from clearminds.files.layout import Layout, earlier_memory_of, memory_of, trained_from
from clearminds.run.one_run import take_lock
from clearminds.run.specs import Specs

KINDS = (Layout.masks, Layout.adapter, Layout.given, Layout.base_evaluation, Layout.evaluation)


@dataclass(frozen=True)
class Stale:
    """A result that the study does not name.

    Attributes:
        pieces: what is there of it: its job's memory, hidden files and folders beside it, and, last, itself.
        size: bytes that its removal frees; what two pieces share is counted once.
    """

    pieces: tuple[Path, ...]
    size: int


def stale(specs: Specs, directory: Path = Path()) -> list[Stale]:
    """The results that a study does not name, by path.

    Args:
        specs: of the study.
        directory: the working directory of its runs.
    """
    results = directory / specs.layout.results
    named = _named(specs, directory)
    kept = named | {folder for path in named for folder in path.parents}
    found = []
    for kind in KINDS:
        top, *parts = kind.parts()
        if (folder := results / top).is_symlink():
            continue  # what it points to is not below the study's folder
        is_folder = bool(kind.declaration)
        found += [path for path in _results_at(folder, parts, is_folder) if path not in kept]
    return [_with_pieces(path, results, named) for path in sorted(set(found))]


def remove(found: list[Stale], results: Path) -> None:
    """Remove results, and the folders below the study's that they leave empty."""
    for one in found:
        for piece in one.pieces:
            _remove(piece)
            for folder in piece.parents:
                if folder == results or any(folder.iterdir()):
                    break
                folder.rmdir()


def main(arguments: list[str] | None = None) -> None:
    """List or remove.

    Args:
        arguments: of the command line; default: this process's.

    Raises:
        UserError: there is no such study or folder, a run is going on in it, or something cannot be removed.
    """
    parser = argparse.ArgumentParser(prog="prune", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--configfile", type=Path, help="the study; default: config.yaml beside the Snakefile")
    parser.add_argument("--directory", type=Path, default=Path(), help="where its runs work; default: here")
    parser.add_argument("--yes", nargs="?", const="1", metavar="1", help="remove what is listed; so does --yes 1")
    given = parser.parse_args(arguments)
    if given.yes not in (None, "1"):
        raise UserError(
            f"--yes: {given.yes!r} is not 1, so nothing is removed; `make prune` lists results, `make prune YES=1` "
            "removes them"
        )
    specs = Specs(load_study([given.configfile or CONFIG]))
    if not given.directory.is_dir():
        raise UserError(f"--directory: {given.directory} is not a folder; give the one where the workflow was run")
    os.chdir(given.directory)
    results = Path(specs.layout.results)
    found = stale(specs)
    for link in sorted({folder for kind in KINDS if (folder := results / kind.parts()[0]).is_symlink()}):
        print(f"{link} is a link and not looked into")
    if not found:
        print(f"nothing to prune: all masks, adapters and evaluations below {results}/ are named by the study")
        return
    if given.yes and (run := take_lock()) is not None:
        raise UserError(f"a run (process {run}) is going on in {Path.cwd()}; wait for it or stop it, then prune again")
    for one in found:
        print(f"{_readable(one.size):>9}  {_printable(one.pieces[-1])}")
    total = f"{len(found)} result{'' if len(found) == 1 else 's'}, {_readable(sum(one.size for one in found))}"
    if given.yes:
        remove(found, results)
        print(f"removed: {total}")
        return
    again = "run `make prune YES=1`" if given.configfile is None else "run the same command with --yes"
    print(f"total: {total}\nnothing removed: {again} to remove these")


# --- which results there are, and which the study names ---------------------------------------------------------------


def _named(specs: Specs, directory: Path) -> set[Path]:
    adapters = (Path(path).parent for path in specs.inputs.adapters())
    paths: Iterable[str | Path] = (*specs.inputs.masks(), *specs.inputs.evaluations(), *adapters)
    return {directory / path for path in paths}


def _results_at(folder: Path, parts: list[str], is_folder: bool) -> Iterator[Path]:
    """Results below a folder, whose paths have these parts; a link in a folder's place is given itself.

    Args:
        folder: where to look.
        parts: regular expressions of the parts of their paths.
        is_folder: whether a result is a folder.
    """
    first, *rest = parts
    for entry in os.scandir(folder) if folder.is_dir() else ():
        path = Path(entry.path)
        if not rest and is_folder and (unfinished := trained_from(path)):
            yield unfinished  # a training that was killed before it had an adapter
        elif not re.fullmatch(first, entry.name, flags=re.DOTALL):
            continue
        elif entry.is_symlink():
            yield path
        elif rest and entry.is_dir():
            yield from _results_at(path, rest, is_folder)
        elif not rest and entry.is_dir() == is_folder:
            yield path


def _with_pieces(path: Path, results: Path, named: set[Path]) -> Stale:
    beside = sorted(os.listdir(path.parent))
    # the longest name that begins a hidden one owns it, be its result there or not: `a.parquet.b` is an id too
    names = {path.name, *beside, *(other.name for other in named if other.parent == path.parent)}
    hidden = []
    for name in (name for name in beside if name.startswith(".")):
        owners = [owner for owner in names if not owner.startswith(".") and f"{name}.".startswith(f".{owner}.")]
        if max(owners, key=len, default="") == path.name:
            hidden.append(path.with_name(name))
    pieces = (*_memories(path, results), *hidden, *([path] if os.path.lexists(path) else []))
    return Stale(pieces, _size(pieces))


def _memories(path: Path, results: Path) -> list[Path]:
    """The folders in which the job that makes a result remembers its runs, with hard links to it."""
    jobs, inner = Layout(str(results)).jobs, path.relative_to(results)
    for kind in KINDS:
        if (wildcards := kind.parse(f"{inner}{kind.declaration}")) is None:
            continue
        folders = (
            memory_of(jobs, results / kind.path(**wildcards)),
            earlier_memory_of(jobs, kind.stage, kind.name.format(**wildcards)),
        )
        return [folder for folder in folders if folder.is_dir() and not _leads_outside(folder, results)]
    return []


def _leads_outside(folder: Path, results: Path) -> bool:
    """Whether a link between the study's folder and this one leads elsewhere."""
    return any(parent.is_symlink() for parent in folder.parents if results in parent.parents)


# --- removing and showing ---------------------------------------------------------------------------------------------


def _remove(piece: Path) -> None:
    try:
        if _is_folder(piece):
            # what says that an adapter is whole goes first, so that one removed in part never counts
            Path(f"{piece}{Layout.adapter.declaration}").unlink(missing_ok=True)
            shutil.rmtree(piece)
        else:
            piece.unlink(missing_ok=True)  # of a link only itself
    except OSError as error:
        raise UserError(
            f"{_printable(piece)}: cannot be removed ({error.strerror}); fix its permissions, then prune again"
        ) from error


def _size(pieces: tuple[Path, ...]) -> int:
    found: dict[tuple[int, int], int] = {}
    for piece in pieces:
        below = [Path(top, name) for top, _, names in os.walk(piece) for name in names] if _is_folder(piece) else []
        for file in below or [piece]:
            status = file.lstat()
            found[status.st_dev, status.st_ino] = 0 if _is_folder(file) else status.st_size
    return sum(found.values())


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _readable(size: int) -> str:
    amount, unit = float(size), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 999.5:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.0f} {unit}" if unit == "B" or amount >= 99.5 else f"{amount:.1f} {unit}"


def _printable(path: Path) -> str:
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(path))


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        place = _printable(Path(error.filename)) if error.filename else "output"
        sys.exit(f"error: {place}: {error.strerror}; fix that, then prune again")
    except KeyboardInterrupt:
        sys.exit("error: stopped by the user; prune again to go on")
