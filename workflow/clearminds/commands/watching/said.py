"""The last line of the project's own in the log of a job that runs, and how long ago it was written."""

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from clearminds.files.layout import rank_log

TAIL = 1 << 16  # bytes that are read of a log; libraries write between two of our lines, but not as much
LINE = re.compile(r"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) (?P<level>[A-Z]+) (?P<name>[\w.]+): (?P<text>.*)")


@dataclass(frozen=True)
class Said:
    """A line of a job.

    Attributes:
        text: its message.
        ago: seconds since it was written, at least 0.
    """

    text: str
    ago: float


def last_said(log: Path) -> Said | None:
    """The last line of a job's; None: it has written none, or its log cannot be read. Args: the job's log."""
    # of several processes of one training the first one reports
    found = [said for path in (log, rank_log(log, 0)) if (said := _last(path)) is not None]
    return min(found, key=lambda said: said.ago, default=None)


def _last(log: Path) -> Said | None:
    try:
        written = log.stat().st_mtime
        lines = list(_lines(log))
    except OSError:
        return None
    ours = [line for line in lines if line["name"].split(".")[0] == "clearminds" and line["level"] != "DEBUG"]
    if not ours:
        return None
    # by the log's own clock from our line to its last one, as the job's node may be in another time zone
    between = _time(lines[-1]) - _time(ours[-1])
    return Said(ours[-1]["text"], max(0.0, time.time() - written) + max(0.0, between))


def _lines(log: Path) -> Iterator[re.Match]:
    with open(log, "rb") as file:
        with suppress(OSError):  # shorter than that
            file.seek(-TAIL, 2)
        for line in file.read().decode(errors="replace").splitlines():
            if found := LINE.fullmatch(line):
                yield found


def _time(line: re.Match) -> float:
    return datetime.strptime(line["time"], "%Y-%m-%d %H:%M:%S,%f").timestamp()
