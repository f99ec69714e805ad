"""The settings of a stage as typed, frozen classes: what its result depends on, and what only tells how to run.

Each stage's module has a class `Settings`, whose fields are the keys of its `spec`, and where it reads any a class
`Runtime`, whose fields are those keys of the config's `runtime` block that it obeys. A field of `Settings` reruns the
stage when its value changes, one of `Runtime` never does. Defaults are in the config's models, which show them to
editors; here only what a study may leave unset has one, None, and what is None is in no spec: so a new key reruns
nothing until a study sets it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, TypeVar, dataclass_transform

from pydantic import ConfigDict, TypeAdapter, ValidationError

from clearminds.errors import UserError

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def settings(cls: type[T]) -> type[T]:
    """A frozen dataclass that refuses unknown keys when it is parsed."""
    cls = dataclass(frozen=True)(cls)
    cls.__pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[attr-defined]  # pydantic's own protocol
    return cls


def parse(cls: type[T], values: object, where: str) -> T:
    """Settings from what JSON made of them.

    Args:
        cls: a class made by `settings`.
        values: its fields by name, nested as its fields are.
        where: what an error calls them, such as `--spec`.

    Raises:
        UserError: a key is missing, unknown, or of another type.
    """
    try:
        return TypeAdapter(cls).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ": ".join([where, *map(str, first["loc"])])
        unknown = first["type"] in ("unexpected_keyword_argument", "extra_forbidden")
        problem = "unknown key" if unknown else f"{first['msg'][0].lower()}{first['msg'][1:]}"
        raise UserError(f"{place}: {problem}; known here: {', '.join(f.name for f in fields(cls))}") from error  # type: ignore[arg-type]  # `settings` made a dataclass of it


def chosen(cls: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a class from a larger block, in its order, without those that are None."""
    return {f.name: values[f.name] for f in fields(cls) if values.get(f.name) is not None}


def as_keys(value: Any) -> Any:
    """Settings as JSON has them: nested dictionaries without what is None. The inverse of `parse`."""
    if is_dataclass(value):
        found = {f.name: as_keys(getattr(value, f.name)) for f in fields(value)}
        return {name: below for name, below in found.items() if below is not None}
    return value
