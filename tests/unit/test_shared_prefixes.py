"""What conversations begin with runs once: the scores stay what each conversation alone has, on every architecture and
however prompts, responses and batches are cut; a wrong cache is not used; memory that runs out halves batches."""

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st
from tiny import ARCHITECTURES, tiny_model_folder
from transformers import AutoModelForCausalLM

from clearminds.model import score_sequences
from clearminds.model.batches import PADDING, plan_groups, plan_tight
from clearminds.model.continuations import log_likelihoods
from clearminds.model.encoded import Encoded
from clearminds.model.outlines import Outlines
from clearminds.model.score_sequences import Scorer, score
from clearminds.model.shared_prefixes import SharedPrefixes, plan_prefixed, prefix_lengths

SYSTEM = [1, 5, 9, 7, 8] * 4  # what all prompts begin with; longer than the window of the architectures that have one


def conversation(prompt, response, after=1):
    ids = [*prompt, *response]
    return Encoded("", [*ids, *[3] * after], len(prompt), len(response), [])


def conversations(seed=0):
    """Seven prompts, three of them with one response and four with two to five, in any order."""
    rng, found = np.random.default_rng(seed), []
    for n in range(7):
        prompt = [*SYSTEM, *rng.integers(0, 300, rng.integers(8, 40)).tolist()]
        for _ in range(1 if n < 3 else int(rng.integers(2, 6))):
            found.append(conversation(prompt, rng.integers(0, 300, rng.integers(1, 12)).tolist(), after=int(n % 2)))
    return [found[n] for n in rng.permutation(len(found))]


def lengths_of(encoded):
    return prefix_lengths(encoded, Outlines.of(encoded))


def load(folder, architecture):
    tiny_model_folder(folder, architecture)
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


@pytest.fixture(scope="module", params=list(ARCHITECTURES))
def tiny(request, tmp_path_factory):
    return load(tmp_path_factory.mktemp(request.param) / "model", request.param)


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    return load(tmp_path_factory.mktemp("llama") / "model", "llama")


def furthest(found, expected):
    assert [rows.shape for rows in found] == [rows.shape for rows in expected]
    return np.abs(np.concatenate(found) - np.concatenate(expected)).max()


def test_shared_prefixes_move_no_score(tiny):
    encoded = conversations()
    expected, whole = score(tiny, encoded, 1, share=False)
    for batch_tokens in (30, 200, 1000):
        found, progress = score(tiny, encoded, batch_tokens)
        assert furthest(found, expected) < 2e-5
        assert progress.items == whole.items and progress.tokens < whole.tokens / 2


def test_a_shared_prompt_is_taken_whole_and_else_what_all_have_in_common():
    encoded = [conversation([1, 2, 3, 4, n], [7, 7, n]) for n in range(4)]
    assert lengths_of(encoded) == [4] * 4
    samples = [conversation([9, 9, 9], [n, 5]) for n in range(3)]
    assert lengths_of([*encoded, *samples]) == [4] * 4 + [3] * 3
    assert lengths_of([samples[0]] * 3) == [0] * 3, "equal ones are computed once"


def test_a_prefix_that_saves_little_is_not_shared():
    assert lengths_of([conversation([1, n, *[4] * 30], [7, 8]) for n in range(5)]) == [0] * 5
    assert lengths_of([]) == []


prompts = st.lists(st.integers(0, 2), min_size=1, max_size=4)
many = st.lists(st.builds(conversation, prompts, st.lists(st.integers(0, 3), min_size=1, max_size=4)), max_size=30)


@given(many, st.integers(1, 40))
def test_a_plan_has_each_conversation_once_and_keeps_a_prompt_together(encoded, batch_tokens):
    lengths = lengths_of(encoded)
    assert all(0 <= length <= e.n_prompt for e, length in zip(encoded, lengths, strict=True))
    batches = plan_prefixed(Outlines.of(encoded), lengths, batch_tokens)
    assert sorted(n for batch in batches for n in batch) == list(range(len(encoded)))
    place = {n: number for number, batch in enumerate(batches) for n in batch}
    groups = {}
    for n, (one, length) in enumerate(zip(encoded, lengths, strict=True)):
        if length == one.n_prompt and lengths.count(length) > 1:
            groups.setdefault(tuple(one.input_ids[:length]), set()).add(place[n])
    assert all(len(found) == 1 for prompt, found in groups.items() if len(groups) > 1)


@given(
    st.lists(st.tuples(st.integers(1, 30), st.lists(st.integers(1, 9), min_size=1, max_size=5)), max_size=20),
    st.integers(1, 200),
)
def test_batches_of_groups_keep_to_the_budget(groups, budget):
    prefixes, rests = [prefix for prefix, _ in groups], [rest for _, rest in groups]
    batches = plan_groups(prefixes, rests, budget)
    assert sorted(n for batch in batches for n in batch) == list(range(len(groups)))
    for batch in batches:
        rows = [length for n in batch for length in rests[n]]
        taken = len(batch) * max(prefixes[n] for n in batch) + len(rows) * max(rows)
        assert taken <= budget or len(batch) == 1


