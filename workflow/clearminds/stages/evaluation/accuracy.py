"""Accuracy: a model answers each example, greedily or several times, and the task's verifier judges the answers.

Each answer is read twice, leniently and strictly, because a wrong format is not a wrong answer. All tasks of a suite
are generated together and judged in one go, programs side by side in the sandbox.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING

from clearminds.errors import UserError
from clearminds.files.digests import digest
from clearminds.model.causal_model import CausalModel
from clearminds.model.conversation import Chat
from clearminds.plugins.load import load
from clearminds.stages.evaluation.answers import Answer, Question, answer_all
from clearminds.stages.evaluation.doc_hashes import unique
from clearminds.stages.metrics import pass_at_k
from clearminds.stages.verify_responses import Asked, judge_all

if TYPE_CHECKING:  # `stages.evaluate` imports this one
    from clearminds.stages.evaluate import Task

READINGS = ("lenient", "strict")
CUT = ("format_error", "cut at the length limit")


def evaluate(
    model: CausalModel,
    chat: Chat,
    tasks: list[Task],
    examples: dict[str, list[dict]],
    *,
    max_new_tokens: int,
    batch_rows: int,
    isolation: str,
    sampler: Callable[..., list[list[int]]] | None = None,
) -> list[dict]:
    """Rows of the contract EVALUATION, task by task and item by item.

    Of a task without `sampling`, metric `accuracy` is 1 or 0. Of one with it, `accuracy` is the share of the samples
    that are right, `pass@K` the chance that one of K samples is; `response` and `format_ok` are those of the first
    sample, `n_tokens` counts all of them.

    Args:
        model: in evaluation mode, in the dtype that answers are generated in.
        chat: its tokenizer with the template.
        tasks: each with a verifier.
        examples: rows of the contract EXAMPLES by task.
        max_new_tokens: of an answer.
        batch_rows: answers that are generated at a time.
        isolation: of programs that are run, as of `judge_all`.
        sampler: as of `answer_all`.

    Raises:
        UserError: a verifier gives no accuracy, or as of `answer_all` and `judge_all`.
    """
    for task in tasks:
        if not load("verifiers", _verifier(task)).FILTERS:
            raise UserError(
                f"task {task.name}: verifier {task.verifier!r} gives no accuracy; choose another, or leave it out"
            )
    items = [(task, example) for task in tasks for example in examples[task.name]]
    questions = [_question(chat, task, example) for task, example in items]
    answers = answer_all(model, chat, questions, max_new_tokens=max_new_tokens, batch_rows=batch_rows, sampler=sampler)
    verdicts = _judged(items, answers, isolation)
    rows = []
    for task in tasks:
        own = [n for n, (of, _) in enumerate(items) if of.name == task.name]
        hashes = unique([digest([items[n][1]["messages"], items[n][1]["answer"]]) for n in own])
        for n, doc_hash in zip(own, hashes, strict=True):
            key = {"eval_task": task.name, "subtask": "", "doc_id": items[n][1]["example_id"], "doc_hash": doc_hash}
            about = {"prompt": questions[n].text, "target": items[n][1]["answer"], "response": answers[n][0].text}
            about["n_tokens"] = sum(answer.n_tokens for answer in answers[n])
            for reading in READINGS:
                said = [verdicts[n, number, reading] for number in range(len(answers[n]))]
                rows += [{**key, **row, "filter": reading, **about} for row in _scores(task, said)]
    return rows


def _verifier(task: Task) -> str:
    return task.verifier or ""


def _question(chat: Chat, task: Task, example: dict) -> Question:
    name = f"task {task.name}, example {example['example_id']}"
    text, ids = prompt_of(replace(chat, special_tokens=task.special_tokens), example["messages"], name)
    return Question(name, text, ids, task.sampling)


def prompt_of(chat: Chat, messages: list[dict], name: str) -> tuple[str, list[int]]:
    """A prompt as a reader sees it, and its tokens. Args: as of `Chat.prompt_ids`."""
    return chat.render(messages, add_generation_prompt=True), chat.prompt_ids(messages, name)


def _judged(
    items: list[tuple[Task, dict]], answers: list[list[Answer]], isolation: str
) -> dict[tuple[int, int, str], tuple[str, str]]:
    """The verdict on each answer, by item, number of the sample and reading."""
    found: dict[tuple[int, int, str], tuple[str, str]] = {}
    asked: dict[str, dict[tuple[int, int, str], Asked]] = {}
    for n, (task, example) in enumerate(items):
        for number, answer in enumerate(answers[n]):
            for reading in READINGS:
                # a response that was cut happens to end with a number; it did not end as asked
                if reading == "strict" and not answer.ended:
                    found[n, number, reading] = CUT
                else:
                    of_verifier = asked.setdefault(_verifier(task), {})
                    of_verifier[n, number, reading] = (answer.text, example, reading == "strict")
    for verifier, wanted in asked.items():
        said = judge_all(load("verifiers", verifier), list(wanted.values()), isolation)
        found |= dict(zip(wanted, said, strict=True))
    return found


def _scores(task: Task, verdicts: list[tuple[str, str]]) -> list[dict]:
    right = [float(verdict == "correct") for verdict, _ in verdicts]
    rows: list[dict] = [
        {"metric": "accuracy", "score": fmean(right), "format_ok": verdicts[0][0] != "format_error"},
    ]
    for k in task.sampling.k if task.sampling else []:
        score = pass_at_k(len(right), int(sum(right)), k)
        rows.append({"metric": f"pass@{k}", "score": score, "format_ok": None})
    return rows
