"""What this project uses of Snakemake that it does not document, in one place: read from its code, 9.27.1.

- `Workflow.execute` and `Workflow.delete_output`: what the command line calls when jobs will run or outputs will be
  deleted, after the Snakefile was read and before outputs are compared or the folder is locked. `onstart:` comes after
  both, and not at all under `--no-hooks`; while the Snakefile is read nothing tells a run from `--summary` or
  `--unlock`.
- `Workflow._build_dag`, which `execute` calls before it locks the folder, and then `Workflow.dag` with `targetjobs`,
  `needrun_jobs`, `bfs` and `dependencies`: `onstart:` comes too late for a dry-run.
- `Workflow.exec_mode`, `.overwrite_configfiles`, `.configfiles`, `.resource_settings`, `.deployment_settings`,
  `.dag_settings`, `Resource.raw`: nothing documented says the same.
- `Workflow.global_resources`, `.register_resource`: what `--resources` gives to all jobs together. Snakemake registers
  resources of its own so, after the Snakefile was read and before jobs are scheduled.
- `FilePersistence._read_record`, `._write_record`, `MetadataRecord`, `RECORD_FORMAT_VERSION`: records are written only
  for jobs that Snakemake ran itself.
- `cli.main`, the logger, and the fields of its JOB_INFO events: the documented Python interface returns no plan.

What is used when a run ends is in `clearminds.run.run_end_compat`.

tests/unit/test_compat_snakemake.py fails when one of them behaves otherwise.
"""

import contextlib
import functools
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from snakemake.persistence import RECORD_FORMAT_VERSION, MetadataRecord
from snakemake.persistence.file import FilePersistence

if TYPE_CHECKING:
    from snakemake.workflow import Workflow


def study_is_given(workflow: "Workflow") -> bool:
    """Whether the command line or a profile names a config file."""
    return bool(workflow.overwrite_configfiles)


def config_files(workflow: "Workflow") -> list[Path]:
    """The config files that were read, in the order in which later ones win."""
    return [Path(file) for file in workflow.configfiles]


def given_study(workflow: "Workflow") -> Path | None:
    """The config file that the command line or a profile names; None where it names none or several."""
    given = workflow.overwrite_configfiles or []
    return Path(given[0]) if len(given) == 1 else None


def is_one_job(workflow: "Workflow") -> bool:
    """Whether this Snakemake runs one job of another one, on a cluster's node or in a process of its own."""
    return workflow.exec_mode.name != "DEFAULT"


def forced_targets(workflow: "Workflow") -> set[str]:
    """The rules and files that the command line forces to be made; {"*"}: all. Known once Snakemake executes."""
    settings = workflow.dag_settings
    if settings.forceall:
        return {"*"}
    return {*settings.forcerun, *(settings.targets if settings.forcetargets else ())}


def uses_conda(workflow: "Workflow") -> bool:
    """Whether jobs run in conda environments of their own."""
    settings = workflow.deployment_settings
    return settings is not None and any(method.name == "CONDA" for method in settings.deployment_method)


def default_resources(workflow: "Workflow") -> dict[str, str]:
    """What the profile gives every rule, as it is written there."""
    return _as_written(workflow.resource_settings.default_resources or {})


def rule_resources(workflow: "Workflow") -> dict[str, dict[str, str]]:
    """What the profile gives single rules, by their names, as it is written there."""
    return {rule: _as_written(given) for rule, given in workflow.resource_settings.overwrite_resources.items()}


def cores(workflow: "Workflow") -> int | None:
    """How many cores all jobs share; None where that is not limited, as in a dry-run."""
    return workflow.resource_settings.cores


def shared_resource(workflow: "Workflow", name: str) -> int | None:
    """How much of a resource all jobs share; None where that is not limited."""
    return workflow.global_resources[name].value if name in workflow.global_resources else None


def share_resource(workflow: "Workflow", name: str, value: int) -> None:
    """Let all jobs share so much of a resource, as `--resources NAME=VALUE` does. Before jobs are scheduled."""
    workflow.register_resource(name, value)


def _as_written(resources: Mapping[str, Any]) -> dict[str, str]:
    # a Resource whose value is an expression gives only its text before a job is there
    return {name: str(getattr(value, "raw", value)) for name, value in resources.items()}


