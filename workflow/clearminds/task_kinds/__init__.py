"""Where a task's examples come from: one module for each kind, with `load(spec, split) -> rows of contracts.EXAMPLES`.

A new kind is a new module in this folder; nothing lists it.
"""

import importlib
import pkgutil
from types import ModuleType

from clearminds.errors import UserError

SHARED = {"rows"}  # what kinds have in common, no kind itself


def load(kind: str) -> ModuleType:
    """The module of a kind of task, such as "reasoning_gym".

    Raises:
        UserError: there is no such kind.
    """
    kinds = sorted({module.name for module in pkgutil.iter_modules(__path__)} - SHARED)
    if kind not in kinds:
        raise UserError(f"kind: {kind!r} is no kind of task; allowed: {', '.join(kinds)}")
    return importlib.import_module(f"{__name__}.{kind}")
