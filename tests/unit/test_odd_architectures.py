"""Models that keep more than keys and values of a text, or less, or count its places: they answer as each prompt alone."""

import random

import pytest
import torch
from tiny import tiny_model_folder
from transformers import AutoModelForCausalLM, GPTNeoConfig, MptConfig

from clearminds.model import cache_trials, sampling
from clearminds.model.sampling import generate_batch

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
