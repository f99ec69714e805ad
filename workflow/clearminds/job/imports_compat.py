"""Spares a job imports that nothing of it uses: a second of the five that a job of a model takes to begin.

- transformers imports `datasets`, with pandas, for its Trainer, and `scipy.optimize` for losses of object detection,
  wherever it finds them installed. What it finds it asks once (`is_datasets_available`, `is_scipy_available`); here it
  asks while Python takes these packages for missing, as `sys.modules[name] = None` is documented to do.
- pyarrow imports pandas for its first array, to know pandas' own; where that fails it tries again only for a table of
  pandas (`to_pandas`).
- transformers reads all of its models' files twice, for its own list of names and for that of `transformers.models`,
  which is the first one without a prefix (`define_import_structure`).

All of these can be imported afterwards by whoever wants them. Read from the code of transformers 5.23.0 and
pyarrow 26.0.1; tests/unit/test_compat_imports.py fails when one of them behaves otherwise.
"""

import sys
from collections.abc import Collection
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def spare(packages: Collection[str]) -> None:
    """Let libraries do without optional packages that are installed, and that a stage makes no use of.

    Args:
        packages: `pandas` where nothing is turned into it or out of it; `datasets` where none of that library's is
            trained on; `scipy` where no objects are detected. Nothing is imported where there are none.
    """
    if "pandas" in packages:
        spare_pyarrow()
    if others := sorted(set(packages) - {"pandas"}):
        spare_transformers(*others)


def spare_transformers(*packages: str) -> None:
    """Import transformers, which takes packages for missing from now on, and finds its models' names once."""
    hidden = [name for name in packages if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None is documented for this
    try:
        from transformers import utils

        for name in hidden:
            getattr(utils, f"is_{name}_available")()
    finally:
        for name in hidden:
            del sys.modules[name]
    _name_models_once()


def spare_pyarrow() -> None:
    """Let pyarrow do without pandas until a table is converted into one of pandas."""
    import pyarrow as pa

    if "pandas" in sys.modules:
        return
    sys.meta_path.insert(0, _NoPandas)
    try:
        pa.array([])
    finally:
        sys.meta_path.remove(_NoPandas)


class _NoPandas:
    """Says that there is no pandas: pyarrow, which is compiled, would take a None in `sys.modules` for it."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name=name)


def _name_models_once() -> None:
    if "transformers.models" in sys.modules:
        return
    from transformers.utils import import_utils

    structure: Any = import_utils  # whose function is put back below
    place = find_spec("transformers.models")  # which imports nothing of it
    if place is None or place.origin is None:
        return
    define, models = structure.define_import_structure, Path(place.origin).parent
    # read when `transformers` was imported, and kept by `define`
    listed = {kind: _without_prefix(names) for kind, names in define(models, prefix="models").items()}
    structure.define_import_structure = partial(_defined, define, {place.origin: listed})
    try:
        import_module("transformers.models")
    finally:
        structure.define_import_structure = define


def _without_prefix(names: dict[str, Any]) -> dict[str, Any]:
    # transformers adds all its other names to the list that it was given
    of_models = {module: found for module, found in names.items() if module.startswith("models.")}
    return {module.removeprefix("models."): found for module, found in of_models.items()}


def _defined(define: Any, known: dict[str, Any], module_path: Any, prefix: str | None = None) -> Any:
    return known[module_path] if prefix is None and module_path in known else define(module_path, prefix)
