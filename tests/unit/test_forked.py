"""A module that is run in a fork of a process that has imported Snakemake meets what `python -m` would have it meet."""

import os
import subprocess
import sys
import time

import psutil
import pytest
from forked import run_module

SAYS = """
import os, sys, mine
print(__name__, sys.argv, sys.path[:2], os.getcwd(), os.environ["OF_THIS_RUN"], os.environ.get("HOME"), mine.__file__)
print([name for name in sys.modules if name.startswith("clearminds")], sys.stdin.read() == "")
print("an error", file=sys.stderr, flush=True)
os.system("echo a child")
sys.exit(3)
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "mine.py").touch()
    (tmp_path / "says.py").write_text(SAYS)
    return tmp_path


def test_it_is_as_in_a_process_of_its_own(folder):
    environment = {"OF_THIS_RUN": "1", "PATH": os.environ["PATH"], "PYTHONPATH": str(folder / "elsewhere")}
    expected = subprocess.run(
        [sys.executable, "-m", "says", "--a", "b c"],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    found = run_module("says", "--a", "b c", cwd=folder, env=environment)
    assert sorted(found.stdout.splitlines()) == sorted(expected.stdout.splitlines())
    assert found.returncode == expected.returncode == 3


def test_none_sees_what_the_one_before_it_did(folder):
    (folder / "does.py").write_text("import os, sys\nprint(sys.modules.pop('os').environ.pop('PATH'), os.chdir('/'))")
    first, second = (run_module("does", cwd=folder) for _ in range(2))
    assert first.returncode == 0 and first.stdout == second.stdout


def test_two_hash_strings_in_ways_of_their_own(folder):
    (folder / "hashes.py").write_text("print(hash('a'))")
    first, second = (run_module("hashes", cwd=folder) for _ in range(2))
    assert first.stdout != second.stdout


@pytest.mark.slow
def test_one_that_waits_forever_is_ended(folder):
    (folder / "waits.py").write_text("import os, time\nprint('begun', flush=True)\nos.system('sleep 600')")
    with pytest.raises(subprocess.TimeoutExpired) as raised:
        run_module("waits", cwd=folder, timeout=3)
    assert raised.value.output == "begun\n"
    end = time.monotonic() + 30  # what was killed is still there for a moment
    while str(folder) in {process.info["cwd"] for process in psutil.process_iter(["cwd"])}:
        assert time.monotonic() < end, "its child lives"
        time.sleep(0.1)
    (folder / "goes.py").touch()
    assert run_module("goes", cwd=folder).returncode == 0
