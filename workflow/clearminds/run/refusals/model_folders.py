"""Refusing a study of a model or adapter in a folder that is not there, or holds none, before its data are prepared."""

from pathlib import Path
from tempfile import TemporaryDirectory

from clearminds.config.blocks import Model
from clearminds.config.study import Study
from clearminds.stages.fetching.adapter_origins import link, origin_of
from clearminds.stages.fetching.origins import from_folder


def refuse_missing_model(model: Model) -> None:
    """Check that the folder of a model, if it comes from one, can be linked, as its job will do.

    Raises:
        UserError: as `from_folder`.
    """
    if model.path is not None:
        with TemporaryDirectory() as scratch:
            from_folder(model, Path(scratch))


def refuse_missing_adapter(study: Study, variant: str) -> None:
    """Check that the folder of what is not trained here, if it comes from one, can be linked, as its job will do.

    Raises:
        UserError: as `origin_of` and `link`.
    """
    given, where = (study.given or {})[variant], f"variants: {variant}: adapter"
    if given.adapter.path is not None:
        with TemporaryDirectory() as scratch:
            link(origin_of(given.adapter, where), Path(scratch), where)
