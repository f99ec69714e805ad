"""Programs against their tests, in the real sandbox: verdicts, limits, and what a program sees."""

import os
import shutil
import socket
import time
from pathlib import Path

import pytest

from clearminds.checkout import ROOT
from clearminds.sandbox.limits import Limits
from clearminds.sandbox.programs import Result, Sandbox, SandboxError, Trial, Unjudgeable

pytestmark = pytest.mark.skipif(
    not shutil.which("bwrap"), reason="bubblewrap is not installed (apt install bubblewrap)"
)
LIMITS = Limits(cpu_seconds=1, wall_seconds=20, memory_mb=512, processes=8, disk_mb=4)


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(limits=LIMITS) as opened:
        yield opened


def result(sandbox, program, tests, setup="", entry_point="") -> Result:
    [found] = sandbox.run([Trial(program, tests, setup, entry_point)])
    return found


def verdict(*given, **named) -> str:
    return result(*given, **named).verdict


@pytest.mark.parametrize(
    ("program", "tests"),
    [
        ("def f(x): return x + 1", "assert f(1) == 2"),
        ("def f(x): x.sort()", "a = [2, 1]; f(a); assert a == [1, 2]"),
        ("def f(x): x['a'] = 1", "a = {}; f(a); assert a == {'a': 1}"),
        ("def f(x): raise ValueError('no')", "try:\n    f(1)\n    assert 0\n"
         "except ValueError as e: assert str(e) == 'no'"),
        ("class No(KeyError): pass\ndef f(): raise No(1)", "try:\n    f()\n    assert 0\n"
         "except No as e: assert e.args == (1,)"),
        ("class No(KeyError): pass\ndef f(): raise No(1)", "try:\n    f()\n    assert 0\nexcept LookupError: pass"),
        ("def f(n):\n    for i in range(n): yield i", "assert list(f(3)) == [0, 1, 2]; assert next(f(1)) == 0"),
        ("class P:\n    def __init__(s, x): s.x = x\n    def y(s): return s.x + 1",
         "p = P(1); assert p.x == 1 and p.y() == 2"),
        ("class P: pass\ndef f(p): return p.x", "p = P(); p.x = [1]; assert f(p) == [1]; assert isinstance(p, P)"),
        ("def f(g, x): return g(g(x))", "assert f(lambda x: 2 * x, 3) == 12"),
        ("def f(g, x): return [g(i) for i in x]", "assert f(int, map(str, [1, 2])) == [1, 2]"),
        ("def f(n): return 0 if n == 0 else 1 + f(n - 1)", "assert f(900) == 900"),
        ("def f(): return float('nan')", "import math\nassert math.isnan(f())"),
        ("def f(): return float('nan')", "assert f() != f()"),
        ("from collections import Counter\ndef f(s): return Counter(s)", "assert f('aab') == {'a': 2, 'b': 1}"),
        ("def f(x): return x ** 5000", "assert f(7) == 7 ** 5000"),
        ("def f():\n    for i in range(9999): print('x' * 99)\n    return 1", "assert f() == 1"),
        ("def f():\n    open('/tmp/a', 'w').write('b')\n    return open('/tmp/a').read()", "assert f() == 'b'"),
        ("import threading\ndef f():\n    a = []\n    t = threading.Thread(target=a.append, args=(1,))\n"
         "    t.start(); t.join()\n    return a", "assert f() == [1]"),
        ("LIMIT = {'a': [1]}", "assert LIMIT == {'a': [1]}"),
        ("from dataclasses import dataclass\n@dataclass\nclass A:\n    x: int\n", "assert A(3).x == 3"),
        ("def math(x): return x", "assert math(3) == 3"),
        ("def f(x):\r\n    return x\r\n", "assert f(3) == 3\r\n"),
        ("def f(): return {1: 2}.keys()", "assert f() == {1}; assert list(f()) == [1]"),
        ("def f(): return len", "assert f()([1, 2]) == 2"),
    ],
)  # fmt: skip
def test_honest_programs_pass(sandbox, program, tests):
    assert result(sandbox, program, tests) == Result("correct", "")


