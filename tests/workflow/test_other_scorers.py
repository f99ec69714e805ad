"""Rules that ask for another model's scores: their jobs, what a change of them reruns, and models that cannot score."""

import copy
import json
import math

import numpy as np
import polars as pl
import pytest
from tiny import tiny_model_folder

from .conftest import Workflow, tiny_study

pytestmark = pytest.mark.slow

OTHER = {"rule": "perplexity", "tau": "200", "scorer": "other"}
EXCESS = {"rule": "excess", "keep": 50, "reference": "other"}
TUNED = "tiny+sums.own-200.seed0"
DPF = {"rule": "dpf", "reference": {"variant": "own-200"}}
WHOLE = "tiny+sums.whole.seed0"  # all of its weights are trained, so that it is saved as a model


def study(folder):
    config = tiny_study(tiny_model_folder(folder / "tiny"))
    config["models"]["other"] = {"path": str(tiny_model_folder(folder / "other", seed=1))}
    config["match"] = {"sources": ["reference"]}
    config["variants"] = {
        name: {"responses": "reference", "weights": weights}
        for name, weights in {
            "own-200": {**OTHER, "scorer": "tiny"},
            "other-200": OTHER,
            "excess": EXCESS,
            "dpf": DPF,
            "whole": {"rule": "all"},
            "dpf-whole": {"rule": "dpf", "reference": {"variant": "whole"}},
        }.items()
    }
    config["variants"]["whole"]["training"] = {"adapter": "full"}
    return config


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scorers")
    workflow = Workflow(folder / "run", study(folder))
    done = workflow.run("masks")
    assert done.returncode == 0, done.stdout[-4000:]
    return workflow


def columns(workflow, scorer):
    path = workflow.folder / f"results/tiny/scores/{scorer}/tiny/sums/train.reference.parquet"
    return pl.read_parquet(path).select("example_id", "logprob")


def masks(workflow, variant):
    """The weights of every response token, one after the other."""
    table = pl.read_parquet(workflow.folder / f"results/tiny/masks/tiny/sums/{variant}.parquet")
    ids = pl.read_parquet(workflow.folder / "results/tiny/scores/tiny/tiny/sums/train.reference.sequences.parquet")
    rows = table.join(ids.select("example_id", "n_prompt"), on="example_id", maintain_order="left").to_dicts()
    return [w for r in rows for w in r["weights"][r["n_prompt"] : r["n_prompt"] + r["n_response"]]]


def test_masks_are_made_of_the_scores_of_the_model_that_the_rule_names(scored):
    losses = {scorer: -columns(scored, scorer)["logprob"].cast(pl.Float64).to_numpy() for scorer in ("tiny", "other")}
    own, other = (masks(scored, variant) for variant in ("own-200", "other-200"))
    np.testing.assert_array_equal(own, losses["tiny"] <= math.log(200))
    np.testing.assert_array_equal(other, losses["other"] <= math.log(200))
    assert own != other
    excess, kept = losses["tiny"] - losses["other"], np.array(masks(scored, "excess")) > 0
    assert excess[kept].mean() > excess[~kept].mean() and 0.5 <= kept.mean() < 0.52


def test_a_variant_s_adapter_scores_as_the_model_that_it_makes(scored):
    """Its losses differ from the base's, and masks keep the tokens whose loss it lowered."""
    names = ("tiny", WHOLE, TUNED)
    base, whole, tuned = (-columns(scored, name)["logprob"].cast(pl.Float64).to_numpy() for name in names)
    for variant, losses in (("dpf-whole", whole), ("dpf", tuned)):
        assert (base != losses).mean() > 0.9
        np.testing.assert_array_equal(masks(scored, variant), losses < base)
        assert 0 < np.mean(masks(scored, variant)) < 1
    trained = np.array(masks(scored, "own-200")) > 0
    assert tuned[trained].mean() < base[trained].mean()


def test_a_change_of_such_a_rule_scores_nothing_anew(scored):
    changed = Workflow(scored.folder, copy.deepcopy(scored.config))
    changed.config["variants"]["other-200"]["weights"]["tau"] = "250"
    done = changed.run("masks")
    assert done.returncode == 0, done.stdout[-4000:]
    started = {line.removesuffix(": started") for line in done.stdout.splitlines() if line.endswith(": started")}
    assert started == {"build_masks tiny/sums/other-200", "build_masks other/sums/other-200"}


def test_a_scorer_of_another_tokenizer_is_refused_before_it_scores(tmp_path):
    workflow = Workflow(tmp_path / "run", study(tmp_path))
    file = tmp_path / "other" / "tokenizer.json"
    tokenizer = json.loads(file.read_text(encoding="utf-8"))
    tokenizer["model"]["vocab"] |= {"Ġthe": tokenizer["model"]["vocab"]["a"], "a": tokenizer["model"]["vocab"]["Ġthe"]}
    file.write_text(json.dumps(tokenizer), encoding="utf-8")
    done = workflow.run("results/tiny/masks/tiny/sums/other-200.parquet")
    assert done.returncode != 0
    assert "a scorer must share the tokenizer of the model that is trained" in done.stdout
