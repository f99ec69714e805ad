"""What the next run would do: the plan of Snakemake's own dry-run, job by job; for `make explain` and `make plan`."""

import json
import shlex
from dataclasses import dataclass
from pathlib import Path

from clearminds.checkout import SNAKEFILE
from clearminds.errors import UserError
from clearminds.files.layout import job_name, memory_of
from clearminds.reuse import stage_code as stages
from clearminds.reuse.job_memory import find_record
from clearminds.reuse.snakemake_compat import PlannedJob, dry_run
from clearminds.run.given_files import refuse_unreadable


@dataclass(frozen=True)
class Planned:
    """One job that Snakemake would run.

    Attributes:
        rule: its name.
        stage: whose launcher it runs; shards have rules of their own.
        name: what tells it from the stage's other jobs, as in its log lines.
        wildcards: of the rule.
        reason: Snakemake's words.
        spec: the settings that it would be called with.
        runtime: how it would run.
        inputs: paths below the working directory.
        outputs: paths below the working directory.
        memory: the folder in which it remembers its runs.
        record: what it remembers of its last run; None where it remembers nothing.
    """

    rule: str
    stage: str
    name: str
    wildcards: dict[str, str]
    reason: str
    spec: dict
    runtime: dict
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    memory: Path
    record: dict | None

    @property
    def title(self) -> str:
        """Stage and name; once where they are the same."""
        return self.stage if self.name == self.stage else f"{self.stage} {self.name}"


def plan(arguments: list[str], directory: Path = Path()) -> list[Planned]:
    """What `snakemake` with these arguments would run, by stage and name. Once per process: Snakemake keeps state.

    Args:
        arguments: of snakemake; the Snakefile is this checkout's.
        directory: the working directory of the run.

    Raises:
        UserError: the study is wrong.
        SystemExit: Snakemake refuses otherwise; it has said why on standard error.
    """
    refuse_unreadable(arguments)
    try:
        jobs = dry_run(["--snakefile", str(SNAKEFILE), "--directory", str(directory), *arguments])
    except SystemExit as end:
        if isinstance(end.code, str):
            raise UserError(end.code.removeprefix("error: ")) from None
        raise
    found = [_planned(record, directory) for record in jobs]
    return sorted(found, key=lambda job: (stages.STAGES.index(job.stage), job.name))


def _planned(record: PlannedJob, directory: Path) -> Planned:
    command = shlex.split(record.shellcmd)
    given = {option: command[command.index(option) + 1] for option in ("--spec", "--runtime", "--memory", "--log")}
    stage = Path(command[1]).stem  # python workflow/scripts/STAGE.py ...
    name = job_name(Path(given["--log"]), stage)
    return Planned(
        rule=record.rule_name,
        stage=stage,
        name=name,
        wildcards=dict(record.wildcards),
        reason=record.reason,
        spec=json.loads(given["--spec"]),
        runtime=json.loads(given["--runtime"]),
        inputs=tuple(dict.fromkeys(record.input)),
        outputs=tuple(record.output),
        memory=memory_of(Path(given["--memory"]), record.output[0]),
        record=find_record(directory / given["--memory"], directory / record.output[0], stage, name),
    )
