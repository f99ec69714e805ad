"""The process of one program: runs it, then answers what its tests ask. Nothing here is believed by anyone."""

from __future__ import annotations

import builtins
import json
import os
import sys
import types

from clearminds.sandbox.inside.confine import confine, connection
from clearminds.sandbox.inside.frames import BadMessage, Channel, Closed
from clearminds.sandbox.inside.wire import decode, encode

TYPE_CHECKING = False  # importing `typing` would take longer than most programs
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_MUTABLE = (list, dict, set, bytearray)


class Candidate:
    """A program, run, and what it has handed out.

    Args:
        channel: to its tests.
    """

    def __init__(self, channel: Channel):
        self._channel = channel
        self._module = types.ModuleType("program")
        self._given: list[Any] = []

    def run(self, source: str) -> None:
        """Runs the program as a module."""
        sys.modules["program"] = self._module
        exec(compile(source, "<program>", "exec", dont_inherit=True), self._module.__dict__)

    def serve(self) -> None:
        """Answers requests until the tests have gone."""
        while True:
            try:
                request = self._channel.receive()
            except Closed:
                os._exit(0)
            self._answer(request)

    def _answer(self, request: Any) -> None:
        number, what, *details = request
        try:
            reply = [number, *getattr(self, f"_do_{what}")(*details)]
        except StopIteration as error:
            reply = [number, "stop"] if what == "next" else [number, *self._raised(error)]
        except BaseException as error:  # also exits: the tests are told
            reply = [number, *self._raised(error)]
        try:
            self._channel.send(reply)
        except BadMessage as error:
            self._channel.send([number, "raise", ["builtin", "ValueError"], [str(error)]])

    def _raised(self, error: BaseException) -> list:
        texts = []
        for argument in error.args[:8]:
            try:
                texts.append(encode(argument))
            except Exception:
                texts.append(f"<{type(argument).__name__}>")
        return ["raise", self._class(type(error)), texts]

    def _class(self, kind: type) -> list:
        base = next(c for c in kind.__mro__ if getattr(builtins, c.__name__, None) is c)
        return (
            ["builtin", kind.__name__]
            if base is kind
            else ["exception", self._give(kind), kind.__name__, base.__name__]
        )

    def _give(self, value: Any) -> int:
        for number, given in enumerate(self._given[:256]):
            if given is value:
                return number
        self._given.append(value)
        return len(self._given) - 1

    def _form(self, value: Any) -> Any:
        return encode(value, self._other)

    def _other(self, value: Any) -> list:
        if isinstance(value, type) and issubclass(value, BaseException):
            return self._class(value)
        return ["handle", self._give(value)]

    def _value(self, form: Any) -> Any:
        return decode(form, self._back)

    def _back(self, form: list) -> Any:
        if form[0] == "handle":
            return self._given[form[1]]
        if form[0] == "iterator":
            return iter([self._value(part) for part in form[1:]])
        if form[0] == "builtin":
            return getattr(builtins, form[1])
        if form[0] == "callback":
            return lambda *arguments: self._call_back(form[1], arguments)
        raise BadMessage("not the form of a value")

    def _call_back(self, number: int, arguments: tuple) -> Any:
        self._channel.send(["callback", number, [self._form(argument) for argument in arguments]])
        while True:
            message: Any = self._channel.receive()
            if message[0] == "back":
                return self._value(message[1])
            if message[0] == "failed":
                raise getattr(builtins, message[1], Exception)(message[2])
            self._answer(message)

    def _do_program(self, source: str) -> list:
        self.run(source)
        return ["value", None, []]

    def _do_names(self, names: list[str]) -> list:
        there = self._module.__dict__
        return ["names", [[name, self._form(there[name])] for name in names if name in there]]

    def _do_call(self, number: int, positional: list, named: list) -> list:
        arguments = [self._value(form) for form in positional]
        by_name = {name: self._value(form) for name, form in named}
        everything = [*arguments, *by_name.values()]
        result = self._given[number](*arguments, **by_name)
        changed = []
        for place, (argument, before) in enumerate(zip(everything, [*positional, *(f for _, f in named)], strict=True)):
            if isinstance(argument, _MUTABLE) and (now := self._form(argument)) != before:
                changed.append([place, now])
        return ["value", self._form(result), changed]

    def _do_attribute(self, number: int, name: str) -> list:
        return ["value", self._form(getattr(self._given[number], name)), []]

    def _do_set_attribute(self, number: int, name: str, value: Any) -> list:
        setattr(self._given[number], name, self._value(value))
        return ["value", None, []]

    def _do_item(self, number: int, key: Any) -> list:
        return ["value", self._form(self._given[number][self._value(key)]), []]

    def _do_set_item(self, number: int, key: Any, value: Any) -> list:
        self._given[number][self._value(key)] = self._value(value)
        return ["value", None, []]

    def _do_length(self, number: int) -> list:
        return ["value", len(self._given[number]), []]

    def _do_truth(self, number: int) -> list:
        return ["value", bool(self._given[number]), []]

    def _do_text(self, number: int) -> list:
        return ["value", self._form(str(self._given[number])), []]

    def _do_iterate(self, number: int) -> list:
        iterator: Iterator = iter(self._given[number])
        return ["value", ["handle", self._give(iterator)], []]

    def _do_next(self, number: int) -> list:
        return ["value", self._form(next(self._given[number])), []]

    def _do_instance(self, number: int, form: Any) -> list:
        return ["value", isinstance(self._value(form), self._given[number]), []]


def main() -> None:
    """Called by the host with the settings of `confine` as the only argument."""
    settings = json.loads(sys.argv[1])
    channel = Channel(connection())
    sys.argv = ["program"]
    confine(settings)
    channel.send(["ready"])
    Candidate(channel).serve()
