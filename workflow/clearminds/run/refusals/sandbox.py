"""Refusing a study that runs programs of its models where there is no sandbox for them, before anything is computed."""

from clearminds.config.study import Study
from clearminds.reuse.stage_code import runs_programs
from clearminds.sandbox.programs import Sandbox


def refuse_missing_sandbox(study: Study) -> None:
    """Try the sandbox of `runtime: sandbox` on this machine, if a verifier of the study runs programs: milliseconds.

    Raises:
        SandboxError: it is not installed, or does not work.
    """
    if any(runs_programs(task.verifier) for task in study.tasks.values() if task.verifier):
        with Sandbox(study.runtime.sandbox, workers=1):
            pass
