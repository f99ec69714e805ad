"""Refusing a study that names a plugin which does not exist, before anything runs."""

from difflib import get_close_matches

from clearminds.config.study import Study
from clearminds.errors import UserError
from clearminds.plugins.load import names


def refuse_unknown_plugins(study: Study) -> None:
    """Check the names that the config's models leave open: verifiers, and generators whose references are wordings.

    Raises:
        UserError: names the task, what it asks for, and what there is.
    """
    for name, task in study.tasks.items():
        _among(f"tasks: {name}: verifier", task.verifier, names("verifiers"))
        if getattr(task, "reference", None) == "wordings":
            _among(f"tasks: {name}: reference: wordings: generator", getattr(task, "generator", ""), names("wordings"))


def _among(where: str, found: str, known: list[str]) -> None:
    if found in known:
        return
    near = get_close_matches(found, known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise UserError(f"{where}: {found!r} is not one of {', '.join(known)}{hint}")
