"""Token scores against a slow reference on five architectures: the model run on each prefix alone, one token at a time;
what batching, padding and order may not change; and the tables that the scores become."""

import copy
import math
import random
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
import torch
from tiny import ARCHITECTURES, CHAT_TEMPLATE, tiny_model_folder
from transformers import AutoModelForCausalLM

from clearminds.errors import UserError
from clearminds.files import contracts
from clearminds.files.contracts import STATISTICS
from clearminds.files.row_groups import write_pieces
from clearminds.files.tables import read_provenance, read_table
from clearminds.model import fitting, score_sequences
from clearminds.model.conversation import Chat
from clearminds.model.encode_responses import encode_responses
from clearminds.model.encoded import Encoded
from clearminds.model.head import ChunkedHead
from clearminds.model.loading import Loading
from clearminds.model.score_sequences import score
from clearminds.model.token_statistics import token_statistics
from clearminds.plugins.scores import BASE, Scores
from clearminds.plugins.weights.perplexity import weights
from clearminds.stages.score_token_perplexity import (
    Runtime,
    Settings,
    measure_noise,
    score_store,
    score_through,
)
from clearminds.stages.scoring.spool import spooled
from clearminds.stages.scoring.stored import VALUES

TURNS = [
    ("What is 12 + 34?", "the answer is 46"),
    ("What is 5 + 6? Give a number, and then the question once more, please.", "a number, then another number: 11, 12"),
    ("user", ""),
    ("question", "Ünïcode → \U0001f600 is split into bytes"),
    ("12", "1"),
]


def block(logprob):
    """The scores of one response, as weight rules read them."""
    return Scores({BASE: {"logprob": logprob}}, np.array([0, len(logprob)]), [("a", 0)])


RUNTIME = Runtime(store="", batch_tokens=4096, part_seconds=60)


@pytest.fixture(scope="module", params=list(ARCHITECTURES))
def tiny(request, tmp_path_factory):
    return load(tmp_path_factory.mktemp(request.param) / "model", request.param)


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    return load(tmp_path_factory.mktemp("llama") / "model", "llama")


def load(folder, architecture):
    tiny_model_folder(folder, architecture)
    (folder / "chat.json").write_text('{"system": null, "arguments": {}}')
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    return SimpleNamespace(model=model, chat=Chat.from_folder(folder))


def conversations(chat):
    return [chat.encode([{"role": "user", "content": asked}], said, asked) for asked, said in TURNS]


@torch.inference_mode()
def greedy(model, chat):
    """A conversation whose response is the model's own: what it finds least surprising."""
    prompt = chat.encode([{"role": "user", "content": "number"}], "", "x")
    ids = prompt.input_ids[: prompt.n_prompt]
    for _ in range(12):
        ids = [*ids, model(input_ids=torch.tensor([ids])).logits[0, -1].argmax().item()]
    return Encoded("", ids, prompt.n_prompt, 12, [])


@torch.inference_mode()
def naive(model, encoded):
    """The five statistics per response token, in float32, each from the prefix alone: no padding, batch or shortcut."""
    found = []
    for position in range(encoded.n_prompt, encoded.n_prompt + encoded.n_response):
        logits = model(input_ids=torch.tensor([encoded.input_ids[:position]])).logits[0, -1].float()
        logprobs = logits.log_softmax(-1)
        token = encoded.input_ids[position]
        values = sorted(logprobs.tolist(), reverse=True)
        top = [math.exp(value) for value in values[:20]]
        shares = [p / sum(top) for p in top]
        found.append(
            [
                logprobs[token].item(),
                -sum(math.exp(value) * value for value in values),
                -sum(p * math.log(p) for p in shares),
                sum(math.exp(value) ** 2 for value in values),
                sum(value > logprobs[token].item() for value in values),
            ]
        )
    return np.array(found)


def assert_close(found, expected, atol=1e-4):
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert a.shape == b.shape
        for n, name in enumerate(STATISTICS):
            np.testing.assert_allclose(a[:, n], b[:, n], rtol=0, atol=atol, err_msg=name)


def test_scores_are_those_of_the_prefix_alone(tiny):
    encoded = conversations(tiny.chat)
    found, progress = score(tiny.model, encoded, batch_tokens=150)
    assert_close(found, [naive(tiny.model, e) for e in encoded])
    assert (progress.items, progress.tokens) == (len(encoded), sum(len(e.input_ids) for e in encoded))


