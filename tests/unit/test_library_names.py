"""Names of libraries' things that a study may use: the config's lists are the installed libraries' own."""

import re

import pytest
import torch
from demo_study import demo, study_with
from reasoning_gym.factory import DATASETS
from transformers import SchedulerType, TrainingArguments, get_scheduler
from transformers.integrations import INTEGRATION_TO_CALLBACK

from clearminds.config.values import POLYNOMIAL_END, Scheduler, Tracker
from clearminds.errors import UserError
from clearminds.plugins.load import names
from clearminds.run.refusals.four_bits import refuse_missing_bitsandbytes
from clearminds.run.refusals.plugin_names import generators
from clearminds.run.refusals.trackers import PACKAGES, refuse_missing_trackers

STEPS = 6


def rates(name: str, folder: str, warmup: int, learning_rate: float = 1e-3) -> list[float]:
    """The learning rates of the steps of a training as the Trainer makes its scheduler, without further arguments."""
    arguments = TrainingArguments(output_dir=folder, lr_scheduler_type=name, use_cpu=True, report_to="none")
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=learning_rate)
    scheduler = get_scheduler(arguments.lr_scheduler_type, optimizer, warmup, STEPS)
    found = []
    for _ in range(STEPS):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


@pytest.mark.parametrize("name", [kind.value for kind in SchedulerType])
def test_a_study_may_name_the_schedulers_that_need_no_arguments(name, tmp_path):
    if name in Scheduler.__args__:
        for warmup in (0, 3):
            assert max(rates(name, str(tmp_path), warmup)) <= 1e-3 * 1.001
    else:
        with pytest.raises((ValueError, TypeError)):
            rates(name, str(tmp_path), 3)


def test_a_study_names_no_scheduler_that_transformers_has_not():
    assert {*Scheduler.__args__} < {kind.value for kind in SchedulerType}


def test_polynomial_needs_a_learning_rate_above_its_end(refusal, tmp_path):
    with pytest.raises(ValueError, match="must be smaller than initial lr"):
        rates("polynomial", str(tmp_path), 0, POLYNOMIAL_END)
    rates("polynomial", str(tmp_path), 0, POLYNOMIAL_END * 1.01)
    given = {"scheduler": "polynomial", "learning_rate": POLYNOMIAL_END}
    message = "scheduler: polynomial ends at a learning rate of 1e-07 and needs a higher learning_rate, not 1e-07"
    assert refusal(study_with({"training": given})) == f"training: {message}"
    found = refusal(study_with({"variants/ground-truth/training": given}))
    assert found == f"variants: ground-truth: training: {message}"


# --- trackers ---------------------------------------------------------------------------------------------------------


def test_a_study_may_name_the_trackers_of_transformers():
    assert {*Tracker.__args__} == INTEGRATION_TO_CALLBACK.keys()
    assert PACKAGES.keys() < {*Tracker.__args__}


@pytest.mark.parametrize("given", ["none", "all", "tensorboard", ["tensorboard", "wandb"], []])
def test_trackers_are_one_or_several(given):
    assert demo({"runtime/report_to": given}).runtime.report_to == given


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ("wandb", "wandb needs the package wandb, which is not installed; "),
        (["kubeflow", "azure_ml"], "azure_ml needs the package azureml.core, which is not installed; "),
        ("tensorboard", "tensorboard needs the package tensorboard, which is not installed; "),
    ],
)
def test_a_tracker_without_its_package_is_refused(given, line, monkeypatch):
    monkeypatch.setattr("clearminds.run.refusals.trackers._installed", lambda package: False)
    with pytest.raises(UserError) as caught:
        refuse_missing_trackers(given)
    assert str(caught.value).startswith(f"runtime: report_to: {line}")


@pytest.mark.parametrize("given", ["none", "all", [], ["kubeflow"]])
def test_nothing_is_missing_where_nothing_is_needed(given):
    refuse_missing_trackers(given)


@pytest.mark.parametrize(("package", "there"), [("torch", True), ("no_such_thing", False), ("no_such.thing", False)])
def test_a_package_counts_where_it_can_be_found(package, there, monkeypatch):
    monkeypatch.setitem(PACKAGES, "wandb", [package])
    if there:
        refuse_missing_trackers("wandb")
    else:
        with pytest.raises(UserError, match=f"needs the package {package}"):
            refuse_missing_trackers(["wandb"])


# --- 4 bits -----------------------------------------------------------------------------------------------------------


def test_a_model_in_4_bits_is_refused_where_its_package_is_missing_and_only_there(monkeypatch):
    plain, quantised = (demo({"models/smollm2-135m-q4/quantization": bits}) for bits in ("none", "4bit"))
    monkeypatch.setattr("clearminds.run.refusals.four_bits.find_spec", lambda package: None)
    refuse_missing_bitsandbytes(plain.models)
    with pytest.raises(UserError) as caught:
        refuse_missing_bitsandbytes(quantised.models)
    assert str(caught.value) == (
        "models: smollm2-135m-q4: quantization: 4bit needs the package bitsandbytes, which is not installed; run "
        ".venv/bin/pip install 'bitsandbytes>=0.46.1', or set quantization: none"
    )
    monkeypatch.setattr("clearminds.run.refusals.four_bits.find_spec", lambda package: package)
    refuse_missing_bitsandbytes(quantised.models)


# --- plugins ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "kind", "others"),
    [
        ("tasks/sums/kind", "task_kinds", set()),
        ("sources/everyday/kind", "sources", {"reference"}),
        ("variants/stm-2.5/weights/rule", "weights", set()),
        ("sources/everyday/backend", "backends", set()),
        ("evaluation/backend", "backends", set()),
    ],
)
def test_every_plugin_is_named_where_an_unknown_one_is_refused(refusal, place, kind, others):
    said = refusal(study_with({place: "zzz"}))
    found = set(re.search(r"'zzz' is not one of ([\w, ]+)", said)[1].split(", "))
    assert found - {"lm_eval"} == {*names(kind)} - others  # a kind of task that is the harness' own


# --- generators -------------------------------------------------------------------------------------------------------


def test_the_generators_are_those_of_reasoning_gym():
    assert generators() == sorted(DATASETS)
