"""Attention of one query a row: what it gives, and where it is used."""

from types import SimpleNamespace

import pytest
import torch
from tiny import ARCHITECTURES, tiny_model_folder
from torch.nn.functional import scaled_dot_product_attention

from clearminds.model import one_query, sampling
from clearminds.model.load import load_model
from clearminds.model.loading import Loading
from clearminds.model.one_query import NAME, attention, one_query_masked
from clearminds.model.transformers_compat import attention_of


def parts(heads, groups, queries=1):
    generator = torch.Generator().manual_seed(0)
    shapes = [(3, heads, queries, 8), (3, groups, 30, 8), (3, groups, 30, 8)]
    return [torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in shapes]


@pytest.mark.parametrize(("heads", "groups"), [(1, 1), (4, 4), (6, 2), (3, 1)])
def test_a_single_query_sees_all_keys(heads, groups):
    layer = SimpleNamespace(is_causal=True, num_key_value_groups=heads // groups)
    query, key, value = parts(heads, groups)
    every = (part.repeat_interleave(heads // groups, 1) for part in (key, value))
    expected = scaled_dot_product_attention(query, *every, scale=0.3).transpose(1, 2)
    assert torch.allclose(attention(layer, query, key, value, None, scaling=0.3)[0], expected, atol=1e-12)


@pytest.mark.parametrize(("queries", "mask"), [(2, None), (1, torch.ones(3, 1, 1, 30, dtype=torch.bool))])
def test_several_queries_and_masks_are_given_on_as_they_are(queries, mask, monkeypatch):
    asked = []
    monkeypatch.setattr(one_query, "sdpa_attention_forward", lambda *given, **named: asked.append((given[4], named)))
    attention(SimpleNamespace(), *parts(4, 2, queries), mask, scaling=0.5, is_causal=None)
    assert asked == [(mask, {"scaling": 0.5, "is_causal": None})]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_answers_are_made_by_it_and_a_model_is_left_as_it_was(architecture, tmp_path, monkeypatch):
    folder = tiny_model_folder(tmp_path / architecture, architecture)
    model = load_model(folder, dtype="bfloat16", loading=Loading())
    before, used = attention_of(model), []
    real = one_query.attention
    monkeypatch.setattr(one_query, "attention", lambda *given, **named: used.append(1) or real(*given, **named))
    source = {"temperature": 0.7, "top_p": 0.95, "max_new_tokens": 12}
    sampling.generate_batch(model, {1}, [[5, 6, 7, 8, 9]] * 2, [1, 2], source)
    assert bool(used) == (before == "sdpa")
    assert attention_of(model) == before
    with pytest.raises(RuntimeError), one_query_masked(model):
        assert attention_of(model) == (NAME if before == "sdpa" else before)
        raise RuntimeError
    assert attention_of(model) == before


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_next_tokens_are_as_likely_as_without(architecture, dtype, tmp_path):
    folder = tiny_model_folder(tmp_path / architecture, architecture)
    model = load_model(folder, dtype=dtype, loading=Loading())
    exact = load_model(folder, dtype="float32", loading=Loading()).double()
    text = torch.tensor([[n % 290 + 3 for n in range(0, 120, 3)]] * 3)

    @torch.inference_mode()
    def last(model):
        cache = model(input_ids=text[:, :-1], use_cache=True).past_key_values
        return model(input_ids=text[:, -1:], past_key_values=cache).logits[:, -1].double().log_softmax(-1)

    with one_query_masked(model):
        own_off = (last(model) - last(exact)).norm()
    assert own_off < 2 * (last(model) - last(exact)).norm()


def test_what_a_user_chose_stays(tmp_path):
    model = load_model(tiny_model_folder(tmp_path / "tiny"), dtype="bfloat16", loading=Loading("eager"))
    with one_query_masked(model):
        assert attention_of(model) == "eager"
