"""Studies stand alone: what is given by --configfile inherits nothing, and bad ones end in one line."""

import pyarrow.parquet as pq
import pytest

from clearminds.files.tables import read_provenance

from .conftest import MASKED, PREPARED, Workflow, tiny_study
from .plans import planned_jobs


@pytest.fixture
def study(tmp_path, tiny_model) -> Workflow:
    return Workflow(tmp_path, tiny_study(tiny_model))


@pytest.mark.slow
def test_a_study_inherits_nothing_from_config_yaml(study):
    plan = study.run("--dry-run").stdout
    assert "results/tiny/report.html" in plan
    for foreign in ("results/demo", "smollm2", "ground-truth", "products", "stm-2.5"):
        assert foreign not in plan


@pytest.mark.slow
def test_a_bad_study_ends_in_one_line(study):
    study.config["trainnig"] = study.config.pop("training")
    done = study.run("--dry-run")
    assert done.returncode != 0
    [line] = [line for line in done.stdout.splitlines() if line.startswith("error:")]
    assert "study.yaml" in line and "trainnig" in line and "did you mean training?" in line
    assert "Traceback" not in done.stdout


@pytest.mark.slow
def test_a_duplicate_key_is_refused(study):
    study.run("--dry-run")
    path = study.folder / "study.yaml"
    text = path.read_text() + "seeds: [1]\n"
    study.config = {}

    class Verbatim(Workflow):
        def run(self, *arguments):
            import unittest.mock

            with unittest.mock.patch("yaml.safe_dump", return_value=text):
                return super().run(*arguments)

    done = Verbatim(study.folder, {}).run("--dry-run")
    assert done.returncode != 0 and "key 'seeds' appears twice" in done.stdout


@pytest.mark.slow
def test_names_with_dots_are_told_apart_in_paths(tmp_path, finished):
    study = finished.begin(tmp_path, PREPARED)
    config = study.config
    config["sources"]["own.v1.5"] = config["sources"].pop("self_output") | {"kind": "self_output"}
    config["match"]["sources"] = ["reference", "own.v1.5"]
    config["variants"]["self-output"]["responses"] = "own.v1.5"
    (study.folder / "mine.jsonl").write_text('{"prompt": "1 + 1", "response": "2"}\n')
    columns = {"prompt": "prompt", "response": "response"}
    config["tasks"]["mine"] = {"kind": "file", "splits": {"test.more": "mine.jsonl"}, "columns": columns}
    config["runtime"] = {"shards": 2}
    planned = {
        dict(wildcards)["source"] for rule, wildcards in planned_jobs(study.run("--dry-run").stdout) if "score" in rule
    }
    assert planned == {"reference", "own.v1.5"}
    done = study.run("--until", "build_masks")
    assert done.returncode == 0, done.stdout[-4000:]
    masks = study.folder / "results/tiny/masks/tiny/sums"
    assert set(pq.read_table(masks / "self-output.parquet")["source"].to_pylist()) <= {"reference", "own.v1.5"}
    assert read_provenance(masks / "self-output.parquet")["counts"]["sources"].keys() == {"reference", "own.v1.5"}
    study.config["sources"]["own.v1.5.sequences"] = study.config["sources"]["own.v1.5"]
    done = study.run("--dry-run")
    [line] = [line for line in done.stdout.splitlines() if line.startswith("error:")]
    assert "sources: own.v1.5.sequences: its files would have the names of others" in line


@pytest.mark.slow
def test_a_failing_variant_does_not_stop_the_others(tmp_path, finished):
    study = finished.begin(tmp_path, MASKED)
    diverging = {"learning_rate": 1e30, "warmup_steps": 0}  # which no rehearsal finds
    study.config["variants"]["broken"] = {"responses": "self_output", "training": diverging}
    study.config["variants"] = {k: study.config["variants"][k] for k in ("broken", "stm-200")}
    done = study.run("--until", "train_adapter")
    assert done.returncode != 0
    assert (study.folder / "results/tiny/adapters/tiny/sums/stm-200/seed0/adapter.json").is_file()
    assert not (study.folder / "results/tiny/adapters/tiny/sums/broken/seed0/adapter.json").exists()
