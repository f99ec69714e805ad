"""Hostile programs in the real sandbox: each gets the verdict of its header, and leaves the outside as it was."""

import contextlib
import os
import queue
import random
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hostile_outside import ROOT, Outside
from hostile_programs import PROGRAMS, Hostile

from clearminds.sandbox.limits import Limits
from clearminds.sandbox.programs import Result, Sandbox, SandboxError, Trial

LIMITS = Limits(cpu_seconds=1, wall_seconds=6, memory_mb=512)
NUMBER = {program.name: number for number, program in enumerate(PROGRAMS)}
# they wait for a limit of time
LONG = [program for program in PROGRAMS if "timeout" in program.verdicts]
SHORT = [program for program in PROGRAMS if "timeout" not in program.verdicts]

needs_bubblewrap = pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed")


@pytest.fixture(scope="module")
def outside():
    with Outside() as outside:
        yield outside


@pytest.fixture(scope="module")
def judged(outside):
    """The results, and what has changed outside by then, of the programs that are as long as the given one."""
    done: dict[str, tuple[dict[str, Result | str], dict[str, list[str]]]] = {}

    def of(program: Hostile) -> tuple[Result | str, dict[str, list[str]]]:
        programs = LONG if program in LONG else SHORT
        if program.name not in done:
            results, changes = one_by_one(programs, outside)
            done.update({name: (result, changes) for name, result in results.items()})
        return done[program.name]

    return of


