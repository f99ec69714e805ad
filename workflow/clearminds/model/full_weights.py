"""A model all of whose weights were trained, saved as a model: told from an adapter, and asked as the base it was."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from clearminds.model.causal_model import CausalModel
from clearminds.model.load import load_model
from clearminds.model.loading import Loading


def is_whole(folder: Path) -> bool:
    """Whether a folder that a training made holds a whole model, and no adapter."""
    return (folder / "config.json").is_file()


def load_trained(folder: Path, *, dtype: str, loading: Loading, adapter: Path | None) -> CausalModel:
    """Load a model with what was trained of it, in evaluation mode.

    Args:
        folder, dtype, loading: as of `load_model`.
        adapter: the folder of a training: a PEFT adapter, which is put on top, or a whole model, which is loaded in the
            place of `folder`'s; None: there was none.
    """
    if adapter is None or not is_whole(adapter):
        return load_model(folder, dtype=dtype, loading=loading, adapter=adapter)
    model = load_model(adapter, dtype=dtype, loading=loading)
    model.disable_adapter = BaseWeights(model, lambda: load_model(folder, dtype=dtype, loading=loading))
    return model


class BaseWeights:
    """Gives a trained model the `disable_adapter` of PEFT's: within it the model is its base.

    The base is loaded when it is first asked for, and stays: drift needs both at every batch.

    Args:
        model: the trained one, which gets this as its `disable_adapter`.
        load: makes its base, on the same device and in the same dtype.
    """

    def __init__(self, model: torch.nn.Module, load: Callable[[], torch.nn.Module]):
        self.model, self.load = model, load
        self.base: dict[str, torch.Tensor] = {}

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """The base's weights in the model for a while; no gradient is taken meanwhile."""
        if not self.base:
            self.base = {name: parameter.data for name, parameter in self.load().named_parameters()}
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def _exchange(self) -> None:
        for name, parameter in self.model.named_parameters():
            parameter.data, self.base[name] = self.base[name], parameter.data
