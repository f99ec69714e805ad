"""Multiple choice by log-likelihood: how probable each choice is as the answer, nothing generated.

Measured in the scoring dtype, as likelihood is: choices may be closer than the rounding of 16 bits. On the same prompts
the result is that of lm-evaluation-harness' multiple_choice; the choices of an item share its prompt's forward pass.
"""

from clearminds.errors import NoNumbers, UserError
from clearminds.files.digests import digest
from clearminds.model.causal_model import CausalModel
from clearminds.model.choice_tokens import ChoiceTokens, encode_choices
from clearminds.model.continuations import log_likelihoods
from clearminds.model.conversation import Chat
from clearminds.plugins.choices import Choices, choices_of
from clearminds.stages.evaluation.doc_hashes import unique


def evaluate(
    model: CausalModel, chat: Chat, task: str, examples: list[dict], lead_in: str, batch_tokens: int
) -> list[dict]:
    """Rows of the contract EVALUATION, three per example.

    Metric `acc`: 1 where the right choice has the highest log-likelihood, else 0; `acc_norm`: the same of the
    log-likelihood per character; `margin`: the right choice's log-likelihood less that of the best other one, in nats.
    `response` is the choice that was taken, by its label; `n_tokens` counts all choices' tokens.

    Args:
        model: in evaluation mode, in the scoring dtype.
        chat: its tokenizer with the template.
        task: its id.
        examples: rows of the contract EXAMPLES whose `meta` has choices.
        lead_in: what the assistant's turn begins with; "": nothing.
        batch_tokens: most tokens of a batch.

    Raises:
        UserError: as of `encoded`; or the model gives no numbers.
    """
    longest = model.config.get_text_config().max_position_embeddings
    items = [encoded(chat, task, example, lead_in, longest) for example in examples]
    try:
        likelihoods = log_likelihoods(model, [(tokens.prompt, tokens.choices) for _, tokens in items], batch_tokens)
    except NoNumbers as error:
        name = "" if error.row is None else f"example {examples[error.row]['example_id']}: "
        raise UserError(f"tasks: {task}: {name}{error}") from error
    hashes = unique([digest([e["messages"], c.texts, c.gold]) for e, (c, _) in zip(examples, items, strict=True)])
    rows = []
    for example, (choices, tokens), values, doc_hash in zip(examples, items, likelihoods, hashes, strict=True):
        item = {"eval_task": task, "subtask": "", "doc_id": example["example_id"], "doc_hash": doc_hash}
        about = {
            "filter": "none",
            "n_tokens": sum(map(len, tokens.choices)),
            "format_ok": None,
            "prompt": tokens.text,
            "target": choices.labels[choices.gold],
        }
        for metric, score, taken in _scores(choices, values):
            rows.append({**item, "metric": metric, "score": score, **about, "response": choices.labels[taken]})
    return rows


def encoded(chat: Chat, task: str, example: dict, lead_in: str, longest: int) -> tuple[Choices, ChoiceTokens]:
    """An example's choices and their tokens.

    Args:
        chat, task, lead_in: as of `evaluate`.
        example: a row of the contract EXAMPLES.
        longest: most tokens that the model takes.

    Raises:
        UserError: it has no choices that can be compared, or is too long; it names task and example.
    """
    name = f"tasks: {task}: example {example['example_id']}"
    try:
        choices = choices_of(example)
    except ValueError as error:
        raise UserError(f"{name}: {error}") from error
    tokens = encode_choices(chat, example["messages"], choices.texts, lead_in, name)
    length = len(tokens.prompt) + max(map(len, tokens.choices))
    if length > longest:
        raise UserError(
            f"{name}: its prompt and a choice have {length:,} tokens, more than the model's {longest:,}; take it out"
        )
    return choices, tokens


def _scores(choices: Choices, values: list[float]) -> list[tuple[str, float, int]]:
    """Metric, score and the place of the choice that was taken."""
    per_character = [value / len(text) for value, text in zip(values, choices.texts, strict=True)]
    best, best_norm = _first_best(values), _first_best(per_character)
    others = [value for place, value in enumerate(values) if place != choices.gold]
    return [
        ("acc", float(best == choices.gold), best),
        ("acc_norm", float(best_norm == choices.gold), best_norm),
        ("margin", values[choices.gold] - max(others), best),
    ]


def _first_best(values: list[float]) -> int:
    return max(range(len(values)), key=lambda place: (values[place], -place))
