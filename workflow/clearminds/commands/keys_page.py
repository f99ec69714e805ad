"""`docs/keys.md`: every key of a study with its values, default and meaning, from the JSON schema of config.yaml.

A block of keys is a section. Blocks of which one is chosen (kinds of tasks, rules for weights) share a section: the
choices first, then their keys, those that several choices have in one row.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

HEAD = """# Every key of a study

`make schema` writes this page from `workflow/clearminds/config/`. NAME is a name of your own: letters, digits and
`.`, `_`, `-`. Defaults: "needed" is a key that has none, `null` is as if the key were not there. What must fit together
across keys is checked when a study is read. `config.yaml` and `studies/` show keys in use.
"""
TOP = "the study"
MOST = 2**31 - 1  # whole numbers up to here or further have no limit that a reader would meet
LIMITS = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "up to", "exclusiveMaximum": "below"}


@dataclass(frozen=True)
class Section:
    """One block of keys, or several of which one is chosen.

    Attributes:
        title: where it first is in a study.
        about: what it is; of several blocks empty.
        blocks: the schema of each, by what chooses it: "" where there is one.
        by: the key that chooses one of several.
    """

    title: str
    about: str
    blocks: dict[str, dict]
    by: str = ""


class _Keys:
    """The sections of a schema, found from its top on. Args: `config_schema.document()`."""

    def __init__(self, document: dict):
        self._blocks = document["$defs"]
        self.sections: dict[str, Section] = {}  # by what leads to one: a reference, or the choices
        self._find(TOP, document)

    def _find(self, title: str, node: dict) -> None:
        """Add the section of a block, of its choices or of a reference, and all that are below it."""
        if (key := _identity(node)) in self.sections:
            return
        self.sections[key] = section = self._section(title, node)
        below = "" if title == TOP else f"{title}: "
        for block in section.blocks.values():
            for name, found in block["properties"].items():
                for inner, suffix in self._inner(found):
                    self._find(f"{below}{name}{suffix}", inner)

    def _section(self, title: str, node: dict) -> Section:
        if "discriminator" in node:
            choices = {name: self._block(ref) for name, ref in node["discriminator"]["mapping"].items()}
            return Section(title, "", choices, node["discriminator"]["propertyName"])
        block = self._block(node["$ref"]) if "$ref" in node else node
        return Section(title, block.get("description", ""), {"": block})

    def _block(self, reference: str) -> dict:
        return self._blocks[reference.rpartition("/")[2]]

    def _inner(self, node: dict, suffix: str = "") -> Iterator[tuple[dict, str]]:
        """The blocks in a key's schema, each with what follows the key in its title."""
        if "$ref" in node or "discriminator" in node or "properties" in node:
            yield node, suffix
            return
        for inner in chain(node.get("anyOf", ()), (node[key] for key in ("items", "else") if key in node)):
            yield from self._inner(inner, suffix)
        if "if" in node:
            yield node["then"], f"{suffix} with {node['if']['required'][0]}"
        for inner in _values(node):
            yield from self._inner(inner, f"{suffix}: NAME")

    def words(self, node: dict) -> str:
        """The values that a key's schema allows."""
        *first, last = self._alternatives(node)
        return f"{', '.join(first)} or {last}" if first else last

    def _alternatives(self, node: dict) -> list[str]:
        if (key := _identity(node)) in self.sections:
            title = self.sections[key].title
            return [f"[{title}](#{_anchor(title)})"]
        if "if" in node:
            return [self.words(node["else"]), self.words(node["then"])]
        if "anyOf" in node:
            found: dict[str, None] = {}
            for inner in node["anyOf"]:
                words = [] if inner == {"type": "null"} else self._alternatives(inner)
                these = "items" in inner and found.keys() >= set(self._alternatives(inner["items"]))
                found |= dict.fromkeys(["list of these"] if these else words)
            return list(found)
        if "const" in node or "enum" in node:
            return [_code(value) for value in node.get("enum", [node.get("const")])]
        if node["type"] == "array":
            return [f"list: {self.words(node['items'])}"]
        if node["type"] == "object":
            name = "NAME" if "patternProperties" in node else "KEY"
            return [f"{name}: {self.words(one)}" for one in _values(node)] or ["block of keys"]
        return [_plain(node)]


