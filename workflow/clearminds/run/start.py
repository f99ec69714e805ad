"""What is done once Snakemake begins to execute: never while the Snakefile is only read, as by --lint or --summary."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from clearminds.errors import UserError
from clearminds.files.layout import Layout
from clearminds.reuse import forced, known_code, run_code
from clearminds.reuse.adopt import adopt
from clearminds.reuse.integrity import Deviation
from clearminds.reuse.snakemake_compat import (
    around_execution,
    cores,
    default_resources,
    forced_targets,
    is_one_job,
    jobs_to_run,
    rule_resources,
    share_resource,
    shared_resource,
    uses_conda,
)
from clearminds.run import one_run, signals
from clearminds.run.interpreter import put_first_in_path
from clearminds.run.refusals.data_files import refuse_other_columns
from clearminds.run.refusals.four_bits import refuse_missing_bitsandbytes
from clearminds.run.refusals.harness_packages import refuse_missing_packages
from clearminds.run.refusals.model_folders import refuse_missing_adapter, refuse_missing_model
from clearminds.run.refusals.placeholders import refuse_placeholders
from clearminds.run.refusals.sandbox import refuse_missing_sandbox
from clearminds.run.refusals.trackers import refuse_missing_trackers
from clearminds.run.run_end import RunEnd, unusable
from clearminds.run.sizing.gpus import DECIDED, Gpus, refuse_auto, refuse_none
from clearminds.run.specs import Specs
from clearminds.run.terminal.printing import say
from clearminds.run.users_files import other_files

if TYPE_CHECKING:
    from snakemake.workflow import Workflow

MOST = 10  # files that are named one by one


def prepare_execution(workflow: "Workflow", specs: Specs, gpus: Gpus) -> RunEnd:
    """Have a run prepared when it begins, and its end awaited; one that cannot begin ends with a line that says why.

    Args:
        workflow: the Snakefile's.
        specs: of its study.
        gpus: of its jobs.
    """
    end = RunEnd(workflow, specs, gpus)

    runs = False

    def planned() -> None:
        if not is_one_job(workflow):
            jobs = jobs_to_run(workflow)
            _refuse_unusable(jobs, specs)
            if not runs:
                return
            specs.settle_code(jobs)
            known_code.save()
            if jobs:  # reading all code takes long where there is nothing to do
                run_code.remember()
                import_module("clearminds.report.result_table")  # which the end shows, whatever is edited until then

    @contextmanager
    def execution(dry: bool, submits: bool, computes: bool) -> Iterator[None]:
        nonlocal runs
        runs = computes
        try:
            if submits and gpus.asked == "auto":
                refuse_auto()
            shares = not (submits or is_one_job(workflow))
            if shares:
                refuse_none(shared_resource(workflow, "gpu"), gpus)
            if shares and computes:  # a cluster's nodes may have what this machine lacks; there each job tries
                refuse_missing_sandbox(specs.study)
            _begin(workflow, specs, dry)
            if shares and computes:
                _share_gpus(workflow, specs, gpus)
        except UserError as error:
            sys.exit(f"error: {error}")
        except OSError as error:
            sys.exit(f"error: {unusable(error)}")
        with nullcontext() if is_one_job(workflow) else end.awaited(dry):
            yield

    around_execution(workflow, execution, planned)
    return end


def _refuse_unusable(jobs: list[tuple[str, dict[str, str]]], specs: Specs) -> None:
    """Refuse data and models of the user's that a job would refuse, as long as no other job has started."""
    for rule, wildcards in jobs:
        if rule == "prepare_task":
            refuse_other_columns(specs.study, **wildcards)
        elif rule == "fetch_model":
            refuse_missing_model(specs.study.models[wildcards["model"]])
        elif rule == "take_adapter":
            refuse_missing_adapter(specs.study, wildcards["variant"])


def _begin(workflow: "Workflow", specs: Specs, dry: bool) -> None:
    study, layout = specs.study.model_dump(), specs.layout
    put_first_in_path()
    if is_one_job(workflow):
        signals.as_usual()  # what started it waits for its end
        one_run.begin_on_node(study)
        return
    if not uses_conda(workflow):  # whose environments may have what this one lacks
        refuse_missing_trackers(study["runtime"]["report_to"])
        if not dry:  # a plan may be made on a machine that runs none of it
            refuse_missing_bitsandbytes(specs.study.models)
            refuse_missing_packages(specs.study)
    if not dry:
        refuse_placeholders(default_resources(workflow), rule_resources(workflow))
        # before Snakemake's own lock, whose error neither says who holds it nor that a killed run left it behind
        one_run.begin(study)
        forced.remember(forced_targets(workflow))
    elif one_run.alive():
        return  # that run has adopted, and is writing the records of what it makes
    # before outputs are compared; a dry-run writes records too, as Snakemake compares with what is on disk only
    wrong = adopt(layout, other=other_files(specs))
    for line in _told(wrong):
        say(line)
    # with other data, or another model, all that follows from these runs again: not before it was rehearsed with them
    specs.inputs.all_wait = any(one.is_input or _is_of_a_model(one, layout) for one in wrong)


def _share_gpus(workflow: "Workflow", specs: Specs, gpus: Gpus) -> None:
    """Hold jobs to the GPUs that there are and can be used: one that waits for a GPU keeps its cores."""
    gpus.settle()
    specs.use(gpus.study)
    os.environ[DECIDED] = str(gpus.per_training)
    limit = gpus.limit()
    if limit is not None and shared_resource(workflow, "gpu") is None:
        share_resource(workflow, "gpu", limit)
    gpus.share(shared_resource(workflow, "gpu"), cores(workflow))


def _is_of_a_model(one: Deviation, layout: Layout) -> bool:
    return layout.model.parse(f"{Path(one.path).parent}{layout.model.declaration}") is not None


def _told(wrong: list[Deviation]) -> list[str]:
    lines = [
        f"{one}: {'what was made of it' if one.is_input else 'it'} is made again where this run needs it"
        for one in wrong[:MOST]
    ]
    return lines + ([f"and {len(wrong) - MOST} more files"] if len(wrong) > MOST else [])