def test_what_gemma_does_to_logits_counts(tmp_path):
    gemma = load(tmp_path / "model", "gemma2")
    encoded = conversations(gemma.chat)
    capped = np.concatenate(score(gemma.model, encoded, 4096)[0])
    gemma.model.config.final_logit_softcapping = None
    without_final = np.concatenate(score(gemma.model, encoded, 4096)[0])
    for layer in gemma.model.model.layers:
        layer.self_attn.attn_logit_softcapping = None
    without_both = np.concatenate(score(gemma.model, encoded, 4096)[0])
    assert np.abs(capped - without_final)[:, 0].max() > 0.1
    assert np.abs(without_final - without_both)[:, 0].max() > 0.01


@pytest.mark.parametrize("batch_tokens", [1, 90, 100_000])
def test_batches_and_order_move_no_score_and_no_mask(tiny, batch_tokens):
    model = copy.deepcopy(tiny.model)
    model.get_output_embeddings().weight.data *= 2.5  # more certain, so that the mask keeps some tokens
    model.config.final_logit_softcapping = 30.0  # read by Gemma-2 alone; 6 leaves no token likely enough
    encoded = [*conversations(tiny.chat), greedy(model, tiny.chat)]
    expected, _ = score(model, encoded, batch_tokens=1)
    order = random.Random(batch_tokens).sample(range(len(encoded)), len(encoded))
    shuffled, _ = score(model, [encoded[i] for i in order], batch_tokens)
    found = [shuffled[order.index(i)] for i in range(len(encoded))]
    assert_close(found, expected)
    masks = [[weights(block(rows[:, 0]), {"tau": "2.5"}).tolist() for rows in side] for side in (found, expected)]
    assert masks[0] == masks[1]
    assert {value for mask in masks[0] for value in mask} == {0.0, 1.0}


def test_chunks_of_the_head_move_no_score(llama, monkeypatch):
    encoded = conversations(llama.chat)
    expected, _ = score(llama.model, encoded, 4096)
    monkeypatch.setattr(ChunkedHead.__init__, "__defaults__", (3,))
    assert ChunkedHead(llama.model).chunk == 3
    assert_close(score(llama.model, encoded, 4096)[0], expected, atol=1e-5)


def test_the_end_of_turn_is_scored_last_and_the_prompt_not_at_all(llama):
    for encoded, rows in zip(
        conversations(llama.chat), score(llama.model, conversations(llama.chat), 4096)[0], strict=True
    ):
        assert len(rows) == encoded.n_response == len(encoded.spans)
        assert encoded.response_ids[-1] == llama.chat.tokenizer.convert_tokens_to_ids("<|im_end|>")
        prompt = llama.chat.tokenizer.decode(encoded.input_ids[: encoded.n_prompt])
        assert prompt.endswith("<|im_start|>assistant\n")
        assert encoded.text.startswith(prompt)


def test_equal_conversations_are_computed_once(llama):
    encoded = conversations(llama.chat)
    found, progress = score(llama.model, [*encoded, *encoded, encoded[0]], batch_tokens=200)
    assert progress.items == len(encoded)
    assert all(np.array_equal(a, b) for a, b in zip(found[: len(encoded)], found[len(encoded) : -1], strict=True))
    assert np.array_equal(found[0], found[-1])


def test_logits_scaled_in_the_forward_are_seen(tmp_path):
    tiny = load(tmp_path / "model", "llama")
    encoded = conversations(tiny.chat)
    plain, _ = score(tiny.model, encoded, 4096)
    forward = tiny.model.forward

    def scaled(*args, **options):
        output = forward(*args, **options)
        output.logits = output.logits / 3
        return output

    tiny.model.forward = scaled
    head = ChunkedHead(tiny.model)
    ids = torch.tensor([encoded[0].input_ids])
    list(head.logits(ids, torch.ones_like(ids), torch.ones_like(ids, dtype=torch.bool)))
    assert head.trusted is False
    found, _ = score(tiny.model, encoded, batch_tokens=150)
    assert_close(found, [naive(tiny.model, e) for e in encoded])
    assert np.abs(np.concatenate(found)[:, 0] - np.concatenate(plain)[:, 0]).max() > 0.5


