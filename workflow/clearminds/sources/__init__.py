"""Where training responses come from: one module per kind of source, resolved by name."""

import importlib
from types import ModuleType


def load(kind: str) -> ModuleType:
    """The module of a source kind; it has `prompt(example) -> messages`, or None where nothing is generated."""
    return importlib.import_module(f"clearminds.sources.{kind}")
