"""Refusing a study of a model in 4 bits where the package that loads one is not installed, before it is downloaded."""

from collections.abc import Mapping
from importlib.util import find_spec

from clearminds.config.blocks import Model
from clearminds.errors import UserError
from clearminds.model.loading import BITSANDBYTES


def refuse_missing_bitsandbytes(models: Mapping[str, Model]) -> None:
    """Check that quantised models can be loaded. Args: models of the study, by id.

    Raises:
        UserError: names the first that cannot.
    """
    quantised = [name for name, model in models.items() if model.quantization == "4bit"]
    if quantised and find_spec("bitsandbytes") is None:
        raise UserError(f"models: {quantised[0]}: {BITSANDBYTES}")
