"""`template:` of a task: how a row of a data set becomes an example, as Jinja over its columns."""

from __future__ import annotations

from typing import Annotated

import jinja2
from pydantic import AfterValidator, model_validator

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

    prompt: Filled
    response: Filled | None = None
    answer: Filled | None = None
    choices: Expression | None = None
    labels: Expression | None = None
    gold: Expression | None = None
    tests: Filled | None = None
    setup: Filled | None = None
    entry_point: Filled | None = None
    database: Filled | None = None
    origin: Filled | None = None
    id: Filled | None = None

    @model_validator(mode="after")
    def _fit(self) -> Template:
        for key, needed in (("choices", "gold"), ("gold", "choices"), ("labels", "choices"), ("setup", "tests")):
            if getattr(self, key) and not getattr(self, needed):
                raise ValueError(f"{key}: needs {needed} beside it; add it or take {key} out")
        return self