def one_by_one(programs: list[Hostile], outside: Outside) -> tuple[dict[str, Result | str], dict[str, list[str]]]:
    """Runs each by itself, some at a time, so that an error of the sandbox is told of the program that made it."""
    waiting: queue.SimpleQueue = queue.SimpleQueue()
    for program in programs:
        waiting.put(program)
    results: dict[str, Result | str] = {}
    # a busy machine keeps those waiting that are to end by themselves
    limits = replace(LIMITS, wall_seconds=60) if programs is SHORT else LIMITS

    def work() -> None:
        with Sandbox(workers=1, limits=limits) as sandbox, contextlib.suppress(queue.Empty):
            while True:
                program = waiting.get_nowait()
                try:
                    [results[program.name]] = sandbox.run([trial(program, outside)])
                except SandboxError as error:
                    results[program.name] = str(error)

    threads = [threading.Thread(target=work) for _ in range(8 if programs is SHORT else 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results, outside.changes([outside.mark(NUMBER[program.name]) for program in programs])


def trial(program: Hostile, outside: Outside):
    return program.trial(outside.told(NUMBER[program.name]), outside.secret)


CASES = [
    pytest.param(program, id=program.name, marks=pytest.mark.slow if program in LONG else ()) for program in PROGRAMS
]


def test_there_are_many_and_honest_ones_among_them():
    assert len(PROGRAMS) >= 60
    assert len([program for program in PROGRAMS if program.name.startswith("honest_")]) >= 10
    assert all(program.verdicts == ("correct",) for program in PROGRAMS if program.name.startswith("honest_"))


@needs_bubblewrap
@pytest.mark.parametrize("program", CASES)
def test_verdict_and_outside(program, judged, outside):
    result, changes = judged(program)
    assert isinstance(result, Result), f"the sandbox broke: {result}"
    assert result.verdict in program.verdicts, result
    result.detail.encode()  # it stands in a table
    assert len(result.detail.splitlines()) <= 1 and len(result.detail) <= 1000
    assert "\0" not in result.detail and "\x1b" not in result.detail
    mark = outside.mark(NUMBER[program.name])
    marks = [outside.mark(number) for number in NUMBER.values()]
    told = {
        kind: [said for said in changes[kind] if mark in said or not any(m in said for m in marks)] for kind in changes
    }
    assert not any(told[kind] for kind in program.unchanged), told


@needs_bubblewrap
@pytest.mark.slow
def test_all_at_once_in_another_order_on_a_busy_machine(outside):
    programs = list(PROGRAMS)
    random.Random(1).shuffle(programs)

    def judged(long: bool) -> dict[str, Result]:
        """Those that end by themselves have the time for it; the others only wait for their limit."""
        chosen = [program for program in programs if (program in LONG) is long]
        limits = LIMITS if long else replace(LIMITS, wall_seconds=60)
        with Sandbox(workers=6 if long else 4, limits=limits) as sandbox:
            results = sandbox.run([trial(program, outside) for program in chosen])
        return {program.name: result for program, result in zip(chosen, results, strict=True)}

    busy = [subprocess.Popen([sys.executable, "-I", "-c", "while True: pass"]) for _ in range(2)]
    try:
        with ThreadPoolExecutor() as threads:
            results = {name: found for part in threads.map(judged, (False, True)) for name, found in part.items()}
    finally:
        for process in busy:
            process.kill()
            process.wait()
    assert not {p.name: results[p.name] for p in programs if results[p.name].verdict not in p.verdicts}
    changes = outside.changes([outside.mark(number) for number in NUMBER.values()])
    assert not any(changes.values()), changes


def test_limits_alone_let_no_wrong_program_through(outside):
    # those that touch nothing outside, as nothing would hold them
    programs = [program for program in SHORT if program.unchanged == ("tests",)]
    with Sandbox("rlimits", workers=4, limits=LIMITS) as sandbox:
        results = sandbox.run([trial(program, outside) for program in programs])
    wrong = {p.name: result for p, result in zip(programs, results, strict=True) if result.verdict not in p.verdicts}
    assert len(programs) > 40 and not wrong


SOURCES = {
    "nothing": "",
    "nul": "f = 3\0",
    "surrogate": "f = lambda: '\ud800'",
    "surrogates apart": "f = lambda: '\ud83d' '\ude00'\n# \udfff",
    "parentheses": "(" * 1_000_000,
    "signs": "f = " + "-" * 1_000_000 + "1",
    "indents": "".join(" " * depth + "if True:\n" for depth in range(2000)),
    "operators": "f = " + "1 + " * 200_000 + "1",
    "encoding": "# -*- coding: utf-7 -*-\nf = +AGEAYg-\n",
    "form feed": "\x0c\r\n\x1a",
    "long": "#" * 30_000_000,
    "wide": "# " + "\u20ac" * 3_000_000,
    "annotation": "f: (yield) = 1",
    "prose": "Here is the function you asked for:\n\ndef f(): return 4",
}


@needs_bubblewrap
def test_a_source_that_is_no_program_is_incorrect(outside):
    with Sandbox(workers=2, limits=LIMITS) as sandbox:
        results = sandbox.run([Trial(source, "assert f() == 3\n") for source in SOURCES.values()])
    assert {name: result.verdict for name, result in zip(SOURCES, results, strict=True)} == dict.fromkeys(
        SOURCES, "incorrect"
    )


KILLED = """
import sys
from clearminds.sandbox.limits import Limits
from clearminds.sandbox.programs import Sandbox, Trial
with Sandbox(workers=2, limits=Limits(wall_seconds=300)) as sandbox:
    sandbox.run([Trial(source, "assert f() == 1") for source in sys.argv[1:]])
"""


@needs_bubblewrap
def test_a_killed_run_leaves_no_process(outside):
    [daemon] = [program for program in PROGRAMS if program.name == "daemon_ignores_signals"]
    source = trial(daemon, outside).program + "\nf()\ntime.sleep(1000)\n"
    run = subprocess.Popen(
        [sys.executable, "-c", KILLED, source], env=os.environ | {"PYTHONPATH": str(ROOT / "workflow")}
    )
    try:
        until = time.monotonic() + 60
        while not (there := outside.processes_of([outside.mark(NUMBER[daemon.name])])) and time.monotonic() < until:
            time.sleep(0.1)
        assert there
    finally:
        run.kill()
        run.wait()
    until = time.monotonic() + 5
    while (left := outside.descendants()) and time.monotonic() < until:
        time.sleep(0.1)
    assert not left


@needs_bubblewrap
def test_an_ended_sandbox_leaves_no_process(outside):
    programs = [
        program for program in PROGRAMS if program.verdicts == ("correct",) and "processes" in program.unchanged
    ]
    with Sandbox(workers=2, limits=LIMITS) as sandbox:
        sandbox.run([trial(program, outside) for program in programs])
        assert outside.descendants()  # they are seen while they are there
    until = time.monotonic() + 5
    while (left := outside.descendants()) and time.monotonic() < until:
        time.sleep(0.1)
    assert not left
