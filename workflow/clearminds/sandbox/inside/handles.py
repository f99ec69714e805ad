"""A program's objects as its tests see them: every use of one is a question to the program's process."""

import builtins
import collections
import types
from collections.abc import Callable, Iterator
from typing import Any

from clearminds.sandbox.inside.frames import BadMessage, Channel, Closed
from clearminds.sandbox.inside.wire import NoForm, decode, encode

_REPLACE: dict[type, Callable] = {
    list: lambda old, new: old.__setitem__(slice(None), new),
    bytearray: lambda old, new: old.__setitem__(slice(None), new),
}
for _kind in (dict, set, collections.OrderedDict, collections.Counter):
    _REPLACE[_kind] = lambda old, new: (old.clear(), old.update(new))


_BUILTINS = {value for value in vars(builtins).values() if isinstance(value, type | types.BuiltinFunctionType)}


class Lost(BaseException):
    """The program's process has ended, or talks nonsense: no test can go on. Args: message: what it did."""


class Unjudgeable(BaseException):
    """The tests do what cannot be done from outside of the program. Args: message: what."""


class Program:
    """The other process, as objects.

    Args:
        channel: to it.

    Attributes:
        asked: whether a test has made any use of it.
        lost: why no test can go on; "": they can.
        unjudgeable: what the tests did that cannot be done from outside; "": nothing.
    """

    def __init__(self, channel: Channel):
        self._channel = channel
        self._asked = 0
        self._callbacks: list[Callable] = []
        self._classes: dict[int, type] = {}
        self.asked = False
        self.lost = ""
        self.unjudgeable = ""

    def started(self) -> bool:
        """Waits until the process is there; False: it never came."""
        try:
            return self._channel.receive() == ["ready"]
        except (Closed, BadMessage):
            return False

    def run(self, source: str) -> None:
        """Runs the program; raises what it raises."""
        self.ask("program", source)

    def names(self, wanted: list[str]) -> dict[str, Any]:
        """What the program defines of these names."""
        found = self._exchange("names", wanted)
        if found[0] != "names" or len(found) != 2 or not isinstance(found[1], list):
            raise self._lose("the program's process sent no proper answer")
        values = {}
        for pair in found[1]:
            if not isinstance(pair, list) or len(pair) != 2 or pair[0] not in wanted:
                raise self._lose("the program's process sent no proper answer")
            values[pair[0]] = self._value(pair[1])
        self.asked = any(type(value) is not Handle for value in values.values())
        return values

    def ask(self, what: str, *details: Any) -> Any:
        """Asks for one thing, and gives its value or raises what the program raises."""
        return self._result(self._exchange(what, *details))

    def call(self, number: int, positional: tuple, named: dict) -> Any:
        """Calls a function of the program's; what it did to its arguments happens here too."""
        reply = self._exchange(
            "call", number, [self.form(a) for a in positional], [[k, self.form(v)] for k, v in named.items()]
        )
        result = self._result(reply)
        arguments = [*positional, *named.values()]
        for place, form in reply[2]:
            argument, new = arguments[place], self._value(form)
            if type(argument) is type(new) and type(argument) in _REPLACE:
                _REPLACE[type(argument)](argument, new)
        return result

    def next(self, number: int) -> Any:
        """The next value of an iterator of the program's."""
        reply = self._exchange("next", number)
        if reply[0] == "stop":
            raise StopIteration
        return self._result(reply)

    def form(self, value: Any) -> Any:
        """A value of the tests' as it crosses."""
        try:
            return encode(value, self._other)
        except NoForm as error:
            self.unjudgeable = f"the tests hand the program a value that cannot be sent: {error}"
            raise Unjudgeable(self.unjudgeable) from None

    def _other(self, value: Any) -> list:
        if type(value) is Handle:
            return ["handle", object.__getattribute__(value, "_number")]
        if isinstance(value, type | types.BuiltinFunctionType) and value in _BUILTINS:
            return ["builtin", value.__name__]
        if isinstance(value, Iterator):
            return ["iterator", *(encode(part, self._other) for part in value)]
        if isinstance(value, BaseException):  # the program's own, as it arrived: it must be able to come back
            return ["iterator", *(encode(part, self._other) for part in value.args)]
        if callable(value):
            self._callbacks.append(value)
            return ["callback", len(self._callbacks) - 1]
        raise NoForm(value)

    def _lose(self, why: str) -> Lost:
        """What to raise, and to remember: a test may swallow whatever is raised."""
        self.lost = self.lost or why
        return Lost(why)

    def _exchange(self, what: str, *details: Any) -> list:
        if self.lost:
            raise Lost(self.lost)
        self._asked += 1
        self.asked = self._asked > 2  # past the program and its names
        number = self._asked  # a function that is called back may ask in between
        try:
            self._channel.send([number, what, *details])
            while True:
                reply: Any = self._channel.receive()
                if isinstance(reply, list) and len(reply) == 3 and reply[0] == "callback":
                    self._call_back(reply[1], reply[2])
                    continue
                if not isinstance(reply, list) or len(reply) < 2 or reply[0] != number:
                    raise self._lose("the program's process sent no proper answer")
                return reply[1:]
        except Closed:
            raise self._lose("the program's process ended") from None
        except BadMessage as error:
            raise self._lose(f"the program's process sent no proper answer: {error}") from None

    def _call_back(self, number: Any, forms: Any) -> None:
        if not isinstance(number, int) or not 0 <= number < len(self._callbacks) or not isinstance(forms, list):
            raise BadMessage("no function to call back")
        try:
            answer = ["back", encode(self._callbacks[number](*[self._value(form) for form in forms]), self._other)]
        except Exception as error:  # also of what a program gave it, and has no form
            answer = ["failed", type(error).__name__, str(error)[:1000]]
        self._channel.send(answer)

    def _result(self, reply: list) -> Any:
        if reply[0] == "raise" and len(reply) == 3:
            raise self._error(reply)
        if reply[0] != "value" or len(reply) != 3 or not isinstance(reply[2], list):
            raise self._lose("the program's process sent no proper answer")
        return self._value(reply[1])

    def _error(self, reply: list) -> BaseException:
        kind, forms = self._value(reply[1]), reply[2]
        arguments = [self._value(form) for form in forms][:8]
        if not isinstance(kind, type) or not issubclass(kind, Exception):
            return self._lose(f"the program left by {getattr(kind, '__name__', kind)}")
        if issubclass(kind, StopIteration | StopAsyncIteration):  # it would end a loop of the tests
            return RuntimeError(f"the program raised {kind.__name__}")
        try:
            return kind(*arguments)
        except Exception:  # some take nothing but what suits them
            return Exception(f"{kind.__name__}: {arguments}")

    def _value(self, form: Any) -> Any:
        try:
            return decode(form, self._foreign)
        except BadMessage as error:
            raise self._lose(f"the program's process sent no proper answer: {error}") from None

    def _foreign(self, form: list) -> Any:
        if form[0] == "handle" and len(form) == 2 and isinstance(form[1], int):
            return Handle(self, form[1])
        if form[0] == "builtin" and len(form) == 2:
            return _exception(form[1])
        if form[0] == "exception" and len(form) == 4 and isinstance(form[1], int) and isinstance(form[2], str):
            if form[1] not in self._classes:
                name = "".join(c for c in form[2] if c.isprintable())[:100]
                self._classes[form[1]] = type(name, (_exception(form[3]),), {})
            return self._classes[form[1]]
        raise BadMessage("not the form of a value")


