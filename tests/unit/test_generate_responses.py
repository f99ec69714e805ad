"""Sampling: each sample has a random stream of its own, follows the model's distribution, and obeys our
settings alone."""

import itertools
import json
import random
import tempfile
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import ARCHITECTURES, tiny_model_folder, tiny_tokenizer
from transformers import AutoModelForCausalLM, GenerationConfig

from clearminds.model import sampling
from clearminds.model.conversation import Chat
from clearminds.model.loading import Loading
from clearminds.model.sampling import SeededSampling, generate_batch, nucleus
from clearminds.model.streams import stream_seed
from clearminds.model.vllm import engine
from clearminds.stages.generate_responses import Runtime, Source, generate, reference_rows, response_store

SOURCE = {"kind": "self_output", "samples": 4, "temperature": 1.0, "top_p": 0.95, "max_new_tokens": 12, "seed": 0}
CHAT = Chat(tiny_tokenizer())


@pytest.fixture
def model(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_model_folder(tmp_path_factory.mktemp("tiny") / "llama")


def examples(n=4):
    return [
        {
            "example_id": f"e{i}",
            "messages": [{"role": "user", "content": "number " * i + f"{i}?"}],
            "reference": f"= {i}",
        }
        for i in range(n)
    ]


def sample(model, n=4, batch_tokens=100_000, **changed):
    with tempfile.TemporaryDirectory() as folder:
        source = Source(**SOURCE | changed, dtype="float32")
        store = response_store(Path(folder), "weights", CHAT, source, Loading())
        return generate(
            store,
            partial(generate_batch, model),
            CHAT,
            examples(n),
            source,
            Runtime(store="", generate_tokens=batch_tokens, part_seconds=60, vllm_python=""),
        )[0]


@pytest.mark.parametrize("top_p", [0.95, 1.0])
def test_neighbours_change_no_sample(model, top_p):
    together = sample(model, top_p=top_p)
    for batch_tokens in (1, 90):
        assert sample(model, batch_tokens=batch_tokens, top_p=top_p) == together
    assert sample(model, n=2, top_p=top_p) == together[: 2 * SOURCE["samples"]]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize(("rests", "samples"), [((1, 5, 2, 30), 1), ((1, 5, 2, 30), 3), ((1, 1, 1), 2)])
def test_what_prompts_begin_with_runs_once_and_changes_nothing(
    tmp_path, monkeypatch, architecture, temperature, rests, samples
):
    model = AutoModelForCausalLM.from_pretrained(tiny_model_folder(tmp_path / "model", architecture)).eval()
    draw = random.Random(0)
    prompts = [[*range(3, 15), *(draw.randrange(3, 300) for _ in range(rest))] for rest in rests] * samples
    source = {"temperature": temperature, "top_p": 1.0, "max_new_tokens": 20}
    seeds = list(range(len(prompts)))
    alone = [
        generate_batch(model, [2], [prompt], [seed], source)[0] for prompt, seed in zip(prompts, seeds, strict=True)
    ]
    shared = []

    def noting(*given, real=sampling._beginning):
        common, cache = real(*given)
        shared.append(common)
        return common, cache

    monkeypatch.setattr(sampling, "_beginning", noting)
    assert generate_batch(model, [2], prompts, seeds, source) == alone
    # padding between a row's tokens would push what is seen out of a window
    assert shared == [0 if architecture in ("mistral", "gemma2") else 12]


def test_a_model_that_shares_no_beginning_and_names_no_head_answers_all_the_same(model, monkeypatch):
    prompts, source = [[*range(3, 15), 20], [*range(3, 15), 30, 31]], {"temperature": 0.0, "top_p": 1.0}
    source["max_new_tokens"] = 6
    expected = generate_batch(model, [2], prompts, [0, 1], source)

    def refuse(*arguments):
        raise TypeError("forward() got an unexpected keyword argument 'logits_to_keep'")

    monkeypatch.setattr(sampling, "begun", refuse)
    monkeypatch.setattr(model, "get_output_embeddings", lambda: None)
    assert generate_batch(model, [2], prompts, [0, 1], source) == expected


def test_more_samples_change_no_earlier_one(model):
    few, many = sample(model, samples=4), sample(model, samples=8)
    assert [row for row in many if row["sample"] < 4] == few


def test_rows_are_in_the_order_of_example_and_sample(model):
    rows = sample(model)
    assert [(row["example_id"], row["sample"]) for row in rows] == [(f"e{i}", s) for i in range(4) for s in range(4)]
    assert all(row["n_tokens"] == len(row["token_ids"]) for row in rows)
    assert all(CHAT.tokenizer.decode(row["token_ids"], skip_special_tokens=True) == row["response"] for row in rows)


def test_samples_prompts_and_seeds_have_streams_of_their_own(model):
    rows = sample(model, samples=8)
    assert len({tuple(row["token_ids"]) for row in rows}) == len(rows)
    assert len({row["seed"] for row in rows}) == len(rows)
    other = sample(model, samples=8, seed=1)
    assert not {row["seed"] for row in rows} & {row["seed"] for row in other}
    assert [row["token_ids"] for row in rows] != [row["token_ids"] for row in other]


@given(st.lists(st.integers(0, 300), max_size=5), st.integers(0, 99), st.integers(0, 99))
def test_a_stream_s_seed_is_63_bits_of_prompt_sample_and_seed(prompt, number, seed):
    found = stream_seed(prompt, number, seed)
    assert 0 <= found < 2**63
    assert found == stream_seed(list(prompt), number, seed)
    assert len({found, stream_seed([*prompt, 1], number, seed), stream_seed(prompt, number + 1, seed)}) == 3
    assert found != stream_seed(prompt, number, seed + 1)


def counted(probs, n, top_p, temperature=1.0):
    """Counts of n tokens, the first of n streams, drawn from one distribution."""
    source = {"temperature": temperature, "top_p": top_p, "max_new_tokens": 1}
    scores = torch.tensor(probs).log().expand(n, -1)
    seeds = [stream_seed([1, 2], number, 0) for number in range(n)]
    processed = SeededSampling(seeds, source, 2)(torch.zeros(n, 2, dtype=torch.long), scores)
    assert ((processed == 0).sum(1) == 1).all() and (processed.isinf().sum(1) == len(probs) - 1).all()
    return Counter(processed.argmax(1).tolist())


@pytest.mark.parametrize(
    ("top_p", "temperature", "expected"),
    [
        (1.0, 1.0, [0.1, 0.4, 0.05, 0.3, 0.15]),
        # the nucleus of .8 needs the three likeliest, .85 in sum
        (0.8, 1.0, [0, 0.4 / 0.85, 0, 0.3 / 0.85, 0.15 / 0.85]),
        # p ** 2, renormalised
        (1.0, 0.5, [p**2 / 0.285 for p in (0.1, 0.4, 0.05, 0.3, 0.15)]),
    ],
)
def test_sampling_follows_the_distribution(top_p, temperature, expected):
    n = 4000
    counts = counted([0.1, 0.4, 0.05, 0.3, 0.15], n, top_p, temperature)
    assert set(counts) == {token for token, p in enumerate(expected) if p}
    chi_square = sum((counts[token] - n * p) ** 2 / (n * p) for token, p in enumerate(expected) if p)
    assert chi_square < 18.5  # exceeded once in a thousand with 4 degrees of freedom


def test_tokens_of_one_stream_follow_the_distribution_too():
    n, probs = 4000, [0.1, 0.4, 0.05, 0.3, 0.15]
    sampling = SeededSampling([7], {"temperature": 1.0, "top_p": 1.0, "max_new_tokens": n}, 3)
    scores = torch.tensor([probs]).log()
    drawn = [sampling(torch.zeros(1, 3 + step, dtype=torch.long), scores).argmax().item() for step in range(n)]
    counts = Counter(drawn)
    assert sum((counts[token] - n * p) ** 2 / (n * p) for token, p in enumerate(probs)) < 18.5
    # and each token is independent of the one before it
    pairs = Counter(itertools.pairwise(drawn))
    chi_square = sum(
        (pairs[a, b] - n * p * q) ** 2 / (n * p * q) for a, p in enumerate(probs) for b, q in enumerate(probs)
    )
    assert chi_square < 52.6  # once in a thousand with 24 degrees of freedom


def test_a_token_that_cannot_come_never_comes():
    assert set(counted([0.5, 0.0, 0.5, 0.0], 500, 1.0)) == {0, 2}


@given(
    st.lists(st.integers(1, 10_000), min_size=1, max_size=300)
    | st.lists(st.integers(1, 5), min_size=100, max_size=300),
    st.integers(1, 99),
    st.booleans(),
)
def test_the_nucleus_is_that_of_a_full_sort(counts, percent, neighbour):
    # powers of two below the sum keep every sum exact, so that no rounding moves the nucleus' edge
    scale = 2 ** sum(counts).bit_length()
    probs = torch.tensor([counts], dtype=torch.float64) / scale
    top_p = percent / 100 * probs.sum().item()
    # a flat neighbour makes more of the vocabulary be sorted, and changes nothing, not even the order of equal tokens
    flat = torch.full_like(probs, top_p / len(counts))
    tokens, values = nucleus(torch.cat([probs, flat]) if neighbour else probs, top_p)
    expected, reached = [], 0.0
    for token in sorted(range(len(counts)), key=lambda i: -counts[i]):
        if reached >= top_p:
            break
        expected.append(token)
        reached += counts[token] / scale
    kept = values[0] > 0
    assert tokens[0][kept].tolist() == expected
    assert values[0][kept].tolist() == probs[0][expected].tolist()
    assert not kept[len(expected) :].any()


def test_ties_at_the_edge_of_a_partial_sort_do_not_let_a_neighbour_in():
    # of 16 bits, as logits of large models are: many tokens are equally likely
    logits = (torch.randn(1, 4000, generator=torch.Generator().manual_seed(0)) * 3).bfloat16().float()
    probs = logits.softmax(-1)
    tokens, values = nucleus(probs, 0.95)
    crowded, others = nucleus(torch.cat([probs, torch.full_like(probs, 1 / 4000)]), 0.95)
    n = int((values > 0).sum())
    assert len(values[0].unique()) < n and n < tokens.shape[1] < crowded.shape[1]
    assert crowded[0, :n].tolist() == tokens[0, :n].tolist()
    assert others[0, : n + 1].tolist() == values[0, : n + 1].tolist()


def test_temperature_zero_is_greedy(model):
    rows = sample(model, temperature=0, samples=2)
    assert all(a["token_ids"] == b["token_ids"] for a, b in zip(rows[::2], rows[1::2], strict=True))
    for example, row in zip(examples(), rows[::2], strict=True):
        ids = CHAT.prompt_ids(example["messages"])
        for token in row["token_ids"]:
            with torch.inference_mode():
                assert model(input_ids=torch.tensor([ids])).logits[0, -1].argmax().item() == token
            ids.append(token)


def test_sampled_tokens_are_those_that_the_stream_draws_from_the_model(model):
    [row] = sample(model, n=1, samples=1, top_p=0.9, temperature=0.7)
    ids = CHAT.prompt_ids(examples()[0]["messages"])
    n_prompt = len(ids)
    for token in row["token_ids"]:
        with torch.inference_mode():
            probs = (model(input_ids=torch.tensor([ids])).logits[0, -1] / 0.7).softmax(-1)
        values, order = probs.sort(descending=True)
        values[values.cumsum(-1) - values >= 0.9] = 0
        uniform = torch.rand(12, generator=torch.Generator().manual_seed(row["seed"]))[len(ids) - n_prompt]
        cumulative = values.cumsum(-1)
        assert token == order[(cumulative > uniform * cumulative[-1]).nonzero()[0]].item()
        ids.append(token)


def biased(model, token, bias):
    forward = model.forward

    def pushed(*args, **options):
        output = forward(*args, **options)
        output.logits[..., token] += bias
        return output

    model.forward = pushed
    return model


@pytest.mark.parametrize("ending", ["<|im_end|>", "<|endoftext|>", "<|im_start|>"])
def test_a_response_stops_at_its_end_of_turn(model, ending):
    token = CHAT.tokenizer.convert_tokens_to_ids(ending)
    rows = sample(biased(model, token, 7.0), samples=8)
    stopped = [row for row in rows if row["token_ids"][-1] == token]
    lengths = {row["n_tokens"] for row in stopped}
    assert len(lengths) > 1, "some stop earlier, and are padded in their batch"
    for row in stopped:
        assert row["finish_reason"] == "stop"
        assert ending not in row["response"]
        assert token not in row["token_ids"][:-1]


def test_a_response_without_an_end_is_cut_and_says_so(model):
    for token in CHAT.end_of_turn_ids:
        biased(model, token, -1e9)
    for row in sample(model):
        assert (row["finish_reason"], row["n_tokens"]) == ("length", 12)
        assert not CHAT.end_of_turn_ids & set(row["token_ids"])


def test_the_model_s_own_generation_settings_do_not_leak_in(model):
    expected, greedy = sample(model), sample(model, temperature=0)
    own = GenerationConfig(
        repetition_penalty=3.0,
        temperature=0.1,
        top_k=1,
        do_sample=True,
        no_repeat_ngram_size=1,
        max_length=3,
        num_beams=2,
    )
    model.generation_config = own
    assert sample(model) == expected
    assert sample(model, temperature=0) == greedy
    assert model.generation_config is own
    # they would have mattered
    prompt = torch.tensor([CHAT.prompt_ids(examples()[0]["messages"])])
    leaking = model.generate(prompt, max_new_tokens=12, do_sample=False, num_beams=1, pad_token_id=0)
    assert leaking[0, prompt.shape[1] :].tolist() != greedy[0]["token_ids"]


def test_a_batch_gives_new_tokens_alone(model):
    prompts = [CHAT.prompt_ids(e["messages"]) for e in examples(2)]
    found = generate_batch(model, CHAT.end_of_turn_ids, prompts, [1, 2], SOURCE)
    assert [len(ids) <= 12 for ids in found] == [True, True]
    assert found[0] == generate_batch(model, CHAT.end_of_turn_ids, prompts[:1], [1], SOURCE)[0]


def test_each_backend_keeps_its_responses_in_a_place_of_its_own(tmp_path):
    def about(**source):
        store = response_store(tmp_path, "weights", CHAT, Source(**SOURCE, dtype="float32", **source), Loading())
        return json.loads((store.folder / "about.json").read_text(encoding="utf-8"))

    plain, served = about(), about(backend="vllm")
    # as it was before there were backends, so that what has been computed is found
    assert plain.keys() == {"generator", "ends", "dtype", "loading", "arithmetic"}
    assert plain["arithmetic"] == sampling.ARITHMETIC
    assert served == {**plain, "backend": "vllm", "arithmetic": engine.ARITHMETIC}


def test_samples_that_were_wrong_are_not_found_again_and_those_of_other_models_are(tmp_path):
    def arithmetic(**given):
        source = Source(**SOURCE, dtype="float32", backend=given.pop("backend", None))
        store = response_store(tmp_path, "weights", CHAT, source, Loading(), **given)
        return json.loads((store.folder / "about.json").read_text(encoding="utf-8"))["arithmetic"]

    assert [arithmetic(model_type=name) for name in ("mpt", "gpt_neo", "llama")] == [2, 2, arithmetic()]
    assert arithmetic(model_type="mpt", backend="vllm") == engine.ARITHMETIC


def test_a_rephrasing_is_asked_for_with_the_reference(model):
    plain, shown = sample(model, n=1), sample(model, n=1, kind="rephrase")
    assert {row["seed"] for row in plain}.isdisjoint({row["seed"] for row in shown})
    assert [row["example_id"] for row in shown] == ["e0"] * 4


def test_references_are_rows_without_tokens_or_seed():
    rows = reference_rows(examples(2), len)
    assert rows[1] == {
        "example_id": "e1",
        "sample": 0,
        "response": "= 1",
        "token_ids": None,
        "n_tokens": 3,
        "finish_reason": "reference",
        "seed": None,
    }