def page(document: dict) -> str:
    """The page. Args: `config_schema.document()`."""
    keys = _Keys(document)
    return "\n".join([HEAD, *(_shown(section, keys) for section in keys.sections.values())])


def _shown(section: Section, keys: _Keys) -> str:
    lines = [f"## {section.title}", ""]
    if section.about and section.title != TOP:
        lines += [section.about, ""]
    if section.by:
        lines += [f"| `{section.by}` | what it is |", "|---|---|"]
        lines += [f"| `{name}` | {_cell(block['description'])} |" for name, block in section.blocks.items()]
        lines += ["", f"| key | of `{section.by}` | values | default | what it is |", "|---|---|---|---|---|"]
    else:
        lines += ["| key | values | default | what it is |", "|---|---|---|---|"]
    for (name, _), owners in _rows(section).items():
        found = section.blocks[owners[0]]["properties"][name]
        of = [_owners(owners, section.blocks)] if section.by else []
        default = _default(found, name in section.blocks[owners[0]].get("required", ()))
        cells = [f"`{name}`", *of, keys.words(found), default, _cell(found.get("description", ""))]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _rows(section: Section) -> dict[tuple[str, str], list[str]]:
    """By key and all that is said of it: the choices that have it so. What chooses one of them is no row."""
    found: dict[tuple[str, str], list[str]] = {}
    for choice, block in section.blocks.items():
        for name, node in block["properties"].items():
            if name != section.by:
                found.setdefault((name, json.dumps(node, sort_keys=True)), []).append(choice)
    return found


def _owners(owners: list[str], blocks: dict[str, dict]) -> str:
    others = [name for name in blocks if name not in owners]
    if not others:
        return "all"
    named = ", ".join(f"`{name}`" for name in (others if len(others) < len(owners) else owners))
    return f"all but {named}" if len(others) < len(owners) else named


def _identity(node: dict) -> str:
    """What a section is found by again, wherever its reference stands; empty: it is no section."""
    if "$ref" in node:
        return node["$ref"]
    if "discriminator" in node:
        return json.dumps(node["discriminator"]["mapping"], sort_keys=True)
    return json.dumps(node, sort_keys=True) if "properties" in node else ""


def _values(node: dict) -> list[dict]:
    """Schemas of the values of a mapping."""
    more = node.get("additionalProperties")
    return [*node.get("patternProperties", {}).values(), *([more] if isinstance(more, dict) else [])]


def _plain(node: dict) -> str:
    """A number, a text, or true and false, with its limits."""
    if node["type"] == "boolean":
        return "`true` or `false`"
    if node["type"] == "string":
        return "name" if "pattern" in node else "text"
    limits = dict(node)
    if whole := node["type"] == "integer":
        limits |= {"minimum": limits.pop("exclusiveMinimum") + 1} if "exclusiveMinimum" in limits else {}
        limits |= {"maximum": limits.pop("exclusiveMaximum") - 1} if "exclusiveMaximum" in limits else {}
        if limits.get("maximum", 0) >= MOST:
            del limits["maximum"]
    said = [f"{word} {limits[key]:,.15g}" for key, word in LIMITS.items() if key in limits]
    return " ".join(["whole number" if whole else "number", ", ".join(said)]).rstrip()


def _default(node: dict, required: bool) -> str:
    if required:
        return "needed"
    value = node.get("default")
    if isinstance(value, dict):
        return ", ".join(f"`{key}: {one}`" for key, one in value.items()) if "discriminator" in node else ""
    return _code(value)


def _code(value: object) -> str:
    text = f"{value:g}" if isinstance(value, float) else value if isinstance(value, str) else json.dumps(value)
    return f"`{text}`"


def _cell(text: str) -> str:
    """A description in a table: on one line, without the sign that ends a cell."""
    return " ".join(text.split()).replace("|", "\\|")


def _anchor(title: str) -> str:
    """A heading's address, as GitHub makes it."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
