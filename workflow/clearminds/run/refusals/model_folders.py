"""Refusing a study of a model in a folder that is not there, or holds no model, before its data are prepared."""

from pathlib import Path
from tempfile import TemporaryDirectory

from clearminds.config.blocks import Model
from clearminds.stages.fetching.origins import from_folder


def refuse_missing_model(model: Model) -> None:
    """Check that the folder of a model, if it comes from one, can be linked, as its job will do.

    Raises:
        UserError: as `from_folder`.
    """
    if model.path is not None:
        with TemporaryDirectory() as scratch:
            from_folder(model, Path(scratch))
