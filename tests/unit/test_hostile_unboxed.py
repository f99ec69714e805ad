"""Hostile programs without a sandbox, program and tests in one process: those that say so get through there.

So their attacks are real ones, and what they are after is there to be had. Only what harms nothing is run here.
"""

import subprocess
import sys

import pytest
from hostile_outside import KNOWN_CALLS, Outside
from hostile_programs import PROGRAMS


@pytest.fixture(scope="module")
def outside():
    with Outside() as outside:
        yield outside


@pytest.mark.parametrize(
    "program", [program for program in PROGRAMS if program.unboxed], ids=lambda program: program.name
)
def test_it_gets_through(program, outside, tmp_path):
    if "keyring" in program.unchanged and not outside.has_keyring:
        pytest.skip("this machine's kernel gives no keyring")
    if ".syscall" in program.source and not KNOWN_CALLS:
        pytest.skip("it makes system calls by their numbers on x86_64")
    given = program.trial(outside.told(0), outside.secret)
    command = [sys.executable, "-I", "-c", given.program + given.tests]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
