"""Refusing a study two of whose results would be one file, or whose results would lie among those of stores.

Ids may have dots, which also part the names of files; and some file systems do not tell capitals from small letters.
"""

import os
from pathlib import Path

from clearminds.config.study import Study
from clearminds.errors import UserError
from clearminds.files.layout import Layout, same_file

IN_STORES = ("responses", "scores")  # the folders of a store


def refuse_equal_files(study: Study) -> None:
    """Check that the files of all ids are told apart, and the study's from those of its stores.

    Raises:
        UserError: names the id, or the folder, to change.
    """
    for where, names in ids_of(study).items():
        first: dict[str, str] = {}
        for name in names:
            if (other := first.setdefault(name.lower(), name)) != name:
                raise UserError(
                    f"{where}: {name} and {other} differ in capitals only, which some file systems do not tell apart; "
                    "rename one of them"
                )
    splits = dict.fromkeys(split for task in study.tasks.values() for split in task.splits)
    if clash := same_file(splits, ["reference", *study.sources]):
        (split, source), (other_split, other_source), name = clash
        named = other_source if other_source != "reference" else source
        raise UserError(
            f"sources: {named}: its files would have the names of others: source {source} of split {split} and "
            f"source {other_source} of split {other_split} both write {name}; rename one of them"
        )
    for variant in study.variants:
        small = variant.lower()
        read = Layout.masks.parse(Layout.masks.path(model="m", target="t", variant=small, draw=""))
        if read is None or read["variant"] != small:
            raise UserError(
                f"variants: {variant}: .draw and a number end the masks of rules that draw at random; rename it"
            )


def refuse_results_in_a_store(study: Study) -> None:
    """Check that neither the study's folder of results nor its store is a part of the other.

    Raises:
        UserError: names the key to change.
    """
    folder = Layout.of(study.study).results
    store, results = _place(study.runtime.store), _place(folder)
    if study.study.lower() == "store" or any(_is_in(results, place) for place in (store / n for n in IN_STORES)):
        raise UserError(
            f"study: {study.study}: its folder {folder} is where stores of responses and scores are; give the study "
            "another name"
        )
    if _is_in(store, results):
        raise UserError(
            f"runtime: store: {study.runtime.store} is inside the study's own folder {folder}; give it a folder of its "
            "own, such as results/store"
        )


def ids_of(study: Study) -> dict[str, list[str]]:
    """All ids of a study, by where they are declared."""
    return {
        "models": list(study.models),
        "tasks": list(study.tasks),
        **{f"tasks: {name}: splits": list(task.splits) for name, task in study.tasks.items()},
        "suites": list(study.suites),
        "sources": ["reference", *study.sources],
        "variants": [*study.variants, *(study.given or {})],
    }


def _place(path: str) -> Path:
    return Path(os.path.abspath(path).lower())


def _is_in(path: Path, folder: Path) -> bool:
    return path == folder or folder in path.parents
