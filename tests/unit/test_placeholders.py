"""A profile whose values are not filled in stops a run before it submits anything."""

from pathlib import Path

import pytest
import yaml

from clearminds.errors import UserError
from clearminds.run.refusals.placeholders import refuse_placeholders

ROOT = Path(__file__).parents[2]


def test_each_key_is_named_once():
    default = {"slurm_account": "SET_ME", "slurm_partition": "cpu"}
    by_rule = {"train_adapter": {"slurm_partition": "SET_ME"}, "evaluate_base": {"slurm_partition": "SET_ME"}}
    with pytest.raises(UserError) as error:
        refuse_placeholders(default, by_rule)
    assert str(error.value).startswith(
        "default-resources: slurm_account, set-resources: train_adapter: slurm_partition: still SET_ME; "
    )


@pytest.mark.parametrize("default", [{}, {"mem_mb": "1000", "slurm_account": ""}])
def test_what_is_set_or_absent_passes(default):
    refuse_placeholders(default, {"train_adapter": {"slurm_partition": "gpu"}})


@pytest.mark.parametrize("profile", ["default", "workstation"])
def test_local_profiles_hold_no_placeholder(profile):
    assert "SET_ME" not in (ROOT / "profiles" / profile / "config.yaml").read_text()


def test_the_slurm_profile_says_all_that_the_default_one_says():
    default, slurm = (yaml.safe_load((ROOT / "profiles" / p / "config.yaml").read_text()) for p in ("default", "slurm"))
    assert {key: slurm.get(key) for key in default if key != "cores"} == {
        k: v for k, v in default.items() if k != "cores"
    }


def test_the_slurm_profile_has_one_block_for_all_rules_that_run_a_model():
    slurm = yaml.safe_load((ROOT / "profiles" / "slurm" / "config.yaml").read_text())
    rules = {
        "rehearse",
        "generate_responses",
        "generate_shard",
        "score_token_perplexity",
        "score_shard",
        "train_adapter",
        "evaluate_base",
        "evaluate_adapter",
        "measure_gradients",
    }
    assert set(slurm["set-resources"]) == set(slurm["set-threads"]) == rules
    assert len({str(block) for block in slurm["set-resources"].values()}) == 1
    assert not any("retries" in file.read_text() for file in (ROOT / "workflow" / "rules").glob("*.smk"))
