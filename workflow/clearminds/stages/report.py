"""Collecting what the report shows from the files of a study."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from clearminds.checkout import ROOT
from clearminds.files.layout import training_record
from clearminds.files.settings import settings
from clearminds.files.study_files import task_kinds
from clearminds.files.summary import COMPARISONS
from clearminds.files.tables import library_versions, read_provenance
from clearminds.report import figures, tokens_view
from clearminds.report.analyses import sections
from clearminds.report.costs import per_variant
from clearminds.report.flips import flips
from clearminds.report.frontier import ti_bwt
from clearminds.report.page import Matching, PerplexityFigure, ReportData
from clearminds.report.published import published
from clearminds.report.samples import sample_responses
from clearminds.report.sweeps import sweeps
from clearminds.report.token_counts import counts_table
from clearminds.report.trained import trained_rows
from clearminds.stages.reporting import costs, words
from clearminds.stages.reporting.advice import advice
from clearminds.stages.reporting.made import made_with
from clearminds.stages.reporting.surprise import others, surprise

TAU = 2.5  # where the slider begins in a study without a threshold: the paper's


@settings
class Settings:
    """What the report depends on: the study (its config), and as of `summarise` its names and tasks."""

    study: dict[str, Any]
    names: dict[str, Any]
    tasks: list[dict[str, Any]]


def gather(
    settings: Settings,
    files: dict[str, list[dict]],
    summary: pl.DataFrame,
    logs: Path,
    frontier: Sequence[str],
    missing: Sequence = (),
    comparisons: pl.DataFrame | None = None,
    hashes: Mapping[str, str] | None = None,
) -> ReportData:
    """Read everything that the report shows.

    Args:
        settings: of the stage.
        files: evaluations, masks, adapters, scores, sequences, examples (of targets), rehearsals and, where the study
            asks for any, analyses: their paths, with model, target, and variant, source or analysis.
        summary: the result table.
        logs: the study's log folder, whose run records say what each job cost.
        frontier: of `frontier_of`.
        missing: evaluations that could not be made, each with `path` and `why`.
        comparisons: of the same run as the result table.
        hashes: SHA-256 of tables, by what the page calls them.
    """
    study, counts = settings.study, counts_table(files["masks"])
    comparisons = COMPARISONS.to_frame() if comparisons is None else comparisons
    order = [name for name, _ in settings.names["variants"]]
    models = _origins(settings)
    tau = _first_tau(study["variants"])
    kinds = task_kinds(settings.tasks)
    taus = tokens_view.thresholds(_taus(study["variants"]))
    examples = {row["target"]: row["path"] for row in files.get("examples", [])}
    facts = [read_provenance(row["path"]) for row in files["masks"]]
    fitted = words.thresholds(files["masks"], facts)
    of_variants = costs.of_variants(study["variants"], settings.names["suites"], settings.names["results"], logs, files)
    return ReportData(
        study=study["study"],
        models=models,
        variants=_variants(settings),
        training=study["training"],
        summary=summary,
        counts=counts,
        matching=_matching(files["masks"], facts),
        frontier=frontier,
        perplexity=_perplexity(files["scores"], study["variants"], fitted),
        samples=sample_responses(files["evaluations"], kinds),
        runs=costs.all_records(logs),
        versions=library_versions(),
        config=study,
        missing=missing,
        overlaps=_rehearsed(files["rehearsals"], "overlaps"),
        warnings=_rehearsed(files["rehearsals"], "warnings"),
        unprotected=_unprotected(files["evaluations"]),
        rules=words.rules(files["masks"], facts),
        trained=trained_rows(files["adapters"], [_amounts(row["path"]) for row in files["adapters"]]),
        matched_by=study["match"].get("by", "examples"),
        sweeps=sweeps(study["variants"], summary, comparisons, counts, fitted),
        analyses=sections(others(files.get("analyses", [])), order),
        comparisons=comparisons,
        said=words.said(_variants(settings), study.get("sources", {}), study["training"], fitted),
        advice=advice(summary, comparisons),
        published=published(models, settings.names["targets"]),
        surprise=surprise(files, order),
        tokens=tokens_view.views(files["masks"], files["scores"], files.get("sequences", []), examples, taus),
        taus=taus,
        tau=tau or TAU,
        flips=flips(files["evaluations"], _with_metrics(kinds, summary)),
        costs=per_variant(of_variants),
        made=_made(facts, hashes or {}),
        citation=_citation(),
    )


def frontier_of(settings: Settings, summary: pl.DataFrame, comparisons: pl.DataFrame) -> list[str]:
    """The figures of TI over BWT as SVG, with published values of the same models and targets."""
    others = published(_origins(settings), settings.names["targets"])
    return [figures.svg(chart) for chart in ti_bwt(summary, comparisons, others)]


def _origins(settings: Settings) -> dict[str, str]:
    return {name: _origin(model) for name, model in settings.study["models"].items()}


def _amounts(adapter: str) -> dict[str, Any]:
    """What a training has recorded of itself; nothing where that has been removed or edited since."""
    try:
        return json.loads(training_record(Path(adapter)).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}


def _variants(settings: Settings) -> dict[str, dict]:
    """What each variant is, in the study's order, what is not trained here last; which sweep it is of says its name."""
    variants = settings.study["variants"]
    trained = {
        name: {key: value for key, value in variants[name].items() if key != "swept"}
        for name, _ in settings.names["variants"]
    }
    return trained | settings.study.get("given", {})