@given(st.lists(st.integers(1, 60), max_size=40), st.integers(1, 300), st.integers(0, 20))
def test_a_tight_plan_keeps_to_the_budget_and_pads_little_once_a_batch_is_busy(lengths, budget, held):
    batches = plan_tight(lengths, budget, held)
    assert sorted(n for batch in batches for n in batch) == list(range(len(lengths)))
    for batch in batches:
        found = [lengths[n] for n in batch]
        assert len(batch) * (max(found) + held) <= budget or len(batch) == 1
        padded = [n for n, length in enumerate(found) if length < (1 - PADDING) * max(found)]
        assert all(n * max(found) < budget / 8 for n in padded)


def test_a_cache_that_gives_other_results_is_not_used(llama, monkeypatch):
    encoded = conversations()
    expected, _ = score(llama, encoded, 1, share=False)
    behind = SharedPrefixes._behind

    def wrong(self, *given):
        found = behind(self, *given)
        return found if found is None else found + 0.1

    monkeypatch.setattr(SharedPrefixes, "_behind", wrong)
    found, progress = score(llama, encoded, 200)
    assert furthest(found, expected) < 2e-5
    assert progress.tokens == sum(len(e.input_ids) for e in encoded)


def test_a_model_without_a_cache_that_can_be_shared_scores_the_same(llama, monkeypatch):
    def refuses(self, *given):
        raise NotImplementedError("no such cache")

    encoded = conversations()
    monkeypatch.setattr(SharedPrefixes, "_prefixes", refuses)
    assert furthest(score(llama, encoded, 200)[0], score(llama, encoded, 1, share=False)[0]) < 2e-5


def test_whole_conversations_and_those_behind_a_prefix_may_come_together(llama):
    encoded, expected = conversations(), score(llama, conversations(), 1, share=False)[0]
    lengths = [0 if n % 3 else length for n, length in enumerate(lengths_of(encoded))]
    assert furthest(Scorer(llama, 200).score(encoded, lengths)[0], expected) < 2e-5


def test_a_batch_out_of_memory_is_halved_and_what_was_found_holds(llama, monkeypatch):
    encoded, sizes = conversations(), []
    expected, _ = score(llama, encoded, 1, share=False)
    plain, room = score_sequences.score_batch, 300

    def limited(head, members):
        sizes.append(sum(len(m.input_ids) for m in members))
        if sizes[-1] > room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return plain(head, members)

    monkeypatch.setattr(score_sequences, "score_batch", limited)
    scorer = Scorer(llama, 1000)
    found, _ = scorer.score(encoded, [0] * len(encoded))
    assert furthest(found, expected) < 2e-5
    assert scorer.batch_tokens == 250 and max(sizes) > room
    before = len(sizes)
    scorer.score(encoded, [0] * len(encoded))
    assert all(size <= room for size in sizes[before:]), "later batches are small from the start"


def test_where_one_conversation_is_too_large_the_error_stays(llama, monkeypatch):
    def full(head, members):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(score_sequences, "score_batch", full)
    with pytest.raises(torch.OutOfMemoryError):
        Scorer(llama, 1000).score(conversations(), [0] * len(conversations()))


SMALL = {"vocab_size": 320, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
SMALL |= {"num_attention_heads": 2, "num_key_value_heads": 2, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
LONG = {"rope_type": "longrope", "short_factor": [1.0] * 8, "long_factor": [4.0] * 8, "rope_theta": 1e4}
OTHER = {
    "a state that runs through the text": ("MiniMaxConfig", {"block_size": 8, "num_local_experts": 2}),
    "positions by the longest text": (
        "Phi3Config",
        {"rope_parameters": LONG, "original_max_position_embeddings": 24, "max_position_embeddings": 96},
    ),
}


@pytest.mark.parametrize("kind", OTHER)
def test_what_cannot_be_copied_runs_whole(kind, caplog):
    config, keys = OTHER[kind]
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(getattr(transformers, config)(**SMALL, **keys)).float().eval()
    rng = np.random.default_rng(1)
    encoded = [conversation([*SYSTEM[:12], n], rng.integers(3, 300, 20).tolist(), after=0) for n in range(4)]
    expected, _ = score(model, encoded, 1, share=False)
    with caplog.at_level("INFO", logger="clearminds"):
        found, _ = score(model, encoded, 1)
    assert "every conversation runs whole" in caplog.text
    assert furthest(found, expected) == 0
    ends = [[5, 6, 7], [8, 9]]
    together = log_likelihoods(model, [(one.input_ids[:13], ends) for one in encoded], 256)
    apart = [[log_likelihoods(model, [(one.input_ids[:13], [end])], 1)[0][0] for end in ends] for one in encoded]
    assert np.abs(np.array(together) - np.array(apart)).max() < 1e-4


def test_a_prompt_that_one_conversation_has_alone_is_no_prefix_of_a_plan():
    several = [conversation([1, 2, 3], [n, 5]) for n in range(3)]
    alone = [conversation([4, n, 3], [1, 2, 3]) for n in range(20)]
    encoded = [*several, *alone]
    plan = plan_prefixed(Outlines.of(encoded), [3] * len(encoded), 12)
    assert sorted(n for batch in plan for n in batch) == list(range(23))
    assert max(len(batch) for batch in plan if batch[0] > 2) <= 2, "six tokens each, the prompt counted"
