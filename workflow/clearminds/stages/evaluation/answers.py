"""The answers of a model to prompts: greedy ones, and samples that each have a random stream of their own.

Batches and their order are those of lm-evaluation-harness, through which these answers once came: rounding depends on
a row's neighbours, so that a greedy answer of an old study is the same today to the last token.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clearminds.errors import NoNumbers, UserError
from clearminds.model.causal_model import CausalModel, without_adapter
from clearminds.model.conversation import Chat
from clearminds.model.sampling import generate_batch
from clearminds.model.streams import stream_seed
from clearminds.model.unload import unload
from clearminds.progress import Progress

if TYPE_CHECKING:  # `stages.evaluate` imports this one
    from clearminds.stages.evaluate import Sampling

SEED = 0  # of all samples: a stream is told by its prompt and its number


@dataclass(frozen=True)
class Question:
    """One prompt.

    Attributes:
        name: of its example, for errors.
        text: of the prompt, rendered.
        ids: its tokens.
        sampling: how it is answered; None: greedily, once.
    """

    name: str
    text: str
    ids: list[int]
    sampling: Sampling | None = None


@dataclass(frozen=True)
class Answer:
    """One answer: its text, its tokens with the end of turn, and whether the model came to that end."""

    text: str
    n_tokens: int
    ended: bool


def answer_all(
    model: CausalModel,
    chat: Chat,
    questions: Sequence[Question],
    *,
    max_new_tokens: int,
    batch_rows: int,
    sampler: Callable[..., list[list[int]]] | None = None,
) -> list[list[Answer]]:
    """Answer every question.

    Args:
        model: in evaluation mode, in the dtype that answers are generated in.
        chat: its tokenizer, whose special tokens end a turn; so do those that the model's own settings name.
        questions: of all tasks of a suite together, so that batches are full.
        max_new_tokens: of an answer.
        batch_rows: answers at a time.
        sampler: what generates in the model's place, as `sampling.generate_batch` does; the model is unloaded before.

    Returns:
        per question its answers, as many as its sampling asks for.

    Raises:
        UserError: a prompt and its answer are more than the model's length.
    """
    inner = without_adapter(model)
    _refuse_long(questions, inner.config.get_text_config().max_position_embeddings, max_new_tokens)
    own = inner.generation_config.eos_token_id
    ends = chat.end_of_turn_ids | set(own if isinstance(own, list) else [own]) - {None}
    # a model may write the end of a turn as text, in tokens of its own
    stop = getattr(chat.tokenizer, "eos_token", None)
    if sampler:
        unload(model)
    found: dict[tuple[int, int], Answer] = {}
    progress = Progress(sum(_samples(question.sampling) for question in questions), "answers")
    for batch, sampling in batches(questions, batch_rows):
        prompts = [questions[index].ids for index, _ in batch]
        decoding = _decoding(sampling, max_new_tokens)
        seeds = [stream_seed(questions[index].ids, n, SEED) if sampling else 0 for index, n in batch]
        try:
            if sampler:
                new = sampler(ends, prompts, seeds, decoding)
            else:
                new = generate_batch(model, ends, prompts, seeds, decoding)
        except NoNumbers as error:
            raise UserError(f"{questions[batch[error.row or 0][0]].name}: {error}") from error
        answers = [_answer(chat, ids, ends, stop) for ids in new]
        found |= dict(zip(batch, answers, strict=True))
        progress.add(len(batch), sum(answer.n_tokens for answer in answers))
    return [[found[index, n] for n in range(_samples(question.sampling))] for index, question in enumerate(questions)]


def batches(questions: Sequence[Question], rows: int) -> list[tuple[list[tuple[int, int]], Sampling | None]]:
    """What is generated at a time: batches of (question, number of its sample), each with its sampling.

    Of one sampling the longest prompts come first, and of equally long ones the first in the alphabet.

    Args:
        questions: all of them.
        rows: of a batch.
    """
    found: list[tuple[list[tuple[int, int]], Sampling | None]] = []
    for sampling in dict.fromkeys(question.sampling for question in questions):
        chosen = [index for index, question in enumerate(questions) if question.sampling == sampling]
        chosen.sort(key=lambda index: (-len(questions[index].ids), questions[index].text))
        asked = [(index, n) for index in chosen for n in range(_samples(sampling))]
        found += [(asked[start : start + rows], sampling) for start in range(0, len(asked), rows)]
    return found


def _samples(sampling: Sampling | None) -> int:
    return sampling.samples if sampling else 1


def _decoding(sampling: Sampling | None, max_new_tokens: int) -> dict:
    if sampling is None:
        return {"temperature": 0, "max_new_tokens": max_new_tokens}
    return {"temperature": sampling.temperature, "top_p": sampling.top_p, "max_new_tokens": max_new_tokens}


def _answer(chat: Chat, ids: list[int], ends: frozenset[int], stop: str | None) -> Answer:
    end = next((n for n, token in enumerate(ids, start=1) if token in ends), None)
    text = chat.tokenizer.decode(ids, skip_special_tokens=True)
    return Answer(text.split(stop)[0] if stop else text, end or len(ids), end is not None)


def _refuse_long(questions: Sequence[Question], longest: int, new: int) -> None:
    for question in questions:
        if len(question.ids) + new > longest:
            raise UserError(
                f"{question.name}: a prompt of {len(question.ids):,} tokens and {new:,} new ones are more than the "
                f"model's {longest:,}; lower max_new_tokens, or take the example out"
            )
