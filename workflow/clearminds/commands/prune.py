"""Removes results of what a study no longer names: `make prune` lists them, `make prune YES=1` removes them.

    python -m clearminds.commands.prune [--configfile STUDY.yaml] [--directory DIR] [--yes]

Masks, adapters and evaluations of variants, seeds, targets, suites and models that were renamed or taken out. Scores,
responses, verdicts and examples stay: they are expensive, and shared by variants.
"""

import argparse
import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clearminds.checkout import CONFIG
from clearminds.config.load import load_study
from clearminds.errors import UserError
from clearminds.run.one_run import take_lock
from clearminds.run.specs import Specs

# where results stand below their kind's folder, as a regular expression for each part of the path
ID, SEED, TABLE = r"[^.].*", r"seed\d+", r"[^.].*\.parquet"
PLACES = (
    ("masks", ID, ID, TABLE),
    ("adapters", ID, ID, ID, SEED),
    ("evaluations", ID, "base", TABLE),
    ("evaluations", ID, ID, ID, SEED, TABLE),
)


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
    results = directory / specs.results
    named = _named(specs, directory)
    kept = named | {folder for path in named for folder in path.parents}
    found = []
    for kind, *parts in PLACES:
        if (folder := results / kind).is_symlink():
            continue  # what it points to is not below the study's folder
        found += [path for path in _results_at(folder, parts) if path not in kept]
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
    parser.add_argument("--yes", action="store_true", help="remove what is listed")
    given = parser.parse_args(arguments)
    specs = Specs(load_study([given.configfile or CONFIG]))
    if not given.directory.is_dir():
        raise UserError(f"--directory: {given.directory} is no folder; give the one where the workflow was run")
    os.chdir(given.directory)
    results = Path(specs.results)
    found = stale(specs)
    for link in sorted({results / kind for kind, *_ in PLACES if (results / kind).is_symlink()}):
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
    study = specs.study
    adapters = (
        f"{specs.results}/adapters/{model}/{target}/{variant}/seed{seed}"
        for model in study.models
        for target in study.targets
        for variant in study.variants
        for seed in study.seeds
    )
    return {directory / path for path in (*specs.masks(), *specs.evaluations(), *adapters)}


def _results_at(folder: Path, parts: list[str]) -> Iterator[Path]:
    """Results below a folder, whose paths have these parts; a link in a folder's place is given itself."""
    first, *rest = parts
    for entry in os.scandir(folder) if folder.is_dir() else ():
        path = Path(entry.path)
        if not rest and first == SEED and (unfinished := re.fullmatch(rf"\.({SEED})\.checkpoints", entry.name)):
            yield path.with_name(unfinished[1])  # a training that was killed before it had an adapter
        elif not re.fullmatch(first, entry.name, flags=re.DOTALL):
            continue
        elif entry.is_symlink():
            yield path
        elif rest and entry.is_dir():
            yield from _results_at(path, rest)
        elif not rest and entry.is_dir() == (first == SEED):
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
    memory = _memory(path, results)
    pieces = (*([memory] if memory else []), *hidden, *([path] if os.path.lexists(path) else []))
    return Stale(pieces, _size(pieces))


def _memory(path: Path, results: Path) -> Path | None:
    """The memory of the job that makes a result (`job_memory`), which has hard links to it; None if there is none."""
    kind, *place = path.relative_to(results).parts
    rules = {("masks", 3): "build_masks", ("adapters", 4): "train_adapter", ("evaluations", 5): "evaluate_adapter"}
    rule = rules.get((kind, len(place)))
    if (kind, len(place)) == ("evaluations", 3):
        rule = "evaluate_base"
        del place[1]  # `base`
    if rule is None:
        return None
    folder = results.joinpath(".jobs", rule, *place[:-1], place[-1].removesuffix(".parquet"))
    above = [parent for parent in folder.parents if results in parent.parents]
    return folder if folder.is_dir() and not any(parent.is_symlink() for parent in above) else None


# --- removing and showing ---------------------------------------------------------------------------------------------


def _remove(piece: Path) -> None:
    try:
        if _is_folder(piece):
            # what says that an adapter is whole goes first, so that one removed in part never counts
            (piece / "adapter.json").unlink(missing_ok=True)
            shutil.rmtree(piece)
        else:
            piece.unlink(missing_ok=True)  # of a link only itself
    except OSError as error:
        raise UserError(
            f"{_printable(piece)}: cannot be removed ({error.strerror}); mend its permissions, then prune again"
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
        sys.exit(f"error: {place}: {error.strerror}; mend that, then prune again")
    except KeyboardInterrupt:
        sys.exit("error: stopped by the user; prune again to go on")