def _exception(name: Any) -> type:
    kind = getattr(builtins, name, None) if isinstance(name, str) else None
    if not isinstance(kind, type) or not issubclass(kind, BaseException) or issubclass(kind, BaseExceptionGroup):
        raise BadMessage("not the name of an exception")
    return kind


_ASKED_FOR = ("__name__", "__qualname__", "__doc__", "__dict__", "__module__", "__annotations__")


class Handle:
    """An object of the program's. It equals only itself, so that none can claim to be the value a test expects.

    Nor does it calculate or compare: what a test subtracts from an expected value would be for the program to say.

    Args:
        program: whose.
        number: its number there.
    """

    def __init__(self, program: Program, number: int):
        object.__setattr__(self, "_program", program)
        object.__setattr__(self, "_number", number)

    def __call__(self, *positional: Any, **named: Any) -> Any:
        return self._program.call(self._number, positional, named)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in _ASKED_FOR:  # libraries ask for some, and believe what they are told
            raise AttributeError(name)
        return self._program.ask("attribute", self._number, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._program.ask("set_attribute", self._number, name, self._program.form(value))

    def __getitem__(self, key: Any) -> Any:
        return self._program.ask("item", self._number, self._program.form(key))

    def __setitem__(self, key: Any, value: Any) -> None:
        self._program.ask("set_item", self._number, self._program.form(key), self._program.form(value))

    def __len__(self) -> int:
        return self._program.ask("length", self._number)

    def __bool__(self) -> bool:
        return self._program.ask("truth", self._number)

    def __str__(self) -> str:
        return self._program.ask("text", self._number)

    def __repr__(self) -> str:
        return "<an object of the program>"

    def __iter__(self) -> Any:
        return self._program.ask("iterate", self._number)

    def __next__(self) -> Any:
        return self._program.next(self._number)

    def __instancecheck__(self, value: Any) -> bool:
        return type(value) is Handle and self._program.ask("instance", self._number, self._program.form(value)) is True

    def __eq__(self, other: object) -> bool:
        return type(other) is Handle and self._number == object.__getattribute__(other, "_number")

    def __hash__(self) -> int:
        return hash(self._number)
