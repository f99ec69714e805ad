"""Refusing a study of a task of lm-evaluation-harness that needs packages or data which are not installed here."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import PurePosixPath

from clearminds.config.study import Study
from clearminds.config.tasks import LmEvalTask
from clearminds.errors import UserError

# of the harness' extras, those of tasks that the project names; the packages as they are imported
PACKAGES = {"ifeval": ("langdetect", "immutabledict", "nltk")}
SENTENCES = "punkt_tab"  # NLTK's data for sentences, which the harness would download when the evaluation begins


def refuse_missing_packages(study: Study) -> None:
    """Check that tasks of the harness can be imported.

    Raises:
        UserError: names the task and the commands that install what is missing.
    """
    for key, task in _asked(study):
        packages = PACKAGES.get(task, ())
        missing = [package for package in packages if find_spec(package) is None]
        commands = [f".venv/bin/pip install {' '.join(missing)}"] if missing else []
        if packages and ("nltk" in missing or not _has_sentences()):
            commands.append(f".venv/bin/python -m nltk.downloader {SENTENCES}")
        if commands:
            what = f"the packages {', '.join(missing)}" if missing else f"NLTK's data {SENTENCES}"
            raise UserError(
                f"{key}: {task} of lm-evaluation-harness needs {what}, which this environment lacks; run "
                f"{' and '.join(commands)}, or take the task out"
            )


def _asked(study: Study) -> list[tuple[str, str]]:
    """The harness' tasks that are evaluated, each with the key that names it."""
    members = [(suite, member) for suite, found in study.suites.items() for member in found]
    named = [(f"suites: {suite}", member.removeprefix("lm_eval:")) for suite, member in members if ":" in member]
    tasks = {name: task.name for name, task in study.tasks.items() if isinstance(task, LmEvalTask)}
    return named + [(f"tasks: {member}", tasks[member]) for _, member in members if member in tasks]


def _has_sentences() -> bool:
    """Whether NLTK finds its data for sentences."""
    try:
        import_module("nltk").data.find(PurePosixPath("tokenizers", SENTENCES).as_posix())
    except LookupError:
        return False
    return True
