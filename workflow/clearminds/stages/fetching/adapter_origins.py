"""From where an adapter or a model comes that somebody else trained: a folder, or the hub."""

from pathlib import Path
from typing import Any

from clearminds.errors import UserError
from clearminds.files.user_path import located
from clearminds.stages.fetching.origins import WANTED, connection_errors, is_reached, place
from clearminds.stages.fetching.wording import answer, reason, some

ADAPTER = ("adapter_config.json", "adapter_model.safetensors")
SAVED = "give a folder saved by save_pretrained, of PEFT or of transformers"


def origin_of(source: Any, where: str) -> Path:
    """The folder that has the files. Args: a `take_adapter.Origin`; what errors call it.

    Raises:
        UserError: there is none, or it cannot be reached.
    """
    if source.hub:
        return _from_hub(source, where)
    origin, here = located(source.path), f"{where}: path: {place(source.path)}"
    if not is_reached(origin, here):
        raise UserError(f"{here} does not exist; {SAVED}")
    if not origin.is_dir():
        raise UserError(f"{here} is a file, not a folder; {SAVED}")
    return origin


def _from_hub(source: Any, where: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    name = f"{where}: hub: {source.hub}@{source.revision}"
    try:
        return Path(snapshot_download(source.hub, revision=source.revision, allow_patterns=[*WANTED, *ADAPTER]))
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, *connection_errors()) as error:  # type: ignore[misc]  # mypy reads no starred tuple here
        raise UserError(
            f"{name} is in no cache and the hub cannot be reached; fetch it where there is a network, or use path: "
            "FOLDER"
        ) from error
    except HfHubHTTPError as error:
        raise UserError(f"{name}: {answer(error.response.status_code) or reason(error)}") from error


def link(origin: Path, folder: Path, where: str) -> None:
    """Link the files that evaluations read: weights are large and never written to.

    Args:
        origin: what they are in.
        folder: where to.
        where: what errors call it.

    Raises:
        UserError: it holds neither an adapter nor a model, or weights in files that may run code when they are loaded.
    """
    is_model, is_adapter = ((origin / name).is_file() for name in ("config.json", ADAPTER[0]))
    if not (is_model or is_adapter):
        raise UserError(f"{where}: {origin} holds neither {ADAPTER[0]} nor config.json; {SAVED}")
    if is_model and is_adapter:
        raise UserError(
            f"{where}: {origin} holds both {ADAPTER[0]} and config.json, an adapter and a model; move one of them into "
            "a folder of its own"
        )
    patterns = WANTED if is_model else ADAPTER
    wanted = [file for file in sorted(origin.iterdir()) if any(file.match(pattern) for pattern in patterns)]
    if not any(file.suffix == ".safetensors" for file in wanted):
        raise UserError(f"{where}: {origin} has no weights as .safetensors; save it again with safe_serialization=True")
    if dangling := [file.name for file in wanted if file.is_symlink() and not file.exists()]:
        raise UserError(f"{where}: {some(dangling)}: a link to a file that is gone; fetch it again")
    for file in wanted:
        if (
            file.is_file()
            and file.name not in ("model.json", "chat.json")
            and is_reached(file, f"{where}: {file.name}")
        ):
            (folder / file.name).symlink_to(file.resolve())
