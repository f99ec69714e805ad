"""What is noted of the modules that a process imports, and which bytecode it runs."""

import os
import py_compile
import shutil
import subprocess
import sys
from pathlib import Path
from py_compile import PycInvalidationMode

import pytest

from clearminds.checkout import PACKAGE

SCRIPT = """
import sys
sys.path.insert(0, {folder!r})
from clearminds.job import imported
imported.watch()
from pathlib import Path
from py_compile import PycInvalidationMode
known = {{str(file): imported.hashlib.sha256(file.read_bytes()).hexdigest() for file in Path({folder!r}).rglob("*.py")}}
if {edit!r}:
    Path({own!r}).write_text("VALUE = 7")
from clearminds.own import VALUE
if {edit!r}:
    Path({own!r}).write_text("VALUE = 1")
print(VALUE, sorted(imported.others(known, Path({folder!r}))))
"""


class Package:
    """A package of the project's name that has a module of its own and the watch."""

    def __init__(self, folder: Path):
        self.folder, self.own = folder, folder / "clearminds" / "own.py"
        (folder / "clearminds" / "job").mkdir(parents=True)
        for file in ("__init__.py", "job/__init__.py", "job/imported.py"):
            shutil.copyfile(PACKAGE / file, folder / "clearminds" / file)
        self.write(1)

    def write(self, value: int) -> None:
        self.own.write_text(f"VALUE = {value}")
        os.utime(self.own, (10**9, 10**9))

    def value(self, edit: bool = False, python: tuple[str, ...] = ()) -> str:
        """What a process imports, and what of it is not as it was. Args: whether it is edited meanwhile, and back."""
        script = SCRIPT.format(folder=str(self.folder), own=str(self.own), edit=edit)
        done = subprocess.run([sys.executable, *python, "-c", script], capture_output=True, text=True, check=True)
        return done.stdout.strip()


@pytest.fixture
def package(tmp_path):
    return Package(tmp_path)


def test_a_source_that_was_imported_while_it_was_another_is_told(package):
    assert package.value() == "1 []"
    assert package.value(edit=True) == f"7 ['{package.own}']"
    assert package.value() == "1 []"


@pytest.mark.parametrize("before", [True, False])
def test_an_edit_of_equal_size_that_keeps_its_time_runs(package, before):
    """Args: whether the bytecode was left by Python as it usually does."""
    if before:
        usual = f"import sys; sys.path.insert(0, {str(package.folder)!r}); import clearminds.own"
        subprocess.run([sys.executable, "-c", usual], check=True)
    assert package.value() == "1 []"
    for value in (2, 3):
        package.write(value)
        assert package.value() == f"{value} []"
    # Python itself keeps to the hash from then on
    package.write(4)
    usual = f"import sys; sys.path.insert(0, {str(package.folder)!r}); from clearminds.own import VALUE; print(VALUE)"
    assert subprocess.run([sys.executable, "-c", usual], capture_output=True, text=True).stdout == "4\n"
    package.write(5)
    assert package.value() == "5 []"


def test_where_no_bytecode_may_be_written_none_is(package):
    assert package.value(python=("-B",)) == "1 []"
    assert not list(package.folder.rglob("*.pyc"))


@pytest.mark.parametrize("how", [PycInvalidationMode.UNCHECKED_HASH, PycInvalidationMode.TIMESTAMP])
@pytest.mark.parametrize("python", [(), ("-B",)], ids=["bytecode", "no bytecode"])
def test_bytecode_that_is_not_checked_by_its_hash_does_not_run(package, how, python):
    py_compile.compile(str(package.own), doraise=True, invalidation_mode=how)
    package.write(2)
    assert package.value(python=python) == "2 []"
    package.write(3)
    assert package.value(python=python) == "3 []"


def test_what_is_noted_is_what_is_compiled(package):
    """An edit between the two, which a second reading of the file would run."""
    script = SCRIPT.format(folder=str(package.folder), own=str(package.own), edit=False)
    hook = f"""
real = imported._note
def noting(path, source):
    real(path, source)
    if path == {str(package.own)!r}:
        Path(path).write_text("VALUE = 9")
imported._note = noting
from clearminds.own"""
    done = subprocess.run(
        [sys.executable, "-c", script.replace("from clearminds.own", hook)], capture_output=True, text=True
    )
    assert done.stdout == "1 []\n", done.stderr
