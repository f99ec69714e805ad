"""The model that a command line names: of a study, a folder, or a repository of the hub."""

import re
from pathlib import Path
from typing import Any

from clearminds.checkout import CONFIG
from clearminds.commands.own_data.study import as_id
from clearminds.config.load import load_study
from clearminds.config.wording import short
from clearminds.errors import UserError

HASH_IS = "the full hash of a commit, from the model's page: Files, History"


def model_of(name: str, revision: str | None, study_file: Path | None) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """What a name stands for.

    Args:
        name: of a model of the study, a folder, or owner/name of the hub, perhaps with @ and a commit behind it.
        revision: of a model of the hub, its commit.
        study_file: the study; None: config.yaml of this checkout.

    Returns:
        an id for it, its block of `models`, and the block `runtime` of the study that it is of, else an empty one.

    Raises:
        UserError: it is none of these, or the commit is missing.
    """
    file = study_file or CONFIG
    study = load_study([file])
    if name in study.models:
        return (
            name,
            study.models[name].model_dump(exclude_defaults=True),
            study.runtime.model_dump(exclude_defaults=True),
        )
    if name and Path(name).expanduser().is_dir():
        folder = Path(name).expanduser().resolve()
        return as_id(folder.name), {"path": str(folder)}, {}
    repository, _, commit = name.partition("@")
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        raise UserError(
            f"--model: {short(name)} is no folder here, no model of {file} ({', '.join(study.models)}) and no "
            "owner/name of the hub; give one of these"
        )
    if not (commit := commit or revision or ""):
        raise UserError(f"--model: {name}: no such folder here; of the hub, add --revision: {HASH_IS}")
    return as_id(repository.partition("/")[2]), {"hub": repository, "revision": commit}, {}
