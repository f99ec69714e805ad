"""The analyses in the real workflow: their tables and their section of the report; what asking for them reruns."""

import copy
from pathlib import Path

import polars as pl
import pytest

from clearminds.files.analysed_files import GRADIENTS, READS

from .plans import ROOT, Checkout, job

pytestmark = pytest.mark.slow

ALL = [*READS, GRADIENTS]
ONE = {"model": "tiny", "target": "sums"}


def tables(folder: Path) -> dict[str, pl.DataFrame]:
    place = folder / "results" / "tiny" / "tables"
    found = {name: place / "analyses" / "tiny" / "sums" / f"{name}.parquet" for name in READS}
    found[GRADIENTS] = place / "gradients" / "tiny" / "sums" / "norms.parquet"
    return {name: pl.read_parquet(path) for name, path in found.items()}


def test_every_analysis_is_a_table_and_is_shown(finished, tmp_path):
    study = finished.copy(tmp_path / "study")
    checkout = Checkout(ROOT)
    # without a curve of losses nothing that is there is made again
    study.config["analyses"] = [name for name in ALL if name != "convergence"]
    asked = {job("analyse", **ONE, analysis=name) for name in READS if name != "convergence"}
    asked |= {job("measure_gradients", **ONE)}
    assert checkout.plan(study.folder, study.config) == asked | {job("report")}

    study.config["analyses"] = ALL
    study.config["tasks"]["sums"]["splits"]["validation"] = 3
    study.config["variants"]["stm-200"]["training"] = {"validation_every": 1}
    assert study.run("results/tiny/tables/summary.parquet").returncode == 0
    study.warm = False  # what a launcher leaves out, each analysis may need
    assert study.run().returncode == 0
    found = tables(study.folder)
    variants = set(study.config["variants"])
    assert all(frame.height for frame in found.values())
    for name in ("weight_change", "masks", "self_bleu"):
        assert set(found[name]["variant"]) == variants
    assert set(found["convergence"]["variant"]) == {"stm-200"}
    # no sample of the tiny model ends
    assert set(found["nll"]["source"]) == set(found[GRADIENTS]["source"]) == {"reference"}
    assert found["convergence"].filter(pl.col("variant") == "stm-200")["step"].to_list() == [0, 1, 2]
    page = (study.folder / "results" / "tiny" / "report.html").read_text(encoding="utf-8")
    assert '<section id="analyses"' in page and page.count("<figure>") >= len(ALL)

    # another threshold: masks and trainings of the variants that have it, and what reads these
    assert checkout.plan(study.folder, study.config) == set()
    other = copy.deepcopy(study.config)
    other["variants"]["stm-200"]["weights"]["tau"] = "150"
    planned = {(rule, dict(wildcards).get("analysis")) for rule, wildcards in checkout.plan(study.folder, other)}
    assert {name for rule, name in planned if rule == "analyse"} == set(READS) - {"nll"}
    assert not {"measure_gradients", "score_token_perplexity"} & {rule for rule, _ in planned}
