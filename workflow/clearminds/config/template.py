"""`template:` of a task: how a row of a data set becomes an example, as Jinja over its columns."""

from __future__ import annotations

from typing import Annotated

import jinja2
from pydantic import AfterValidator, Field, model_validator

from clearminds.config.strict import Strict
from clearminds.config.wording import short

_SYNTAX = jinja2.Environment()


def _filled(value: str) -> str:
    if not value.strip():
        raise ValueError("is empty; fill it in or take the key out")
    return value


def _template(value: str) -> str:
    try:
        _SYNTAX.parse(_filled(value))
    except jinja2.TemplateSyntaxError as error:
        raise ValueError(f"{short(value)} is no Jinja template: {error.message} in its line {error.lineno}") from None
    return value


def _expression(value: str) -> str:
    try:
        _SYNTAX.parse(f"{{{{ {_filled(value)} }}}}")
    except jinja2.TemplateSyntaxError as error:
        raise ValueError(
            f"{short(value)} is no Jinja expression: {error.message}; write it without braces, as in choices.text"
        ) from None
    if "{{" in value or "{%" in value:
        raise ValueError(f"{short(value)} is an expression; write it without braces, as in choices.text")
    return value


Filled = Annotated[str, AfterValidator(_template)]
Expression = Annotated[str, AfterValidator(_expression)]


class Template(Strict):
    """Texts are Jinja templates, `choices`, `labels` and `gold` Jinja expressions; all read a row's columns by name."""

    prompt: Filled = Field(description="the user's turn")
    response: Filled | None = Field(None, description="the reference")
    answer: Filled | None = Field(None, description="what a verifier compares with; null: the label of gold")
    choices: Expression | None = Field(None, description="a list of texts, beside gold")
    labels: Expression | None = Field(None, description="of the choices, a list; null: letters")
    gold: Expression | None = Field(None, description="the right choice: its label, or its place from 0")
    tests: Filled | None = Field(None, description="a program that fails where the answer is wrong")
    setup: Filled | None = Field(None, description="code that runs before the tests")
    entry_point: Filled | None = Field(
        None, description="the function to be written, of which setup may have the beginning"
    )
    database: Filled | None = Field(
        None, description="name of the SQLite file that a query reads, in databases of the task"
    )
    origin: Filled | None = Field(None, description="which item it is across data sets, for overlaps")
    id: Filled | None = Field(None, description="names the row in messages and tables; null: its place")

    @model_validator(mode="after")
    def _fit(self) -> Template:
        for key, needed in (("choices", "gold"), ("gold", "choices"), ("labels", "choices"), ("setup", "tests")):
            if getattr(self, key) and not getattr(self, needed):
                raise ValueError(f"{key}: needs {needed} beside it; add it or take {key} out")
        return self
