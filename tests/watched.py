"""What a run of a study `s` leaves on disk for `make watch`, by the project's own writers where there are any."""

from pathlib import Path

from clearminds.commands.watching.run_log_compat import LOCKS, LOGS, Event
from clearminds.commands.watching.snapshot import Watched
from clearminds.commands.watching.view import lines
from clearminds.files.digests import digest
from clearminds.files.layout import Layout
from clearminds.files.tables import write_json
from clearminds.job.outcome import Kind, Outcome, State, write_outcome
from clearminds.run.one_run import LOCK, STUDY, take_lock

LAYOUT = Layout.of("s")
TRAINING = Path(LAYOUT.adapter.log_path(model="m", target="t", variant="stm", seed=0))
TASK = Path(LAYOUT.examples.log_path(task="t", split="train"))
STARTED, DONE = Outcome(State.STARTED), Outcome(State.DONE, exit_code=0)
FAILED = Outcome(State.FAILED, Kind.USER_ERROR, "no such layer", exit_code=1)
STOPPED = Outcome(State.STOPPED, line="stopped by the user", exit_code=143)

HEAD = "Job stats:\njob  count\n---  -----\nprepare_task  2\ntrain_adapter  1\nall  1\ntotal  4\n\n"
BLOCK = "[now]\nrule train_adapter:\n    log: {log}\n    jobid: 1\n"
ERROR = (
    "[now]\nError in rule train_adapter:\n    message: {words}\n    jobid: 1\n"
    "    log: {log}, logs/slurm/1.log (check log file(s) for error details)\n"
)
END = "[now]\nFinished jobid: 1 (Rule: train_adapter)\n"


def begin(alive: bool, study: str = "s") -> None:
    """What a run leaves when it begins. Args: whether it is alive still; its study."""
    if alive:
        assert take_lock() is None
    else:
        LOCK.parent.mkdir(exist_ok=True)
        LOCK.write_text("123")
    write_json(STUDY, {"study": digest(study)})


def say(*words: str) -> None:
    """What Snakemake says in its log file."""
    LOGS.mkdir(parents=True, exist_ok=True)
    with open(LOGS / "2026-11-24T185108.027571.snakemake.log", "a", encoding="utf-8") as file:
        file.write("".join(words))


def tell(*events: Event, log: Path = TRAINING, words: str = "None") -> None:
    """What Snakemake tells of a job. Args: each in its turn; the job's log; why it failed."""
    blocks = {Event.SUBMITTED: BLOCK, Event.FAILED: ERROR, Event.FINISHED: END}
    say(*(blocks[event].format(log=log, words=words) for event in events))


def record(log: Path, outcome: Outcome) -> None:
    """What a job records."""
    log.parent.mkdir(parents=True, exist_ok=True)
    write_outcome(log, outcome)


def locked() -> None:
    """Snakemake's lock, as a killed run leaves it."""
    LOCKS.mkdir(parents=True)
    (LOCKS / "0.output.lock").touch()


def shown(study: str = "") -> str:
    """What `make watch` shows."""
    return "\n".join(lines(Watched(study).look()))


def row(stage: str) -> list[str]:
    """The cells of a stage's line, by the heads that are shown."""
    text = shown().splitlines()
    return next(line.split() for line in text if line.startswith(f"{stage} "))[1:]
