"""The checkpoints of one training: an undeclared folder beside the adapter's own, which is there only until it is made.

    identity.json             what is trained: spec, code, model, masks, processes
    checkpoint-40/            the Trainer's files after step 40
    checkpoint-40/whole.json  SHA-256 of each of them, written last

A checkpoint counts when its marker is there and agrees with its files; what was being written when the process was
killed has none.
"""

import json
import logging
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from clearminds.files.digests import canonical, file_sha256
from clearminds.files.tables import library_versions, write_json, write_text

log = logging.getLogger("clearminds")

MARKER = "whole.json"
KEEP = 2  # the newest one, and one to fall back to
TORCH_WRITES = ("inline_container", "iostream error", "PytorchStreamWriter")  # what torch.save says when a write fails


class Checkpoints:
    """The folder of checkpoints of the training that makes one adapter.

    Args:
        folder: its own (`layout.checkpoints_of`).
        identity: what the adapter depends on (spec, code, fingerprints, SHA-256 of the masks), JSON-able. The number
            of processes and the versions of the libraries are added: either changes numbers, and nothing else says so.
    """

    def __init__(self, folder: Path, identity: dict):
        self.folder = folder
        self.identity = {
            **identity,
            "processes": int(os.environ.get("WORLD_SIZE", 1)),
            "versions": library_versions(),
        }

    def open(self) -> Path | None:
        """Make the folder fit to train on from; safe to be called again.

        Returns:
            the newest whole checkpoint of this very training, or None where it starts at the beginning. Checkpoints of
            another training and half-written or damaged ones are removed, and a line of the log says so.
        """
        self._claim()
        for checkpoint in self.discard_unmarked():
            log.info("%s was half-written: removed", checkpoint.name)
        for checkpoint in reversed(self._all()):
            if not (damaged := _damaged(checkpoint)):
                return checkpoint
            log.warning("%s is damaged (%s): removed, going on from the one before", checkpoint.name, damaged)
            _remove(checkpoint)
        return None

    def mark(self, step: int) -> None:
        """Declare the checkpoint of this step whole, and remove all but the newest `KEEP`."""
        checkpoint = self.folder / f"checkpoint-{step}"
        files = sorted(file for file in checkpoint.rglob("*") if file.is_file())
        write_json(checkpoint / MARKER, {file.relative_to(checkpoint).as_posix(): file_sha256(file) for file in files})
        for older in self._all()[:-KEEP]:
            _remove(older)

    def discard_unmarked(self) -> list[Path]:
        """Remove the checkpoints that were never marked, and tell which."""
        unmarked = [checkpoint for checkpoint in self._all() if not (checkpoint / MARKER).exists()]
        for checkpoint in unmarked:
            _remove(checkpoint)
        return unmarked

    def remove(self) -> None:
        """Remove the folder: the adapter is there."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _claim(self) -> None:
        """Write whose checkpoints these are; those of another training are removed first."""
        file = self.folder / "identity.json"
        ours = canonical(self.identity)
        try:
            theirs = json.loads(file.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):  # none yet, or one that a crash of the machine left empty
            theirs = {}
        if theirs == json.loads(ours):
            return
        if found := self._all():
            other = sorted(key for key in self.identity.keys() | theirs if self.identity.get(key) != theirs.get(key))
            log.info("%d checkpoints of another training (other %s): starting anew", len(found), ", ".join(other))
        if self.folder.exists():
            shutil.rmtree(self.folder)
        write_text(file, ours + "\n")

    def _all(self) -> list[Path]:
        """Every checkpoint's folder, by step."""
        numbered = {
            int(found[1]): path
            for path in self.folder.glob("checkpoint-*")
            if path.is_dir() and (found := re.fullmatch(r"checkpoint-(\d+)", path.name))
        }
        return [numbered[step] for step in sorted(numbered)]


@contextmanager
def disk_errors(place: Path) -> Iterator[None]:
    """Let writes that fail on `place` raise an OSError that names it.

    On a full disk safetensors raises an error of its own, and torch a RuntimeError that does not tell the reason.
    """
    try:
        yield
    except SafetensorError as error:
        if not (found := re.search(r"\(os error (\d+)\)", str(error))):
            raise
        raise OSError(int(found[1]), os.strerror(int(found[1])), str(place)) from error
    except RuntimeError as error:
        if not any(words in str(error) for words in TORCH_WRITES):
            raise
        _write_something(place)
        raise


def _write_something(place: Path) -> None:
    """Raise the OSError that a write to `place` meets, if it still meets one."""
    probe = place / f".probe.{os.getpid()}"
    try:
        probe.write_bytes(bytes(1 << 20))
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(place)) from error
    finally:
        probe.unlink(missing_ok=True)


def _damaged(checkpoint: Path) -> str:
    """The first file that is not as it was marked, or nothing."""
    try:
        hashes = json.loads((checkpoint / MARKER).read_text(encoding="utf-8"))
        return next((name for name in hashes if file_sha256(checkpoint / name) != hashes[name]), "")
    except (OSError, ValueError) as error:
        return " ".join(str(error).split())


def _remove(checkpoint: Path) -> None:
    # the marker goes first, so that a checkpoint that is removed in part never counts
    (checkpoint / MARKER).unlink(missing_ok=True)
    shutil.rmtree(checkpoint, ignore_errors=True)
