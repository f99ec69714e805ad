"""Published TI and BWT of the same model and target, to be shown beside a study's own: `published.yaml`."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import polars as pl
import yaml

FILE = Path(__file__).with_name("published.yaml")
SCHEMA = pl.Schema({"model": pl.String, "target": pl.String, "variant": pl.String, "ti": pl.Float64, "bwt": pl.Float64})


def source() -> str:
    """Where the values are from."""
    return _file()["source"]


def published(origins: Mapping[str, str], targets: Iterable[str]) -> pl.DataFrame:
    """The published rows of a study's models and targets.

    Args:
        origins: model id -> its origin, such as google/gemma-2-2b-it@REVISION.
        targets: the tasks that are trained on, which are those of the source if they bear its names.

    Returns:
        model and target as the study calls them, variant as the source does, ti and bwt in percent.
    """
    values = _file()["values"]
    rows = [
        {"model": model, "target": target, "variant": arm, **numbers}
        for model, origin in origins.items()
        for target in targets
        for arm, numbers in values.get(_name(origin), {}).get(target.lower(), {}).items()
    ]
    return pl.DataFrame(rows, schema=SCHEMA)


def _name(origin: str) -> str:
    """A model's name on the hub; "" for one from elsewhere, which may be called like one that it is not."""
    name, revision = origin.partition("@")[::2]
    return name.rpartition("/")[2].lower() if revision else ""


def _file() -> dict:
    return yaml.safe_load(FILE.read_text(encoding="utf-8"))
