"""Refuses nulls in the texts of a template, where Jinja would write the word "None" for them."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import jinja2
from jinja2 import nodes

from clearminds.errors import UserError

NAMED = "__named"  # the filter that each expression of a text goes through
TAKE_NULL = {"default", "d", "tojson", "pprint", NAMED}  # filters that a null may be given to


def refuse_nulls(environment: jinja2.Environment) -> None:
    """Make the filters refuse a null in place of a value, and `join` a text in place of a list."""
    environment.filters[NAMED] = _named
    for name, function in list(environment.filters.items()):
        if name not in TAKE_NULL:
            environment.filters[name] = _refusing(name, function)


def named_nulls(environment: jinja2.Environment, text: str) -> nodes.Template:
    """The parsed template, in which a null that would become a text is refused by the names that it comes from."""
    tree = environment.parse(text)
    joins: list[nodes.Output | nodes.Concat] = [*tree.find_all(nodes.Output), *tree.find_all(nodes.Concat)]
    for join in joins:
        join.nodes = [node if isinstance(node, nodes.TemplateData) else _through(node) for node in join.nodes]
    for call in list(tree.find_all(nodes.Filter)):
        if call.name not in TAKE_NULL and call.node is not None:
            call.node = _through(call.node)
    tree.set_environment(environment)
    return tree


def _through(node: nodes.Expr) -> nodes.Expr:
    if isinstance(node, nodes.Const):
        return node
    names = [node.name] if isinstance(node, nodes.Name) else sorted({one.name for one in node.find_all(nodes.Name)})
    said = f"{names[0]!r}" if isinstance(node, nodes.Name) else f"an expression of {', '.join(map(repr, names))}"
    return nodes.Filter(node, NAMED, [nodes.Const(said)], [], None, None, lineno=node.lineno)


def _named(value: object, said: str) -> object:
    if value is None:
        raise UserError(f"{said} is empty (null); fill it in, take the row out, or write what stands for it")
    return value


def _refusing(name: str, function: Callable) -> Callable:
    place = 1 if hasattr(function, "jinja_pass_arg") else 0  # behind the context, which some are given

    @wraps(function)
    def refusing(*given: Any, **keys: Any) -> Any:
        if len(given) <= place:
            return function(*given, **keys)
        value = given[place]
        if value is None:
            raise UserError(f"{name}: its value is empty (null); fill it in or take the row out")
        if name == "join" and not isinstance(value, jinja2.Undefined):
            if isinstance(value, str):
                raise UserError(f"join: a list is needed, not one text; write it as a list, as in {[value[:40]]}")
            value = list(value)
            if None in value:
                raise UserError("join: an item of the list is empty (null); fill it in or take it out")
        return function(*given[:place], value, *given[place + 1 :], **keys)

    return refusing
