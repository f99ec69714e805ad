"""The whole chain on a tiny random model: every artefact, its contract, and what reruns afterwards."""

import json
import shlex
import subprocess
import sys

import polars as pl
import pytest

from clearminds.files import contracts
from clearminds.files.tables import read_provenance, read_table

from .conftest import Workflow

CONTRACTS = {
    "examples/sums/train.parquet": contracts.EXAMPLES,
    "responses/tiny/sums/train.self_output.parquet": contracts.RESPONSES,
    "verdicts/tiny/sums/train.self_output.parquet": contracts.VERDICTS,
    "scores/tiny/tiny/sums/train.reference.parquet": contracts.TOKEN_SCORES,
    "scores/tiny/tiny/sums/train.reference.sequences.parquet": contracts.SEQUENCES,
    "masks/tiny/sums/stm-200.parquet": contracts.MASKS,
    "masks/tiny/sums/random-200.draw0.parquet": contracts.MASKS,
    "evaluations/tiny/base/all.parquet": contracts.EVALUATION,
    "evaluations/tiny/sums/stm-200/seed0/all.parquet": contracts.EVALUATION,
}


@pytest.fixture(scope="module")
def workflow(tmp_path_factory, finished) -> Workflow:
    return finished.copy(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def output(finished) -> str:
    return finished.output


@pytest.fixture(scope="module")
def results(workflow):
    return workflow.folder / "results" / "tiny"


@pytest.mark.parametrize(("path", "contract"), CONTRACTS.items())
def test_every_table_has_its_contract_and_provenance(results, path, contract):
    assert read_table(results / path, contract).num_rows > 0
    facts = read_provenance(results / path)
    assert facts["spec"] and len(facts["code"]) == 32 and facts["libraries"]["pyarrow"]


def test_summary_has_the_columns_and_one_row_per_variant_and_task(results):
    summary = pl.read_parquet(results / "tables" / "summary.parquet")
    columns = ["variant", "seed", "eval_task", "role", "metric", "score", "relative_change", "ti", "bwt"]
    assert summary.columns[: len(columns)] == columns
    assert dict(summary.group_by("variant").len().iter_rows()) == dict.fromkeys(
        ["base", "self-output", "stm-200", "random-200"], 4
    )
    base = summary.filter(pl.col("variant") == "base", pl.col("eval_task") == "chat")
    assert base["score"].to_list() == [1.0]  # the base has not drifted from itself
    for suffix in ("csv", "md"):
        assert (results / "tables" / f"summary.{suffix}").stat().st_size > 0


def test_variants_train_on_the_same_examples_in_the_same_order(results):
    masks = sorted((results / "masks" / "tiny" / "sums").glob("*.parquet"))
    ids = [read_table(path, contracts.MASKS)["example_id"].to_pylist() for path in masks]
    assert len(masks) == 3 and all(other == ids[0] for other in ids)


def test_random_control_masks_as_many_tokens_of_each_example(results):
    kept = [
        read_table(results / "masks" / "tiny" / "sums" / f"{name}.parquet", contracts.MASKS)["n_kept"].to_pylist()
        for name in ("stm-200", "random-200.draw0")
    ]
    assert kept[0] == kept[1] and sum(kept[0]) > 0


def test_adapter_folder_is_peft_with_card_history_and_hashes(results):
    folder = results / "adapters" / "tiny" / "sums" / "stm-200" / "seed0"
    assert {f.name for f in folder.iterdir()} >= {
        "adapter_model.safetensors",
        "adapter_config.json",
        "README.md",
        "history.parquet",
        "run.json",
    }
    assert json.loads((folder / "adapter.json").read_text())["kind"] == "lora"
    assert pl.read_parquet(folder / "history.parquet").height == 2  # 8 examples, 4 per step


def test_output_tells_stage_and_progress_in_plain_lines(workflow, output):
    assert "[stage 8/12 train_adapter] tiny/sums/stm-200/seed0: 2 of 2 steps" in output
    assert "results/tiny/report.html" in output and "results/tiny/tables/summary.parquet" in output
    assert "\r" not in output and "\x1b" not in output
    assert (workflow.folder / "logs/tiny/train_adapter/tiny/sums/stm-200/seed0.log").is_file()


def test_report_is_one_file(results):
    html = (results / "report.html").read_text()
    assert "stm-200" in html and "<svg" in html


def test_nothing_is_done_twice(workflow, output):
    assert "Nothing to be done" in workflow.run("--dry-run").stdout


def test_snakemake_makes_its_own_report(workflow, output):
    done = workflow.run("--report", "report.zip")
    assert done.returncode == 0, done.stdout[-2000:]
    assert (workflow.folder / "report.zip").stat().st_size > 10_000


def test_the_run_ends_with_table_and_paths(output):
    table = output[output.index("steps (100%) done") :]
    for text in ("TI", "BWT", "stm-200", "results/tiny/report.html", "results/tiny/tables/summary.parquet"):
        assert text in table


def test_another_tau_scores_and_generates_nothing(workflow, output):
    workflow.config["variants"]["stm-200"]["weights"]["tau"] = "250"
    try:
        plan = workflow.run("--dry-run", "--quiet", "rules").stdout + workflow.run("--dry-run").stdout
    finally:
        workflow.config["variants"]["stm-200"]["weights"]["tau"] = "200"
    assert "rule build_masks" in plan and "rule train_adapter" in plan
    for rule in ("generate_responses", "score_token_perplexity", "evaluate_base", "verify_responses", "prepare_task"):
        assert f"rule {rule}" not in plan


def test_a_logged_command_can_be_run_by_hand(workflow, output):
    commands = [
        line.removeprefix("Shell command: ") for line in output.splitlines() if line.startswith("Shell command:")
    ]
    python, *arguments = shlex.split(next(line for line in commands if "/verify_responses.py" in line))
    assert python == "python"
    done = subprocess.run([sys.executable, *arguments], cwd=workflow.folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
