"""Refusing a study that names a plugin or a generator which does not exist, before anything runs."""

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from clearminds.config.study import Study
from clearminds.config.wording import nearest, short
from clearminds.errors import UserError
from clearminds.plugins.load import names

# how a module of reasoning-gym names its generator
DECLARED = re.compile(r'^(?:DATASET_NAME = |register_dataset\(\s*)"(\w+)"', re.MULTILINE)


def refuse_unknown_plugins(study: Study) -> None:
    """Check the names that the config's models leave open: verifiers, generators, and those with wordings.

    Raises:
        UserError: names the task, what it asks for, and what there is.
    """
    for name, task in study.tasks.items():
        if task.verifier is not None:
            _among(f"tasks: {name}: verifier", task.verifier, names("verifiers"))
        if task.kind != "reasoning_gym":
            continue
        if known := generators():
            _among(f"tasks: {name}: generator", task.generator, known)
        if task.reference == "wordings":
            _among(f"tasks: {name}: reference: wordings: generator", task.generator, names("wordings"))


@cache
def generators() -> list[str]:
    """The generators of reasoning-gym, sorted: read from its files, as importing it takes a second, and every job of a
    cluster reads the Snakefile."""
    package = find_spec("reasoning_gym")
    folders = (package and package.submodule_search_locations) or []
    texts = [file.read_text(encoding="utf-8") for folder in folders for file in Path(folder).rglob("*.py")]
    return sorted({name for text in texts for name in DECLARED.findall(text)})


def _among(where: str, found: str, known: list[str]) -> None:
    if found not in known:
        listed = known if len(known) <= 20 else [*known[:10], f"{len(known) - 10} more"]
        raise UserError(f"{where}: {short(found)} is not one of {', '.join(listed)}{nearest(found, known)}")
