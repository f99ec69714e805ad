"""Trainings with online rules, another normaliser, and other adapters: a step by hand, whatever it is cut into, in one
process or two, with activations computed again, and what is saved of them."""

import json
import math
import os
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file
from small_training import TRAINING, masks, runtime, training
from test_losses import SETTINGS
from tiny import tiny_model_folder
from transformers import AutoModelForCausalLM, AutoTokenizer

from clearminds.files import contracts
from clearminds.model.encoded import Encoded
from clearminds.model.full_weights import load_trained
from clearminds.model.load import load_model
from clearminds.model.loading import Loading
from clearminds.model.weighted_loss import WeightedBatch, weighted_token_loss
from clearminds.plugins.load import load
from clearminds.stages.evaluation import drift
from clearminds.stages.training.adapter import add_adapter, history, trained_parameters
from clearminds.stages.training.checkpoints import Checkpoints
from clearminds.stages.training.save_adapter import save
from clearminds.stages.training.trainer import WeightedTrainer, seeded, train

RULES = [{"rule": name, **chosen} for name, chosen in SETTINGS.items()]
BY_NAME = pytest.mark.parametrize("loss", RULES, ids=[rule["rule"] for rule in RULES])


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny_model_folder(tmp_path_factory.mktemp("tiny") / "llama")


def run(base, tmp_path, table=None, *, batch_tokens=4096, recompute=False, seconds=300, dtype="float32", **changed):
    chosen = training(dtype=dtype, **changed)
    how = runtime(batch_tokens=batch_tokens, gradient_checkpointing=recompute, checkpoint_seconds=seconds)
    seeded(0)
    model = add_adapter(AutoModelForCausalLM.from_pretrained(base, dtype=getattr(torch, dtype)), chosen, "owner/name")
    kept = Checkpoints(tmp_path / "checkpoints", {})
    return train(model, masks() if table is None else table, chosen, 0, how, kept)[0]


def saved(trainer, folder, **changed):
    spec = {"training": {**TRAINING, **changed}, "seed": 0}
    save(trainer, folder / "adapter.json", {"spec": spec}, {}, "")
    return folder


def losses(trainer):
    return [row["loss"] for row in history(trainer)]


def assert_alike(trainer, other, atol=1e-5):
    assert losses(other) == pytest.approx(losses(trainer), abs=atol)
    for name, value in trained_parameters(trainer.model).items():
        torch.testing.assert_close(trained_parameters(other.model)[name], value, rtol=0, atol=1e-4)


@pytest.mark.slow
@BY_NAME
def test_neither_the_token_budget_nor_recomputed_activations_change_a_training(base, tmp_path, loss):
    whole = run(base, tmp_path, loss=loss)
    assert_alike(whole, run(base, tmp_path, loss=loss, batch_tokens=1, recompute=True))
    plain = run(base, tmp_path)
    assert losses(whole) != pytest.approx(losses(plain), abs=1e-4)
    assert all(torch.isfinite(torch.tensor(losses(whole))))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("loss", [{"rule": "eksft", "top": 0.2, "kl": 0.1, "entropy": 0.1}, {"rule": "kl", "beta": 1}])
def test_rules_train_below_float32_too(base, tmp_path, loss, dtype):
    if dtype == "float16" and not torch.cuda.is_available():
        pytest.skip("no CPU trains in float16")
    trainer = run(base, tmp_path, loss=loss, dtype=dtype)
    assert all(torch.isfinite(torch.tensor(losses(trainer))))
    assert losses(trainer) == pytest.approx(losses(run(base, tmp_path, loss=loss)), rel=0.05)


