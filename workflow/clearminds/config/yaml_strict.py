"""Reading YAML without the two silent errors: the last of two equal keys, and a parser's traceback."""

from pathlib import Path

import yaml

from clearminds.errors import UserError


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
        if key in seen:
            raise UserError(
                f"{loader.name}: key {key!r} appears twice, in lines {seen[key]} and {line}; YAML would keep the last: "
                "rename one"
            )
        seen[key] = line
    loader.flatten_mapping(node)  # after the check: a key beside `<<` may override a merged one
    return {loader.construct_object(k, deep=True): loader.construct_object(v, deep=True) for k, v in node.value}


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def load_yaml(path: Path) -> dict:
    """Read a YAML mapping; UserError names file and line of a syntax error or of a duplicate key."""
    try:
        with open(path, encoding="utf-8") as handle:
            found = yaml.load(handle, Loader=_Loader)
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text (byte {error.start}); save the file as UTF-8") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); give the path of a study's YAML file") from error
    if not isinstance(found, dict):
        raise UserError(f"{path}: holds no keys; a study needs at least models, tasks, targets and variants")
    return found
