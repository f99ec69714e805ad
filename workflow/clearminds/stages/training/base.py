"""What an adapter was trained on, and by which name transformers finds it again."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearminds.files.user_path import located


@dataclass(frozen=True)
class Base:
    """The base of an adapter.

    Attributes:
        name: what `from_pretrained` loads it by: an id of the hub, or a folder. A folder that is not absolute has more
            than one slash, so that it is nobody's id on the hub.
        revision: its commit on the hub; None: it is a folder.
        folder: the model's folder among the results, which every model has.
        source: its origin, as of `fetch_model.Origin`.
    """

    name: str
    revision: str | None
    folder: Path
    source: dict[str, Any]

    @classmethod
    def of(cls, model: Path) -> "Base":
        """The base of adapters of a model. Args: its `model.json`."""
        source, folder = json.loads(model.read_text(encoding="utf-8"))["spec"]["source"], model.parent
        if "hub" in source:
            return cls(source["hub"], source["revision"], folder, source)
        # a relative path, such as models/mine, reads like somebody's repository, and a wheel holds no model folder
        origin = located(source["path"]) if "path" in source else Path()
        return cls(str(origin if origin.is_absolute() else folder), None, folder, source)