@pytest.mark.slow
def test_clipping_ends_the_weight_of_what_was_learnt(base, tmp_path):
    """A training slows down as tokens reach the limit, where the plain one goes on."""
    table = masks(4, all_masked=0)
    how = {"learning_rate": 0.002, "epochs": 60, "scheduler": "constant", "rank": 8}
    clipped = run(base, tmp_path, table, loss={"rule": "clip", "epsilon": 0.28}, **how)
    plain = run(base, tmp_path, table, **how)
    row = WeightedBatch.of(table.select(["input_ids", "weights"]).to_pylist())
    total = row.weights.sum()
    with torch.no_grad():
        fell, fell_plain = (weighted_token_loss(t.model.eval(), row, total).item() for t in (clipped, plain))
        with plain.model.disable_adapter():
            start = weighted_token_loss(plain.model, row, total).item()
    assert fell_plain < start / 2
    assert 0 < start - fell < (start - fell_plain) / 4


@pytest.mark.parametrize("loss", [None, {"rule": "kl", "beta": 0.5}], ids=["plain", "kl"])
@pytest.mark.parametrize("normaliser", ["kept", "all"])
def test_a_step_is_divided_by_what_the_normaliser_counts(base, tmp_path, normaliser, loss):
    table = masks(4, all_masked=2)
    halves = [[weight / 2 for weight in row] for row in table["weights"].to_pylist()]
    field = contracts.MASKS.schema.field("weights")
    table = table.set_column(table.schema.get_field_index("weights"), field, pa.array(halves, field.type))
    counted = {
        "kept": sum(weight != 0 for row in halves for weight in row),
        "all": sum(table["n_response"].to_pylist()),
    }[normaliser]
    trainer = run(base, tmp_path, table, epochs=1, normaliser=normaliser, loss=loss, batch_tokens=30)
    seeded(0)
    model = add_adapter(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), training(), "owner/name")
    batch = WeightedBatch.of(table.select(["input_ids", "weights"]).to_pylist())
    expected = weighted_token_loss(model, batch, counted)  # before the first step the KL is 0
    assert losses(trainer) == [pytest.approx(expected.item(), abs=1e-4)]
    assert counted != sum(map(sum, halves))


@pytest.mark.parametrize("kind", ["rslora", "pissa"])
def test_a_saved_adapter_is_what_was_trained(base, tmp_path, kind):
    trainer = run(base, tmp_path, adapter=kind)
    folder = saved(trainer, tmp_path / "adapter", adapter=kind)
    assert json.loads((folder / "adapter.json").read_text())["kind"] == kind
    ids = torch.arange(3, 40)[None]
    again = load_model(base, dtype="float32", loading=Loading(), adapter=folder)
    plain = load_model(base, dtype="float32", loading=Loading())
    with torch.no_grad():
        expected = trainer.model.eval()(input_ids=ids).logits
        torch.testing.assert_close(again(input_ids=ids).logits, expected, rtol=1e-4, atol=1e-4)
        untrained = plain(input_ids=ids).logits
        assert (expected - untrained).abs().max() > 0.01
        with again.disable_adapter():  # drift takes this for the base
            torch.testing.assert_close(again(input_ids=ids).logits, untrained, rtol=0, atol=0)
    config = json.loads((folder / "adapter_config.json").read_text())
    rank = TRAINING["rank"]
    assert config["r"] == (2 * rank if kind == "pissa" else rank)
    assert config["use_rslora"] == (kind == "rslora") and config["init_lora_weights"] is True
    stored = load_file(folder / "adapter_model.safetensors")
    assert {value.shape[0] for name, value in stored.items() if "lora_A" in name} == {config["r"]}


def test_pissa_begins_as_the_base_with_its_largest_singular_values_in_the_adapter(base):
    seeded(0)
    plain = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    name = "model.layers.0.mlp.up_proj"
    weight = plain.get_submodule(name).weight.detach().clone()
    ids = torch.arange(3, 40)[None]
    with torch.no_grad():
        expected = plain(input_ids=ids).logits
        model = add_adapter(plain, training(adapter="pissa"), "owner/name").eval()
        torch.testing.assert_close(model(input_ids=ids).logits, expected, rtol=1e-4, atol=1e-4)
    layer = model.base_model.model.get_submodule(name)
    taken = layer.get_delta_weight("default")
    largest = torch.linalg.svdvals(weight)[: TRAINING["rank"]]
    torch.testing.assert_close(torch.linalg.svdvals(taken)[: TRAINING["rank"]], largest, rtol=0.02, atol=0)


