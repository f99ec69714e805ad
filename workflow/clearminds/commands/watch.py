"""Shows, from another terminal, what the run in this folder is doing: `make watch`.

    python -m clearminds.commands.watch [--configfile STUDY.yaml] [--directory DIR] [--once]

It reads what the run and its jobs leave on disk, here or on a cluster's nodes, and writes nothing. Ctrl-C ends it, and
not the run. Start it on the machine where the run was started: only there its lock is sure to be seen.
"""

import argparse
import os
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from clearminds.commands.run_command import run_command
from clearminds.commands.watching.snapshot import Watched
from clearminds.commands.watching.view import lines
from clearminds.config.load import load_study
from clearminds.errors import UserError

SECONDS = 2.0  # between two looks
# what terminals understand: another screen and back, the first place, clear from here: a line, the screen
OPEN, CLOSE, HOME, LINE, BELOW = "\x1b[?1049h", "\x1b[?1049l", "\x1b[H", "\x1b[K", "\x1b[J"


def fitted(shown: list[str], columns: int, rows: int) -> list[str]:
    """Lines cut to a terminal, with a word on those that have no place. Args: lines; the terminal's size."""
    if len(shown) > rows:
        left = len(shown) - rows + 1
        shown = [*shown[: rows - 1], f"and {left} more lines: make the window larger"]
    return [line if len(line) <= columns else f"{line[: columns - 3]}..." for line in shown]


def follow(watched: Watched) -> None:
    """Show a run again and again until Ctrl-C, which leaves what was seen last on the terminal.

    Raises:
        OSError: the run's files cannot be read.
        SystemExit: the process was told to end, or its terminal was closed.
    """
    shown: list[str] = []
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)
    sys.stdout.write(OPEN)
    try:
        with suppress(KeyboardInterrupt):
            while True:
                try:
                    shown = lines(watched.look())
                except OSError:  # of a network file system it may be the only one
                    if not shown:
                        raise
                columns, rows = shutil.get_terminal_size()
                # one less: a terminal stays on the last cell of a line, and would clear it
                fitting = fitted([*shown, "", "Ctrl-C ends this view, and not the run"], columns - 1, rows)
                sys.stdout.write(HOME + "\n".join(LINE + line for line in fitting) + BELOW)
                sys.stdout.flush()
                time.sleep(SECONDS)
    finally:
        sys.stdout.write(CLOSE)
    print("\n".join(shown))


def _end(number, frame) -> None:
    sys.exit(128 + number)


def main(arguments: list[str] | None = None) -> None:
    """Show the run. Args: of the command line; default: this process's.

    Raises:
        UserError: there is no such study or folder.
    """
    parser = argparse.ArgumentParser(prog="watch", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--configfile", type=Path, help="the study; default: that of the last run")
    parser.add_argument("--directory", "-d", type=Path, default=Path(), help="where its runs work; default: here")
    parser.add_argument("--once", action="store_true", help="print once and end, as where no terminal is")
    given = parser.parse_args(arguments)
    study = load_study([given.configfile]).study if given.configfile else ""
    if not given.directory.is_dir():
        raise UserError(f"--directory: {given.directory} is not a folder; give the one where the workflow was run")
    os.chdir(given.directory)
    watched = Watched(study)
    if given.once or not sys.stdout.isatty():
        print("\n".join(lines(watched.look())))
    else:
        follow(watched)


if __name__ == "__main__":
    run_command(main)
