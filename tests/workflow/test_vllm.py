"""A study whose responses and answers the real vLLM gives, through Snakemake."""

import json

import polars as pl
import pytest
from tiny import tiny_model_folder

from clearminds.checkout import ROOT
from clearminds.config.blocks import Runtime
from clearminds.files import contracts
from clearminds.files.tables import read_provenance, read_table

from .conftest import Workflow, tiny_study
from .plans import job, planned_jobs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (ROOT / Runtime().vllm_python).is_file(), reason="no vLLM here; run `make setup-vllm`"),
]
VARIANT = "self-output"


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Workflow:
    """A study of one variant, on a model with heads of a size that vLLM has."""
    config = tiny_study(tiny_model_folder(tmp_path_factory.mktemp("model") / "tiny", head_dim=32))
    config["variants"] = {VARIANT: config["variants"][VARIANT]}
    config["sources"]["self_output"]["backend"] = "vllm"
    config["evaluation"]["backend"] = "vllm"
    return Workflow(tmp_path_factory.mktemp("study"), config, warm=False)


@pytest.fixture(scope="module")
def results(study):
    done = study.run()
    assert done.returncode == 0, done.stdout[-6000:]
    return study.folder / "results" / "tiny"


def test_responses_are_kept_apart_and_say_where_they_come_from(study, results):
    path = results / "responses/tiny/sums/train.self_output.parquet"
    rows = read_table(path, contracts.RESPONSES).to_pylist()
    assert len(rows) == 16 and len({row["seed"] for row in rows}) == 16
    assert read_provenance(path)["spec"]["source"]["backend"] == "vllm"
    abouts = [json.loads(file.read_text()) for file in (study.folder / "results/store/responses").glob("*/about.json")]
    assert sorted(about.get("backend", "") for about in abouts) == ["", "vllm"], "everyday answers are transformers'"


def test_what_vllm_cost_is_in_the_record_of_the_run(study, results):
    logs = study.folder / "logs/tiny"
    for path, adapter in {
        "generate_responses/tiny/sums/train.self_output": None,
        "evaluate_base/tiny/all": None,
        f"evaluate_adapter/tiny/sums/{VARIANT}/seed0/all": "lora",
    }.items():
        found = json.loads((logs / f"{path}.run.json").read_text())
        assert found["tokens"] > 0 and found["tokens_per_second"] > 0
        assert found["vllm"]["version"].startswith("0.") and found["vllm"]["adapter"] == adapter
        text = (logs / f"{path}.log").read_text()
        assert " DEBUG vllm: " in text and "vLLM 0." in text
    assert "vllm" not in json.loads((logs / "generate_responses/tiny/chat/test.everyday.run.json").read_text())


def test_in_float32_transformers_gives_the_same_evaluations_and_only_these_run_again(study, results):
    names = {"base": "base", VARIANT: f"sums/{VARIANT}/seed0"}
    tables = {name: results / "evaluations/tiny" / path / "all.parquet" for name, path in names.items()}
    before = {name: pl.read_parquet(path) for name, path in tables.items()}
    assert before["base"].filter(pl.col("eval_task") == "chat")["score"].to_list() == [0.0, 0.0]
    study.config["evaluation"]["backend"] = "transformers"
    base = job("evaluate_base", model="tiny", suite="all")
    evaluation = job("evaluate_adapter", model="tiny", target="sums", variant=VARIANT, seed="0", suite="all")
    assert planned_jobs(study.run("--dry-run").stdout) == {base, evaluation, job("summarise"), job("report")}
    done = study.run(*(str(path.relative_to(study.folder)) for path in tables.values()))
    assert done.returncode == 0, done.stdout[-6000:]
    for name, path in tables.items():
        assert pl.read_parquet(path).equals(before[name]), name
