"""What a plan says a study costs: laws of the counts, and the numbers of models that are known."""

import copy
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from demo_study import DEMO, MODEL, WILDCARDS
from hypothesis import given
from hypothesis import strategies as st

from clearminds.commands import plan
from clearminds.config.study import Study
from clearminds.errors import UserError
from clearminds.run.sizing.costs import Cost, Rates, adapter_parameters, cost, estimated_seconds
from clearminds.run.sizing.hardware import DEVICES, of_machine
from clearminds.run.sizing.sizes import UNKNOWN_ITEMS, Sizes
from clearminds.run.sizing.workload import Workload, Workloads

A100 = DEVICES["a100"]

works = st.builds(
    Workload,
    parameters=st.integers(1, 10**12),
    weight_bytes=st.sampled_from([2, 4]),
    read=st.integers(0, 10**9),
    written=st.integers(0, 10**9),
    rows=st.integers(1, 1000),
    passes=st.integers(1, 3),
)


def of(stage: str, config: dict = DEMO, rates: Rates = Rates(), device=A100, **wildcards: str) -> Cost:  # noqa: B008
    works = Workloads(Study.model_validate(config), "results/nowhere")
    return cost(stage, SimpleNamespace(**{**vars(WILDCARDS), **wildcards}), works, device, 0.3, rates)


def test_generation_counts_every_sample_at_its_full_length():
    found = of("generate_responses")
    assert found.written == 160 * 4 * 48
    assert found.flops == 2 * 135e6 * (found.read + found.written)


def test_a_training_step_through_frozen_weights_costs_two_passes():
    epochs = DEMO["training"]["epochs"]
    found = of("train_adapter")
    assert found.flops == 2 * 2 * 135e6 * found.read and found.read % epochs == 0
    config = copy.deepcopy(DEMO)
    config["runtime"]["gradient_checkpointing"] = True
    assert of("train_adapter", config).flops == 1.5 * found.flops
    for loss, more in (({"rule": "kl", "beta": 0.1}, 0.5), ({"rule": "dft"}, 0)):  # one that asks the base, and not
        config["variants"] = {name: {**variant, "loss": loss} for name, variant in DEMO["variants"].items()}
        assert of("train_adapter", config).flops == (1.5 + more) * found.flops
    config = {**DEMO, "training": {**DEMO["training"], "adapter": "full"}}  # a pass more, and a model is saved
    assert of("train_adapter", config).flops == 1.5 * found.flops
    assert of("train_adapter", config).disk == 4 * 135e6


def test_what_is_only_copied_or_needs_no_model_costs_no_operations():
    assert of("generate_responses", source="reference").flops == 0
    assert of("build_masks") == Cost(jobs=1, disk=of("build_masks").disk)


def test_shards_cost_together_what_one_job_costs():
    config = {**DEMO, "runtime": {"shards": 4}}
    for stage in ("generate_responses", "score_token_perplexity"):
        shards = sum((of(stage, config, shard=f"{n}of4") for n in range(1, 5)), of(stage, config))
        whole = of(stage)
        assert shards.flops == pytest.approx(whole.flops)
        assert shards.disk == pytest.approx(whole.disk)
        assert shards.jobs == 5


@given(works, st.sampled_from(list(DEVICES.values())), st.floats(0.01, 1))
def test_time_is_at_least_that_of_the_operations_and_of_reading_the_weights(work, device, utilisation):
    seconds = estimated_seconds(work, device, utilisation)
    operations = 2 * work.parameters * (work.passes * work.read + work.written)
    assert seconds * (1 + 1e-9) >= operations / device.peak(work.weight_bytes) / utilisation
    steps = work.written / work.rows
    assert seconds * (1 + 1e-9) >= steps * work.parameters * work.weight_bytes / device.bandwidth / utilisation
    assert estimated_seconds(replace(work, rows=2 * work.rows), device, utilisation) <= seconds
    assert estimated_seconds(work, device, utilisation / 2) == pytest.approx(2 * seconds)


def test_generating_reaches_less_of_a_device_and_vllm_more_than_transformers():
    # 8 billion parameters in 16 bits, 48 answers side by side: the weights are read once for all of them
    eight = Workload(parameters=8e9, weight_bytes=2, written=10**6, rows=48)
    rates = {vllm: 10**6 / estimated_seconds(replace(eight, vllm=vllm), DEVICES["h100"], 0.3) for vllm in (False, True)}
    assert 900 < rates[False] < 1200, "what others measured with transformers"
    assert rates[True] == pytest.approx(2 * rates[False])
    whole = replace(eight, read=10**6)
    read = estimated_seconds(replace(whole, written=0), DEVICES["h100"], 0.3)
    assert estimated_seconds(whole, DEVICES["h100"], 0.3) == pytest.approx(read + 10**6 / rates[False])