def around_execution(
    workflow: "Workflow",
    surround: Callable[[bool, bool, bool], contextlib.AbstractContextManager],
    planned: Callable[[], None] = lambda: None,
) -> None:
    """Have Snakemake execute inside a context, entered before it compares outputs and locks the folder.

    Not entered by what only looks: --lint, --list, --summary, --dag, --report, --unlock and the like.

    Args:
        workflow: the Snakefile's.
        surround: gets whether this is a dry-run, whether jobs are submitted to other machines, which a dry-run does
            not know, and whether jobs compute, which those of --touch do not. A SystemExit that the context raises
            ends Snakemake with its message.
        planned: called within the context of a run or a dry-run, once its jobs are known and before any starts.
    """
    execute, delete_output, build = workflow.execute, workflow.delete_output, workflow._build_dag

    def build_dag() -> None:
        build()
        planned()

    @functools.wraps(execute)
    def surrounded_execute(*arguments: Any, executor_plugin: Any, **options: Any) -> Any:
        how = executor_plugin.common_settings
        with surround(how.dryrun_exec, not how.local_exec, not (how.dryrun_exec or how.touch_exec)):
            workflow._build_dag = build_dag
            return execute(*arguments, executor_plugin=executor_plugin, **options)

    @functools.wraps(delete_output)
    def surrounded_delete_output(only_temp: bool = False, dryrun: bool = False) -> Any:
        with surround(dryrun, False, False):
            return delete_output(only_temp=only_temp, dryrun=dryrun)

    workflow.execute, workflow.delete_output = surrounded_execute, surrounded_delete_output


def jobs_to_run(workflow: "Workflow") -> list[tuple[str, dict[str, str]]]:
    """Rule and wildcards of the jobs that a run will start, sorted. Args: workflow: its jobs are known (`planned`)."""
    dag = workflow.dag
    # at that time --until has chosen other targets, and the jobs behind them have not been taken out yet
    asked = set(dag.bfs(dag.dependencies, *dag.targetjobs))
    found = [(job.rule.name, dict(job.wildcards_dict)) for job in dag.needrun_jobs() if job in asked]
    return sorted(found, key=lambda job: (job[0], *job[1].values()))


class Records:
    """Snakemake's records of what made each file.

    Args:
        folder: its `.snakemake`.
    """

    def __init__(self, folder: Path):
        self._store = FilePersistence(path=folder.absolute())

    def has(self, path: str) -> bool:
        """Whether there is a readable record of a file."""
        return self._store._read_record(path) is not None

    def params(self, path: str) -> list[str] | None:
        """The params on record, as `write` takes them; None where there is no readable record."""
        record = self._store._read_record(path)
        return None if record is None else sorted(record.params or [])

    def write(
        self, path: str, *, params: list[str], rule: str | None = None, checksums: dict[str, str] | None = None
    ) -> None:
        """Write the record of a file.

        Args:
            path: the file, as Snakemake names it.
            params: the sorted reprs of the job's params; Snakemake reruns the job whose params are others.
            rule: the job's.
            checksums: `sha256:...` per input; a newer input that still has its checksum is not a change.
        """
        record = MetadataRecord(
            rule=rule,
            params=params,
            input_checksums=checksums or {},
            record_format_version=RECORD_FORMAT_VERSION,
            incomplete=False,
        )
        self._store._write_record(path, record)


@contextlib.contextmanager
def filtered(lines: logging.Filter) -> Iterator[None]:
    """Let a filter see all that Snakemake says."""
    from snakemake.logging import logger

    logger.addFilter(lines)
    try:
        yield
    finally:
        logger.removeFilter(lines)


class PlannedJob(Protocol):
    """The record of a job with a command that Snakemake logs in a dry-run: what is read of it."""

    rule_name: str
    wildcards: Mapping[str, str]
    reason: str
    input: Iterable[str]
    output: Sequence[str]
    shellcmd: str


class _PlannedJobs(logging.Filter):
    """Collects the jobs that Snakemake logs, and lets nothing but warnings and errors through.

    A filter, because Snakemake replaces the handlers of its logger when it starts.
    """

    def __init__(self) -> None:
        super().__init__()
        self.records: list[PlannedJob] = []

    def filter(self, record: logging.LogRecord) -> bool:
        from snakemake_interface_logger_plugins.common import LogEvent

        job: Any = record  # an event of Snakemake's has more attributes than a record
        if getattr(record, "event", None) == LogEvent.JOB_INFO and job.shellcmd:  # targets run no command
            self.records.append(job)
        return record.levelno >= logging.WARNING


def dry_run(arguments: list[str]) -> list[PlannedJob]:
    """The jobs that `snakemake --dry-run` plans with these arguments. Once per process: Snakemake keeps state.

    Returns:
        a record per job with a command.

    Raises:
        SystemExit: it failed; with the Snakefile's message, or with 1 where Snakemake has said why on standard error.
    """
    from snakemake import cli

    jobs = _PlannedJobs()
    try:
        with filtered(jobs), contextlib.redirect_stdout(sys.stderr):
            cli.main(["--dry-run", *arguments])
    except SystemExit as end:
        if end.code:
            raise
    return jobs.records