@pytest.mark.parametrize(
    ("program", "tests", "said"),
    [
        ("def f(x): return x", "assert f(1) == 2", "assert f(1) == 2: AssertionError"),
        ("def g(x): return x", "assert f(1) == 2", "name 'f' is not defined"),
        ("def f(x: return x", "assert f(1) == 2", "SyntaxError"),
        ("raise ValueError('at once')", "assert f(1) == 2", "ValueError: at once"),
        ("import os\nos._exit(0)", "assert f(1) == 2", "process ended"),
        ("def f(x):\n    import os\n    os._exit(0)", "assert f(1) == 2", "process ended"),
        ("def f(x): raise SystemExit", "try: f(1)\nexcept: pass", "left by SystemExit"),
        ("def f(x):\n    import os\n    os._exit(0)", "try: f(1)\nexcept: pass", "process ended"),
        ("def f(x): raise StopIteration", "assert all(map(f, [1, 2]))", "StopIteration"),
        ("class A:\n    def __eq__(s, o): return True\ndef f(x): return A()", "assert f(1) == 2", "AssertionError"),
        ("class A(int):\n    def __eq__(s, o): return True\ndef f(x): return A(7)", "assert f(1) == 2",
         "AssertionError"),
        ("class A:\n    def __sub__(s, o): return 0\n    __rsub__ = __sub__\n    def __abs__(s): return 0\n"
         "def f(x): return A()", "assert abs(f(1) - 2) < 1e-6", "TypeError"),
        ("class A:\n    def __contains__(s, o): return True\ndef f(x): return A()", "assert 2 in f(1)", "TypeError"),
        ("class math:\n    isclose = lambda *a, **k: True\ndef f(x): return 1",
         "assert math.isclose(f(1), 2)", "Assert"),
        ("import builtins\nbuiltins.abs = lambda x: 0\ndef f(x): return 9",
         "assert abs(f(1) - 2) < 1", "AssertionError"),
        ("def check(c): pass\ndef f(x): return 1", "def check(c): assert c(1) == 2\ncheck(f)", "AssertionError"),
        ("def f():\n    import ctypes\n    ctypes.string_at(0)", "f()", "process ended"),
        ("def f(): return bytearray(10 ** 9)", "assert f()", "MemoryError"),
        ("def f(): return 'a' * 10 ** 8", "assert f()", "too large to be sent"),
        ("def f(): raise ValueError('\\0\\x1b[2J\\ud800')", "f()", "ValueError"),
    ],
)  # fmt: skip
def test_wrong_programs_do_not_and_the_detail_is_a_line_of_text(sandbox, program, tests, said):
    found = result(sandbox, program, tests)
    assert found.verdict == "incorrect"
    assert said in found.detail
    assert found.detail.isprintable()


def test_a_name_of_the_setup_is_the_setup_s_but_for_the_entry_point(sandbox):
    setup = "def helper(x): return 2 * x\ndef f(x):\n    'doubles'\n"
    tests = "assert f(3) == helper(3)"
    assert verdict(sandbox, "def f(x): return 2 * x", tests, setup, "f") == "correct"
    assert verdict(sandbox, "def helper(x): return x\ndef f(x): return x", tests, setup, "f") == "incorrect"
    assert verdict(sandbox, "def g(x): return 2 * x", tests, setup, "f") == "incorrect"


@pytest.mark.slow
@pytest.mark.parametrize(
    "program",
    [
        "def f():\n    while True: pass",
        "def f(): return sum(range(10 ** 18))",
        "import re\ndef f(): return re.match(r'(a+)+b', 'a' * 60)",
        "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\ndef f():\n    while True: pass",
        "while True: pass",
    ],
)
def test_programs_that_compute_for_too_long_run_into_the_limit_on_cpu_time(sandbox, program):
    assert result(sandbox, program, "f()") == Result("timeout", "longer than 1 s of CPU time")


@pytest.mark.slow
def test_an_endless_iterator_runs_into_a_limit(sandbox):
    assert verdict(sandbox, "def f():\n    while True: yield 0", "for x in f(): pass") == "timeout"


@pytest.mark.slow
def test_a_program_that_sleeps_ends_with_the_limit_on_wall_time_and_delays_no_other():
    slow = Trial("import time\ndef f(): time.sleep(1000)", "f()")
    right = Trial("def f(): return 1", "assert f() == 1")
    with Sandbox(workers=2, limits=Limits(cpu_seconds=1, wall_seconds=3)) as sandbox:
        found = sandbox.run([slow, *[right] * 6])
    assert [one.verdict for one in found] == ["timeout"] + ["correct"] * 6
    assert found[0].detail == "longer than 3 s"


def test_a_fork_bomb_is_held(sandbox):
    bomb = "import os\ndef f():\n    n = 0\n    try:\n        while True:\n            if os.fork() == 0:\n"
    bomb += "                import time; time.sleep(100)\n            n += 1\n    except OSError:\n        return n"
    assert verdict(sandbox, bomb, f"assert 0 < f() < {LIMITS.processes}") == "correct"


def test_the_memory_of_all_processes_together_is_limited(sandbox):
    many = "import os, time\ndef f():\n    for i in range(6):\n        if os.fork() == 0:\n"
    many += "            x = b'a' * (150 * 2 ** 20)\n            time.sleep(100)\n    time.sleep(100)"
    assert result(sandbox, many, "f()") == Result("incorrect", "more than 512 MB of memory")


