"""How much memory of a GPU a plan says jobs need: what it was counted from, laws, and the studies that name a GPU."""

import copy
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml
from demo_study import DEMO, MODEL, WILDCARDS
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from clearminds.checkout import ROOT
from clearminds.commands import plan
from clearminds.config.study import Study
from clearminds.run.sizing.gpu_memory import Shape, gpu_memory
from clearminds.run.sizing.hardware import DEVICES
from clearminds.run.sizing.workload import Workloads

LLAMA_3_8B = Shape(8.03e9, 4096, 32, 14336, 1024, 128_256, False)
HEAVY = ("rehearse", "generate_responses", "score_token_perplexity", "train_adapter", "evaluate_base")


def of(stage: str, config: dict, **wildcards: str) -> float:
    works = Workloads(Study.model_validate(config), "results/nowhere", ROOT)
    return gpu_memory(stage, SimpleNamespace(**{**vars(WILDCARDS), **wildcards}), works)


def needed(study: Path) -> dict[str, float]:
    """By stage, of a study's only model, first target, each variant, source and suite."""
    config = yaml.safe_load(study.read_text(encoding="utf-8"))
    [model], target = config["models"], config["targets"][0]
    found = {}
    for stage in HEAVY:
        jobs = [
            {"model": model, "scorer": model, "task": target, "target": target, "split": "train", "seed": "0"}
            | {"source": source, "variant": variant, "suite": suite}
            for source in config["sources"]
            for variant in config["variants"]
            for suite in config["suites"]
        ]
        found[stage] = max(of(stage, config, **job) for job in jobs)
    return found


