"""Verifiers of responses: one module per kind, resolved by name."""

import importlib
import pkgutil
from types import ModuleType

from clearminds.errors import UserError


def load(name: str) -> ModuleType:
    """The module of a verifier.

    It has `FILTERS`, the readings it can tell apart ("lenient", "strict"), and `verify(response, example, *, strict)`,
    which gives a verdict of `contracts.VERDICT_VALUES` and one line of detail.

    Raises:
        UserError: there is no verifier of this name.
    """
    known = sorted(module.name for module in pkgutil.iter_modules(__path__))
    if name not in known:
        raise UserError(f"verifier {name!r}: there is none of this name; choose one of {', '.join(known)}")
    return importlib.import_module(f"clearminds.verifiers.{name}")