def test_files_are_limited_and_the_private_tmp_is_full_alone(sandbox):
    big = "def f():\n    for n in range(4):\n        open(f'/tmp/{n}', 'wb').write(bytes(3 * 2 ** 20))"
    assert "No space left" in result(sandbox, big, "f()").detail


def test_a_program_sees_neither_secrets_nor_homes_nor_the_repository_nor_other_processes(
    sandbox, monkeypatch, tmp_path
):
    monkeypatch.setenv("HF_TOKEN", "canary-of-the-test")
    (tmp_path / "secret").write_text("canary-of-the-test")
    looks = f"""
import os
def f():
    seen = [dict(os.environ), sorted(os.listdir("/"))]
    for folder in ("/root", "/home", "/etc", "/work", "{ROOT}", "{tmp_path}", "/tmp", "/var"):
        try: seen += [os.listdir(folder)]
        except OSError: pass
    for pid in filter(str.isdigit, os.listdir("/proc")):
        for name in ("environ", "cmdline"):
            try: seen.append(open(f"/proc/{{pid}}/{{name}}", errors="replace").read())
            except OSError: pass
    return [repr(seen), len([p for p in os.listdir("/proc") if p.isdigit()]), os.path.exists("{ROOT}/README.md")]
"""
    tests = "text, processes, repository = f()\nassert 'canary' not in text, text\n"
    tests += "assert processes <= 3 and not repository\nassert 'hosts' not in text and '.ssh' not in text, text"
    with Sandbox(workers=1, limits=LIMITS) as fresh:  # opened with the secret in the environment
        assert result(fresh, looks, tests) == Result("correct", "")


def test_a_program_reaches_no_network(sandbox):
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(0.1)
    port = server.getsockname()[1]
    calls = f"import socket\ndef f():\n    socket.create_connection(('127.0.0.1', {port}), 1)"
    assert "OSError" in result(sandbox, calls, "try: f()\nexcept OSError: raise RuntimeError('OSError')").detail
    with pytest.raises(TimeoutError):
        server.accept()
    assert "97" in result(sandbox, "import socket\ndef f(): socket.socket(40)", "f()").detail  # vsock: of no namespace


@pytest.mark.parametrize("call", ["os.memfd_create('a')", "libc.unshare(0x10000000)", "libc.ptrace(0, 0, 0, 0)"])
def test_calls_that_namespaces_do_not_cover_are_refused(sandbox, call):
    program = "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\ndef f():\n    try:\n"
    program += (
        f"        return [{call}, ctypes.get_errno()]\n    except OSError as error:\n        return [-1, error.errno]"
    )
    assert result(sandbox, program, "assert f() == [-1, 1], f()") == Result("correct", "")


