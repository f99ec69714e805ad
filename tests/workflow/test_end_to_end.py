"""The whole chain on a tiny random model: every artefact, its contract, and what reruns afterwards."""

import json
import re
import shlex
import subprocess
import sys
import zipfile

import polars as pl
import pytest

from clearminds.checkout import ROOT
from clearminds.files import contracts
from clearminds.files.tables import read_provenance, read_table

from .conftest import Workflow

pytestmark = pytest.mark.slow

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


def test_an_adapter_s_card_tells_of_its_variant_and_its_lines_load_it(workflow, results, monkeypatch, capsys):
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    monkeypatch.chdir(workflow.folder)
    folder = results / "adapters" / "tiny" / "sums" / "random-200" / "seed0"
    text = (folder / "README.md").read_text()
    assert "# sums/random-200/seed0" in text and "base_model:" not in text
    said = "tokens drawn at random, in each response as many as tokens of perplexity up to 200 (rule `random`, seed 0)"
    assert said in text
    assert "- examples: 8 of the 8 of split train; matched: " in text
    [load, _] = re.findall(r"^```python\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    names: dict = {}
    exec(load, names)
    assert capsys.readouterr().out
    base = AutoModelForCausalLM.from_pretrained(results / "models" / "tiny", dtype=torch.float32)
    expected, ids = PeftModel.from_pretrained(base, folder).eval(), torch.arange(3, 20)[None]
    model = names["model"].eval()
    assert torch.allclose(model(input_ids=ids.to(model.device)).logits.cpu(), expected(input_ids=ids).logits, atol=1e-4)


def documented(readme: str, title: str) -> list[str]:
    """The paths of a table of results/README.md. Args: its text; the first words of the table's head."""
    table = readme[readme.index(f"| path below `{title}`") :].partition("\n\n")[0]
    return [path for row in table.splitlines()[2:] for path in re.findall(r"`([^`]+)`", row.split(" | ")[0])]


def covers(path: str, file: str) -> bool:
    pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))
    return re.fullmatch(pattern + (".+" if path.endswith("/") else ""), file) is not None


@pytest.mark.parametrize("title", ["results/{study}/", "results/store/"])
def test_the_readme_of_results_has_a_line_for_each_file_and_no_other(results, title):
    paths = documented((ROOT / "results" / "README.md").read_text(encoding="utf-8"), title)
    folder = results if "study" in title else results.parent / "store"
    files = [file.relative_to(folder).as_posix() for file in folder.rglob("*") if not file.is_dir()]
    assert [path for path in paths if not any(covers(path, file) for file in files)] == []
    assert [file for file in files if not any(covers(path, file) for path in paths)] == []


def test_the_docs_list_the_files_of_an_adapter(results):
    table = (ROOT / "docs" / "adapters.md").read_text(encoding="utf-8").partition("| file |")[2].partition("\n\n")[0]
    listed = [name for row in table.splitlines()[2:] for name in re.findall(r"`([^`]+)`", row.split(" | ")[0])]
    folder = results / "adapters" / "tiny" / "sums" / "stm-200" / "seed0"
    assert sorted(listed) == sorted(file.name for file in folder.iterdir())


def test_output_tells_stage_and_progress_in_plain_lines(workflow, output):
    assert re.search(r"^train_adapter tiny/sums/stm-200/seed0: done in \d+ s$", output, re.MULTILINE)
    assert "results/tiny/report.html" in output and "results/tiny/tables/summary.parquet" in output
    assert "\r" not in output and "\x1b" not in output
    log = workflow.folder / "logs/tiny/train_adapter/tiny/sums/stm-200/seed0.log"
    assert "clearminds: 2 of 2 steps" in log.read_text()


def test_report_is_one_file(results):
    html = (results / "report.html").read_text()
    assert "stm-200" in html and "<svg" in html