def test_the_head_is_trusted_on_every_architecture_that_we_name(tiny):
    head = ChunkedHead(tiny.model)
    ids = torch.tensor([conversations(tiny.chat)[0].input_ids])
    with torch.inference_mode():
        rows = torch.cat(list(head.logits(ids, torch.ones_like(ids), torch.ones_like(ids, dtype=torch.bool))))
        expected = tiny.model(ids).logits[0]
    assert head.trusted is True
    torch.testing.assert_close(rows, expected, rtol=0, atol=1e-4)


def test_statistics_of_a_distribution_worked_out_by_hand():
    logits = torch.tensor([[0.0, 0.0, 0.0, 0.0], [0.0, -200.0, -200.0, -200.0]])
    certain, sure = token_statistics(logits, torch.tensor([2, 0])).tolist()
    assert certain == pytest.approx([-math.log(4), math.log(4), math.log(4), 0.25, 0])
    assert sure == pytest.approx([0, 0, 0, 1, 0], abs=1e-6)


def test_a_probability_that_underflows_leaves_finite_numbers():
    rows = token_statistics(torch.tensor([[1000.0, 0.0, -1000.0]]), torch.tensor([2]))
    assert rows.isfinite().all()
    assert rows[0, [0, 4]].tolist() == [-2000.0, 2.0]


def test_noise_is_the_distance_from_scoring_alone(llama):
    encoded = conversations(llama.chat)
    statistics, _ = score(llama.model, encoded, 1)
    moved = pa.table({"logprob": pa.array([rows[:, 0] + np.float32(0.5) for rows in statistics])})
    noise = measure_noise(llama.model, encoded, moved)
    assert noise == {"mean": pytest.approx(0.5, abs=1e-4), "max": pytest.approx(0.5, abs=1e-4)}


def in_store(folder):
    return score_store(folder / "store", "weights", Settings("float32", Loading()))


def test_what_special_tokens_in_texts_are_empties_no_store(tmp_path):
    stores = [score_store(tmp_path, "weights", Settings("float32", Loading(), how)) for how in (None, "as_text")]
    assert stores[0].folder == stores[1].folder


def write_both(folder, spool, statistics, facts):
    write_pieces(folder / "scores.parquet", spool.score_rows(statistics), contracts.TOKEN_SCORES, facts)
    write_pieces(folder / "sequences.parquet", spool.sequence_rows(), contracts.SEQUENCES, facts)


def rows_of(turns):
    examples = [
        {"example_id": f"e{n}", "messages": [{"role": "user", "content": asked}]} for n, (asked, _) in enumerate(turns)
    ]
    responses = [
        {"example_id": f"e{n}", "sample": 1, "response": said, "finish_reason": "stop"}
        for n, (_, said) in enumerate(turns)
    ]
    return examples, responses


def test_tables_round_trip_and_spans_index_the_text(llama, tmp_path):
    sequences, left_out = encode_responses(llama.chat, *rows_of(TURNS), limit=512)
    assert left_out == {"cut": 0, "too_long": 0, "merged": 0}
    statistics, _ = score(llama.model, [s.encoded for s in sequences], 4096)
    with spooled(sequences, tmp_path, texts=True) as spool:
        stored, _, _ = score_through(in_store(tmp_path), lambda: llama.model, spool.encoded, RUNTIME)
        write_both(tmp_path, spool, stored, {"tokenizer": "t"})
    scores = read_table(tmp_path / "scores.parquet", contracts.TOKEN_SCORES, tokenizer="t").to_pylist()
    kept = read_table(tmp_path / "sequences.parquet", contracts.SEQUENCES, tokenizer="t").to_pylist()
    assert len(scores) == sum(len(rows) for rows in statistics)
    for sequence, stored, rows in zip(sequences, kept, statistics, strict=True):
        encoded = sequence.encoded
        mine = [row for row in scores if row["example_id"] == sequence.example_id]
        assert (stored["example_id"], stored["sample"]) == (sequence.example_id, 1)
        assert (stored["input_ids"], stored["n_prompt"]) == (encoded.input_ids, encoded.n_prompt)
        assert [row["position"] for row in mine] == list(range(encoded.n_response))
        assert [row["token_id"] for row in mine] == stored["input_ids"][stored["n_prompt"] :][: len(mine)]
        assert all(encoded.text[row["char_start"] : row["char_end"]] == row["token"] for row in mine)
        assert [row["logprob"] for row in mine] == rows[:, 0].tolist()
        assert [row["rank"] for row in mine] == rows[:, 4].astype(int).tolist()
        for n, name in enumerate(STATISTICS[1:4], start=1):
            np.testing.assert_array_equal([row[name] for row in mine], rows[:, n].astype(np.float16))


