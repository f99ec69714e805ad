"""Which names of a piece of code are global and which are local, as Python's own compiler decides it."""

import ast
import dis
import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import CodeType

_READS = {"LOAD_GLOBAL", "LOAD_NAME", "STORE_GLOBAL", "DELETE_GLOBAL"}
_BINDS = {"STORE_NAME", "DELETE_NAME"}
_OF_INTEREST = {dis.opmap[name]: name for name in _READS | _BINDS}


@dataclass(frozen=True)
class Scopes:
    """Names of some statements at module level.

    Attributes:
        bound: names that the statements bind in the module.
        read: global names that they read, or bind by `global`, anywhere in them.
        local: names that a function, class, comprehension or lambda in them binds for itself. A name may be read as a
            global in one place and be local in another.
    """

    bound: frozenset[str]
    read: frozenset[str]
    local: frozenset[str]


def scopes(statements: Sequence[ast.stmt]) -> Scopes:
    """The names of statements at the top of a module.

    Raises:
        SyntaxError: the compiler refuses them.
    """
    module = ast.Module(body=list(statements), type_ignores=[])
    # -O would leave out assertions, and this file's own __future__ imports are none of the statements'
    top = compile(module, "<definition>", "exec", dont_inherit=True, optimize=0)
    bound: set[str] = set()
    read: set[str] = set()
    local: set[str] = set()
    for code in _with_inner(top):
        local.update(code.co_varnames, code.co_cellvars, code.co_freevars)
        for operation, name in _names(code):
            if operation in _READS:
                read.add(name)
            else:
                (bound if code is top else local).add(name)
    return Scopes(frozenset(bound), frozenset(read), frozenset(local))


def _with_inner(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if inspect.iscode(constant):
            yield from _with_inner(constant)


def _names(code: CodeType) -> Iterator[tuple[str, str]]:
    """Operations on names, with the name. Read from the bytes: `dis.get_instructions` takes most of a second here."""
    high = 0
    for operation, low in zip(code.co_code[::2], code.co_code[1::2], strict=True):
        argument = high | low
        high = argument << 8 if operation == dis.EXTENDED_ARG else 0
        if kind := _OF_INTEREST.get(operation):
            # the lowest bit of LOAD_GLOBAL's argument says whether a call follows
            yield kind, code.co_names[argument >> 1 if kind == "LOAD_GLOBAL" else argument]
