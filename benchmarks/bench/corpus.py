"""What models are measured on: the embedded model, and always the same word problems of gsm_symbolic."""

import re
from functools import cache
from pathlib import Path

import reasoning_gym

from clearminds.model.conversation import Chat
from clearminds.model.encoded import Encoded
from clearminds.model.load import load_model
from clearminds.model.loading import Loading


@cache
def chat(folder: Path) -> Chat:
    """The tokenizer and template of a model's folder."""
    return Chat.from_folder(folder)


def model(folder: Path, dtype: str = "float32"):
    """The model of a folder, in evaluation mode."""
    return load_model(folder, dtype=dtype, loading=Loading())


def harness(model, folder: Path, rows: int):
    """lm-evaluation-harness around a model. Args: of its folder; how many rows it takes at a time."""
    from lm_eval.models.huggingface import HFLM

    tokenizer = chat(folder).tokenizer
    return HFLM(model, tokenizer=tokenizer, batch_size=rows, softmax_dtype="float32", add_bos_token=False)


def single(folder: Path, items: int) -> list[Encoded]:
    """Conversations of a prompt and one response each, as long as each other. Args: the model's; how many."""
    found = []
    for item in reasoning_gym.create_dataset("gsm_symbolic", size=items, seed=7):
        question, answer = item["question"], item["metadata"]["answer_cot"]
        found.append(chat(folder).encode([{"role": "user", "content": question}], answer, question[:20]))
    return found


def samples(folder: Path, prompts: int, n: int = 8) -> list[Encoded]:
    """Conversations of a prompt and `n` responses each, half as long as the prompt: those of other items, cut."""
    whole, found = single(folder, prompts + n), []
    for number in range(prompts):
        prompt = whole[number].input_ids[: whole[number].n_prompt]
        for sample in range(n):
            response = whole[number + sample].response_ids[: len(prompt) // 2]
            found.append(Encoded("", [*prompt, *response], len(prompt), len(response), []))
    return found


def texts(folder: Path, conversation: Encoded) -> tuple[str, str]:
    """A conversation's prompt and response as text."""
    ids, n = conversation.input_ids, conversation.n_prompt
    decode = chat(folder).tokenizer.decode
    return decode(ids[:n]), decode(ids[n : n + conversation.n_response])


def body(model) -> int:
    """Weights of the layers' products."""
    return sum(p.numel() for name, p in model.named_parameters() if re.search(r"layers\..*weight$", name))


def head(model) -> int:
    """Weights of the head."""
    return model.get_output_embeddings().weight.numel()


def flops(model, conversations: list[Encoded]) -> float:
    """Of the products that scoring needs: each prompt once, the head on response tokens alone; attention left out."""
    prompts = {tuple(c.input_ids[: c.n_prompt]) for c in conversations}
    responses = sum(c.n_response for c in conversations)
    return 2.0 * body(model) * (sum(map(len, prompts)) + responses) + 2.0 * head(model) * responses
