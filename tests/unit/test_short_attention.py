"""Attention of short texts: against float64, against the fused kernel, and where it is used."""

from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_training import training
from tiny import ARCHITECTURES, tiny_model_folder
from torch.nn.functional import scaled_dot_product_attention

from clearminds.model import short_attention
from clearminds.model.load import load_model
from clearminds.model.loading import Loading
from clearminds.model.lora_linear import LoraLinear
from clearminds.model.short_attention import LONGEST, NAME, attend_short, attention
from clearminds.model.transformers_compat import attention_of
from clearminds.model.weighted_loss import WeightedBatch, weighted_token_loss
from clearminds.stages.training.base import Base
from clearminds.stages.training.start import begin

LAYER = SimpleNamespace(is_causal=True, num_key_value_groups=1, training=True)


def parts(batch, heads, groups, length, width, scale=1.0, seed=0):
    """Query, key, value and the gradient of the output, float64 of values that bfloat16 has."""
    generator = torch.Generator().manual_seed(seed)
    shapes = [(batch, n, length, width) for n in (heads, groups, groups)] + [(batch, length, heads, width)]
    found = [torch.randn(*shape, generator=generator).bfloat16().double() for shape in shapes]
    return [found[0] * scale, *found[1:]]


def fused(query, key, value, mask):
    """As transformers' `sdpa` computes it, in the dtype that it is given."""
    shared = query.shape[1] // key.shape[1]
    key, value = (part.repeat_interleave(shared, 1) for part in (key, value))
    return scaled_dot_product_attention(query, key, value, mask, is_causal=mask is None).transpose(1, 2)


def own(query, key, value, mask):
    return attention(LAYER, query, key, value, mask)[0]


def results(function, values, mask, dtype):
    """The output and the gradients of query, key and value."""
    *inputs, gradient = (value.to(dtype) for value in values)
    inputs = [value.detach().requires_grad_() for value in inputs]
    output = function(*inputs, mask)
    output.backward(gradient)
    return [output.detach(), *(value.grad for value in inputs)]


def error(found, exact):
    return float((found.double() - exact).norm() / exact.norm())


def window_mask(lengths, window=None):
    """bool [batch, 1, length, length]: causal, without padding on the right, of the last `window` keys; and itself."""
    longest = max(lengths)
    order = torch.arange(longest)
    seen = (order[:, None] >= order) & (order[:, None] - order < (window or longest))
    real = torch.stack([order < length for length in lengths])
    return seen[None, None] & real[:, None, None] | torch.eye(longest, dtype=torch.bool)


