"""Models that keep more than keys and values of a text, or less, or count its places: they answer as each prompt does
alone."""

import random

import pytest
import torch
from tiny import tiny_model_folder
from transformers import (
    AutoModelForCausalLM,
    GPTNeoConfig,
    Lfm2Config,
    MambaConfig,
    MiniMaxConfig,
    MptConfig,
    OpenAIGPTConfig,
    RecurrentGemmaConfig,
)

from clearminds.model import cache_trials, continuations, sampling
from clearminds.model.continuations import log_likelihoods
from clearminds.model.encoded import Encoded
from clearminds.model.head import ChunkedHead
from clearminds.model.sampling import generate_batch
from clearminds.model.score_sequences import Scorer

GREEDY = {"temperature": 0.0, "top_p": 1.0, "max_new_tokens": 20}
SIZE = {"vocab_size": 300, "bos_token_id": None, "eos_token_id": 2, "pad_token_id": 0, "initializer_range": 0.3}


def made(config, dtype=torch.float32):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return AutoModelForCausalLM.from_config(config, dtype=dtype).eval()


def counting_places():
    """Tiny models whose attention counts places, those of padding too: by ALiBi, and by a window."""
    mpt = MptConfig(**SIZE, d_model=32, n_heads=4, n_layers=2, max_seq_len=512)
    local = [[["global", "local"], 1]]
    neo = GPTNeoConfig(**SIZE, hidden_size=32, num_layers=2, num_heads=4, window_size=16, attention_types=local)
    return [mpt, neo]


@pytest.mark.parametrize("config", counting_places(), ids=lambda config: config.model_type)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_model_that_counts_places_runs_each_prompt_whole(config, dtype):
    model = made(config, dtype)
    draw = random.Random(0)
    prompts = [[*range(3, 23), *(draw.randrange(3, 300) for _ in range(rest))] for rest in (1, 9, 22)]
    assert sampling._beginning(model, [*map(tuple, prompts)], 20) == (0, None)
    if dtype == torch.float32:  # in 16 bits near ties may go either way
        alone = [generate_batch(model, [2], [prompt], [0], GREEDY)[0] for prompt in prompts]
        assert generate_batch(model, [2], prompts, [0] * 3, GREEDY) == alone


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_a_trial_of_padding_passes_ordinary_models_in_each_dtype(tmp_path, dtype):
    model = AutoModelForCausalLM.from_pretrained(tiny_model_folder(tmp_path / "model"), dtype=dtype).eval()
    assert not cache_trials.counts_places(model, list(range(3, 15)))


def keeping_more_or_less():
    """Tiny models that keep states which run through a text, keep them in a place of their own, or keep nothing."""
    layers = {"hidden_size": 32, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 48}
    hybrid = Lfm2Config(**SIZE, **layers, **heads, layer_types=["conv", "full_attention"])
    mamba = MambaConfig(**SIZE, **layers, state_size=8, time_step_rank=4)
    # these two take padding into their states
    minimax = MiniMaxConfig(
        **SIZE, **layers, **heads, block_size=8, num_local_experts=2, layer_types=["linear_attention", "full_attention"]
    )
    recurrent = RecurrentGemmaConfig(
        **SIZE, hidden_size=32, num_hidden_layers=3, **heads, lru_width=32, attention_window_size=16
    )
    return [hybrid, mamba, OpenAIGPTConfig(**SIZE, n_embd=32, n_layer=2, n_head=4), minimax, recurrent]


@pytest.mark.parametrize("config", keeping_more_or_less(), ids=lambda config: config.model_type)
def test_a_model_with_a_cache_of_another_kind_or_none_answers_as_each_prompt_alone(config):
    model, draw = made(config), random.Random(0)
    source, ends = {**GREEDY, "max_new_tokens": 40}, [2, *range(100, 112)]  # some rows end in the first round
    prompts = [[draw.randrange(3, 300) for _ in range(length)] for length in (9, 4, 2)]
    alone = [_greedy(model, prompt, ends, 40) for prompt in prompts]
    assert generate_batch(model, ends, prompts, [0] * 3, source) == alone
    twice = [n for n in range(3) for _ in range(2)]
    found = generate_batch(model, ends, [prompts[n] for n in twice], [0] * 6, source)
    assert found == [alone[n] for n in twice]