def test_nothing_of_a_program_outlives_it(sandbox):
    marker = f"left-by-{os.getpid()}"
    program = "import os, time\ndef f():\n    if os.fork() == 0:\n        os.setsid()\n        if os.fork() == 0:\n"
    program += f"            os.execv('/usr/bin/sleep', ['{marker}', '1000'])\n        os._exit(0)\n"
    program += "    time.sleep(.3)\n    return 1"
    assert verdict(sandbox, program, "assert f() == 1") == "correct"
    until = time.monotonic() + 10
    while (there := _running(marker)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not there


def _running(marker: str) -> list[str]:
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if file.read_bytes().split(b"\0")[0] == marker.encode():
                found.append(file.parent.name)
        except OSError:
            continue
    return found


@pytest.mark.slow
def test_verdicts_depend_neither_on_order_nor_on_neighbours(sandbox):
    trials = [Trial(f"def f(): return {n % 3}", "assert f() == 0") for n in range(12)]
    trials += [Trial("import os\ndef f(): os._exit(1)", "f()"), Trial("def f():\n    while True: pass", "f()")]
    forwards, backwards = sandbox.run(trials), sandbox.run(trials[::-1])
    assert forwards == backwards[::-1]
    assert [one.verdict for one in forwards] == ["correct", "incorrect", "incorrect"] * 4 + ["incorrect", "timeout"]


@pytest.mark.parametrize(
    ("tests", "setup", "said"),
    [
        ("assert f( == 1", "", "its tests cannot be used: SyntaxError"),
        ("assert f() == 1", "import no_such_module", "its tests cannot be used: ModuleNotFoundError"),
        ("import no_such_module\nassert f() == 1", "", "its tests cannot be used: ModuleNotFoundError"),
        ("f(object())", "", "a object cannot cross"),
        ("try: f(object())\nexcept: pass", "", "a object cannot cross"),
        ("assert 1 == 1", "", "never ask the program"),
        ("import os\nos.kill(os.getpid(), 9)", "", "died"),
    ],
)
def test_tests_that_cannot_be_used_are_no_verdict_on_a_program(sandbox, tests, setup, said):
    trial = Trial("def f(*x): return 1", tests, setup)
    with pytest.raises(Unjudgeable, match=said) as caught:
        sandbox.run([trial])
    assert caught.value.trial == trial
    assert verdict(sandbox, "def f(): return 1", "assert f() == 1") == "correct"  # and it works on


def test_a_sandbox_that_broke_is_an_error_of_the_run(monkeypatch, tmp_path):
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho bwrap: no room for this >&2\nexit 1\n")
    broken.chmod(0o755)
    with Sandbox(workers=1, limits=LIMITS) as sandbox:
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        with pytest.raises(SandboxError, match=r"broke: .*no room for this"):
            sandbox.run([Trial("def f(): return 1", "assert f() == 1")] * 3)
    with pytest.raises(SandboxError, match=r"bubblewrap does not work on this machine: .*no room"), Sandbox(workers=1):
        pass


def test_users_that_are_not_root_are_isolated_too(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with Sandbox(workers=1, limits=LIMITS) as sandbox:
        assert sandbox.kind.own_users
        found = result(
            sandbox,
            "import os\ndef f(): return [os.getuid(), os.path.exists('/root/.bashrc')]",
            "assert f() == [1000, False]",
        )
    assert found == Result("correct", "")


@pytest.mark.slow
def test_without_isolation_the_limits_hold(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "canary-of-the-test")
    with Sandbox("rlimits", workers=1, limits=LIMITS) as sandbox:
        found = sandbox.run(
            [
                Trial("def f(x): return x + 1", "assert f(1) == 2"),
                Trial("def f(x): return x", "assert f(1) == 2"),
                Trial("def f():\n    while True: pass", "f()"),
                Trial("def f(): return len(bytearray(10 ** 9))", "f()"),
                Trial("import os\ndef f(): return dict(os.environ)", "assert 'HF_TOKEN' not in f()"),
            ]
        )
    assert [one.verdict for one in found] == ["correct", "incorrect", "timeout", "incorrect", "correct"]


def test_an_error_elsewhere_ends_all_processes_at_once():
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt), Sandbox(workers=1, limits=LIMITS) as sandbox:
        sandbox._pool.submit(sandbox._judge, Trial("import time\ndef f(): time.sleep(1000)", "f()"))
        time.sleep(0.5)
        raise KeyboardInterrupt
    assert time.monotonic() - began < LIMITS.wall_seconds
    assert not sandbox._running


TAMPERED = "import sys\nC = sys.modules['clearminds.sandbox.inside.candidate'].Candidate\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "tests", "expected"),
    [
        (f"{TAMPERED}C._do_names = lambda s, n: ['names', [['abs', 0], ['f', 0]]]\ndef f(x): return 9",
         "assert abs(f(2) - 3) < 1e-6", "incorrect"),
        (f"{TAMPERED}C._do_names = lambda s, n: ['value', None, []]", "assert f(2) == 3", "incorrect"),
        (f"{TAMPERED}C._do_call = lambda s, *a: ['raise', ['builtin', 'StopIteration'], []]\ndef f(x): pass",
         "assert all(map(f, [1, 2]))", "incorrect"),
        ("class A:\n    __array_interface__ = {'data': (4096, False), 'shape': (1,), 'typestr': '<i8', 'version': 3}\n"
         "def f(): return A()", "import numpy\nassert numpy.allclose(f(), 1)", "incorrect"),
        ("def f(g): return g(ValueError)", "assert f(lambda h: h(3)) == 6", "incorrect"),
        ("def f(): return ValueError\ndef g(x): return x", "assert g(f()(3)) == 3", "incorrect"),
        ("def f(g, x): return g(x)\ndef double(x): return 2 * x",
         "assert f(lambda x: double(x) + 1, 3) == 7", "correct"),
        (f"{'#' * 2**18}\ndef f(): return 1", "assert f() == 1", "incorrect"),
        ("import os, time\ndef f():\n    for i in range(4):\n        if os.fork() == 0:\n            while True: pass\n"
         "    time.sleep(100)", "f()", "timeout"),
        ("import os, signal\nsignal.signal(signal.SIGXCPU, lambda *a: os._exit(0))\ndef f():\n    while True: pass",
         "f()", "timeout"),
        ("def f():\n    while True:\n        try:\n            while True: pass\n        except BaseException: pass",
         "f()", "timeout"),
    ],
)  # fmt: skip
def test_what_was_tried_against_this_design_gets_its_verdict(sandbox, program, tests, expected):
    assert verdict(sandbox, program, tests) == expected
