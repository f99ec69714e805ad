"""The command lines of isolation, the refusal where there is none, and the filter of system calls."""

import shutil
import struct
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from clearminds.checkout import ROOT
from clearminds.errors import UserError
from clearminds.run.refusals.sandbox import refuse_missing_sandbox
from clearminds.sandbox.apptainer import apptainer, skeleton
from clearminds.sandbox.bubblewrap import bubblewrap
from clearminds.sandbox.isolation import mounts, python
from clearminds.sandbox.programs import Sandbox, SandboxError
from clearminds.sandbox.system_calls import system_call_filter


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """A machine with exactly these programs: name to what a shell does for it."""

    def install(**programs: str) -> Path:
        for name, script in programs.items():
            (file := tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
            file.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        return tmp_path

    return install


def pairs(command: list[str], option: str) -> list[tuple[str, str]]:
    return [(command[n + 1], command[n + 2]) for n, word in enumerate(command) if word == option]


def test_bubblewrap_gets_its_namespaces_and_nothing_of_this_machine_but_the_system(installed):
    installed(bwrap="")
    command = bubblewrap(2**20, own_users=False, filter_from=7)
    assert {"--unshare-pid", "--unshare-net", "--unshare-ipc", "--clearenv", "--die-with-parent"} <= set(command)
    assert "--unshare-user" not in command and command[command.index("--seccomp") :][:2] == ["--seccomp", "7"]
    seen = [target for _, target in pairs(command, "--ro-bind")]
    assert "--bind" not in command and "--dev-bind" not in command
    below = [Path(path) for path in seen if not Path(path).is_relative_to("/usr")]
    allowed = (Path(sys.base_prefix), Path("/sandbox"), Path("/etc/ld.so.cache"))
    assert all(any(path.is_relative_to(place) for place in allowed) for path in below), below
    assert not any(Path(source) == ROOT for source, _ in pairs(command, "--ro-bind"))
    assert command[-2:] == ["--chdir", "/tmp"]
    assert "--unshare-user" in bubblewrap(2**20, own_users=True, filter_from=None)


def test_files_of_a_job_are_shown_read_only_where_it_says(installed, tmp_path):
    installed(bwrap="")
    command = bubblewrap(2**20, own_users=False, filter_from=None, shown={tmp_path / "a.sqlite": "/database"})
    assert (str(tmp_path / "a.sqlite"), "/database") in pairs(command, "--ro-bind")


def test_apptainer_gets_a_folder_with_a_place_for_all_that_it_binds(installed, tmp_path):
    programs = installed(apptainer="")
    skeleton(image := tmp_path / "image", {ROOT / "README.md": "/database"})
    command = apptainer(image, shown={ROOT / "README.md": "/database"})
    assert command[:3] == [str(programs / "apptainer"), "--quiet", "exec"]
    assert {"--containall", "--cleanenv", "--no-privs", "--net", "--no-home"} <= set(command)
    binds = [command[n + 1].split(":") for n, word in enumerate(command) if word == "--bind"]
    assert all(mode == "ro" for *_, mode in binds)
    assert [[str(a), str(b)] for a, b in mounts({ROOT / "README.md": "/database"})] == [bind[:2] for bind in binds]
    for _, target, _ in binds:
        assert (image / target[1:]).exists()
    assert (image / "database").is_file() and command[-1] == str(image)


def test_apptainer_that_does_not_work_is_refused_with_what_it_says(installed):
    installed(apptainer="echo FATAL: no user namespaces >&2; exit 255")
    with pytest.raises(SandboxError, match=r"apptainer does not work on this machine: .*no user namespaces"):
        Sandbox("apptainer", workers=1).__enter__()


@pytest.mark.parametrize(
    ("isolation", "said"),
    [
        ("bubblewrap", r"apt install bubblewrap\), or set runtime: {sandbox: apptainer} .* {sandbox: rlimits}"),
        ("apptainer", r"apptainer is not installed here.*{sandbox: bubblewrap}"),
        ("docker", "runtime: sandbox is one of bubblewrap, apptainer, rlimits, not 'docker'"),
    ],
)
def test_a_machine_without_it_is_told_what_to_install(installed, isolation, said):
    installed()
    with pytest.raises(SandboxError, match=said):
        Sandbox(isolation, workers=1).__enter__()


def study(verifier: str, isolation: str, evaluate: str = "accuracy", targets: tuple = ()) -> SimpleNamespace:
    tasks = {
        "a": SimpleNamespace(verifier=verifier, evaluate=evaluate),
        "b": SimpleNamespace(verifier=None, evaluate="drift"),
        "unused": SimpleNamespace(verifier="programs", evaluate="accuracy"),
    }
    suites = {"all": ["a", "b", "lm_eval:mmlu"]}
    return SimpleNamespace(
        tasks=tasks, suites=suites, targets=list(targets), runtime=SimpleNamespace(sandbox=isolation)
    )


def test_only_a_study_that_runs_programs_is_refused(installed):
    installed()
    refuse_missing_sandbox(study("number", "bubblewrap"))
    with pytest.raises(UserError, match="bubblewrap is not installed here"):
        refuse_missing_sandbox(study("programs", "bubblewrap"))
    refuse_missing_sandbox(study("programs", "rlimits"))


def test_a_verifier_that_is_not_asked_needs_no_sandbox(installed):
    installed()
    refuse_missing_sandbox(study("programs", "bubblewrap", evaluate="likelihood"))
    with pytest.raises(UserError, match="bubblewrap is not installed here"):
        refuse_missing_sandbox(study("programs", "bubblewrap", evaluate="likelihood", targets=("a",)))


@pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed (apt install bubblewrap)")
def test_a_machine_with_it_is_not_refused():
    refuse_missing_sandbox(study("programs", "bubblewrap"))


def test_no_part_of_this_python_s_command_comes_from_the_job_s_environment():
    command = python("candidate", "{}")
    assert command[0].startswith(sys.base_prefix) and command[1:4] == ["-s", "-S", "-P"]


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_jumps_only_forwards_and_every_way_ends(machine):
    steps = list(struct.iter_unpack("<HBBI", system_call_filter(machine)))
    assert len(steps) < 256
    for place, (code, if_true, if_false, _) in enumerate(steps):
        if code & 0x07 == 0x05:  # a jump
            assert place + 1 + max(if_true, if_false) < len(steps)
    assert steps[-1][0] == 0x06
    assert system_call_filter("riscv64") is None


def decided(machine: str, number: int, first: int = 0, architecture: int = 0xC000003E) -> int:
    """What the filter says of a call: runs it as the kernel does."""
    steps = list(struct.iter_unpack("<HBBI", system_call_filter(machine)))
    shown = struct.pack("<IIQQ", number, architecture, 0, first)
    place = loaded = 0
    while True:
        code, if_true, if_false, value = steps[place]
        place += 1
        if code == 0x20:
            (loaded,) = struct.unpack_from("<I", shown, value)
        elif code == 0x06:
            return value
        else:
            held = {0x15: loaded == value, 0x35: loaded >= value, 0x45: bool(loaded & value)}[code]
            place += if_true if held else if_false


@pytest.mark.parametrize(
    ("number", "first", "said"),
    [
        (0, 0, 0x7FFF0000),  # read
        (319, 0, 0x50001),  # memfd_create
        (250, 0, 0x50001),  # keyctl
        (41, 1, 0x7FFF0000),  # a socket of AF_UNIX
        (41, 40, 0x50061),  # and of AF_VSOCK
        (56, 0x1200011, 0x7FFF0000),  # a fork
        (56, 0x10000000, 0x50001),  # with a user namespace
        (435, 0, 0x50026),  # clone3
        (0x40000000 + 319, 0, 0x50026),  # by its other number
    ],
)
def test_the_filter_s_answers(number, first, said):
    assert decided("x86_64", number, first) == said


def test_calls_of_another_architecture_end_the_process():
    assert decided("x86_64", 0, architecture=0x40000003) == 0x80000000