@settings(deadline=None, max_examples=15)
@given(st.integers(1, 3), st.sampled_from([(1, 1), (4, 2), (6, 3), (3, 1)]), st.integers(1, 150), st.integers(0, 2**16))
def test_in_float64_it_is_the_fused_kernel(batch, heads, length, seed):
    values = parts(batch, *heads, length, 8, seed=seed)
    lengths = [max(1, length - 5 * row) for row in range(batch)]
    for mask in (None, window_mask(lengths), window_mask(lengths, 7)):
        for found, exact in zip(
            results(own, values, mask, torch.float64), results(fused, values, mask, torch.float64), strict=True
        ):
            # scores and their softmax are float32
            assert torch.allclose(found, exact, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("scale", [1.0, 6.0])
@pytest.mark.parametrize("length", [20, 64, 150])
def test_in_bfloat16_it_is_as_close_to_float64_as_the_fused_kernel(length, scale):
    values = parts(3, 6, 2, length, 32, scale)
    for mask in (None, window_mask([length, length - 3, 12])):
        exact = results(fused, values, mask, torch.float64)
        errors = [
            [error(*pair) for pair in zip(results(function, values, mask, torch.bfloat16), exact, strict=True)]
            for function in (own, fused)
        ]
        for ours, theirs in zip(*errors, strict=True):
            assert ours < 1.5 * theirs


def test_a_query_that_sees_nothing_gives_numbers():
    mask = window_mask([6, 6])
    mask[1, :, :3] = False
    for found in results(own, parts(2, 2, 1, 6, 8), mask, torch.float32):
        assert torch.isfinite(found).all()


def test_a_mask_that_shows_later_keys_is_kept():
    mask = torch.ones(1, 1, 150, 150, dtype=torch.bool)
    values = parts(1, 2, 2, 150, 8)
    for found, exact in zip(
        results(own, values, mask, torch.float32), results(fused, values, mask, torch.float64), strict=True
    ):
        assert error(found, exact) < 1e-5


@pytest.mark.parametrize(
    ("change", "options"),
    [
        ({}, {"dropout": 0.1}),
        ({}, {"is_causal": False}),
        ({}, {"position_bias": torch.zeros(1, 2, 6, 6)}),
        ({"length": LONGEST + 1}, {}),
    ],
)
def test_what_is_long_or_unusual_is_left_to_transformers(change, options, monkeypatch):
    asked = []
    monkeypatch.setattr(short_attention, "sdpa_attention_forward", lambda *given, **named: asked.append(named))
    query, key, value, _ = parts(1, 2, 2, change.get("length", 6), 8)
    attention(LAYER, query, key, value, None, **options)
    assert len(asked) == 1
    assert options.items() <= asked[0].items()
    asked.clear()
    attention(LAYER, *parts(1, 2, 2, 6, 8)[:3], None)
    assert asked == []


def test_autocast_decides_the_dtype_as_it_does_for_the_fused_kernel():
    query, key, value, _ = (part.float() for part in parts(1, 2, 1, 6, 8))
    with torch.autocast("cpu", torch.bfloat16):
        mixed = attention(LAYER, query, key, value.bfloat16(), None)[0]
    assert torch.equal(mixed, own(query.bfloat16(), key.bfloat16(), value.bfloat16(), None))


ROWS = [
    {"input_ids": [n % 290 + 3 for n in range(3 * m, 3 * m + 70 - 9 * m)], "weights": [0.0] * 30 + [1.0] * (40 - 9 * m)}
    for m in range(3)
]


def loss_and_gradients(model, dtype):
    """Of all weights, in evaluation mode but with gradients."""
    model = model.to(dtype)
    loss = weighted_token_loss(model, WeightedBatch.of(ROWS), 80.0)
    loss.backward()
    return loss.detach(), torch.cat([parameter.grad.flatten().double() for parameter in model.parameters()])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_models_keep_their_loss_and_gradients(architecture, tmp_path):
    folder = tiny_model_folder(tmp_path / architecture, architecture)

    def model():
        return load_model(folder, dtype="float32", loading=Loading())

    def short():
        found = model()
        attend_short(found)
        return found

    assert attention_of(model()) == ("eager" if architecture == "gemma2" else "sdpa")
    assert attention_of(short()) == ("eager" if architecture == "gemma2" else NAME)
    loss, gradient = loss_and_gradients(model(), torch.float32)
    own_loss, own_gradient = loss_and_gradients(short(), torch.float32)
    assert float(abs(own_loss - loss)) < 1e-5
    assert error(own_gradient, gradient) < 1e-4
    half, own_half = (loss_and_gradients(made(), torch.bfloat16)[1] for made in (model, short))
    assert error(own_half, gradient) < 1.3 * error(half, gradient)


def test_what_a_user_chose_stays(tmp_path):
    folder = tiny_model_folder(tmp_path / "tiny")
    model = load_model(folder, dtype="float32", loading=Loading(attn_implementation="eager"))
    attend_short(model)
    assert attention_of(model) == "eager"


def test_a_saved_model_does_not_say_it(tmp_path):
    model = load_model(tiny_model_folder(tmp_path / "tiny"), dtype="float32", loading=Loading())
    model.save_pretrained(tmp_path / "before")
    attend_short(model)
    model.save_pretrained(tmp_path / "after")
    assert (tmp_path / "before" / "config.json").read_bytes() == (tmp_path / "after" / "config.json").read_bytes()


@pytest.mark.parametrize("chosen", [None, "sdpa", "eager"])
def test_a_training_takes_it_where_the_user_chose_none(chosen, tmp_path):
    folder = tiny_model_folder(tmp_path / "tiny")
    base, loading = Base("owner/name", None, folder, {}), Loading(attn_implementation=chosen)
    model = begin(folder, base, None, training(adapter="lora"), loading, 1)
    assert attention_of(model.get_base_model()) == (chosen or NAME)
    assert any(isinstance(module, LoraLinear) for module in model.modules())