def test_rslora_scales_by_the_root_of_the_rank(base):
    model = add_adapter(AutoModelForCausalLM.from_pretrained(base), training(adapter="rslora", rank=4, alpha=6), "o/n")
    scales = {layer.scaling["default"] for layer in model.modules() if hasattr(layer, "lora_A")}
    assert scales == {6 / math.sqrt(4)}


@pytest.mark.parametrize("loss", [None, {"rule": "dft"}], ids=["plain", "dft"])
def test_full_weights_take_the_steps_of_adamw_and_are_saved_as_a_model(base, tmp_path, loss):
    table = masks(6)
    how = {"adapter": "full", "batch_examples": 6, "epochs": 1, "scheduler": "constant", "warmup_steps": 0}
    trainer = run(base, tmp_path, table, loss=loss, batch_tokens=30, max_grad_norm=1e9, **how)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    batch = WeightedBatch.of(table.select(["input_ids", "weights"]).to_pylist())
    if loss:
        load("losses", "dft").RULE(model, batch, batch.weights.sum(), {}).backward()
    else:
        weighted_token_loss(model, batch, batch.weights.sum()).backward()
    rate, decay = TRAINING["learning_rate"], TRAINING["weight_decay"]
    trained = dict(trainer.model.named_parameters())
    for name, parameter in model.named_parameters():
        kept = parameter if "norm" in name else parameter * (1 - rate * decay)  # the Trainer decays no norms
        gradient = parameter.grad
        # the first step of AdamW is the sign of the gradient, where that is not about its epsilon
        sure = gradient.abs() > 1e-4
        expected = (kept - rate * gradient.sign())[sure]
        torch.testing.assert_close(trained[name].detach()[sure], expected.detach(), rtol=0, atol=1e-5)
    assert_saved_whole(base, saved_whole(trainer, base, tmp_path / "whole"), trainer)


def saved_whole(trainer, base, folder):
    spec = {"training": {**TRAINING, "adapter": "full"}, "seed": 0}
    save(trainer, folder / "adapter.json", {"spec": spec}, {}, "", base)
    return folder


def assert_saved_whole(base, folder, trainer):
    ids = torch.arange(3, 40)[None]
    declared = json.loads((folder / "adapter.json").read_text())
    assert declared["kind"] == "full"
    assert {"model.safetensors", "config.json", "tokenizer.json", "chat_template.jinja"} <= declared["files"].keys()
    assert not {"adapter_config.json", "model.json", "run.json"} & declared["files"].keys()
    tuned = load_trained(base, dtype="float32", loading=Loading(), adapter=folder)
    plain = load_model(base, dtype="float32", loading=Loading())
    with torch.no_grad():
        expected, untrained = trainer.model.eval()(input_ids=ids).logits, plain(input_ids=ids).logits
        assert (expected - untrained).abs().max() > 0.01
        torch.testing.assert_close(tuned(input_ids=ids).logits, expected, rtol=0, atol=0)
        for _ in range(2):
            with tuned.disable_adapter():
                torch.testing.assert_close(tuned(input_ids=ids).logits, untrained, rtol=0, atol=0)
            torch.testing.assert_close(tuned(input_ids=ids).logits, expected, rtol=0, atol=0)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer.chat_template == AutoTokenizer.from_pretrained(base).chat_template