def test_float32_costs_what_a_device_makes_of_it():
    half = Workload(parameters=10**9, weight_bytes=2, read=10**6)
    single = replace(half, weight_bytes=4)
    assert estimated_seconds(single, A100, 1) == pytest.approx(16 * estimated_seconds(half, A100, 1))


@pytest.mark.parametrize(
    ("parameters", "rank", "true"),
    # Llama-3-8B and SmolLM2-135M, all linear layers, counted in their PEFT adapters
    [(8.03e9, 32, 83_886_080), (134.5e6, 16, 4_884_480)],
)
def test_an_adapters_size_is_about_right(parameters, rank, true):
    assert 0.6 * true < adapter_parameters(parameters, rank) < 1.4 * true


# --- rates ------------------------------------------------------------------------------------------------------------


def record(logs: Path, place: str, **facts: object) -> None:
    path = logs / f"{place}.run.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(facts), encoding="utf-8")


def test_rates_are_medians_of_the_runs_on_such_a_device(tmp_path):
    place = f"train_adapter/{MODEL}/sums/stm-2.5"
    for seed, rate in enumerate((100.0, 300.0, 1000.0)):
        record(tmp_path, f"{place}/seed{seed}", tokens_per_second=rate, device="NVIDIA A100-SXM4-80GB")
    record(tmp_path, f"{place}/seed3", tokens_per_second=1.0, device="cpu")
    record(tmp_path, f"{place}/seed4", device="NVIDIA A100-SXM4-80GB")  # taken back: computed nothing
    record(tmp_path, f"score_token_perplexity/{MODEL}/{MODEL}/sums/train.reference", tokens_per_second=5.0)
    (tmp_path / f"{place}/seed5.run.json").write_text("{")
    study = Study.model_validate(DEMO)
    assert Rates.measured(tmp_path, study, A100).found == {("train_adapter", MODEL): 300.0}
    assert Rates.measured(tmp_path, study, DEVICES["cpu"]).found == {("train_adapter", MODEL): 1.0}
    assert Rates.measured(tmp_path / "none", study, A100).found == {}


@pytest.mark.parametrize(
    ("name", "driver", "same"),
    [
        ("a100", "NVIDIA A100-SXM4-80GB", True),
        ("a10", "NVIDIA A100-SXM4-80GB", False),
        ("a40", "NVIDIA RTX A4000", False),
        ("l40s", "NVIDIA L40S", True),
        ("cpu", "cpu", True),
        ("rtx4090", "NVIDIA GeForce RTX 4090", True),
        ("rtx4090", "NVIDIA GeForce RTX 4090 Laptop GPU", False),
    ],
)
def test_a_device_is_known_by_its_whole_name(name, driver, same):
    assert DEVICES[name].is_called(driver) == same


@pytest.mark.parametrize(
    ("name", "drivers", "gigabytes"),
    [
        ("v100", ["Tesla V100-SXM2-16GB"], 16),
        ("v100", ["Tesla V100-SXM2-32GB", "Tesla V100-PCIE-16GB"], 16),
        ("a100", ["NVIDIA A100-PCIE-40GB"], 40),
        ("a100", ["NVIDIA A100 80GB PCIe", "NVIDIA T4"], 80),
        ("h100", ["NVIDIA H100 80GB HBM3 MIG 1g.10gb"], 10),
        ("l4", ["NVIDIA L4"], 24),
        ("a100", ["Tesla T4"], 80),
        ("h100", [], 80),
    ],
)
def test_a_machine_s_device_has_the_memory_that_its_driver_names(name, drivers, gigabytes):
    device, unknown = of_machine(name, drivers)
    assert device == replace(DEVICES[name], memory=gigabytes * 1e9) and unknown is None


def test_a_plan_for_another_device_than_the_machine_s_says_so():
    said = "planned for A100: this machine's A10G is not known; name one by --gpu"
    assert of_machine("a100", ["NVIDIA A10G", "NVIDIA A10G"]) == (DEVICES["a100"], said)


