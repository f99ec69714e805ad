"""Where a job's lines go: the project's own to the terminal, everything to its log file."""

import logging
import sys
from pathlib import Path

from clearminds.errors import UserError

log = logging.getLogger("clearminds")
lifecycle = logging.getLogger("clearminds.job")  # start, end and failure of a job


def open_terminal(title: str, process: int | None = None) -> None:
    """Show the project's own lines on standard error, each with the job before it.

    Args:
        title: the job's stage and name.
        process: which of several of one job; it leaves start, end and failure to the one that waits for them.
    """
    handler = logging.StreamHandler(sys.stderr)
    if process is not None:
        handler.addFilter(lambda record: record.name != lifecycle.name)
    handler.setFormatter(logging.Formatter(f"{title.replace('%', '%%')}: %(message)s"))
    log.addHandler(handler)
    handler.setLevel(logging.INFO)
    log.setLevel(logging.DEBUG)  # what is worth no line here is worth one in the log file


def open_log(path: Path) -> None:
    """Write every library's lines, and ours, to the log file.

    Raises:
        UserError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(path, mode="w", encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"cannot write the log {path} ({error.strerror}); free or fix that folder, then run again"
        ) from error
    logging.raiseExceptions = False  # a log on a full disk must not hide the error among tracebacks
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.DEBUG)
    for noisy in ("urllib3", "filelock", "fsspec", "matplotlib", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.INFO)
    logging.captureWarnings(True)
