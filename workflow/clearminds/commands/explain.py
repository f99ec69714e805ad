"""Says in words what the next run would do and why, before it does it: `make explain`.

    python -m clearminds.commands.explain [--configfile STUDY.yaml] [--directory DIR] [any argument of snakemake]

The plan is Snakemake's own, of a dry-run with the profile that a run would have. The causes come from comparing what
each planned job would be called with to what it remembers of its last run (`job_memory`).
"""

import argparse
import contextlib
import json
import logging
import re
import shlex
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from clearminds import stages
from clearminds.commands import run_command
from clearminds.errors import UserError
from clearminds.identity import file_sha256
from clearminds.job_log import label
from clearminds.job_memory import read_record

ROOT = Path(__file__).parents[3]
MOST = 4  # causes of one job, and names in one cause, that are written out
LONGEST = 60  # characters of a value


@dataclass(frozen=True)
class Planned:
    """One job that Snakemake would run.

    Attributes:
        stage: the rule's name.
        name: what tells it from the stage's other jobs, as in its log lines.
        wildcards: of the rule.
        reason: Snakemake's words.
        spec: the settings that it would be called with.
        runtime: how it would run.
        inputs: paths below the working directory.
        outputs: paths below the working directory.
        record: what it remembers of its last run; None where it remembers nothing.
    """

    stage: str
    name: str
    wildcards: dict[str, str]
    reason: str
    spec: dict
    runtime: dict
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    record: dict | None

    @property
    def title(self) -> str:
        """Stage and name; once where they are the same."""
        return self.stage if self.name == self.stage else f"{self.stage} {self.name}"


# --- the plan ---------------------------------------------------------------------------------------------------------


class _Jobs(logging.Filter):
    """Collects the jobs that Snakemake logs, and lets nothing but warnings and errors through.

    A filter, because Snakemake replaces the handlers of its logger when it starts.
    """

    def __init__(self):
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def filter(self, record: logging.LogRecord) -> bool:
        from snakemake_interface_logger_plugins.common import LogEvent

        if getattr(record, "event", None) == LogEvent.JOB_INFO and record.shellcmd:  # targets run no command
            self.records.append(record)
        return record.levelno >= logging.WARNING


def plan(arguments: list[str], directory: Path = Path()) -> list[Planned]:
    """What `snakemake` with these arguments would run, by stage and name. Once per process: Snakemake keeps state.

    Args:
        arguments: of snakemake; the Snakefile is this checkout's.
        directory: the working directory of the run.

    Raises:
        UserError: the study is wrong.
        SystemExit: Snakemake refuses otherwise; it has said why on standard error.
    """
    from snakemake import cli
    from snakemake.logging import logger

    arguments = ["--dry-run", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(directory), *arguments]
    sys.argv = ["snakemake", *arguments]  # where the Snakefile sees that nothing will run
    jobs = _Jobs()
    logger.addFilter(jobs)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            cli.main(arguments)
    except SystemExit as end:
        if isinstance(end.code, str):
            raise UserError(end.code.removeprefix("error: ")) from None
        if end.code:
            raise
    finally:
        logger.removeFilter(jobs)
    found = [_planned(record, directory) for record in jobs.records]
    return sorted(found, key=lambda job: (stages.STAGES.index(job.stage), job.name))


def _planned(record: logging.LogRecord, directory: Path) -> Planned:
    command = shlex.split(record.shellcmd)
    given = {option: command[command.index(option) + 1] for option in ("--spec", "--runtime", "--memory", "--log")}
    name = label(Path(given["--log"]), record.rule_name)
    return Planned(
        stage=record.rule_name,
        name=name,
        wildcards=dict(record.wildcards),
        reason=record.reason,
        spec=json.loads(given["--spec"]),
        runtime=json.loads(given["--runtime"]),
        inputs=tuple(dict.fromkeys(record.input)),
        outputs=tuple(record.output),
        record=read_record(directory / given["--memory"] / record.rule_name / name / "record.json"),
    )


