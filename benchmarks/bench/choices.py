"""Evaluation by choices: the log-likelihoods of four short answers to a question, in float32.

The peer scores the same prompts and answers by lm-evaluation-harness' loglikelihood, as its multiple_choice asks for
them: each behind its own copy of the prompt. Both sides must come to the same sum.
"""

import json
import re

import corpus
import reasoning_gym
from measured import Measured, Places, fastest, measure

from clearminds.stages.evaluation import choice

BATCH_TOKENS = 1024
BATCHES = (1, 16)  # rows at a time, of which the peer's better one counts
WRONG = (0, 1, 7, 10)  # what the last number of each choice is off by; the first choice is right


def examples(items: int) -> list[dict]:
    """The ends of word problems, with four short answers each, as rows of the contract EXAMPLES."""
    found = []
    for n, item in enumerate(reasoning_gym.create_dataset("gsm_symbolic", size=items, seed=7)):
        said = f"It is {item['answer']}."
        texts = [re.sub(r"\d+", lambda number: str(int(number[0]) + off), said) for off in WRONG]  # noqa: B023
        question = " ".join(item["question"].split(". ")[-2:])  # as long as those of ARC
        messages = [{"role": "user", "content": question}]
        meta = json.dumps({"choices": texts, "labels": list("ABCD"), "gold": 0})
        found.append({"example_id": f"e{n}", "messages": messages, "reference": texts[0], "answer": "A", "meta": meta})
    return found


def own(items: int, places: Places) -> Measured:
    """This project's evaluation."""
    model, rows = corpus.model(places.model), examples(items)
    sums: list[float] = []

    def work() -> float:
        found = choice.evaluate(model, corpus.chat(places.model), "bench", rows, "", BATCH_TOKENS)
        sums[:] = _summary([row["score"] for row in found if row["metric"] == "margin"])
        return float(items)

    choice.evaluate(model, corpus.chat(places.model), "bench", rows[:1], "", BATCH_TOKENS)  # libraries set up
    return measure(work).finding(*sums)


def harness(items: int, places: Places) -> Measured:
    """lm-evaluation-harness."""
    from lm_eval.api.instance import Instance

    model, chat = corpus.model(places.model), corpus.chat(places.model)
    asked = []
    for n, example in enumerate(examples(items)):
        prompt = chat.render(example["messages"], add_generation_prompt=True)
        texts = json.loads(example["meta"])["choices"]
        asked += [Instance("loglikelihood", {}, (prompt, text), n) for text in texts]

    def with_batches_of(rows: int) -> Measured:
        wrapped, sums = corpus.harness(model, places.model, rows), []

        def work() -> float:
            values = [value for value, _ in wrapped.loglikelihood(asked, disable_tqdm=True)]
            groups = [values[n : n + len(WRONG)] for n in range(0, len(values), len(WRONG))]
            sums[:] = _summary([right - max(wrong) for right, *wrong in groups])
            return float(items)

        wrapped.loglikelihood(asked[:1], disable_tqdm=True)
        return measure(work).finding(*sums)

    return fastest(map(with_batches_of, BATCHES))


def _summary(margins: list[float]) -> list[float]:
    return [sum(map(abs, margins))]
