"""What a model's files tell before any library loads them: pointers, damaged weights, missing shards, an adapter."""

import json
from pathlib import Path

from clearminds.errors import UserError
from clearminds.stages.fetching.wording import reason, some

LFS_POINTER = b"version https://git-lfs.github.com/spec/"
INDEX = "model.safetensors.index.json"
# that transformers reads; others may be what they like
READ = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    INDEX,
)
AGAIN = "download the model again, or save it again with save_pretrained"


def check_files(folder: Path, base: str) -> None:
    """Refuse a model whose files cannot be read as what their names say, from their first bytes only.

    Args:
        folder: of the model.
        base: what a model card would name as the base.

    Raises:
        UserError: the first kind of damage that is found, with the files that have it.
    """
    where = f"models: {folder.name}"
    if (folder / "adapter_config.json").exists():
        raise UserError(
            f"{where}: adapter_config.json beside its weights makes transformers put that adapter on top of the model; "
            "remove it, or merge the adapter with PEFT's merge_and_unload, save that, and give its folder"
        )
    if pointers := [file.name for file in folder.iterdir() if _starts_with(file, LFS_POINTER)]:
        raise UserError(
            f"{where}: {some(pointers)}: a pointer of Git LFS in place of the file; run `git lfs pull` in its checkout"
        )
    for name in READ:
        if (folder / name).exists():
            _json(folder / name, where)
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise UserError(f"{base}: no .safetensors file; convert the model to safetensors first")
    damaged = {file.name: why for file in weights if (why := _damage(file))}
    if damaged:
        why = damaged[min(damaged)]
        raise UserError(f"{where}: {some(damaged)}: cut off or damaged, no safetensors file ({why}); {AGAIN}")
    # transformers reads the index only where there is no file of this name
    if (folder / INDEX).exists() and not (folder / "model.safetensors").exists():
        _check_shards(folder, where)


def _starts_with(file: Path, bytes_: bytes) -> bool:
    with file.open("rb") as opened:
        return opened.read(len(bytes_)) == bytes_


def _json(file: Path, where: str) -> dict:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{where}: {file.name} is not JSON ({reason(error)}); {AGAIN}") from error
    if not isinstance(found, dict):
        raise UserError(f"{where}: {file.name} holds no JSON object; {AGAIN}")
    return found


def _damage(file: Path) -> str | None:
    """What is wrong with a safetensors file's header, or with the file's size, which follows from it."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="numpy"):
            return None
    except SafetensorError as error:
        return str(error).removeprefix("Error while deserializing header: ")


def _check_shards(folder: Path, where: str) -> None:
    shards = _json(folder / INDEX, where).get("weight_map")
    if not isinstance(shards, dict) or not all(isinstance(name, str) for name in shards.values()):
        raise UserError(f"{where}: {INDEX} has no weight_map, from tensors to files; {AGAIN}")
    wanted = set(shards.values())
    if missing := [name for name in wanted if not (folder / name).is_file()]:
        raise UserError(
            f"{where}: {len(missing)} of the {len(wanted)} files that {INDEX} names are missing: {some(missing)}; "
            "download the model again"
        )
