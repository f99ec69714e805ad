"""`template:` of a task: the texts of an example, rendered by Jinja from a row of a data set.

The columns of a row are variables of a template, `row` is all of them; a column that may be missing is asked for by
`is defined`. Where a template has choices, its texts also know `options`, each with `label` and `text`, and `right`,
the right one of them. Beside Jinja's own filters there are those of `FILTERS`.
"""

from __future__ import annotations

import json
import re
import string
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from jinja2 import meta, nodes
from jinja2.sandbox import SandboxedEnvironment

from clearminds.errors import UserError, one_line
from clearminds.files.digests import digest
from clearminds.files.user_path import user_path
from clearminds.plugins.boxed import boxed
from clearminds.plugins.sqlite_schema import schema
from clearminds.plugins.task_kinds.nulls import NAMED, named_nulls, refuse_nulls

LISTS = ("choices", "labels", "gold")  # expressions; all else are texts
_schema = cache(schema)


def _boxed(text: str) -> str:
    if (content := boxed(text)) is None:
        raise UserError("boxed: there is no closed \\boxed{...} in this text")
    return content


FILTERS: dict[str, Callable] = {
    # a text with what a regular expression finds replaced
    "sub": lambda text, pattern, replacement: re.sub(pattern, replacement, text),
    "boxed": _boxed,
    # an order that depends on the texts and a key alone, for data whose right choice is always the first
    "shuffled": lambda texts, key: sorted(texts, key=lambda text: digest([key, text])),
}
LETTERS = list(string.ascii_uppercase)
OF_CHOICES = {"options", "right"}


class Template:
    """A compiled template.

    Args:
        texts: Jinja templates and expressions, by what they are of an example.
        functions: what they may call beside Jinja's own.

    Raises:
        UserError: one is no template, or uses a filter that does not exist; names it.
    """

    def __init__(self, texts: dict[str, str], functions: dict[str, Callable] | None = None):
        environment = SandboxedEnvironment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
        environment.filters |= FILTERS
        refuse_nulls(environment)
        environment.globals |= {"letters": LETTERS, **(functions or {})}
        self._made = set(environment.globals) | (OF_CHOICES if "choices" in texts else set())
        self._texts, self._lists = {}, {}
        self.required: set[str] = set()
        self.optional: set[str] = set()
        for key, text in texts.items():
            try:
                self._read(environment, f"{{{{ {text} }}}}" if key in LISTS else text)
                if key in LISTS:
                    self._lists[key] = environment.compile_expression(text, undefined_to_none=False)
                else:
                    self._texts[key] = environment.from_string(named_nulls(environment, text))
            except jinja2.TemplateAssertionError as error:  # a filter or test that does not exist
                jinjas = sorted(set(environment.filters) - set(FILTERS) - {NAMED})
                raise UserError(
                    f"template: {key}: {(error.message or '').rstrip('.')}; the filters are {', '.join(FILTERS)} and "
                    f"Jinja's: {', '.join(jinjas)}"
                ) from error
            except jinja2.TemplateError as error:
                raise UserError(f"template: {key}: {one_line(error)}; correct the template") from error
        self.required -= self.optional

    def _read(self, environment: jinja2.Environment, text: str) -> None:
        tree = environment.parse(text)
        self.required |= meta.find_undeclared_variables(tree)
        asked = (test.node for test in tree.find_all(nodes.Test) if test.name == "defined")
        self.optional |= {node.name for node in asked if isinstance(node, nodes.Name)}

    def columns(self, where: str, found: Iterable[str]) -> list[str]:
        """The columns that it reads.

        Args:
            where: the data, or a row of them.
            found: the columns that are there.

        Raises:
            UserError: one that it cannot do without is not there.
        """
        there = list(found)
        if "row" in self.required and "row" not in there:
            return there
        missing = sorted(name for name in self.required if name not in there and name not in self._made)
        if missing:
            raise UserError(
                f"{where}: no column {', '.join(map(repr, missing))}, which the template reads; found: "
                f"{', '.join(there)}"
            )
        return [name for name in there if name in self.required | self.optional]

    def render(self, where: str, record: dict) -> dict[str, Any]:
        """The parts of an example: texts; lists of texts for choices and labels; for gold its place among them.

        Args:
            where: the row, for error messages.
            record: the row.

        Raises:
            UserError: a part cannot be made of this row.
        """
        names = {"row": record, **record}
        parts = self._rendered(where, list(self._lists), names)
        if "choices" in parts:
            parts = _with_gold(where, parts)
            options = [
                {"label": label, "text": text} for label, text in zip(parts["labels"], parts["choices"], strict=True)
            ]
            names |= {"options": options, "right": options[parts["gold"]]}
        return parts | self._rendered(where, list(self._texts), names)

    def _rendered(self, where: str, keys: list[str], names: dict[str, Any]) -> dict[str, Any]:
        parts: dict[str, Any] = {}
        for key in keys:
            try:
                parts[key] = self._texts[key].render(names) if key in self._texts else self._lists[key](names)
                if isinstance(parts[key], jinja2.Undefined):
                    str(parts[key])  # raises what is missing
            except UserError as error:
                raise UserError(f"{where}: template: {key}: {error}") from error
            except Exception as error:  # whatever an expression over data may raise
                raise UserError(
                    f"{where}: template: {key}: {one_line(error)}; correct the row or the template"
                ) from error
        return parts