# --- the words --------------------------------------------------------------------------------------------------------


def explain(jobs: list[Planned], directory: Path = Path(), forced: bool = False) -> list[str]:
    """One line per job with its causes, then the counts per stage, and what may come out cheaper than it looks.

    Args:
        jobs: the plan.
        directory: the working directory of the run.
        forced: whether the user asks for jobs whatever they remember.
    """
    if not jobs:
        return ["nothing to do"]
    makers = {output: n for n, job in enumerate(jobs) for output in job.outputs}
    lines, carried = [], False
    for job in jobs:
        above = [jobs[n] for n in sorted({makers[path] for path in job.inputs if path in makers})]
        own = own_causes(job, stages.parts(job.stage, job.spec), directory, forced, follows=bool(above))
        carried |= bool(above) and not own and job.runtime.get("reuse", True)
        lines.append(f"{job.title}: {'; '.join([*_some(own), *after(above)])}")
    counts = Counter(job.stage for job in jobs)
    lines.append(f"{_many(len(jobs), 'job')}: {', '.join(f'{count} {stage}' for stage, count in counts.items())}")
    if carried:
        lines.append(
            "A job that is planned only after others takes its former result back within seconds if its settings, code "
            "and inputs turn out to be what they were."
        )
    return lines


def own_causes(job: Planned, modules: dict[str, str], directory: Path, forced: bool, follows: bool) -> list[str]:
    """Why a job runs, beside the jobs above it.

    Args:
        job: as planned.
        modules: digest per module of its code as it is now.
        directory: the working directory of the run.
        forced: whether the user asks for jobs whatever they remember.
        follows: whether jobs above it are planned, which is cause enough.
    """
    missing = [path for path in job.outputs if not (directory / path).exists()]
    if job.record is None:
        return ["new"] if missing else ["no record of how it was made"]
    found = differences(json.loads(job.record["spec"]), job.spec)
    found += code_changed(job.record["modules"], modules, chosen_anew=bool(found))
    if "Forced execution" in job.reason:  # which is how Snakemake plans what a kill left half-done, too
        found.append("forced" if forced else "interrupted")
    if missing:
        found.append("result missing")
    if updated := re.search(r"Updated input files: ([^;]+)", job.reason):
        found += [f"input {path} changed" for path in updated[1].split(", ") if path in job.inputs]
    if "Code has changed" in job.reason:
        found.append("its command changed")
    if found or (follows and "Params" not in job.reason and "Set of input" not in job.reason):
        return found
    if altered := [path for path in job.outputs if file_sha256(directory / path) != job.record["outputs"].get(path)]:
        return [f"result {path} is not as it was made" for path in altered]
    if "Set of input files has changed" in job.reason:
        return differences(sorted(job.record["inputs"]), sorted(job.inputs), ("inputs",)) or ["other input files"]
    return ["Snakemake's own record of it differs" if "Params have changed" in job.reason else job.reason]


def code_changed(old: dict[str, str], new: dict[str, str], chosen_anew: bool) -> list[str]:
    """Which modules changed, in words.

    Args:
        old: digest per module.
        new: the same, now.
        chosen_anew: whether the settings changed too, which may choose other modules and is told by itself.
    """
    changed = [name for name in old if name in new and old[name] != new[name]]
    found = [f"code of {', '.join(_some(changed))} changed"] if changed else []
    for names, word in ((new.keys() - old.keys(), "added"), (old.keys() - new.keys(), "left out")):
        if names and not chosen_anew:
            found.append(f"code of {', '.join(_some(sorted(names)))} {word}")
    return found


def after(above: list[Planned]) -> list[str]:
    """The planned jobs whose results a job needs, in words: named, or counted where they are many."""
    if not above:
        return []
    if len(above) <= 2:
        return [f"after {' and '.join(job.title for job in above)}"]
    counts = Counter(job.stage for job in above)
    return [f"after {', '.join(_many(count, f'{stage} job') for stage, count in counts.items())}"]