def test_a_measured_rate_takes_the_place_of_the_estimate():
    rates = Rates({("generate_responses", MODEL): 100.0})
    found = of("generate_responses", rates=rates)
    assert found.seconds == found.measured == 160 * 4 * 48 / 100
    # an evaluation's record counts its answers and texts, not the prompts before them
    evaluated = of("evaluate_base", rates=Rates({("evaluate_base", MODEL): 1.0}))
    assert evaluated.seconds == (72 + 48 + 48 + 32) * 48 + (16 + 16) * 512 + 24 * 48
    other = of("train_adapter", rates=rates)
    assert other.measured == 0 < other.seconds


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "unit", "shown"),
    [(0, "B", "-"), (7, "", "7"), (999, "B", "999 B"), (1234, "", "1.23 k"), (8.5e9, "B", "8.5 GB"), (2e18, "", "2 E")],
)
def test_numbers_are_readable(number, unit, shown):
    assert plan.readable(number, unit) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "-"), (36, "0.01"), (3600, "1"), (90 * 60, "1.5"), (3600 * 1234.4, "1,234")]
)
def test_hours_are_readable(seconds, shown):
    assert plan.hours(seconds) == shown


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--gpu", "Abacus"], "--gpu: Abacus is not known; known: v100, .*, cpu$"),
        (["--utilisation", "0"], "--utilisation: 0.0 is not a share; give one above 0"),
        (["--directory", "/no/such/folder"], "--directory: /no/such/folder is not a folder"),
    ],
)
def test_what_cannot_be_planned_is_refused_in_one_line(arguments, words):
    with pytest.raises(UserError, match=words) as error:
        plan.main(arguments)
    assert "\n" not in str(error.value)


def test_a_gpu_may_be_written_as_its_maker_does(monkeypatch):
    asked = []
    monkeypatch.setattr(plan, "plan", lambda *arguments: [])
    monkeypatch.setattr(plan, "planned_for", lambda study, gpu: asked.append(gpu) or (study, gpu))
    plan.main(["--gpu", "H100"])
    assert asked == ["h100"]


def test_what_a_plan_assumes_is_said(tmp_path):
    config = copy.deepcopy(DEMO)
    config["tasks"]["mine"] = {"kind": "hub", "hub": "me/mine", "splits": {"test": "test"}, "evaluate": "likelihood"}
    config["tasks"]["few"] = {"kind": "hub", "hub": "me/few", "splits": {"test": "test[10:50]"}}
    config["tasks"]["few"] |= {"columns": {"messages": "m", "answer": "a"}}
    config["suites"]["more"] = ["mine", "few", "lm_eval:arc_easy"]
    said = plan.assumed(Sizes(Study.model_validate(config), tmp_path))
    assert said[0] == "256 tokens a prompt, 512 a reference"
    assert said[1:] == ["10,000 items of mine, lm_eval:arc_easy", f"0.135 billion parameters of {MODEL}"]
    config["evaluation"]["limit"] = 100
    assert plan.assumed(Sizes(Study.model_validate(config), tmp_path))[1] == "10,000 items of mine"


def test_the_rows_of_ones_own_file_are_counted(tmp_path):
    (tmp_path / "mine.jsonl").write_text('{"a": 1}\n\n{"a": 2}\n{"a": 3}', encoding="utf-8")
    pq.write_table(pa.table({"a": range(7)}), tmp_path / "mine.parquet")
    splits = {
        "train": "mine.jsonl",
        "few": {"path": "mine.jsonl", "limit": 2},
        "test": str(tmp_path / "mine.parquet"),
        "all": {"path": "mine.parquet", "limit": 9},
        "gone": "gone.jsonl",
        "said": {"path": "gone.parquet", "limit": 9},
    }
    config = copy.deepcopy(DEMO)
    config["tasks"]["mine"] = {"kind": "file", "splits": splits}
    sizes = Sizes(Study.model_validate(config), tmp_path / "results/demo", tmp_path)
    assert [sizes.items("mine", split) for split in splits] == [3, 2, 7, 7, UNKNOWN_ITEMS, 9]
    assert [split for split in splits if sizes.items_guessed("mine", split)] == ["gone"]


@pytest.mark.parametrize("name", [name for name in DEVICES if name != "cpu"])
def test_a_graphics_card_has_every_number(name):
    device = DEVICES[name]
    assert 8e9 < device.memory < 1e12 < device.float32
    assert device.bfloat16 > device.float32 and device.bandwidth > 1e11
    assert device.is_called(f"NVIDIA {device.name}") and [d for d in DEVICES.values() if d.name == device.name] == [
        device
    ]
