"""Values as JSON and back: what may cross between a program and its tests, as plain data only.

Scalars stand for themselves, everything else is a list that begins with its type's name. What has no form here is left
to the two sides, which may send a handle in its place. Reading never runs code of the value's: there is none in it.
"""

from __future__ import annotations

import collections
import math
import sys

from clearminds.sandbox.inside.frames import BadMessage

TYPE_CHECKING = False  # importing `typing` would take longer than most programs
if TYPE_CHECKING:
    from collections.abc import Callable
    from fractions import Fraction
    from typing import Any

DEEPEST = 150
_SAFE = 2**53
_LATER = ("datetime", "decimal", "fractions")  # modules that are imported with the first value of theirs
_SINGLETONS = {"Ellipsis": Ellipsis, "NotImplemented": NotImplemented}
_TYPES = {
    t.__name__: t
    for t in (bool, bytes, bytearray, complex, dict, float, frozenset, int, list, object, range, set, slice, str, tuple)
}
_SEQUENCES: dict[type, str] = {list: "list", tuple: "tuple", set: "set", frozenset: "frozenset"}
_BUILD: dict[str, Callable] = {name: t for t, name in _SEQUENCES.items()}


class NoForm(Exception):
    """A value has no plain form. Args: value: the one."""

    def __init__(self, value: object):
        super().__init__(f"a {type(value).__name__} cannot cross")
        self.value = value


def encode(value: Any, other: Callable[[Any], list] | None = None, depth: int = 0) -> Any:
    """A value as what JSON can hold.

    Args:
        value: what is sent.
        other: gives the form of what has none of its own, such as a handle; None: there is no such form.
        depth: how deep in another value it stands.

    Raises:
        NoForm: there is no form for it.
        BadMessage: it is nested too deeply.
    """
    if depth > DEEPEST:
        raise BadMessage(f"nested more than {DEEPEST} deep")
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is str:
        return value if value.isascii() or _encodable(value) else ["str", value.encode("utf-8", "surrogatepass").hex()]
    if kind is int:
        return value if -_SAFE < value < _SAFE else ["int", hex(value)]
    if kind is float:
        return value if math.isfinite(value) else ["float", repr(value)]

    def inner(part: Any) -> Any:
        return encode(part, other, depth + 1)

    if kind in _SEQUENCES:
        return [_SEQUENCES[kind], *map(inner, list(value))]
    if kind in (dict, collections.OrderedDict, collections.Counter):
        return [kind.__name__, *([inner(k), inner(v)] for k, v in list(value.items()))]
    if kind is collections.defaultdict:  # its factory stays behind
        return ["defaultdict", *([inner(k), inner(v)] for k, v in list(value.items()))]
    plain = _odd(value, kind, inner)
    if plain is not None:
        return plain
    if other is not None:
        return other(value)
    raise NoForm(value)


def _encodable(text: str) -> bool:
    """Whether JSON gives this text back: it would join two halves of a character that came apart."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _odd(value: Any, kind: type, inner: Callable) -> list | None:
    if kind is complex:
        return ["complex", inner(value.real), inner(value.imag)]
    if kind in (bytes, bytearray):
        return [kind.__name__, value.hex()]
    if kind is collections.deque:
        return ["deque", value.maxlen, *map(inner, list(value))]
    if kind in (range, slice):
        return [kind.__name__, inner(value.start), inner(value.stop), inner(value.step)]
    if kind.__module__ in _LATER and getattr(sys.modules[kind.__module__], kind.__name__, None) is kind:
        if kind.__name__ in ("Decimal", "Fraction"):
            return [kind.__name__, str(value)]
        if kind.__name__ in ("date", "datetime", "time") and getattr(value, "tzinfo", None) is None:
            return [kind.__name__, value.isoformat()]
        if kind.__name__ == "timedelta":
            return ["timedelta", value.days, value.seconds, value.microseconds]
    for name, singleton in _SINGLETONS.items():
        if value is singleton:
            return ["singleton", name]
    if isinstance(value, type) and value in _TYPES.values():
        return ["type", value.__name__]
    if kind in _VIEWS:
        return [kind.__name__, *map(inner, list(value))]
    if isinstance(value, tuple) and isinstance(fields := getattr(kind, "_fields", None), tuple):
        return ["namedtuple", list(map(str, fields)), *map(inner, tuple.__iter__(value))]
    return _base(value, inner)


def _base(value: Any, inner: Callable) -> list | Any:
    """A value of a class derived from a plain one, or one of NumPy's, as the plain one."""
    kind = type(value)
    if kind.__module__.partition(".")[0] == "numpy" and hasattr(kind, "tolist"):
        return inner(value.tolist())
    for plain in (int, float, str, list, tuple, set, frozenset, dict):
        if issubclass(kind, plain):
            return inner(plain(value))
    return None


