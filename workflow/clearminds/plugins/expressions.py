"""A user's formula over columns, such as `where(entropy < 1.5, 1, exp(logprob))`: read, checked and computed.

Python's parser reads it, and nothing of it is ever run: what it may hold is listed here, everything else is refused
with its place in the formula.
"""

import ast
from collections.abc import Callable, Collection, Mapping
from difflib import get_close_matches

import numpy as np

LONGEST, DEEPEST = 2000, 40
NUMBER, TRUTH = "a number", "a comparison"
ARITHMETIC = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
}
COMPARISONS = {
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
}
# by name: what it takes, and how it is computed
FUNCTIONS: dict[str, tuple[tuple[str, ...], Callable]] = {
    "where": ((TRUTH, NUMBER, NUMBER), np.where),
    "exp": ((NUMBER,), np.exp),
    "log": ((NUMBER,), np.log),
    "sqrt": ((NUMBER,), np.sqrt),
    "abs": ((NUMBER,), np.abs),
    "min": ((NUMBER, NUMBER), np.minimum),
    "max": ((NUMBER, NUMBER), np.maximum),
    "clip": ((NUMBER, NUMBER, NUMBER), np.clip),
}
ALLOWED = f"numbers, columns, + - * / **, comparisons, and, or, not, {', '.join(FUNCTIONS)}"


class ExpressionError(ValueError):
    """A formula that cannot be computed; the message says where and why."""


def check(formula: str, columns: Collection[str]) -> None:
    """Refuse a formula that `compute` could not compute.

    Args:
        formula: the text.
        columns: the names that it may use.

    Raises:
        ExpressionError: names the place in the formula and what is allowed.
    """
    _check(formula, _parsed(formula), columns, 0)


def compute(formula: str, columns: Mapping[str, np.ndarray], length: int) -> np.ndarray:
    """float64 [length]: the formula's values, a comparison's as 1 and 0. They may be infinite, or not a number.

    Args:
        formula: a text that `check` takes.
        columns: arrays of numbers by name; only those that it names are asked for.
        length: of each.
    """
    with np.errstate(all="ignore"):  # where() computes both sides, and one of them may not be defined everywhere
        found = _compute(_parsed(formula), columns)
    return np.broadcast_to(np.asarray(found, np.float64), (length,))


def _parsed(formula: str) -> ast.expr:
    if len(formula) > LONGEST:
        raise ExpressionError(f"a formula of {len(formula):,} characters is longer than {LONGEST:,}; shorten it")
    try:
        # one line of a formula, wherever YAML broke it
        return ast.parse(" ".join(formula.split()), mode="eval").body
    except SyntaxError as error:
        place = f"column {error.offset}: " if error.offset else "at its end: "
        raise ExpressionError(f"{place}{error.msg}; allowed are {ALLOWED}") from None
    except (ValueError, MemoryError, RecursionError) as error:
        raise ExpressionError(f"it cannot be read ({error}); allowed are {ALLOWED}") from None


def _check(formula: str, node: ast.expr, columns: Collection[str], depth: int) -> str:
    """What a part of a formula gives: NUMBER or TRUTH."""

    def takes(part: ast.expr, kind: str) -> None:
        found = _check(formula, part, columns, depth + 1)
        if found != kind:
            raise _error(formula, part, f"{kind} belongs here, not {found}")

    if depth > DEEPEST:
        raise _error(formula, node, f"it is nested deeper than {DEEPEST}; write it flatter")
    match node:
        case ast.Constant(value=bool() | None) | ast.Constant(value=str() | bytes() | complex()):
            raise _error(formula, node, f"it is no number; allowed are {ALLOWED}")
        case ast.Constant(value=int() | float()):
            try:
                float(node.value)  # type: ignore[arg-type]  # narrowed by the pattern, which mypy doesn't see
            except OverflowError:
                raise _error(formula, node, "the number is too large") from None
            return NUMBER
        case ast.Name(id=name) if name in columns:
            return NUMBER
        case ast.Name(id=name):
            near = get_close_matches(name, columns, n=1)
            raise _error(formula, node, f"no such column; {_known(near, columns)}")
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
            takes(operand, NUMBER)
            return NUMBER
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            takes(operand, TRUTH)
            return TRUTH
        case ast.BinOp(op=op, left=left, right=right) if type(op) in ARITHMETIC:
            takes(left, NUMBER)
            takes(right, NUMBER)
            return NUMBER
        case ast.BoolOp(values=values):
            for value in values:
                takes(value, TRUTH)
            return TRUTH
        case ast.Compare(left=left, ops=ops, comparators=comparators) if all(type(op) in COMPARISONS for op in ops):
            for part in (left, *comparators):
                takes(part, NUMBER)
            return TRUTH
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in FUNCTIONS:
            kinds = FUNCTIONS[name][0]
            if len(arguments) != len(kinds):
                raise _error(formula, node, f"{name} takes {len(kinds)} arguments, not {len(arguments)}")
            for part, kind in zip(arguments, kinds, strict=True):
                takes(part, kind)
            return NUMBER
        case ast.Call(func=ast.Name(id=name)) if name not in FUNCTIONS:
            near = get_close_matches(name, FUNCTIONS, n=1)
            raise _error(formula, node, f"no such function; {_known(near, FUNCTIONS)}")
    raise _error(formula, node, f"not allowed; allowed are {ALLOWED}")


def _compute(node: ast.expr, columns: Mapping[str, np.ndarray]) -> np.ndarray | float | bool:
    match node:
        case ast.Constant(value=value):
            return float(value)  # type: ignore[arg-type]  # `check` took it
        case ast.Name(id=name):
            return columns[name].astype(np.float64)
        case ast.UnaryOp(op=op, operand=operand):
            found = _compute(operand, columns)
            return np.logical_not(found) if isinstance(op, ast.Not) else np.multiply(_sign(op), found)
        case ast.BinOp(op=op, left=left, right=right):
            return ARITHMETIC[type(op)](_compute(left, columns), _compute(right, columns))
        case ast.BoolOp(op=op, values=values):
            join = np.logical_and if isinstance(op, ast.And) else np.logical_or
            return join.reduce(np.broadcast_arrays(*(_compute(value, columns) for value in values)))
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            sides = [_compute(part, columns) for part in (left, *comparators)]
            pairs = zip(ops, sides, sides[1:], strict=False)
            return np.logical_and.reduce(np.broadcast_arrays(*(COMPARISONS[type(op)](a, b) for op, a, b in pairs)))
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return FUNCTIONS[name][1](*(_compute(part, columns) for part in arguments))
    raise AssertionError(ast.dump(node))  # `check` takes nothing else


def _sign(op: ast.unaryop) -> float:
    return -1.0 if isinstance(op, ast.USub) else 1.0


def _error(formula: str, node: ast.expr, why: str) -> ExpressionError:
    line = " ".join(formula.split()).encode()  # places are in bytes
    part = line[node.col_offset : node.end_col_offset].decode()
    shown = part if len(part) <= 60 else f"{part[:60]}..."
    return ExpressionError(f"column {len(line[: node.col_offset].decode()) + 1}, {shown!r}: {why}")


def _known(near: list[str], allowed: Collection[str]) -> str:
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(allowed)}"
