"""The studies of the repository: what they plan is what a formula says, and each runs whole on a tiny model."""

from collections import Counter

import polars as pl
import pytest
from study_files import jobs, made_tiny, written
from tiny import tiny_model_folder

from clearminds.config.study import Study

from .conftest import Workflow
from .plans import planned_jobs

ARCHITECTURES = {
    "continual": "llama",
    "paper-gemma-2-2b": "gemma2",
    "paper-llama-3-8b": "llama",
    "paper-mistral-7b": "mistral",
    "paper-olmo-2-7b": "olmo2",
    "rules": "llama",
    "smollm2": "llama",
    "tau-sweep": "llama",
    "weak-prior": "llama",
}
OWN = ("paper-llama-3-8b", "paper-gemma-2-2b", "paper-mistral-7b", "paper-olmo-2-7b")
TWO_TARGETS = ("continual", "smollm2")
ONLY = {"smollm2": ("ground-truth", "half", "random")}  # its other variants are those of other studies


def test_the_papers_studies_differ_in_their_model_alone():
    def shared(name):
        return {key: value for key, value in written(name).items() if key not in ("study", "models")}

    assert all(shared(name) == shared(OWN[0]) for name in OWN)
    assert [written(name)["study"] for name in OWN] == list(OWN)


def test_the_formula_counts_the_papers_jobs():
    found = jobs(Study.model_validate(written("paper-llama-3-8b")))
    assert found["train_adapter"] == 2 * 5 * 3 and found["evaluate_adapter"] == 2 * 5 * 3 * 5
    assert found["build_masks"] == 2 * (4 + 3) and found["score_shard"] == 8 * 2 * 3 and found.total() == 317


@pytest.mark.slow
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_study_plans_the_jobs_that_the_formula_says(tmp_path, name):
    study = Workflow(tmp_path, written(name))
    planned = Counter(rule for rule, _ in planned_jobs(study.run("--dry-run").stdout))
    assert planned == jobs(Study.model_validate(written(name)))


@pytest.mark.slow
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_study_runs_whole_on_a_tiny_model(tmp_path, name):
    model = tiny_model_folder(tmp_path / "model", ARCHITECTURES[name])
    tiny = made_tiny(written(name), model, tmp_path, 2 if name in TWO_TARGETS else 1, ONLY.get(name))
    study = Workflow(tmp_path, tiny)
    done = study.run()
    assert done.returncode == 0, done.stdout[-6000:]
    results = tmp_path / "results" / name
    checked = Study.model_validate(study.config)
    summary = pl.read_parquet(results / "tables/summary.parquet")
    assert set(summary["variant"]) == {"base", *checked.variants}
    assert set(summary["target"]) == set(checked.targets)
    assert summary["score"].is_finite().all()
    report = (results / "report.html").read_text(encoding="utf-8")
    assert all(variant in report for variant in checked.variants)
    assert ("BWT and masked share over weights.tau" in report) == (name in ("tau-sweep", "weak-prior"))
