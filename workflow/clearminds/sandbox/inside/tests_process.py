"""The process of tests: forks one child for each trial, which runs the tests against a program in another sandbox.

It lives as long as its worker. What its child writes last is the verdict; a child that dies before gives none.
"""

import ast
import builtins
import contextlib
import importlib
import json
import os
import socket
import sys
import traceback
import types
from typing import Any

from clearminds.sandbox.inside.confine import confine, connection
from clearminds.sandbox.inside.frames import Channel, Closed
from clearminds.sandbox.inside.handles import Program

# what tests use without an import, as data sets' own judges have them at hand
_USUAL = {"np": "numpy"}


def judge(trial: dict, program: Program) -> list[str]:
    """A trial's outcome (correct, incorrect, lost, missing, unjudgeable) and one line.

    Args:
        trial: `program`, `tests`, `setup`, `entry_point`: as `Trial` has them.
        program: the process that will run it.
    """
    if not program.started():
        return ["missing", "the program's process did not start"]
    module = types.ModuleType("tests")
    sys.modules["tests"] = module
    try:
        exec(compile(trial["setup"], "<setup>", "exec", dont_inherit=True), module.__dict__)
        code = compile(trial["tests"], "<tests>", "exec", dont_inherit=True)
        _import(trial["tests"])
    except Exception as error:
        return ["unjudgeable", f"its tests cannot be used: {type(error).__name__}: {error}"]
    try:
        program.run(trial["program"])
        module.__dict__.update(program.names(_wanted(trial, module.__dict__)))
        exec(code, module.__dict__)
        said = ["correct", ""]
    except BaseException as error:
        said = ["incorrect", _told(error, trial["tests"])]
    # whatever the tests made of these
    if program.unjudgeable:
        return ["unjudgeable", program.unjudgeable]
    if program.lost:
        return ["lost", program.lost]
    if said[0] == "correct" and not program.asked:
        return ["unjudgeable", "its tests never ask the program for anything"]
    return said


def _import(tests: str) -> None:
    """Make the imports of the tests' own level: what is not installed would fail every program.

    Raises:
        ImportError: it is not there.
    """
    imports: list[ast.stmt] = [node for node in ast.parse(tests).body if isinstance(node, ast.Import | ast.ImportFrom)]
    exec(compile(ast.Module(imports, []), "<tests>", "exec", dont_inherit=True), {})


def _wanted(trial: dict, there: dict) -> list[str]:
    """The names that the tests use and the program has to define; modules that they use are imported here."""
    called, used = set(), set()
    for node in ast.walk(ast.parse(trial["tests"])):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            used.add(node.id)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            called.add(node.func.id)
    wanted = {name for name in used if name not in there and not hasattr(builtins, name)}
    for name in sorted(wanted - called):
        module = _USUAL.get(name, name)
        if module in sys.stdlib_module_names or name in _USUAL:
            try:
                there[name] = importlib.import_module(module)
            except ImportError:
                continue
            wanted.discard(name)
    if trial["entry_point"]:
        there.pop(trial["entry_point"], None)
        wanted.add(trial["entry_point"])
    return sorted(wanted)


def _told(error: BaseException, tests: str) -> str:
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    lines = tests.splitlines()
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename == "<tests>" and frame.lineno and frame.lineno <= len(lines):
            return f"{lines[frame.lineno - 1].strip()[:120]}: {said[:150]}"
    return said[:200]


def _child(trial: dict, connected: int, verdict: int, settings: dict) -> None:
    confine({"limits": settings["child"], "uid": None})
    try:
        outcome = judge(trial, Program(Channel(connected)))
    except BaseException as error:
        outcome = ["incorrect", f"{type(error).__name__} while the tests ran"]
    os.write(verdict, json.dumps([outcome[0], outcome[1][:400]]).encode())
    os._exit(0)


def _fork(trial: dict, connected: int, settings: dict) -> list:
    """Runs a trial in a child. Returns its outcome, or `["died", its signal or None]`."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            _child(trial, connected, writer, settings)
        finally:
            os._exit(1)
    os.close(writer)
    os.close(connected)
    _, status = os.waitpid(child, 0)
    os.set_blocking(reader, False)
    try:
        said = os.read(reader, 2**16)
    except BlockingIOError:
        said = b""
    os.close(reader)
    return json.loads(said) if said else ["died", os.WTERMSIG(status) if os.WIFSIGNALED(status) else None]


def main() -> None:
    """Called by the host with the settings of `confine`, and `child`, as the only argument."""
    settings = json.loads(sys.argv[1])
    control = connection()
    confine(settings)
    channel, descriptor_source = Channel(control), socket.socket(fileno=control)
    while True:
        _, descriptors, _, _ = socket.recv_fds(descriptor_source, 1, 1)
        if not descriptors:
            return
        try:
            trial: Any = channel.receive()
        except Closed:
            return
        if "numpy" in trial["setup"] + trial["tests"]:
            with contextlib.suppress(ImportError):  # once, not in every child
                importlib.import_module("numpy")
        channel.send(_fork(trial, descriptors[0], settings))
