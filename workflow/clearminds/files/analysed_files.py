"""Which files each analysis of a model and a target reads, and where its table is."""

from collections.abc import Callable, Iterable

from clearminds.files.layout import Layout
from clearminds.files.study_files import adapter_rows, mask_rows, model_rows, source_rows

Rows = list[dict]


def _of_sources(kind: str) -> Callable[[dict], Rows]:
    return lambda names: source_rows(names, kind)


# by kind, the files as rows with `path` and what each is of
FILES: dict[str, Callable[[dict], Rows]] = {
    "models": model_rows,
    "adapters": adapter_rows,
    "masks": mask_rows,
    "scores": _of_sources("scores"),
    "sequences": _of_sources("sequences"),
    "responses": _of_sources("responses"),
}
OF_VARIANTS = ("adapters", "masks")  # kinds of files that variants have, while the others are of models or sources
OF_SOURCES = ("scores", "sequences", "responses")

# the kinds that each analysis reads
READS: dict[str, tuple[str, ...]] = {
    "weight_change": ("models", "adapters"),
    "masks": ("masks", "scores", "sequences"),
    "agreement": ("masks",),
    "nll": ("scores",),
    "convergence": ("adapters",),
    "self_bleu": ("masks", "responses"),
}
GRADIENTS = "gradients"  # the one that takes a model, and so is a stage of its own: `measure_gradients`


def analysed_files(analysis: str, names: dict) -> dict[str, Rows]:
    """The files of an analysis, by kind.

    Args:
        analysis: a key of `READS`.
        names: as of `study_files.evaluation_rows`, those of one model and one target, and `sources` where the
            responses or scores of these are read.
    """
    return {kind: FILES[kind](names) for kind in READS[analysis]}


def analysis_rows(names: dict, analyses: Iterable[str]) -> Rows:
    """Every table of a study's analyses: model, target, analysis and path. Args: names as above; the analyses."""
    layout, found = Layout(names["results"]), []
    for model in names["models"]:
        for target in names["targets"]:
            for analysis in analyses:
                row = {"model": model, "target": target, "analysis": analysis}
                kind = layout.gradients if analysis == GRADIENTS else layout.analysis
                found.append({**row, "path": kind.path(**row)})
    return found
