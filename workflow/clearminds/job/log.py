"""What a job says: plain lines on the terminal, everything in its log file, and each failure in one line."""

import errno
import logging
import sys
from pathlib import Path

from clearminds.errors import OUT_OF_GPU_MEMORY, UserError
from clearminds.reuse import stage_code as stages

log = logging.getLogger("clearminds")

# the keys of `runtime` that say how much a stage has in memory at a time
BUDGETS = {
    "generate_responses": ["generate_tokens"],
    "score_token_perplexity": ["batch_tokens"],
    "train_adapter": ["batch_tokens"],
    "evaluate_base": ["batch_rows", "batch_tokens"],
    "evaluate_adapter": ["batch_rows", "batch_tokens"],
}


def open_terminal(stage: str, name: str, process: int | None = None) -> None:
    """Show the project's own lines on standard error, each with stage and job before it.

    Args:
        stage: the rule's name.
        name: the job's.
        process: which of several of one job; it leaves start, end and failure to the one that waits for them.
    """
    handler = logging.StreamHandler(sys.stderr)
    if process is not None:
        handler.addFilter(lambda record: record.module not in ("launch", "guard"))
    number = stages.STAGES.index(stage) + 1
    handler.setFormatter(logging.Formatter(f"[stage {number}/{len(stages.STAGES)} {stage}] {name}: %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)


def open_log(path: Path) -> None:
    """Write every library's lines, and ours, to the log file."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(path, mode="w", encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"cannot write the log {path} ({error.strerror}); free or mend that folder, then run again"
        ) from error
    logging.raiseExceptions = False  # a log on a full disk must not bury the error in tracebacks
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.DEBUG)
    for noisy in ("urllib3", "filelock", "fsspec", "matplotlib", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.INFO)
    logging.captureWarnings(True)


def one_line(error: BaseException, path: Path, stage: str, runtime: dict) -> str:
    """An error in words. Args: the error; the job's log, which has the traceback; its stage; how it runs."""
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in " ".join(str(error).split()))
    if isinstance(error, UserError):
        return text
    if isinstance(error, KeyboardInterrupt):
        return "stopped by the user or the scheduler; run again to go on"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        place = error.filename or "the results"
        return f"no space left on the disk of {place}: free some, then run again (nothing finished is lost)"
    if isinstance(error, OSError) and error.errno in (errno.EROFS, errno.EACCES):
        return (
            f"no access to {error.filename or 'the results'} ({error.strerror}); mend its permissions, then run again"
        )
    if "out of memory" in text.lower() or isinstance(error, MemoryError):
        which = OUT_OF_GPU_MEMORY if "CUDA" in text else "out of memory"
        lower = " or ".join(f"runtime.{key} (now {runtime.get(key)})" for key in BUDGETS.get(stage, []))
        mend = f"lower {lower}" if lower else "free some (on a cluster: raise mem_mb in the profile's set-resources)"
        return f"{which}: {mend} and run again; nothing done is redone"
    return f"unexpected {type(error).__name__}: {text[:300]} (traceback in {path})"
