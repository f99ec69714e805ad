"""Bringing an adapter, or a whole model, that somebody else trained into a folder that evaluations take.

It comes from a folder or from a hub repository at a pinned revision; its files are linked, and `adapter.json` has their
hashes.
"""

import logging
import shutil
from pathlib import Path
from typing import Any

from clearminds.files.digests import file_sha256
from clearminds.files.settings import settings
from clearminds.stages.fetching.adapter_origins import link, origin_of
from clearminds.stages.fetching.check_adapter import check_adapter, check_whole, named_base

log = logging.getLogger("clearminds")


@settings
class Origin:
    """Where it comes from: path; or hub and revision."""

    path: str | None = None
    hub: str | None = None
    revision: str | None = None


@settings
class Settings:
    """What the folder depends on.

    Attributes:
        source: where it comes from.
        trust_remote_code: whether the base may bring Python of its own.
    """

    source: Origin
    trust_remote_code: bool


def take(settings: Settings, folder: Path, base: Path, base_name: str) -> dict[str, Any]:
    """Fill `folder` and describe it.

    Args:
        settings: of the stage.
        folder: emptied first.
        base: the folder of the model that it was trained from.
        base_name: what a model card names as that.

    Returns:
        what `adapter.json` says: `kind` (PEFT's name of the adapter, or full), `files` (name to SHA-256), and
        `trained_for`, the base that the adapter's own config names.

    Raises:
        UserError: not found, damaged, or not of this base.
    """
    from clearminds.model.full_weights import is_whole

    where = f"variants: {folder.name}: adapter"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    link(origin_of(settings.source, where), folder, where)
    if is_whole(folder):
        check_whole(folder, base, where, settings.trust_remote_code)
        kind, named = "full", None
    else:
        kind, named = check_adapter(folder, base, where, settings.trust_remote_code), named_base(folder)
        if named and named != base_name:
            log.warning(
                "%s: its config names %s as its base, which is %s here: only shapes were compared",
                where,
                named,
                base_name,
            )
    files = {file.name: file_sha256(file) for file in sorted(folder.iterdir())}
    return {"kind": kind, "files": files, "trained_for": named}
