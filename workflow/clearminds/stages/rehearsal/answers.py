"""One item of every evaluated task through the very code that evaluates suites, with answers of a few tokens."""

import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from transformers import ForcedEOSTokenLogitsProcessor, LogitsProcessorList

from clearminds.files import contracts
from clearminds.files.tables import write_table
from clearminds.model.causal_model import CausalModel
from clearminds.model.conversation import Chat
from clearminds.model.sampling import ROUND_ON_CPU
from clearminds.stages.evaluate import Evaluation, Runtime, Settings, Task, evaluate_suite

TOKENS = ROUND_ON_CPU  # of an answer: it ends in the first round of the sampler, each of which is a call of `generate`


def answer(
    model: CausalModel, chat: Chat, tasks: list[Task], settings: Settings, rows: dict[str, list[dict]], isolation: str
) -> dict[str, int]:
    """Evaluate the base on the first item of each task.

    Args:
        model: loaded in the dtype of scoring; left in that of evaluations.
        chat: its tokenizer with the template.
        tasks: without those of drift, whose answers are not there yet.
        settings: of an evaluation; of it dtype, evaluation and loading.
        rows: of each of the project's own tasks, of the contract EXAMPLES.
        isolation: of the programs of answers.

    Returns:
        by task, how many rows of results that gave.

    Raises:
        UserError: as of `lm_harness.evaluate`: a task is unknown, its data are not at hand, it runs generated code.
    """
    evaluation: Evaluation = replace(settings.evaluation, limit=1)
    with tempfile.TemporaryDirectory() as scratch, short_answers(model, chat):
        examples: dict[str, Path] = {}
        for task in tasks:
            if task.name in rows:
                examples[task.name] = Path(scratch, f"{len(examples)}.parquet")  # an id may be any file's name
                write_table(examples[task.name], rows[task.name][:1], contracts.EXAMPLES, {})
        chosen = replace(settings, tasks=tasks, evaluation=evaluation)
        runtime = Runtime(batch_tokens=1, batch_rows=1, vllm_python="", sandbox=isolation)
        found = evaluate_suite(model, chat, chosen, examples, {}, runtime)
    return dict(sorted(Counter(row["eval_task"] for row in found).items()))


@contextmanager
def short_answers(model: CausalModel, chat: Chat) -> Iterator[None]:
    """Within the block, the model ends each answer after `TOKENS` tokens, however many a task allows."""
    # a tokenizer may have special tokens that only a larger model of the family knows
    head: Any = model.get_output_embeddings()
    rows = head.weight.shape[0]
    generate, ends = model.generate, [end for end in sorted(chat.end_of_turn_ids) if end < rows]

    def generate_few(**options: Any) -> Any:
        ids = options["input_ids"]
        end = ForcedEOSTokenLogitsProcessor(ids.shape[1] + TOKENS, ends, device=str(ids.device))
        given = options.pop("logits_processor", None) or []
        return generate(**options, logits_processor=LogitsProcessorList([*given, end]))

    model.generate = generate_few
    try:
        yield
    finally:
        del model.generate
