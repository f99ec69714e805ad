"""The records of the jobs that each variant needs, found by their logs."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from clearminds.files.layout import Layout, draw_of, run_record, run_records


def all_records(logs: Path) -> list[dict]:
    """What every job of a study has recorded, but those of earlier reports, so that equal results give equal pages.

    Args:
        logs: the study's folder of logs.
    """
    records = (json.loads(path.read_text(encoding="utf-8")) for path in run_records(logs))
    return [record for record in records if record["stage"] != "report"]


def of_variants(
    variants: Mapping[str, Mapping], suites: list[str], results: str, logs: Path, files: Mapping[str, list[dict]]
) -> list[dict]:
    """A record per job that a variant needs, with model, target and variant; jobs without a record are left out.

    Args:
        variants: of the config, with their `responses`.
        suites: that are evaluated.
        results: the study's folder of results.
        logs: its folder of logs.
        files: `masks` and `adapters`, as of `files.study_files`.
    """
    layout = Layout(results, str(logs))
    found = []
    for path, row in _jobs(layout, variants, suites, files):
        if path.is_file():
            names = {key: row[key] for key in ("model", "target", "variant")}
            found.append({**json.loads(path.read_text(encoding="utf-8")), **names})
    return found


def _jobs(
    layout: Layout, variants: Mapping[str, Mapping], suites: list[str], files: Mapping[str, list[dict]]
) -> Iterator[tuple[Path, dict]]:
    seen = set()
    for row in files["masks"]:
        yield run_record(Path(layout.masks.log_path(**{**row, "draw": draw_of(row["draw"])}))), row
        key = row["model"], row["target"], row["variant"]
        source = variants[row["variant"]]["responses"]
        if key in seen:
            continue
        seen.add(key)
        given = {"scorer": row["model"], "model": row["model"], "task": row["target"], "split": "train"}
        for kind in (layout.responses, layout.verdicts, layout.scores):
            yield run_record(Path(kind.log_path(**given, source=source))), row
        for kind in (layout.responses_shard, layout.scores_shard):  # which do the work of a table where there are any
            log = Path(kind.log_path(**given, source=source, shard="*"))
            for shard in sorted(log.parent.glob(log.name)):
                yield run_record(shard), row
    for row in files["adapters"]:
        yield run_record(Path(layout.adapter.log_path(**row))), row
        for suite in suites:
            yield run_record(Path(layout.evaluation.log_path(**row, suite=suite))), row
