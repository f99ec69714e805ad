"""Namespaces of a store from before arithmetics had version numbers.

Their `about.json` holds under "code" a fingerprint of the source code that computed their values, where it holds now
the number of its arithmetic's version. The fingerprint changed with every edit of a module that the arithmetic imports,
though the numbers stayed what they were. Of each fingerprint below the numbers were compared with those of the version
that is beside it: `token_statistics` and `score_batch` within 1e-6, `generate_batch` token by token, vLLM's request
settings one by one. The list is complete, and nothing is added to it any more.
"""

import json
from pathlib import Path

from clearminds.files.digests import digest

# fingerprint of the code: version of the arithmetic
VERSIONS = {
    # scores (`token_statistics.ARITHMETIC`)
    "7d007c84c4cec79cf23298245e51ae07": 1,
    "a8ad0019a670c9f20151130defce7a8c": 1,
    "709f99b7a34acabbdff812bbc5f30bbc": 1,
    "4c9ee4d20f6ac07633f46d80bf128860": 1,
    # responses of transformers (`sampling.ARITHMETIC`)
    "d9b160748aa35875bd94553cb2bbcd3f": 1,
    "ad249b66db57ada96e04abd21879406a": 1,
    "0b221c268423085fb88e0db7eb7f81a2": 1,
    "708e20eb23aa2f7e19fae4538424adaf": 1,
    "fc03a9486b7299c4235b8b7ba0b996f3": 1,
    # responses of vLLM (`engine.ARITHMETIC`)
    "f0f81b75cef9d348df9f0dce1d0bf2ab": 1,
}


def former_folders(folder: Path, about: dict) -> list[Path]:
    """The namespaces of the same computation that are named by a fingerprint of its code.

    Args:
        folder: of all namespaces of one kind.
        about: of the namespace in use, with its `arithmetic`.

    Returns:
        folders to read from, by name; nothing is to be written there. Empty where `about` has no `arithmetic`.
    """
    found, ours = [], digest(_without_nulls(about))
    for file in sorted(Path(folder).glob("*/about.json")):
        try:
            theirs = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue  # not readable: what its values are is unknown
        version = VERSIONS.get(theirs.pop("code", None))
        if version is not None and digest(_without_nulls({**theirs, "arithmetic": version})) == ours:
            found.append(file.parent)
    return found


def _without_nulls(value: object) -> object:
    """A setting that is null means the same as one that is left out, which the oldest namespaces did not do."""
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    return value
