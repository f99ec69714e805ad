"""A model that gives NaN is named, with what it was asked, and leaves no result."""

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import tiny_model_folder, tiny_tokenizer
from transformers import AutoModelForCausalLM

from clearminds.errors import NoNumbers, UserError
from clearminds.model.conversation import Chat
from clearminds.model.encoded import Encoded
from clearminds.model.loading import Loading
from clearminds.model.no_numbers import Watched
from clearminds.model.sampling import generate_batch
from clearminds.model.score_sequences import score
from clearminds.plugins.scores import BASE, Scores
from clearminds.plugins.weights import perplexity
from clearminds.stages.evaluation import choice
from clearminds.stages.evaluation.answers import Question, answer_all
from clearminds.stages.generate_responses import Runtime, Source, generate, response_store

CHAT = Chat(tiny_tokenizer())
REMEDY = "use bfloat16 or float32 in place of float16, and check the adapter, if there is one"
ASKED = [{"role": "user", "content": "What is 1 + 2?"}]


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """A model whose weights overflowed in one place."""
    folder = tiny_model_folder(tmp_path_factory.mktemp("tiny") / "llama")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        model.model.layers[0].mlp.down_proj.weight[0, 0] = torch.nan
    return model


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("prompts", [[[5, 6]], [[5, 6], [7]], [[5, 6], [5, 6]]])
def test_no_answer_is_made_of_it(broken, temperature, prompts):
    source = {"temperature": temperature, "top_p": 0.9, "max_new_tokens": 4}
    with pytest.raises(NoNumbers, match=f"^the model llama: its logits of an answer's token are no numbers; {REMEDY}"):
        generate_batch(broken, [2], prompts, [0] * len(prompts), source)


def test_the_row_is_told_and_excluded_tokens_are_none():
    watched, excluded, wrong = Watched(), torch.tensor([[0.0, -torch.inf]] * 3), torch.zeros(3, 2)
    watched(None, excluded)
    assert watched.first_unsound() is None
    wrong[1, 1] = torch.nan
    watched(None, wrong)
    watched(None, excluded)
    assert watched.first_unsound() == 1


def test_no_score_is_made_of_it(broken):
    for encoded in (
        [Encoded("a text", [5, 6, 7], 1, 2, [])],
        [Encoded("", [*range(5, 20), n], 14, 2, []) for n in (1, 2)],
    ):
        with pytest.raises(NoNumbers, match=r"^the model llama: no log-probabilities"):
            score(broken, encoded, 64)


def test_no_choice_is_taken_of_it_and_the_task_is_named(broken):
    meta = json.dumps({"choices": ["three", "four"], "gold": 0})
    example = {"example_id": "a", "messages": ASKED, "reference": "", "answer": "", "meta": meta}
    with pytest.raises(UserError, match=f"^tasks: sums: .*the model llama: no log-.*{REMEDY}"):
        choice.evaluate(broken, CHAT, "sums", [example], "", 64)


def test_the_question_of_an_answer_is_named(broken):
    question = Question("tasks: sums: example a", "What is 1 + 2?", [5, 6, 7])
    with pytest.raises(UserError, match=r"^tasks: sums: example a: the model llama: its logits"):
        answer_all(broken, CHAT, [question], max_new_tokens=4, batch_rows=2)


def test_no_response_goes_into_the_store_and_its_example_is_named(broken):
    source = Source("self_output", temperature=1.0, max_new_tokens=4, dtype="float16")
    runtime = Runtime(store="", generate_tokens=64, part_seconds=60, vllm_python="")
    with tempfile.TemporaryDirectory() as folder:
        store = response_store(Path(folder), "weights", CHAT, source, Loading())
        example = {"example_id": "a", "messages": ASKED, "reference": "3"}
        sampler = lambda *given: generate_batch(broken, *given)  # noqa: E731
        with pytest.raises(UserError, match=r"^example a: the model llama: its logits"):
            generate(store, sampler, CHAT, [example], source, runtime)
        assert not store.parts()


def test_old_scores_that_are_none_make_no_mask():
    columns = {BASE: {"logprob": np.array([-1.0, -2.0, np.nan], dtype=np.float32)}}
    scores = Scores(columns, np.array([0, 1, 1, 3]), [("a", 0), ("b", 1), ("c", 4)])
    with pytest.raises(UserError, match=r"^example c, sample 4: the scores of its tokens are no numbers \(NaN\)"):
        perplexity.weights(scores, {"tau": "2.5"})