def _rehearsed(rehearsals: list[dict], key: str) -> list:
    """What the rehearsals of all models found, each thing once: the examples are the same for all."""
    found: list = []
    for row in rehearsals:
        record = json.loads(Path(row["path"]).read_text(encoding="utf-8"))
        found += [one for one in record.get(key, []) if one not in found]
    return found


def _unprotected(evaluations: list[dict]) -> int:
    """In how many evaluations programs of models ran on this machine without isolation."""
    return sum(read_provenance(row["path"]).get("sandbox") == "rlimits" for row in evaluations)


def _origin(model: dict) -> str:
    return model.get("pypi") or (f"{model['hub']}@{model['revision']}" if "hub" in model else model["path"])


def _first_tau(variants: dict) -> float | None:
    taus = (v["weights"].get("tau", "auto") for v in variants.values())
    return next((float(tau) for tau in taus if tau != "auto"), None)


def _with_metrics(tasks: dict[str, dict], summary: pl.DataFrame) -> dict[str, dict]:
    """The tasks with what the result table shows of those of lm-evaluation-harness, as `metric,filter`."""
    labels = dict(summary.select("eval_task", "metric").unique().iter_rows())
    found = {}
    for name, task in tasks.items():
        metric, _, reading = (labels.get(name) or "").partition(",")
        found[name] = {**task, "metric": metric, "filter": reading} if task["evaluate"] == "lm_eval" else task
    return found


def _taus(variants: dict) -> list[float]:
    """The thresholds that variants name."""
    taus = (v["weights"].get("tau", "auto") for v in variants.values())
    return [float(tau) for tau in taus if tau != "auto"]


def _made(masks: list[dict], hashes: Mapping[str, str]) -> dict[str, str]:
    """How the study can be made again, and the fingerprints of what it was made of."""
    found = {"command": "snakemake --cores all --configfile FILE, where FILE says the config below"}
    for facts in masks:
        name = facts.get("base") or "model"
        hashed = {"model": "model", "tokenizer": "tokenizer", "chat_template": "chat template"}
        found |= {f"{what} of {name}": facts[key] for key, what in hashed.items() if key in facts}
    return found | dict(hashes) | made_with()


def _citation() -> str:
    """How to cite this project and the paper; empty in a checkout without that file."""
    file = ROOT / "CITATION.cff"
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def _matching(masks: list[dict], facts: list[dict]) -> list[Matching]:
    found: dict[tuple[str, str], Matching] = {}
    for mask, own in zip(masks, facts, strict=True):
        counts = own["counts"]
        key = mask["model"], mask["target"]
        known = found.setdefault(key, Matching(*key, counts["examples"], counts["matched"], {}))
        known.sources.update(counts["sources"])
    return list(found.values())


def _perplexity(scores: list[dict], variants: dict, fitted: words.Fitted) -> list[PerplexityFigure]:
    """A figure for each model and target, with all thresholds that its variants have."""
    groups: dict[tuple, list] = {}
    for score in scores:
        groups.setdefault((score["model"], score["target"]), []).append((score["source"], Path(score["path"])))
    found = []
    for (model, target), files in groups.items():
        taus = {f"τ = {tau:g}": tau for tau in sorted(set(_taus(variants)))}
        own = {name: tau for (*names, name), tau in fitted.items() if names == [model, target]}
        taus |= {f"τ = {tau:.3g} ({name})": tau for name, tau in own.items() if _is_auto(variants.get(name, {}))}
        found.append(
            PerplexityFigure(
                model,
                target,
                figures.svg(figures.perplexity_distribution(files, taus, f"{model}, trained on {target}")),
                {name: figures.perplexity_counts(files, tau) for name, tau in taus.items()},
                figures.perplexity_counts(files, None),
            )
        )
    return found


def _is_auto(variant: Mapping) -> bool:
    return variant.get("weights", {}).get("tau") == "auto"
