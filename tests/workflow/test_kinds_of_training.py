"""Continual learning, replay, somebody else's adapter and trainings matched by steps, on a tiny model: what is made,
what the report says of it, and what a change reruns."""

import copy
import json

import polars as pl
import pytest
from safetensors.torch import load_file
from tiny import tiny_adapter_folder, tiny_model_folder

from .conftest import Workflow, tiny_study
from .plans import planned_jobs

pytestmark = pytest.mark.slow

REPLAY = {"task": "divisors", "share": 0.25, "weights": {"rule": "rank", "top": 200}}


def study(folder):
    base = tiny_model_folder(folder / "tiny")
    config = tiny_study(base)
    config["tasks"]["more"] = {**config["tasks"]["sums"], "seed": 8}
    config["tasks"]["divisors"] = {"kind": "reasoning_gym", "generator": "gcd", "splits": {"train": 4}}
    config["suites"] = {"all": ["sums", "more"]}
    config["targets"] = ["sums", "more"]
    config["match"] = {"sources": ["reference"], "by": "steps"}
    config["variants"] = {
        "first": {"responses": "reference", "targets": ["sums"]},
        "then": {
            "responses": "reference",
            "targets": ["more"],
            "start_from": {"variant": "first", "target": "sums"},
        },
        "mixed": {"responses": "reference", "targets": ["more"], "replay": REPLAY},
        "theirs": {"adapter": {"path": str(tiny_adapter_folder(folder / "theirs", base))}, "trained_on": "sums"},
    }
    return config


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kinds")
    workflow = Workflow(folder / "run", study(folder))
    assert workflow.run("masks").returncode == 0
    workflow.warm = False  # what a launcher leaves out, each kind may need
    found = workflow.run()
    assert found.returncode == 0, found.stdout[-4000:]
    return workflow


def planned(workflow, config):
    """The rules and variants of the jobs of variants that a dry-run plans."""
    jobs = planned_jobs(Workflow(workflow.folder, config).run("--dry-run").stdout)
    return {
        (rule, names["variant"]) for rule, names in ((rule, dict(pairs)) for rule, pairs in jobs) if "variant" in names
    }


def results(workflow):
    return workflow.folder / "results" / "tiny"


def test_every_kind_is_evaluated_where_it_belongs(done):
    summary = pl.read_parquet(results(done) / "tables" / "summary.parquet")
    found = {key for key in summary.select("target", "variant").unique().iter_rows() if key[1] != "base"}
    assert found == {("sums", "first"), ("sums", "theirs"), ("more", "then"), ("more", "mixed")}
    roles = summary.filter(pl.col("variant") == "then").select("eval_task", "role")
    assert dict(roles.iter_rows()) == {"sums": "ood", "more": "target"}, "what was learnt first may be forgotten"


def test_the_second_training_goes_on_with_the_first_adapter(done):
    first, then = (results(done) / "adapters" / "tiny" / place / "seed0" for place in ("sums/first", "more/then"))
    said = json.loads((then / "adapter.json").read_text(encoding="utf-8"))
    before = json.loads((first / "adapter.json").read_text(encoding="utf-8"))["files"]
    assert said["spec"]["start"] == {"variant": "first", "target": "sums", "seed": "0"}
    assert said["start"] == before
    card = (then / "README.md").read_text(encoding="utf-8")
    assert "- begins with: the adapter of variant `first` trained on `sums` with seed 0" in card
    old, new = (load_file(folder / "adapter_model.safetensors") for folder in (first, then))
    assert old.keys() == new.keys() and any((old[name] != new[name]).any() for name in old)


def test_replayed_examples_are_in_the_masks_and_counted(done):
    masks = pl.read_parquet(results(done) / "masks" / "tiny" / "more" / "mixed.parquet")
    assert masks["task"].to_list().count("divisors") == round(8 * 0.25 / 0.75)
    record = json.loads((results(done) / "adapters/tiny/more/mixed/seed0/run.json").read_text(encoding="utf-8"))
    plain = json.loads((results(done) / "adapters/tiny/more/then/seed0/run.json").read_text(encoding="utf-8"))
    assert (record["examples"], record["replayed"], record["steps"]) == (11, 3, 2)
    assert (plain["examples"], plain["replayed"], plain["steps"]) == (8, 0, 2)
    card = (results(done) / "adapters/tiny/more/mixed/seed0/README.md").read_text(encoding="utf-8")
    assert "- replayed: 3 examples of `divisors` beside these (source `reference`)" in card


def test_the_report_says_what_each_saw_and_where_they_differ(done):
    page = (results(done) / "report.html").read_text(encoding="utf-8")
    assert "for equally many optimiser steps" in page
    assert "tiny, more: examples per pass differ between variants: from 8 (then) to 11 (mixed)" in page
    assert "optimiser steps differ" not in page
    assert str(done.config["variants"]["theirs"]["adapter"]["path"]) in page


@pytest.mark.parametrize(
    ("change", "rules"),
    [
        (lambda variants: variants["first"].update(training={"weight_decay": 0.1}), {"first", "then"}),
        (lambda variants: variants["then"]["start_from"].update(variant="mixed", target="more"), {"then"}),
        (lambda variants: variants["mixed"]["replay"].update(share=0.2), {"mixed"}),
        (lambda variants: variants["theirs"].pop("trained_on"), {"theirs"}),
    ],
)
def test_a_change_reruns_what_was_made_of_it_and_nothing_else(done, change, rules):
    config = copy.deepcopy(done.config)
    change(config["variants"])
    assert {variant for _, variant in planned(done, config)} == rules


def test_an_adapter_of_others_that_was_edited_in_place_is_taken_and_evaluated_again(done):
    assert planned(done, done.config) == set()
    file = done.folder.parent / "theirs" / "adapter_config.json"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('"lora_alpha": 8', '"lora_alpha": 80'), encoding="utf-8")
    try:
        assert planned(done, done.config) == {("take_adapter", "theirs"), ("evaluate_adapter", "theirs")}
    finally:
        file.write_text(text, encoding="utf-8")