def test_nothing_is_done_twice(workflow, output):
    assert "Nothing to be done" in workflow.run("--dry-run").stdout


def test_snakemake_makes_its_own_report(workflow, output):
    done = workflow.run("--report", "report.zip")
    assert done.returncode == 0, done.stdout[-2000:]
    with zipfile.ZipFile(workflow.folder / "report.zip") as packed:
        names = packed.namelist()
        [page] = [packed.read(name).decode() for name in names if name.count("/") == 1 and name.endswith("report.html")]
    shown = set(re.findall(r'"(results/tiny/[^"]+)": \{"name"', page))
    captions = dict(re.findall(r'"name": "([^"]+)", [^{}]*?"caption": "<p>([^"]{60,})', page))
    figures = sorted((workflow.folder / "results/tiny/figures").glob("*.svg"))
    assert {file.name for file in figures} == {"ti_bwt.svg", "perplexity.svg", "sweeps.svg", "analyses.svg"}
    assert {str(file.relative_to(workflow.folder)) for file in figures} < shown
    for name in (*(file.name for file in figures), "report.html", "summary.csv", "comparisons.csv"):
        assert any(one.endswith(f"/{name}") for one in names) and captions[name], name


def test_figures_and_tables_are_there_in_every_format(results):
    formats = {"figures": {".svg", ".pdf"}, "tables": {".parquet", ".csv", ".md", ".tex"}}
    names = {"figures": ("ti_bwt", "perplexity", "sweeps", "analyses"), "tables": ("summary", "comparisons")}
    for folder, suffixes in formats.items():
        for name in names[folder]:
            assert {file.suffix for file in (results / folder).glob(f"{name}.*")} == suffixes, name


def test_the_run_ends_with_table_and_paths(output):
    table = output[output.rindex(" jobs done]") :]
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


def snakemakes_log(workflow, output) -> str:
    """What Snakemake wrote of that run in its own log, which the output names."""
    return (workflow.folder / re.search(r"their commands are in (\S+)", output)[1]).read_text()


def test_the_terminal_shows_what_is_done_and_no_commands(workflow, output):
    lines = output.splitlines()
    counts = [tuple(map(int, found)) for found in re.findall(r"^\[(\d+) of (\d+) jobs done", output, re.MULTILINE)]
    jobs = len(list((workflow.folder / "logs/tiny").rglob("*.outcome.json")))
    assert counts == [(done, jobs) for done in range(1, jobs + 1)]
    for word in ("started", "done in"):
        assert sum(re.search(rf"^\w+( \S+)?: {word}", line) is not None for line in lines) == jobs
    for kept in ("--spec", "Shell command", "rule ", "    resources", "steps (", "Building DAG", "jobid", "SNAKEMAKE"):
        assert not any(kept in line for line in lines)
    table = next(number for number, line in enumerate(lines) if line.startswith("variant "))
    assert max(map(len, lines[: table - 1])) <= 160
    assert len(lines) < 6 * jobs + 20


def test_snakemakes_log_has_its_own_words_and_the_commands(workflow, output):
    log = snakemakes_log(workflow, output)
    jobs = len(list((workflow.folder / "logs/tiny").rglob("*.outcome.json")))
    assert log.count("Shell command: python ") == jobs and "rule train_adapter:" in log and "(100%) done" in log
    own = (workflow.folder / "logs/tiny/train_adapter/tiny/sums/stm-200/seed0.log").read_text().splitlines()[0]
    assert "command: " in own and "train_adapter.py --spec" in own


def test_a_logged_command_can_be_run_by_hand(workflow, output):
    lines = snakemakes_log(workflow, output).splitlines()
    commands = [line.removeprefix("Shell command: ") for line in lines if line.startswith("Shell command:")]
    python, *arguments = shlex.split(next(line for line in commands if "/verify_responses.py" in line))
    assert python == "python"
    done = subprocess.run([sys.executable, *arguments], cwd=workflow.folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
