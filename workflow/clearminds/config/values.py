"""The values that keys of several blocks have: numbers, seeds, texts, places on disk, and settings of others, and what
libraries name."""

import math
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from clearminds.config.wording import printable, short


def _number(value: object) -> object:
    # YAML reads 1e-4, which has no point, as a text
    written = isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]+(\.[0-9]*)?[eE][+-]?[0-9]+", value)
    return float(value) if written else value  # type: ignore[arg-type]  # `written` is of texts only


def _text(value: str) -> str:
    if not value.strip():
        raise ValueError("is empty; fill it in or take the key out")
    if not value.isprintable():
        raise ValueError(f"{short(value)} has line ends or other characters that cannot be shown; take them out")
    return value


def _without_braces(value: str) -> str:
    if re.search("[{}]", re.sub(r"\$\{\w+\}", "", value)):  # a variable's are filled in before Snakemake sees them
        raise ValueError(f"{short(value)} has braces, which Snakemake takes for wildcards; rename the file")
    return value


def _place(value: str) -> str:
    """A path with `~` and `$NAME` filled in, once for all that read it."""
    filled = os.path.expanduser(os.path.expandvars(value))
    undefined = re.search(r"\$(\w+|\{[^}]*\})", filled)
    if undefined and not os.path.exists(filled):  # a name may hold a dollar
        raise ValueError(
            f"{short(value)}: the environment has no {undefined[0]}; set it before the run, or write the path out"
        )
    if filled.startswith("~"):
        raise ValueError(
            f"{short(value)}: there is no user {Path(filled).parts[0][1:]} with a home; write the path out"
        )
    if not filled.strip():
        raise ValueError(f"{short(value)} is empty once its variables are filled in; write the path out")
    return filled


def _settings(values: dict[str, Any]) -> dict[str, Any]:
    """Settings that others read: checked to be what JSON has, of which specs are made."""
    if problem := _not_json(values):
        raise ValueError(problem)
    return values


def _not_json(value: object) -> str | None:
    if isinstance(value, dict):
        for key, below in value.items():
            if not isinstance(key, str):
                return f"{short(key)}: a key must be a text; write it in quotes"
            if problem := _not_json(below):
                return f"{printable(key)}: {problem}"
        return None
    if isinstance(value, list):
        return next(filter(None, map(_not_json, value)), None)
    if isinstance(value, float) and not math.isfinite(value):
        return f"a finite number is needed, not {value}"
    if value is None or isinstance(value, bool | int | float | str):
        return None
    return f"a number, a text, a list or a block of keys is needed, not {short(value)}"


Number = Annotated[float, BeforeValidator(_number)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]  # what random generators of NumPy and transformers take
Text = Annotated[str, AfterValidator(_text)]
DataFile = Annotated[Text, AfterValidator(_without_braces)]
Place = Annotated[str, AfterValidator(_text), AfterValidator(_place)]
Settings = Annotated[dict[str, Any], AfterValidator(_settings)]
Scalar = bool | int | float | str
Values = Annotated[list[Annotated[Scalar, BeforeValidator(_number)]], Field(min_length=1)]
Grid = Annotated[dict[Text, Values], Field(min_length=1)]

# those of transformers that need no arguments beside the steps, and no evaluations during the training
Scheduler = Literal[
    "linear", "cosine", "cosine_with_restarts", "polynomial", "constant", "constant_with_warmup", "inverse_sqrt"
]
POLYNOMIAL_END = 1e-7  # the learning rate at which `polynomial` ends

# those of transformers' Trainer
Tracker = Literal[
    "azure_ml",
    "clearml",
    "codecarbon",
    "comet_ml",
    "dagshub",
    "dvclive",
    "flyte",
    "kubeflow",
    "mlflow",
    "neptune",
    "swanlab",
    "tensorboard",
    "trackio",
    "wandb",
]