def differences(old: object, new: object, place: tuple[str, ...] = ()) -> list[str]:
    """The differences of two JSON values in words: the keys that lead to each, then both, as in `weights: tau 2 -> 3`.

    Args:
        old: a value.
        new: another.
        place: the keys that lead to both.
    """
    if _json(old) == _json(new):  # as texts: True and 1 are equal in Python
        return []
    if isinstance(old, dict) and isinstance(new, dict):
        found = [f"{_at(*place, key)} added{_value(new[key])}" for key in new if key not in old]
        found += [f"{_at(*place, key)} removed{_value(old[key])}" for key in old if key not in new]
        return found + [word for key in old if key in new for word in differences(old[key], new[key], (*place, key))]
    if isinstance(old, list) and isinstance(new, list):
        return _members(old, new, place)
    return [_change(old, new, place)]


def _change(old: object, new: object, place: tuple[str, ...]) -> str:
    before, now = _short(old), _short(new)
    if before == now:  # a text and a number, or long values that begin alike
        before, now = _json(old), _json(new)
    return f"{_at(*place)} {before} -> {now}" if len(before + now) <= 2 * LONGEST + 6 else f"{_at(*place)} changed"


def _members(old: list, new: list, place: tuple[str, ...]) -> list[str]:
    """Differences of two lists, whose members are told by their name or path where they have one."""
    before, now = ({_key(member): member for member in members} for members in (old, new))
    if (len(before), len(now)) != (len(old), len(new)):  # members that cannot be told from one another
        return [_change(old, new, place)]
    found = [f"{_at(*place)}: {key} added" for key in now if key not in before]
    found += [f"{_at(*place)}: {key} removed" for key in before if key not in now]
    for key in (key for key in before if key in now):
        found += differences(before[key], now[key], (*place, key))
    return found or [f"{_at(*place)} in another order"]


def _key(member: object) -> str:
    if isinstance(member, dict):
        return next((str(member[key]) for key in ("name", "path", "id") if key in member), _short(member))
    return _short(member)


def _at(*keys: str) -> str:
    return ": ".join(keys)


def _value(value: object) -> str:
    """What an added or removed key holds, if that is short."""
    return "" if isinstance(value, dict | list) else f" ({_short(value)})"


def _short(value: object) -> str:
    plain = isinstance(value, str) and value.isprintable() and value.strip() == value != ""
    text = value if plain else _json(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def _some(words: list[str]) -> list[str]:
    return words if len(words) <= MOST else [*words[: MOST - 1], f"{len(words) - MOST + 1} more"]


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def main(arguments: list[str] | None = None) -> None:
    """Print the plan in words. Args: of the command line; what is not known here goes to snakemake.

    Raises:
        UserError: there is no such folder, or the study is wrong.
    """
    parser = argparse.ArgumentParser(
        prog="explain", description=__doc__, formatter_class=argparse.RawTextHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--directory", "-d", type=Path, default=Path(), help="where the run works; default: here")
    parser.add_argument("--snakefile", "-s", type=Path, default=ROOT / "Snakefile", help="this checkout's, if any")
    given, others = parser.parse_known_args(arguments)
    if given.snakefile.resolve() != ROOT / "Snakefile":
        raise UserError(
            f"--snakefile: {given.snakefile} is of another checkout, whose code is not loaded here; explain it there"
        )
    if not given.directory.is_dir():
        raise UserError(f"--directory: {given.directory} is no folder; give the one where the workflow runs")
    directory = given.directory.resolve()
    forced = any(re.match(r"--force|-[fFR]", argument) for argument in others)
    print("\n".join(explain(plan(others, directory), directory, forced)))


if __name__ == "__main__":
    run_command(main)
