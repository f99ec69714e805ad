"""Weight changes of hand-made trainings, against the dense product and numpy's SVD."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from clearminds.errors import UserError
from clearminds.files.contracts import WEIGHT_CHANGE
from clearminds.stages.analyses.changes import dora_change
from clearminds.stages.analyses.singular_values import effective_rank, of_factors, of_whole
from clearminds.stages.analyses.weight_change import analyse, place

MODULE = "model.layers.1.mlp.up_proj"
CONFIG = {"r": 3, "lora_alpha": 6, "use_dora": False, "use_rslora": False}


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def trained(folder: Path, tensors: dict[str, torch.Tensor], config: dict | None) -> dict:
    """The row of a training in a folder."""
    folder.mkdir()
    save_file(tensors, folder / "model.safetensors")
    if config is not None:
        (folder / "adapter_config.json").write_text(json.dumps(config))
    return {"variant": "v", "seed": 1, "path": str(folder / "adapter.json")}


def analysed(tmp_path: Path, tensors: dict, config: dict | None, base: dict | None = None) -> dict:
    """The only row that comes of a training."""
    model = {"path": str(tmp_path / "base" / "model.json")}
    trained(tmp_path / "base", base or {}, None)
    [row] = analyse({"models": [model], "adapters": [trained(tmp_path / "adapter", tensors, config)]})
    assert set(row) == set(WEIGHT_CHANGE.schema.names)
    return row


def factors(rows: int = 7, columns: int = 5, rank: int = 3) -> dict[str, torch.Tensor]:
    prefix = f"base_model.model.{MODULE}"
    return {f"{prefix}.lora_A.weight": random(rank, columns), f"{prefix}.lora_B.weight": random(rows, rank, seed=1)}


def same(row: dict, change: torch.Tensor) -> None:
    """Check a row against the change itself."""
    values = np.linalg.svd(change.double().numpy(), compute_uv=False)
    found = row["singular_values"]
    np.testing.assert_allclose(found, values[: len(found)], atol=1e-5 * values[0])
    assert all(value < 1e-5 * values[0] for value in values[len(found) :])
    assert row["norm"] == pytest.approx(np.linalg.norm(change.double().numpy()), rel=1e-5)
    assert row["largest"] == pytest.approx(values[0], rel=1e-5)
    shares = values[values > 1e-6 * values[0]] / values.sum()
    assert row["effective_rank"] == pytest.approx(math.exp(-(shares * np.log(shares)).sum()), rel=1e-3)
    assert (row["module"], row["layer"], row["projection"]) == (MODULE, 1, "mlp.up_proj")


@pytest.mark.parametrize("shape", [(7, 5), (5, 7), (3, 9), (2, 9)])  # some with less than the rank
@pytest.mark.parametrize(("rslora", "scale"), [(False, 2), (True, 6 / math.sqrt(3))])
def test_factors_give_what_their_product_has(tmp_path, shape, rslora, scale):
    tensors = factors(*shape)
    right, left = tensors.values()
    same(analysed(tmp_path, tensors, CONFIG | {"use_rslora": rslora}), scale * left @ right)


def test_dora_is_compared_with_its_base(tmp_path):
    tensors, weight, magnitude = factors(), random(7, 5, seed=2), random(7, seed=3).abs()
    right, left = tensors.values()
    tensors[f"base_model.model.{MODULE}.lora_magnitude_vector"] = magnitude
    row = analysed(tmp_path, tensors, CONFIG | {"use_dora": True}, {f"{MODULE}.weight": weight})
    turned = weight + 2 * left @ right
    same(row, magnitude[:, None] * turned / turned.norm(dim=1, keepdim=True) - weight)


def test_whole_weights_are_compared_with_their_base(tmp_path):
    before, after = random(7, 5), random(7, 5, seed=1)
    norms = "model.layers.1.input_layernorm.weight"
    base = {f"{MODULE}.weight": before, norms: random(5)}
    same(analysed(tmp_path, {f"{MODULE}.weight": after, norms: random(5)}, None, base), after - before)


def test_nothing_changed_has_no_rank(tmp_path):
    tensors = {name: 0 * value for name, value in factors().items()}
    row = analysed(tmp_path, tensors, CONFIG)
    assert (row["norm"], row["effective_rank"]) == (0, None)


def test_a_tensor_that_the_base_lacks_is_named(tmp_path):
    with pytest.raises(UserError, match=rf"has no tensor {MODULE}\.weight, which was trained"):
        analysed(tmp_path, {f"{MODULE}.weight": random(2, 2)}, None)


def test_adapters_of_other_makes_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"modules_to_save: changes of such an adapter are not analysed"):
        analysed(tmp_path, factors(), CONFIG | {"modules_to_save": ["lm_head"]})


@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=9))
def test_the_effective_rank_is_between_one_and_the_number_of_values(values):
    found = effective_rank(torch.tensor(values, dtype=torch.float64))
    assert found is not None and 1 - 1e-9 <= found <= len(values) + 1e-9
    assert effective_rank(torch.ones(len(values))) == pytest.approx(len(values))
    assert effective_rank(torch.tensor([*values, 0.0, 0.0], dtype=torch.float64)) == pytest.approx(found)


def test_a_change_that_does_nothing_is_none():
    weight = random(4, 3)
    assert dora_change(weight, 0 * weight, weight.norm(dim=1)).abs().max() < 1e-6


def test_both_ways_agree():
    left, right = random(30, 4), random(4, 20, seed=1)
    assert torch.allclose(of_factors(left, right, -0.5), of_whole(-0.5 * left @ right)[:4], rtol=1e-5)


@pytest.mark.parametrize(("module", "found"), [("lm_head", (None, "lm_head")), (MODULE, (1, "mlp.up_proj"))])
def test_a_module_has_its_place(module, found):
    assert place(module) == found


def test_dora_of_peft_is_what_is_computed(tmp_path):
    """The formula against PEFT's own merged weights."""
    from peft import LoraConfig, PeftModel, get_peft_model

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.up_proj = torch.nn.Linear(5, 7, bias=False)

        def forward(self, x):
            return self.up_proj(x)

    net = Net()
    before = net.up_proj.weight.detach().clone()
    model = get_peft_model(net, LoraConfig(r=3, lora_alpha=6, target_modules=["up_proj"], use_dora=True))
    with torch.no_grad():
        for parameter in (p for p in model.parameters() if p.requires_grad):
            parameter += 0.1 * torch.randn_like(parameter)
    model.save_pretrained(tmp_path / "adapter")
    base = trained(tmp_path / "base", {"up_proj.weight": before}, None)
    adapter = {"variant": "v", "seed": 0, "path": str(tmp_path / "adapter" / "adapter.json")}
    [row] = analyse({"models": [base], "adapters": [adapter]})
    net = Net()
    net.up_proj.weight.data = before.clone()
    merged = PeftModel.from_pretrained(net, tmp_path / "adapter").merge_and_unload()
    assert row["norm"] == pytest.approx(float((merged.up_proj.weight - before).norm()), rel=1e-5)