# --- activations ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "feed_forward"), [(128, 512), (256, 512), (128, 1024)])
@pytest.mark.parametrize("checkpointed", [False, True])
def test_a_training_keeps_as_many_bytes_as_autograd_saves(width, feed_forward, checkpointed):
    tokens, few, many = 64, 1, 3
    saved = [saved_bytes(width, feed_forward, layers, tokens, checkpointed) for layers in (few, many)]
    per_layer = (saved[1] - saved[0]) / (many - few) / tokens
    shape = Shape(1e6, width, 1, feed_forward, width // 2, 0, False)
    layer = shape.training(1, False)
    expected = 2 * width if checkpointed else layer
    # what the adapter's own narrow layers keep comes on top, and is little where models are wide
    assert expected <= per_layer <= expected + 1500


def saved_bytes(width: int, feed_forward: int, layers: int, tokens: int, checkpointed: bool) -> int:
    """Of the tensors that a Llama with a LoRA adapter keeps for its backward pass, each once, without its weights."""
    heads = width // 32
    config = LlamaConfig(
        vocab_size=64,
        hidden_size=width,
        intermediate_size=feed_forward,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads // 2,
        attn_implementation="sdpa",
    )
    model = LlamaForCausalLM(config).to(torch.bfloat16)
    if checkpointed:
        model.activation_checkpointing_enable({"use_reentrant": False})
    model = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", r=8, target_modules="all-linear"))
    for weight in model.parameters():
        weight.data = weight.data.float() if weight.requires_grad else weight.data
    weights = {tensor.untyped_storage().data_ptr() for tensor in (*model.parameters(), *model.buffers())}
    found = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            found[storage.data_ptr()] = storage  # kept alive, so that no other one gets its address
        return tensor

    ids = torch.zeros((2, tokens // 2), dtype=torch.long)
    mask = torch.ones_like(ids)
    mask[1, -1] = 0
    hooks = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
    with hooks, torch.autocast("cpu", torch.bfloat16):
        model.train()(input_ids=ids, attention_mask=mask, use_cache=False, logits_to_keep=1)
    return sum(storage.nbytes() for storage in found.values())


# --- shapes -----------------------------------------------------------------------------------------------------------


def test_a_model_that_is_not_there_is_about_as_large_as_a_usual_one(tmp_path):
    guessed = Shape.of(8.03e9, tmp_path)
    for tokens, checkpointed in ((4096, False), (2048, True)):
        assert guessed.training(tokens, checkpointed) == pytest.approx(
            LLAMA_3_8B.training(tokens, checkpointed), rel=0.25
        )
    assert guessed.weights(2, True) == pytest.approx(LLAMA_3_8B.weights(2, True), rel=0.1)


def test_a_model_that_is_there_says_its_shape_itself(tmp_path):
    config = {
        "hidden_size": 4096,
        "num_hidden_layers": 32,
        "intermediate_size": 14336,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 128_256,
    }
    file = tmp_path / "config.json"
    file.write_text(json.dumps(config))
    assert Shape.of(8.03e9, tmp_path) == LLAMA_3_8B
    file.write_text(json.dumps({"text_config": config}))
    assert Shape.of(8.03e9, tmp_path) == LLAMA_3_8B
    file.write_text("{}")
    assert Shape.of(8.03e9, tmp_path) == Shape.of(8.03e9, tmp_path / "nowhere")


def test_weights_take_what_is_known_of_them():
    assert LLAMA_3_8B.weights(2, False) == 16.06e9
    assert 5.5e9 < LLAMA_3_8B.weights(2, True) < 6.5e9  # the files of its 4-bit copies on the hub have 5.7 GB


# --- jobs -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", [stage for stage in HEAVY if stage != "rehearse"])
def test_memory_goes_by_the_key_that_a_plan_names(stage):
    config = copy.deepcopy(DEMO)
    config["training"]["max_length"] = 4096  # a batch has one optimiser step's examples at most
    config["runtime"]["batch_tokens"] = 4096
    few = of(stage, config, source="self_output")
    [key] = [key for beginning, key in plan.SMALLER if stage.startswith(beginning)]
    config["runtime"][key] *= 16
    assert of(stage, config, source="self_output") > few


def test_a_loss_that_asks_the_base_needs_its_logits_beside_the_model_s():
    config = copy.deepcopy(DEMO)
    config["runtime"]["batch_tokens"] = 4096
    plain = of("train_adapter", config)
    config["variants"][WILDCARDS.variant]["loss"] = {"rule": "dft"}
    assert of("train_adapter", config) == plain
    config["variants"][WILDCARDS.variant]["loss"] = {"rule": "kl", "beta": 0.1}
    tokens = min(config["runtime"]["batch_tokens"], 8 * config["training"]["max_length"])
    assert of("train_adapter", config) - plain == pytest.approx(1.25 * tokens * 4 * 128_256)


def test_full_weights_need_sixteen_bytes_a_parameter_in_a_training_and_its_rehearsal():
    config = copy.deepcopy(DEMO)
    few = {stage: of(stage, config) for stage in ("train_adapter", "rehearse")}
    config["variants"][WILDCARDS.variant]["training"] = {"adapter": "full"}
    for stage, before in few.items():
        assert of(stage, config) - before == pytest.approx(135e6 * 14, rel=0.3), stage


def test_checkpointed_gradients_and_weights_in_4_bits_need_less():
    config = copy.deepcopy(DEMO)
    config["models"][MODEL] = {"hub": "meta-llama/Llama-3.1-8B-Instruct", "revision": "0" * 40}
    whole = of("train_adapter", config)
    config["runtime"]["gradient_checkpointing"] = True
    checkpointed = of("train_adapter", config)
    config["models"][MODEL]["quantization"] = "4bit"
    assert of("train_adapter", config) < checkpointed < whole


def test_what_loads_no_model_needs_none():
    assert of("generate_responses", DEMO, source="reference") == of("build_masks", DEMO) == 0


def test_a_plan_says_what_does_not_fit_and_what_would_help():
    study = Study.model_validate(DEMO)
    found = {"prepare_task": 0.0, "score_shard": 30e9, "train_adapter": 50e9}
    assert plan.fits(found, DEVICES["rtx4090"], study) == (
        "GPU memory: about, for full batches; more than 24 GB (GeForce RTX 4090): score_shard, train_adapter; under "
        "runtime set gradient_checkpointing: true and lower batch_tokens; load 4-bit weights (models: quantization: "
        "4bit); take a larger GPU"
    )
    assert plan.fits(found, DEVICES["h100"], study).endswith("; train_adapter needs most, and fits 80 GB (H100)")


# --- the studies that are made to be copied ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("study", "device"),
    [("your-data-one-gpu", "a100"), ("your-data-one-gpu", "h100"), ("paper-llama-3-8b", "a100")]
    + [("your-data-24gb", name) for name in ("l4", "a10", "a5000", "rtx3090", "rtx4090")],
)
def test_a_study_fits_the_gpus_that_it_names(study, device):
    assert max(needed(ROOT / f"studies/{study}.yaml").values()) < 0.95 * DEVICES[device].memory
