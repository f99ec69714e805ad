"""What `model.json` says of a model: the fingerprints that artefacts carry."""

import json
from pathlib import Path

from clearminds.errors import UserError
from clearminds.files.digests import digest

KEYS = ("base", "model", "tokenizer", "chat_template")


def fingerprints(model: Path) -> dict[str, str]:
    """`base`, and the fingerprints `model`, `tokenizer` and `chat_template`, from a `model.json`."""
    found = json.loads(Path(model).read_text(encoding="utf-8"))
    return {key: found[key] for key in KEYS}


def model_type(folder: Path) -> str:
    """The architecture of a model, as its config names it; "": it names none. Args: the model's folder."""
    return json.loads((Path(folder) / "config.json").read_text(encoding="utf-8")).get("model_type") or ""


def same_tokenizer(model: Path, scorer: Path) -> None:
    """Refuse a scorer whose token ids mean something else than those of the model that is trained."""
    ours, theirs = fingerprints(model)["tokenizer"], fingerprints(scorer)["tokenizer"]
    if ours != theirs:
        raise UserError(
            f"{scorer.parent}: its tokenizer ({theirs[:12]}) is not that of {model.parent} ({ours[:12]}); "
            "a scorer must share the tokenizer of the model that is trained"
        )


def adapter_files(adapter: Path) -> dict[str, str]:
    """The hashes of an adapter's files. Args: its `adapter.json`."""
    return json.loads(adapter.read_text(encoding="utf-8"))["files"]


def scorer_fingerprint(model: Path, adapter: Path | None) -> str:
    """The weights that score: the fingerprint of a model, or of it with an adapter.

    Args:
        model: its `model.json`.
        adapter: its `adapter.json`, if there is one.
    """
    own = fingerprints(model)["model"]
    return own if adapter is None else digest([own, adapter_files(adapter)])
