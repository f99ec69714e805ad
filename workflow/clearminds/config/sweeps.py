"""`sweep:` of a variant, a grid of values in one line, read as one variant for each combination of them.

The rest of the workflow knows these variants only. Each carries the values that it has, so that the report can draw a
curve.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import product
from math import prod
from typing import Any, get_args

from pydantic import BaseModel, TypeAdapter, ValidationError

from clearminds.config.blocks import Training, Variant
from clearminds.config.losses import Loss
from clearminds.config.values import Grid, Scalar
from clearminds.config.weights import Weights
from clearminds.config.wording import nearest, short

MOST = 200  # variants of one sweep: more are rather a slip than a plan
SHORT = {"learning_rate": "lr", "weight_decay": "wd"}  # in names of variants
BLOCKS = tuple(key for key in Variant.model_fields if key not in ("responses", "sweep", "swept"))


def with_sweeps(variants: Mapping[Any, Any]) -> dict[Any, Any]:
    """The variants of a study, with each sweep replaced by those that it stands for, in the order of its values.

    Args:
        variants: as the config has them, not checked yet; what is wrong in itself stays for that check.

    Raises:
        ValueError: a key of a sweep that there is none of or two, a value that no name can have, two variants of one
            name, or too many of them.
    """
    expanded: dict[Any, Any] = {}
    for name, variant in variants.items():
        grid = _grid(variant) if isinstance(name, str) else None
        made = {name: variant} if grid is None else _variants_of(name, variant, grid)
        if grid is not None and (twice := next((one for one in made if one in expanded or one in variants), None)):
            raise ValueError(f"variants: {name}: sweep: {twice} is another variant's name too; rename one of them")
        expanded |= made
    return expanded


def _grid(variant: Any) -> dict[str, list[Scalar]] | None:
    """The values of a sweep; None: there is none, or the check of the study will refuse it."""
    if not isinstance(variant, Mapping) or variant.get("sweep") is None:
        return None
    try:
        grid = TypeAdapter(Grid).validate_python(variant["sweep"])
    except ValidationError:
        return None
    return grid if all(isinstance(_block(variant, name), Mapping) for name in ("weights", "loss", "training")) else None


def _block(variant: Mapping[str, Any], name: str) -> Any:
    return {} if variant.get(name) is None else variant[name]


def _variants_of(name: str, variant: Mapping[str, Any], grid: dict[str, list[Scalar]]) -> dict[str, Any]:
    where = f"variants: {name}: sweep"
    if (count := prod(map(len, grid.values()))) > MOST:
        raise ValueError(f"{where}: {count:,} variants, of which one sweep makes {MOST} at most; take values out")
    paths = {key: _path(f"{where}: {key}", key, variant) for key in grid}
    for key, values in grid.items():
        _are_told_apart(f"{where}: {key}", values)
    labels = _labels(paths)
    found = {}
    for point in product(*grid.values()):
        one = {key: value for key, value in variant.items() if key != "sweep"}
        for (key, path), value in zip(paths.items(), point, strict=True):
            one = _put(f"{where}: {key}", one, path, value)
        parts = [f"-{labels[key]}{_named(value)}" for key, value in zip(paths, point, strict=True)]
        swept = {".".join(paths[key]): value for key, value in zip(paths, point, strict=True)}
        found[f"{name}{''.join(parts)}"] = {**one, "swept": {"sweep": name, "values": swept}}
    return found


def _path(where: str, key: str, variant: Mapping[str, Any]) -> list[str]:
    """Where in a variant a key of its sweep is: `tau` is `weights.tau`, where no other block has a key of this name."""
    block, *below = key.split(".")
    known = {"weights": _keys(Weights, variant), "loss": _keys(Loss, variant), "training": list(Training.model_fields)}
    if below and block in BLOCKS:
        if len(below) == 1 and block in known and below[0] not in known[block]:
            raise ValueError(f"{where}: {block} has no such key{nearest(below[0], known[block], 'it has')}")
        return [block, *below]
    found = [block for block, keys in known.items() if key in keys]
    if len(found) > 1:
        raise ValueError(f"{where}: a key of {' and '.join(found)}; write {' or '.join(f'{b}.{key}' for b in found)}")
    if not found:
        keys = [key for keys in known.values() for key in keys if key != "rule"]
        raise ValueError(f"{where}: unknown key{nearest(key, keys, 'of this variant can be swept')}")
    return [found[0], key]


def _keys(rules: Any, variant: Mapping[str, Any]) -> list[str]:
    """The keys of a variant's rule. Args: rules: the models of all, `Weights` or `Loss`."""
    models: tuple[type[BaseModel], ...] = get_args(get_args(rules)[0])
    chosen = _block(variant, "weights" if rules is Weights else "loss").get("rule")
    fields = (model.model_fields for model in models)
    return next((list(keys) for keys in fields if chosen in get_args(keys["rule"].annotation)), [])


def _are_told_apart(where: str, values: Sequence[Scalar]) -> None:
    names = [_named(value) for value in values]
    for n, (name, value) in enumerate(zip(names, values, strict=True)):
        if not re.fullmatch(r"[A-Za-z0-9._-]+", name):
            raise ValueError(
                f"{where}: {short(value)} can be no part of a variant's name, which has letters, digits, '.', '_' and "
                "'-'; write this variant out"
            )
        if name in names[:n] or any(_equal(value, other) for other in values[:n]):
            raise ValueError(f"{where}: {value!r} appears twice; take one out")


def _equal(one: Scalar, other: Scalar) -> bool:
    """Whether two values are one number, as "2" and "2.0" are."""
    try:
        return float(one) == float(other)
    except ValueError:
        return False


def _named(value: Scalar) -> str:
    """A value in a variant's name: of numbers their shortest form, of texts and of true and false behind a dash."""
    text = f"{value:.12g}" if isinstance(value, float) else str(value).lower() if value in (True, False) else str(value)
    return f"-{text}" if text[:1].isalpha() else text


def _labels(paths: Mapping[str, list[str]]) -> dict[str, str]:
    """What the keys of a sweep are called in names of variants: by their last part, where that tells them apart."""
    last = [path[-1] for path in paths.values()]
    return {
        key: SHORT.get(path[-1], path[-1]) if last.count(path[-1]) == 1 else ".".join(path)
        for key, path in paths.items()
    }


def _put(where: str, block: Any, path: Sequence[str], value: Scalar) -> Any:
    """A copy of a block with one value in it set; places of a list are numbers from 0 on."""
    first, *rest = path
    if isinstance(block, list):
        if not first.isdigit() or int(first) >= len(block):
            raise ValueError(f"{where}: {first} is no place of a list of {len(block)}, which are counted from 0")
        place = int(first)
        return [*block[:place], _put(where, block[place], rest, value) if rest else value, *block[place + 1 :]]
    if not isinstance(block, Mapping):
        raise ValueError(f"{where}: {first} is below {short(block)}, which has no keys; shorten the name")
    return {**block, first: _put(where, _block(block, first), rest, value) if rest else value}
