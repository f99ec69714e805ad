"""Refusing a study that runs programs of its models where there is no sandbox for them, before anything is computed."""

from clearminds.config.study import Study
from clearminds.reuse.stage_code import runs_programs
from clearminds.sandbox.programs import Sandbox


def refuse_missing_sandbox(study: Study) -> None:
    """Try the sandbox of `runtime: sandbox` on this machine, if a verifier that the study asks runs programs.

    It asks those of its targets, and of the tasks whose accuracy it evaluates.

    Raises:
        SandboxError: it is not installed, or does not work.
    """
    evaluated = {name for members in study.suites.values() for name in members if name in study.tasks}
    asked = {name for name in evaluated if study.tasks[name].evaluate == "accuracy"} | set(study.targets)
    if any(runs_programs(verifier) for name in asked if (verifier := study.tasks[name].verifier)):
        with Sandbox(study.runtime.sandbox, workers=1):
            pass
