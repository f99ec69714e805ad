"""Which jobs wait for a rehearsal: those that will run; and of what the settings of one consist."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from demo_study import MODEL, WILDCARDS, demo, spec

from clearminds.files.tables import write_json
from clearminds.reuse import stage_code
from clearminds.reuse.job_memory import JobMemory, made_by
from clearminds.run.inputs import WAITING
from clearminds.run.specs import Specs

REHEARSAL = f"results/demo/rehearsals/{MODEL}.json"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Wildcards(SimpleNamespace):
    """Wildcards of a job, as Snakemake gives them to a function."""

    def items(self):
        return vars(self).items()


def wildcards(**changes: str) -> Wildcards:
    return Wildcards(**{**vars(WILDCARDS), **changes})


def make(specs: Specs, stage: str, code: str | None = None) -> None:
    """Leave a result and its job's memory, as the job leaves them."""
    kind, given = getattr(specs.layout, WAITING[stage]), dict(wildcards().items())
    path, settings = kind.path(**given), json.loads(specs.text(stage)(wildcards()))
    write_json(Path(path), {})
    memory = JobMemory.of(Path(specs.layout.jobs), [Path(path)], stage, "name")
    memory.keep(made_by(stage, settings, code or stage_code.fingerprint(stage, settings), {}, {}))


@pytest.mark.parametrize("stage", WAITING)
def test_a_job_waits_until_its_result_is_there_and_as_it_would_be_made_now(folder, stage):
    specs = Specs(demo())
    waits_for = specs.inputs.rehearsal(stage)
    assert waits_for(wildcards()) == waits_for(wildcards(shard="1of2")) == [REHEARSAL]
    make(specs, stage, code="of another version")
    assert waits_for(wildcards()) == [REHEARSAL]
    make(specs, stage)
    assert waits_for(wildcards()) == waits_for(wildcards(shard="1of2")) == []


@pytest.mark.parametrize("stage", WAITING)
def test_no_job_waits_where_the_study_says_so(folder, stage):
    assert Specs(demo({"runtime/rehearse": False})).inputs.rehearsal(stage)(wildcards()) == []


def test_a_changed_setting_lets_a_job_wait_again(folder):
    make(Specs(demo()), "train_adapter")
    assert Specs(demo()).inputs.rehearsal("train_adapter")(wildcards()) == []
    assert Specs(demo({"training/rank": 4})).inputs.rehearsal("train_adapter")(wildcards()) == [REHEARSAL]


def test_all_wait_where_data_or_a_model_are_others_than_they_were(folder):
    specs = Specs(demo())
    make(specs, "train_adapter")
    specs.inputs.all_wait = True
    assert specs.inputs.rehearsal("train_adapter")(wildcards()) == [REHEARSAL]
    assert specs.inputs.rehearsal("generate_responses")(wildcards(source="reference")) == []


def test_copied_references_and_jobs_of_another_snakemake_wait_for_nothing(folder):
    assert Specs(demo()).inputs.rehearsal("generate_responses")(wildcards(source="reference")) == []
    assert Specs(demo()).inputs.rehearsal("score_token_perplexity")(wildcards(source="reference")) == [REHEARSAL]
    assert Specs(demo(), one_job=True).inputs.rehearsal("train_adapter")(wildcards()) == []


def test_a_rehearsal_has_each_training_block_once_whatever_its_variant_is_called():
    found = json.loads(spec(demo(), "rehearse"))
    assert len(found["trainings"]) == 1 and found["references"] and found["sources"] == ["rephrase", "self_output"]
    assert "epochs" not in found["trainings"][0]
    more = {"variants/new": {"responses": "reference"}, "training/epochs": 9, "training/batch_examples": 1}
    assert spec(demo(more), "rehearse") == spec(demo(), "rehearse")
    dora = demo({"variants/new": {"responses": "reference", "training": {"adapter": "dora"}}})
    assert len(json.loads(spec(dora, "rehearse"))["trainings"]) == 2


def test_references_count_where_a_source_falls_back_to_them():
    own = {"match/sources": ["self_output"], "variants": {"self-output": {"responses": "self_output"}}}
    assert json.loads(spec(demo(own), "rehearse", variant="self-output"))["references"] is False
    falls_back = {**own, "sources/self_output/when_none_accepted": "reference"}
    assert json.loads(spec(demo(falls_back), "rehearse", variant="self-output"))["references"] is True


def test_the_rehearsal_reads_the_examples_of_all_targets_and_suites():
    specs = Specs(demo())
    assert specs.inputs.train_examples(WILDCARDS) == ["results/demo/examples/sums/train.parquet"]
    evaluated = specs.inputs.evaluated_examples(WILDCARDS)
    assert len(evaluated) == 7 and evaluated[0] == "results/demo/examples/sums/test.parquet"