def test_where_every_response_was_cut_nothing_is_computed(tmp_path):
    statistics, _, counts = score_through(in_store(tmp_path), None, [], RUNTIME)
    assert statistics.num_rows == counts["asked"] == 0


def test_no_response_gives_empty_tables(tmp_path):
    with spooled([], tmp_path, texts=True) as spool:
        write_both(tmp_path, spool, VALUES.empty_table(), {})
    assert read_table(tmp_path / "scores.parquet", contracts.TOKEN_SCORES).num_rows == 0
    assert read_table(tmp_path / "sequences.parquet", contracts.SEQUENCES).num_rows == 0


def test_token_ids_of_another_tokenizer_are_refused(tmp_path):
    write_pieces(tmp_path / "sequences.parquet", [], contracts.SEQUENCES, {"tokenizer": "theirs"})
    with pytest.raises(UserError, match=r"sequences\.parquet.*theirs.*ours"):
        read_table(tmp_path / "sequences.parquet", contracts.SEQUENCES, tokenizer="ours")
    assert read_provenance(tmp_path / "sequences.parquet")["tokenizer"] == "theirs"


def test_another_contract_is_refused(tmp_path):
    write_pieces(tmp_path / "sequences.parquet", [], contracts.SEQUENCES, {})
    with pytest.raises(UserError, match="holds SEQUENCES version 1, but TOKEN_SCORES"):
        read_table(tmp_path / "sequences.parquet", contracts.TOKEN_SCORES)


def test_cut_and_too_long_responses_are_left_out_and_counted(llama):
    examples, responses = rows_of([*TURNS, ("12", "number " * 200)])
    responses[0]["finish_reason"] = "length"
    responses[3]["finish_reason"] = "length"
    sequences, left_out = encode_responses(llama.chat, examples, responses, limit=200)
    assert left_out == {"cut": 2, "too_long": 1, "merged": 0}
    assert [s.example_id for s in sequences] == ["e1", "e2", "e4"]


def test_a_conversation_of_just_the_limit_is_kept(llama):
    examples, responses = rows_of(TURNS[:1])
    [sequence], _ = encode_responses(llama.chat, examples, responses, limit=512)
    length = len(sequence.encoded.input_ids)
    assert encode_responses(llama.chat, examples, responses, limit=length)[1]["too_long"] == 0
    assert encode_responses(llama.chat, examples, responses, limit=length - 1)[1]["too_long"] == 1


def test_the_template_s_tail_after_the_end_of_turn_is_not_scored(llama):
    assert "<|im_end|>\n" in CHAT_TEMPLATE
    for encoded in conversations(llama.chat):
        assert len(encoded.input_ids) == encoded.n_prompt + encoded.n_response + 1


def test_what_a_gpu_has_room_for_is_remembered_beside_the_scores(llama, tmp_path, monkeypatch):
    encoded = [Encoded("", [n, *range(39)], 20, 20, []) for n in range(100, 108)]
    sizes, plain, runtime = [], score_sequences.score_batch, replace(RUNTIME, batch_tokens=400)

    def limited(head, members):
        sizes.append(sum(len(m.input_ids) for m in members))
        if sizes[-1] > 100:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return plain(head, members)

    monkeypatch.setattr(score_sequences, "score_batch", limited)
    score_through(in_store(tmp_path), lambda: llama.model, encoded[:4], runtime)
    assert sizes == [160, 160, 80, 80]
    sizes.clear()
    score_through(in_store(tmp_path), lambda: llama.model, encoded[4:], runtime)
    assert sizes == [80, 80]
    file = in_store(tmp_path).folder / "batch_tokens.json"
    assert fitting.fitting(file, "cpu", 10_000) == 100 and fitting.fitting(file, "another", 300) == 300
    file.write_text("[")
    assert fitting.fitting(file, "cpu", 77) == 77
