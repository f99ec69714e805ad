"""`make watch` itself: its arguments, and what it writes to a terminal."""

import os
import signal
import time

import pytest

from clearminds.commands import watch
from clearminds.commands.watching.snapshot import Watched
from clearminds.errors import UserError
from tests.watched import begin


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def signals():
    """The handlers of this process as they were before the test."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def between(monkeypatch):
    """Does something in place of each wait between two looks, then what Ctrl-C does."""

    def then(*calls):
        left = [*calls]

        def sleep(seconds):
            if not left:
                raise KeyboardInterrupt
            left.pop(0)()

        monkeypatch.setattr(time, "sleep", sleep)

    return then


def test_lines_are_cut_to_the_terminal():
    assert watch.fitted(["a" * 9, "b", "c"], columns=8, rows=3) == ["aaaaa...", "b", "c"]
    assert watch.fitted(["a", "b", "c", "d"], columns=80, rows=3) == [
        "a",
        "b",
        "and 2 more lines: make the window larger",
    ]


def test_ctrl_c_leaves_the_last_view_on_the_terminal(folder, between, capsys):
    between()
    watch.follow(Watched())
    out = capsys.readouterr().out
    assert out.startswith(watch.OPEN) and "Ctrl-C ends this view, and not the run" in out
    assert out.endswith(f"{watch.CLOSE}no run has been started in {folder}\n")


def test_a_line_is_cleared_before_its_text_and_leaves_the_last_cell_free(between, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setenv("LINES", "9")
    between()
    watch.follow(Watched())
    text = capsys.readouterr().out.removeprefix(watch.OPEN + watch.HOME).partition(watch.BELOW)[0]
    assert text.splitlines()[0] == f"{watch.LINE}no run has been ..."
    assert all(line.startswith(watch.LINE) and len(line) < len(watch.LINE) + 20 for line in text.splitlines())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_ends_it_leaves_the_other_screen(between, capsys, number):
    between(lambda: os.kill(os.getpid(), number))
    with pytest.raises(SystemExit) as ended:
        watch.follow(Watched())
    assert ended.value.code == 128 + number
    assert capsys.readouterr().out.endswith(watch.CLOSE)


def test_a_look_that_fails_is_tried_again_at_the_next(folder, between, capsys):
    broken, work = folder / ".snakemake", folder / "away"

    def repair():
        broken.unlink()
        work.rename(broken)

    begin(alive=False)
    between(lambda: (broken.rename(work), broken.symlink_to(broken)), lambda: None, repair)
    watch.follow(Watched())
    assert capsys.readouterr().out.count("has ended, and started no job") == 4 + 1


def test_a_first_look_that_fails_says_why(folder, between):
    (folder / ".snakemake").symlink_to(folder / ".snakemake")
    between()
    with pytest.raises(OSError, match=r"\.snakemake"):
        watch.follow(Watched())


def test_the_command_prints_once_where_no_terminal_is(folder, capsys):
    watch.main(["--directory", str(folder)])
    assert capsys.readouterr().out == f"no run has been started in {folder}\n"


def test_a_folder_that_is_not_there_is_named():
    with pytest.raises(UserError, match="--directory: nowhere is not a folder"):
        watch.main(["--directory", "nowhere"])
