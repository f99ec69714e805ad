"""What draws responses from a model: one module per backend, resolved by name.

Each has a class `Sampler(folder, *, dtype, loading, runtime, adapter=None)`, a context manager that loads nothing
before it is called: `sampler(ends, prompts, seeds, source)` gives the new token ids of each prompt, as
`clearminds.sampling.generate_batch` does; `sampler.cost(progress)` what that cost. `Sampler.arithmetic` is the
version of its responses, which the store keeps apart from those of other versions.
"""

import importlib
from types import ModuleType

DEFAULT = "transformers"  # what stands in no spec


def module(name: str | None) -> str:
    """The dotted name of a backend's module. Args: the config's `backend`; None: the default."""
    return f"clearminds.backends.{name or DEFAULT}"


def load(name: str | None) -> ModuleType:
    """The module of a backend. Args: as of `module`."""
    return importlib.import_module(module(name))