def _with_gold(where: str, parts: dict[str, Any]) -> dict[str, Any]:
    choices = parts["choices"] = _texts_of(where, "choices", parts["choices"])
    if len(choices) < 2:
        raise UserError(f"{where}: choices: at least two are needed; found {len(choices)}")
    labels = parts["labels"] = _texts_of(where, "labels", parts.get("labels", LETTERS[: len(choices)]))
    if len(labels) != len(choices) or len(set(labels)) != len(labels):
        raise UserError(f"{where}: labels: one for each of the {len(choices)} choices is needed; found {labels}")
    gold = parts["gold"]
    if isinstance(gold, str):
        gold = labels.index(gold) if gold in labels else int(gold) if gold.isdecimal() else gold
    if isinstance(gold, bool) or not isinstance(gold, int) or not 0 <= gold < len(choices):
        raise UserError(
            f"{where}: gold: {gold!r} is neither one of the labels {', '.join(labels)} nor a place from 0 to "
            f"{len(choices) - 1}"
        )
    return {**parts, "gold": gold}


def _texts_of(where: str, key: str, values: object) -> list[str]:
    if not isinstance(values, list | tuple):
        raise UserError(f"{where}: {key}: a list is needed, not {type(values).__name__}")
    if bad := [value for value in values if not isinstance(value, str) or not value.strip()]:
        raise UserError(f"{where}: {key}: {bad[0]!r} is no text")
    return list(values)


def template_of(spec: dict) -> Template | None:
    """The template of a task's block, with what it may ask of the task's databases; None where it has columns."""
    if not spec.get("template"):
        return None
    return _compiled(json.dumps(spec["template"], sort_keys=True), spec.get("databases"))


@cache
def _compiled(texts: str, databases: str | None) -> Template:
    given = {key: text for key, text in json.loads(texts).items() if text is not None}
    return Template(given, {"schema": lambda name: _schema(database_file(databases, name))})


def database_file(databases: str | None, name: str) -> Path:
    """The SQLite file of a database.

    Raises:
        UserError: there are no databases, or none of this name.
    """
    if databases is None:
        raise UserError(
            "databases: missing; name the folder that holds a folder of SQLite files for each database (one for this "
            "split too, where splits have their own)"
        )
    if not re.fullmatch(r"\w[\w. -]*", name):
        raise UserError(f"{name!r} is not the name of a database")
    file = (user_path(databases) / name / name).with_suffix(".sqlite").absolute()
    if not file.is_file():
        raise UserError(f"databases: there is no file {file}; name the folder in which database {name} is a folder")
    return file
