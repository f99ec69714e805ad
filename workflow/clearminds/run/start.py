"""What is done once Snakemake begins to execute: never while the Snakefile is only read, as by --lint or --summary."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from clearminds.errors import UserError
from clearminds.files.layout import Layout
from clearminds.reuse.adopt import adopt
from clearminds.reuse.snakemake_compat import around_execution, default_resources, is_one_job, rule_resources
from clearminds.run import one_run, signals
from clearminds.run.interpreter import put_first_in_path
from clearminds.run.placeholders import refuse_placeholders
from clearminds.run.run_end import RunEnd, unusable
from clearminds.run.specs import Specs

if TYPE_CHECKING:
    from snakemake.workflow import Workflow


def prepare_execution(workflow: "Workflow", specs: Specs) -> RunEnd:
    """Have a run prepared when it begins, and its end awaited; one that cannot begin ends with a line that says why.

    Args:
        workflow: the Snakefile's.
        specs: of its study.
    """
    end = RunEnd(workflow, specs)

    @contextmanager
    def execution(dry: bool) -> Iterator[None]:
        try:
            _begin(workflow, specs.study.model_dump(), specs.layout, dry)
        except UserError as error:
            sys.exit(f"error: {error}")
        except OSError as error:
            sys.exit(f"error: {unusable(error)}")
        with nullcontext() if is_one_job(workflow) else end.awaited(dry):
            yield

    around_execution(workflow, execution)
    return end


def _begin(workflow: "Workflow", study: dict, layout: Layout, dry: bool) -> None:
    put_first_in_path()
    if is_one_job(workflow):
        signals.as_usual()  # what started it waits for its end
        one_run.begin_on_node(study)
        return
    if not dry:
        refuse_placeholders(default_resources(workflow), rule_resources(workflow))
        # before Snakemake's own lock, whose error neither says who holds it nor that a killed run left it behind
        one_run.begin(study)
    elif one_run.alive():
        return  # that run has adopted, and is writing the records of what it makes
    # before outputs are compared; a dry-run writes them too, as Snakemake compares with what is on disk only
    adopt(layout)
