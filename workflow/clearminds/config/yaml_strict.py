"""Reading YAML without its silent errors, the last of two equal keys and texts read as other things, and without a
parser's traceback."""

import re
from datetime import date
from pathlib import Path

import yaml

from clearminds.errors import UserError, one_line


class _Loader(yaml.SafeLoader):
    pass


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict:
    seen: dict[object, int] = {}
    for key_node, _ in node.value:
        if key_node.tag == "tag:yaml.org,2002:merge":
            continue
        key, line = loader.construct_object(key_node, deep=True), key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            raise UserError(
                f"{loader.name}: line {line}: a key must be a word or a number, not {key!r}; quote it or indent it"
            )
        if isinstance(key, bool):
            raise UserError(
                f"{loader.name}: line {line}: YAML reads the key {key_node.value} as {str(key).lower()}; write it in "
                "quotes"
            )
        if key in seen:
            raise UserError(
                f"{loader.name}: key {key!r} appears twice, in lines {seen[key]} and {line}; YAML would keep the last: "
                "rename one"
            )
        seen[key] = line
    loader.flatten_mapping(node)  # after the check: a key beside `<<` may override a merged one
    return {loader.construct_object(k, deep=True): loader.construct_object(v, deep=True) for k, v in node.value}


def _whole_number(loader: _Loader, node: yaml.ScalarNode) -> int:
    value = loader.construct_yaml_int(node)
    if ":" in node.value or re.fullmatch(r"[+-]?0[0-9_]+", node.value):
        raise _misread(loader, node, str(value))
    return value


def _number(loader: _Loader, node: yaml.ScalarNode) -> float:
    value = loader.construct_yaml_float(node)
    if ":" in node.value:
        raise _misread(loader, node, str(value))
    return value


def _date(loader: _Loader, node: yaml.ScalarNode) -> date:
    raise _misread(loader, node, "a date")


def _misread(loader: _Loader, node: yaml.ScalarNode, value: str) -> UserError:
    return UserError(
        f"{loader.name}: line {node.start_mark.line + 1}: YAML reads {node.value} as {value}; write a text in quotes, "
        "a number with neither a colon nor a zero before it"
    )


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
_Loader.add_constructor("tag:yaml.org,2002:int", _whole_number)
_Loader.add_constructor("tag:yaml.org,2002:float", _number)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _date)


def load_yaml(path: Path) -> dict:
    """Read a YAML mapping; UserError names file and line of a syntax error or of a duplicate key."""
    try:
        with open(path, encoding="utf-8") as handle:
            found = yaml.load(handle, Loader=_Loader)
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML: {one_line(error)}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text (byte {error.start}); save the file as UTF-8") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); give the path of a study's YAML file") from error
    except RecursionError as error:
        raise UserError(f"{path}: blocks or lists are nested too deeply; a study needs about six levels") from error
    except (ValueError, LookupError) as error:  # of a number of thousands of digits, or a tag that does not fit
        raise UserError(f"{path}: a value cannot be read ({error}); write it as a plain number or text") from error
    if not isinstance(found, dict):
        raise UserError(f"{path}: holds no keys; a study needs at least models, tasks, targets and variants")
    return found
