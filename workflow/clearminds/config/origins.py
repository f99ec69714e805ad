"""What pins a model or a data set of others: a repository's name on the hub, a commit of it, a file's hash."""

import os
import re
from typing import Annotated

from pydantic import AfterValidator, ValidationInfo

from clearminds.config.wording import printable, short

HUB = "https://huggingface.co"


def _sha256(value: str) -> str:
    if not re.fullmatch("[0-9a-fA-F]{64}", value):
        raise ValueError(f"{value!r} is not a SHA-256 (64 hexadecimal digits); take the file's from `sha256sum FILE`")
    return value.lower()


def _commit(value: str, info: ValidationInfo, kind: str = "") -> str:
    """A full commit hash. A branch or a tag would one day be another model under the same spec."""
    if not re.fullmatch("[0-9a-fA-F]{40}", value):
        address = f"{HUB}/{kind}{info.data.get('hub') or 'OWNER/NAME'}"
        raise ValueError(
            f"{value!r} is not a full commit hash (40 hexadecimal digits), and branches and tags move; copy the hash "
            f'from "Files and versions" of {address}, or from `git ls-remote {address}`'
        )
    return value.lower()


def _repository(value: str, kind: str = "") -> str:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(value)
    except HFValidationError as error:
        if name := _named_in(value):
            reason, remedy = "", f"write {name}"
        else:
            reason = f" ({printable(' '.join(str(error).split()).partition(': ')[0].rstrip('.'))})"
            remedy = f"write what follows {HUB}/{kind} in its page's address"
        raise ValueError(f"{short(value)} is not the name of a repository, owner/name{reason}; {remedy}") from error
    return value


def _repository_or_folder(value: str) -> str:
    try:
        return value if os.path.isdir(value) else _repository(value, "datasets/")
    except ValueError as error:
        raise ValueError(f"{error}, or name a folder that exists") from error


def _named_in(address: str) -> str | None:
    """owner/name in an address of the hub; None where there is none."""
    path = re.sub(r"^(https?://)?(www\.)?(huggingface\.co|hf\.co)/", "", address)
    parts = re.split(r"[?#]", path)[0].strip("/").split("/")
    kind = parts[0] in ("datasets", "models")
    name, below = parts[kind : kind + 2], parts[kind + 2 :]
    if (path == address and not kind) or not all(re.fullmatch(r"[\w.-]+", part) for part in name):
        return None
    return "/".join(name).removesuffix(".git") if below[:1] in ([], ["tree"], ["blob"], ["resolve"]) else None


Sha256 = Annotated[str, AfterValidator(_sha256)]
Repository = Annotated[str, AfterValidator(_repository)]
Commit = Annotated[str, AfterValidator(_commit)]
DataRepository = Annotated[str, AfterValidator(_repository_or_folder)]
DataCommit = Annotated[str, AfterValidator(lambda value, info: _commit(value, info, "datasets/"))]
