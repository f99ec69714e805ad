"""Which files the report of a study reads."""

from clearminds.files.analysed_files import analysis_rows
from clearminds.files.study_files import (
    adapter_rows,
    evaluation_rows,
    mask_rows,
    rehearsal_rows,
    source_rows,
    train_examples,
)


def reported_files(names: dict, analyses: list[str]) -> dict[str, list[dict]]:
    """The files by kind, as rows with `path` and what each is of.

    Args:
        names: as of `study_files.evaluation_rows`, and sources.
        analyses: that the study asks for.
    """
    return {
        "evaluations": evaluation_rows(names),
        "masks": mask_rows(names),
        "adapters": adapter_rows(names),
        "scores": source_rows(names, "scores"),
        "sequences": source_rows(names, "sequences"),
        "examples": [{"target": target, "path": path} for target, path in train_examples(names).items()],
        "rehearsals": rehearsal_rows(names),
        "analyses": analysis_rows(names, analyses),
    }