_VIEWS: tuple[type, ...] = (type({}.keys()), type({}.values()), type({}.items()))


def decode(form: Any, other: Callable[[list], Any] | None = None, depth: int = 0) -> Any:
    """The value that `encode` made this of.

    Args:
        form: what JSON held.
        other: gives the value of a form that is not of a plain one; None: there is none.
        depth: how deep in another form it stands.

    Raises:
        BadMessage: it is no such form.
    """
    if depth > DEEPEST:
        raise BadMessage(f"nested more than {DEEPEST} deep")
    if form is None or isinstance(form, bool | int | float | str):
        return form
    if not isinstance(form, list) or not form or not isinstance(form[0], str):
        raise BadMessage("not the form of a value")

    def inner(part: Any) -> Any:
        return decode(part, other, depth + 1)

    name, parts = form[0], form[1:]
    try:
        if name in _BUILD:
            return _BUILD[name](map(inner, parts))
        if name in _READ:
            return _READ[name](parts, inner)
    except BadMessage:
        raise
    except Exception as error:  # whatever a constructor says of what an enemy sent
        raise BadMessage(f"no {name}: {type(error).__name__}") from None
    if other is not None:
        return other(form)
    raise BadMessage("not the form of a plain value")


def _pairs(parts: list, inner: Callable) -> list[tuple]:
    return [(inner(key), inner(value)) for key, value in parts]


def _hexadecimal(parts: list, inner: Callable) -> int:
    (text,) = parts
    return int(text, 16)


def _namedtuple(parts: list, inner: Callable) -> tuple:
    fields, *values = parts
    if len(fields) != len(values) or len(fields) > 64 or not all(isinstance(field, str) for field in fields):
        raise BadMessage("no namedtuple")
    return collections.namedtuple("Row", fields, rename=True)(*map(inner, values))


def _fraction(parts: list, inner: Callable) -> Fraction:
    from fractions import Fraction  # such values are rare, and it takes long to import

    (text,) = parts
    above, _, below = text.partition("/")
    return Fraction(int(above), int(below or "1"))


def _decimal(parts: list, inner: Callable) -> Any:
    from decimal import Decimal

    return Decimal(parts[0])


def _time(name: str) -> Callable[[list, Callable], Any]:
    def read(parts: list, inner: Callable) -> Any:
        import datetime

        kind = getattr(datetime, name)
        return kind(*parts) if name == "timedelta" else kind.fromisoformat(parts[0])

    return read


_READ: dict[str, Callable[[list, Callable], Any]] = {
    "int": _hexadecimal,
    "str": lambda parts, inner: bytes.fromhex(parts[0]).decode("utf-8", "surrogatepass"),
    "float": lambda parts, inner: {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[parts[0]],
    "complex": lambda parts, inner: complex(inner(parts[0]), inner(parts[1])),
    "bytes": lambda parts, inner: bytes.fromhex(parts[0]),
    "bytearray": lambda parts, inner: bytearray.fromhex(parts[0]),
    "dict": lambda parts, inner: dict(_pairs(parts, inner)),
    "OrderedDict": lambda parts, inner: collections.OrderedDict(_pairs(parts, inner)),
    "Counter": lambda parts, inner: collections.Counter(dict(_pairs(parts, inner))),
    "defaultdict": lambda parts, inner: collections.defaultdict(None, _pairs(parts, inner)),
    "deque": lambda parts, inner: collections.deque(map(inner, parts[1:]), parts[0]),
    "range": lambda parts, inner: range(*map(inner, parts)),
    "slice": lambda parts, inner: slice(*map(inner, parts)),
    "Decimal": _decimal,
    "Fraction": _fraction,
    **{name: _time(name) for name in ("date", "datetime", "time", "timedelta")},
    "singleton": lambda parts, inner: _SINGLETONS[parts[0]],
    "type": lambda parts, inner: _TYPES[parts[0]],
    "dict_keys": lambda parts, inner: dict.fromkeys(map(inner, parts)).keys(),
    "dict_values": lambda parts, inner: dict(enumerate(map(inner, parts))).values(),
    "dict_items": lambda parts, inner: dict(map(inner, parts)).items(),
    "namedtuple": _namedtuple,
}
