"""Says in words what the next run would do and why, before it does it: `make explain`.

    python -m clearminds.commands.explain [--configfile STUDY.yaml] [--directory DIR] [any argument of snakemake]

The plan is Snakemake's own, of a dry-run with the profile that a run would have. The causes come from comparing what
each planned job would be called with to what it remembers of its last run (`job_memory`).
"""

import argparse
import contextlib
import json
import re
from collections import Counter
from pathlib import Path

from clearminds.checkout import SNAKEFILE
from clearminds.commands.run_command import run_command
from clearminds.errors import UserError
from clearminds.reuse import stage_code as stages
from clearminds.reuse.code import changed
from clearminds.reuse.differences import differences
from clearminds.reuse.integrity import as_made, deviations, replaced_inputs
from clearminds.run.dry_run import Planned, plan

MOST = 4  # causes of one job, and names in one cause, that are written out


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
        now = {"code": stages.fingerprint(job.stage, job.spec), "definitions": stages.parts(job.stage, job.spec)}
        own = own_causes(job, now, directory, forced, follows=bool(above))
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


def own_causes(job: Planned, now: dict, directory: Path, forced: bool, follows: bool) -> list[str]:
    """Why a job runs, beside the jobs above it.

    Args:
        job: as planned.
        now: its `code` as it is now, and by `definitions`.
        directory: the working directory of the run.
        forced: whether the user asks for jobs whatever they remember.
        follows: whether jobs above it are planned, which is cause enough.
    """
    missing = [path for path in job.outputs if not (directory / path).exists()]
    if job.record is None:
        return ["new"] if missing else ["no record of how it was made"]
    found = differences(json.loads(job.record["spec"]), job.spec)
    found += code_changed(job.record, now, chosen_anew=bool(found))
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
    with contextlib.chdir(directory):  # which records count their paths from
        if altered := [one for one in deviations(job.memory, job.record, save=False) if one.counts]:
            return list(map(str, altered))
        made = as_made(job.memory, job.record["inputs"])
        if replaced := replaced_inputs(job.memory, job.record, made, save=False):
            return [f"made of another {path} than is there now" for path in replaced]
    if "Set of input files has changed" in job.reason:
        return differences(sorted(job.record["inputs"]), sorted(job.inputs), ("inputs",)) or ["other input files"]
    return ["Snakemake's own record of it differs" if "Params have changed" in job.reason else job.reason]


def code_changed(record: dict, now: dict, chosen_anew: bool) -> list[str]:
    """Which definitions changed, in words.

    Args:
        record: of the last run, with `code` and what its `definitions` said.
        now: the same, now.
        chosen_anew: whether the settings changed too, which may choose other code and is told by itself.
    """
    if record["code"] == now["code"]:
        return []
    if "definitions" not in record:
        return ["code changed since records told which definition"]
    found = changed(record["definitions"], now["definitions"])
    words = [f"code of {', '.join(_some(found.changed))} changed"] if found.changed else []
    for names, word in ((found.added, "added"), (found.removed, "left out")):
        if names and not chosen_anew:
            words.append(f"code of {', '.join(_some(names))} {word}")
    return words or ([] if chosen_anew else ["what its code refers to changed"])


def after(above: list[Planned]) -> list[str]:
    """The planned jobs whose results a job needs, in words: named, or counted where they are many."""
    if not above:
        return []
    if len(above) <= 2:
        return [f"after {' and '.join(job.title for job in above)}"]
    counts = Counter(job.stage for job in above)
    return [f"after {', '.join(_many(count, f'{stage} job') for stage, count in counts.items())}"]


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
    parser.add_argument("--snakefile", "-s", type=Path, default=SNAKEFILE, help="this checkout's, if any")
    given, others = parser.parse_known_args(arguments)
    if given.snakefile.resolve() != SNAKEFILE:
        raise UserError(
            f"--snakefile: {given.snakefile} is of another checkout, whose code is not loaded here; explain it there"
        )
    if not given.directory.is_dir():
        raise UserError(f"--directory: {given.directory} is not a folder; give the one where the workflow runs")
    directory = given.directory.resolve()
    forced = any(re.match(r"--force|-[fFR]", argument) for argument in others)
    print("\n".join(explain(plan(others, directory), directory, forced)))


if __name__ == "__main__":
    run_command(main)
