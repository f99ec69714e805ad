"""Collecting what the report shows from the files of a study."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from clearminds.files.layout import run_records, training_record
from clearminds.files.settings import settings
from clearminds.files.study_files import task_kinds
from clearminds.files.tables import library_versions, read_provenance
from clearminds.plugins.rule_words import in_words
from clearminds.report import figures
from clearminds.report.analyses import sections
from clearminds.report.page import Matching, PerplexityFigure, ReportData, sample_responses
from clearminds.report.sweeps import sweeps
from clearminds.report.token_counts import counts_table
from clearminds.report.trained import trained_rows


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
    ti_bwt: Path,
    missing: Sequence = (),
) -> ReportData:
    """Read everything that the report shows.

    Args:
        settings: of the stage.
        files: evaluations, masks, adapters, scores, rehearsals and, where the study asks for any, analyses: their
            paths, with model, target, and variant, source or analysis.
        summary: the result table.
        logs: the study's log folder, whose run records say what each job cost.
        ti_bwt: the figure of TI against BWT, as SVG.
        missing: evaluations that could not be made, each with `path` and `why`.
    """
    study, counts = settings.study, counts_table(files["masks"])
    return ReportData(
        study=study["study"],
        models={name: _origin(model) for name, model in study["models"].items()},
        variants=_variants(settings),
        training=study["training"],
        seeds=study["seeds"],
        summary=summary,
        counts=counts,
        matching=_matching(files["masks"]),
        ti_bwt_svg=ti_bwt.read_text(encoding="utf-8"),
        perplexity=_perplexity(files["scores"], _first_tau(study["variants"])),
        samples=sample_responses(files["evaluations"], task_kinds(settings.tasks)),
        runs=[json.loads(path.read_text(encoding="utf-8")) for path in run_records(logs)],
        versions=library_versions(),
        config=study,
        missing=missing,
        overlaps=_rehearsed(files["rehearsals"], "overlaps"),
        warnings=_rehearsed(files["rehearsals"], "warnings"),
        unprotected=_unprotected(files["evaluations"]),
        rules=_rules(files["masks"]),
        trained=trained_rows(files["adapters"], [_amounts(row["path"]) for row in files["adapters"]]),
        matched_by=study["match"].get("by", "examples"),
        sweeps=sweeps(study["variants"], summary, counts),
        analyses=sections(files.get("analyses", []), [name for name, _ in settings.names["variants"]]),
    )


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


def _rules(masks: list[dict]) -> list[dict]:
    """Which tokens count in each variant, once where that is the same for all models and targets."""
    found: dict[str, list[dict]] = {}
    for mask in masks:
        facts = read_provenance(mask["path"])
        words = in_words(facts["masks"].get("fitted") or facts["spec"]["weights"])
        row = {**{key: mask[key] for key in ("variant", "model", "target")}, "words": words}
        if row not in (rows := found.setdefault(mask["variant"], [])):
            rows.append(row)
    alike = {variant: len({row["words"] for row in rows}) == 1 for variant, rows in found.items()}
    return [{**row, "alike": alike[v]} for v, rows in found.items() for row in (rows[:1] if alike[v] else rows)]


def _matching(masks: list[dict]) -> list[Matching]:
    found: dict[tuple[str, str], Matching] = {}
    for mask in masks:
        counts = read_provenance(mask["path"])["counts"]
        key = mask["model"], mask["target"]
        known = found.setdefault(key, Matching(*key, counts["examples"], counts["matched"], {}))
        known.sources.update(counts["sources"])
    return list(found.values())


def _perplexity(scores: list[dict], tau: float | None) -> list[PerplexityFigure]:
    groups: dict[tuple, list] = {}
    for score in scores:
        groups.setdefault((score["model"], score["target"]), []).append((score["source"], Path(score["path"])))
    return [
        PerplexityFigure(
            model,
            target,
            figures.svg(figures.perplexity_distribution(files, tau)),
            tau,
            figures.perplexity_counts(files, tau),
        )
        for (model, target), files in groups.items()
    ]