def test_full_weights_go_on_from_a_checkpoint_to_the_same_bytes(base, tmp_path, monkeypatch):
    whole = saved_whole(run(base, tmp_path / "a", adapter="full", seconds=0), base, tmp_path / "whole")
    step = WeightedTrainer.training_step

    def dying(self, *args, **options):
        if self.state.global_step == 3:
            raise KeyboardInterrupt
        return step(self, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(WeightedTrainer, "training_step", dying)
        with pytest.raises(KeyboardInterrupt):
            run(base, tmp_path / "b", adapter="full", seconds=0)
    assert (tmp_path / "b" / "checkpoints" / "checkpoint-3" / "model.safetensors").is_file()
    again = saved_whole(run(base, tmp_path / "b", adapter="full", seconds=0), base, tmp_path / "again")
    assert (again / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_the_drift_of_full_weights_is_that_from_their_base(base, tmp_path):
    folder = saved_whole(run(base, tmp_path, adapter="full"), base, tmp_path / "whole")
    tuned = load_trained(base, dtype="float32", loading=Loading(), adapter=folder)
    plain = load_model(base, dtype="float32", loading=Loading())
    ids = torch.arange(3, 40)
    found = drift._divergences(tuned, [Encoded("", ids.tolist(), 10, 20, [])], 4096)
    with torch.no_grad():
        now, before = (m(input_ids=ids[None]).logits[0, 9:29].log_softmax(-1) for m in (tuned, plain))
    expected = (before.exp() * (before - now)).sum().item()
    assert found == [pytest.approx(expected, rel=1e-4)] and expected > 0.1


SCRIPT = """
import json, os, sys
from pathlib import Path
import pyarrow.parquet as pq
from clearminds.job.processes import leave
from clearminds.model.load import load_model
from clearminds.model.loading import Loading
from clearminds.stages.train_adapter import Runtime, Training
from clearminds.stages.training.adapter import add_adapter
from clearminds.stages.training.checkpoints import Checkpoints
from clearminds.stages.training.save_adapter import save
from clearminds.stages.training.trainer import seeded, train

base, masks, asked, out, how = sys.argv[1:]
training, out = Training(**json.loads(asked)), Path(out)
seeded(0)
spread = int(os.environ["WORLD_SIZE"]) if how == "fsdp" else 1
model = load_model(Path(base), dtype="float32", loading=Loading(), processes=spread)
model = add_adapter(model, training, "owner/name")
runtime = Runtime(40, 300, fsdp=how == "fsdp", gradient_checkpointing=False, report_to="none")
trainer, _, _ = train(model, pq.read_table(masks), training, 0, runtime, Checkpoints(out / "checkpoints", {}))
assert trainer.args.world_size == 2
save(trainer, out / "adapter" / "adapter.json", {"spec": {"training": json.loads(asked)}}, {}, "")
leave()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "loss", "kind"),
    [
        ("ddp", "eksft", "lora"),  # needs the base beside the model, as kl and asft do
        ("ddp", "dft", "full"),
        ("fsdp", "asft", "lora"),
    ],
)
def test_two_processes_give_the_curve_of_one(base, tmp_path, how, loss, kind):
    # 10 examples leave a last step that two processes cannot share evenly
    table, chosen = masks(10), {"loss": {"rule": loss, **SETTINGS[loss]}, "normaliser": "all", "adapter": kind}
    alone = run(base, tmp_path, table, **chosen)
    pq.write_table(table, tmp_path / "masks.parquet")
    (tmp_path / "script.py").write_text(SCRIPT)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    asked = json.dumps({**TRAINING, **chosen})
    done = subprocess.run(
        [*map(str, [*launcher, tmp_path / "script.py", base, tmp_path / "masks.parquet", asked, tmp_path, how])],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    steps = pq.read_table(tmp_path / "adapter" / "history.parquet").to_pylist()
    assert [row["loss"] for row in steps] == pytest.approx(losses(alone), abs=1e-4 if kind == "full" else 1e-5)
    stored = load_file(tmp_path / "adapter" / ("model.safetensors" if kind == "full" else "adapter_model.safetensors"))
    assert len(stored) == len(trained_parameters(alone.model))
    for name, value in trained_parameters(alone.model).items():
        torch.testing.assert_close(stored[name.replace(".default", "")], value, rtol=0, atol=2e-4)