@torch.inference_mode()
def _greedy(model, prompt, ends, most):
    """Token ids, each from a pass over the whole text, without padding or a cache."""
    found = []
    while len(found) < most and (not found or found[-1] not in ends):
        logits = model(input_ids=torch.tensor([prompt + found]), use_cache=False).logits
        found.append(int(logits[0, -1].argmax()))
    return found


def test_a_prompt_of_one_token_may_be_asked_twice(llama):
    alone = generate_batch(llama, [2], [[5]], [0], GREEDY)
    assert generate_batch(llama, [2], [[5], [5]], [0, 0], GREEDY) == alone * 2


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    folder = tiny_model_folder(tmp_path_factory.mktemp("llama") / "model")
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def test_a_decoder_without_last_hidden_states_is_not_trusted(llama, monkeypatch):
    encoded = [Encoded("", [5, 6, 7, 8, 9, n], 3, 3, []) for n in range(3)]
    expected, _ = Scorer(llama, 64).score(encoded, [0] * 3)
    monkeypatch.setattr(llama, "get_decoder", lambda: llama)  # as Llama 4 does: its outputs have logits alone
    assert not ChunkedHead(llama).trusts(torch.tensor([[5, 6, 7]]))
    for lengths in ([0] * 3, [3] * 3):
        found, _ = Scorer(llama, 64).score(encoded, lengths)
        for rows, others in zip(found, expected, strict=True):
            assert rows == pytest.approx(others, abs=1e-4)


def test_batches_that_are_too_large_for_a_gpu_are_halved(llama, monkeypatch):
    draw = random.Random(0)
    items = [([draw.randrange(3, 300) for _ in range(20)], [[5, n], [6]]) for n in range(8)]
    expected, sizes, real = log_likelihoods(llama, items, 1000), [], continuations._Shared.of

    def limited(self, members):
        sizes.append(len(members))
        if len(members) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(self, members)

    monkeypatch.setattr(continuations._Shared, "of", limited)
    found = log_likelihoods(llama, items, 1000)
    assert max(sizes) == 8 and sizes[-1] <= 3
    for one, other in zip(found, expected, strict=True):
        assert one == pytest.approx(other, abs=1e-4)


@pytest.mark.parametrize("off", [0.3, float("nan")])
def test_a_cache_that_is_wrong_by_little_is_not_used_in_16_bits(llama, monkeypatch, off):
    model = AutoModelForCausalLM.from_config(llama.config, dtype=torch.bfloat16).eval()
    draw, real = random.Random(0), continuations._Shared.of
    items = [([draw.randrange(3, 300) for _ in range(length)], [[5, 6], [7]]) for length in (4, 9)]
    assert continuations._way(model, items)
    # the last of all only: a maximum that drops what is no number would not see it
    monkeypatch.setattr(
        continuations._Shared, "of", lambda *given: [*(rows := real(*given))[:-1], [rows[-1][0], rows[-1][1] + 2 * off]]
    )
    assert continuations._way(model, items) is None


@pytest.mark.parametrize("noise, right", [(0.001, False), (0.1, True)])
def test_a_difference_in_16_bits_is_rounding_if_the_model_s_own_noise_is_like_it(noise, right):
    assert cache_trials.within_noise(0.3, torch.bfloat16, lambda: noise) is right
    assert not cache_trials.within_noise(0.6, torch.bfloat16, lambda: noise), "no noise is as large"
    assert not cache_trials.within_noise(float("nan"), torch.bfloat16, lambda: noise)
    assert not cache_trials.within_noise(0.002, torch.float32, lambda: noise)
