"""The examples of a task in the chat template: every text that a later stage would stop at, found before it runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import jinja2

from clearminds.errors import UserError, one_line
from clearminds.model.conversation import Chat, MergedPromptError
from clearminds.model.encoded import Encoded
from clearminds.plugins.load import load
from clearminds.progress import Progress

NAMED = 5  # examples that a message names


@dataclass
class Checked:
    """What was found in the examples of one split.

    Attributes:
        prompts: how many prompts were rendered.
        references: how many references were encoded behind them.
        first: the first conversation that may be trained on; None where no reference was encoded or none fits.
        warnings: lines about what stops nothing.
    """

    prompts: int = 0
    references: int = 0
    first: Encoded | None = None
    warnings: list[str] = field(default_factory=list)

    def with_warning(self, line: str | None) -> "Checked":
        """Itself, with one more warning where there is one."""
        self.warnings += [line] if line else []
        return self


def check_references(chat: Chat, task: str, rows: list[dict], limit: int, max_length: int | None = None) -> Checked:
    """Encode every reference behind its prompt.

    Args:
        chat: the model's tokenizer with its template.
        task: its id.
        rows: of the contract EXAMPLES.
        limit: most tokens that the model takes.
        max_length: most tokens that are trained on; None: the task is evaluated only.

    Raises:
        UserError: the template fails on an example, or references merge with their prompts; it names the first ones.
    """
    found, merged, too_long = Checked(), [], []
    progress = Progress(len(rows), f"references of {task}")
    for row in rows:
        name = row["example_id"]
        try:
            with _template_errors(task, name):
                encoded = chat.encode(row["messages"], row["reference"], f"tasks: {task}: example {name}")
        except MergedPromptError:
            merged.append(name)
            continue
        if len(encoded.input_ids) > limit:
            too_long.append(name)
        elif found.first is None and len(encoded.input_ids) <= (max_length or limit):
            found.first = encoded
        progress.add(1)
    if merged:
        raise UserError(
            f"tasks: {task}: {len(merged):,} of {len(rows):,} references merge with their prompts ({_some(merged)}), "
            "mostly by line breaks or blanks that they begin with; take these off the references, or let the "
            "chat_template end its generation prompt with a special token"
        )
    if too_long:
        found.warnings.append(
            f"tasks: {task}: {len(too_long):,} of {len(rows):,} references make conversations of more than the "
            f"model's {limit:,} tokens ({_some(too_long)})"
        )
    found.prompts = found.references = len(rows)
    return found


def check_prompts(chat: Chat, task: str, rows: list[dict], kinds: list[str]) -> Checked:
    """Render every prompt as it is, and the first one as each source would ask it.

    Args:
        chat, task, rows: as of `check_references`.
        kinds: modules of `plugins/sources` that sample for this task.

    Raises:
        UserError: the template fails on an example.
    """
    for row in rows:
        # those alone are tokenised whose special tokens are to be text, which a tokenizer may not be able to do
        as_text = chat.special_tokens == "as_text" and any(chat.texts.first_in(m["content"]) for m in row["messages"])
        with _template_errors(task, row["example_id"]):
            if as_text:
                chat.prompt_ids(row["messages"], f"tasks: {task}: example {row['example_id']}")
            else:
                chat.render(row["messages"], add_generation_prompt=True)
    for kind in kinds:
        for row in rows[:1]:
            with _template_errors(task, row["example_id"]):
                chat.prompt_ids(load("sources", kind).prompt(row))
    return Checked(prompts=len(rows))


def check_choices(chat: Chat, task: str, rows: list[dict], lead_in: str, limit: int) -> Checked:
    """Encode every prompt with each of its choices.

    Args:
        chat, task, rows, limit: as of `check_references`.
        lead_in: what the assistant's turn begins with; "": nothing.

    Raises:
        UserError: the template fails on an example, or its choices cannot be compared.
    """
    encoded = load("evaluations", "choice").encoded
    for row in rows:
        with _template_errors(task, row["example_id"]):
            encoded(chat, task, row, lead_in, limit)
    return Checked(prompts=len(rows))


def check_answers(task: str, rows: list[dict], verifier: str) -> None:
    """Ask a verifier of every example whether it could judge a response to it.

    Args:
        task, rows: as of `check_references`.
        verifier: a module of `plugins/verifiers`.

    Raises:
        UserError: it could not; it names task and example.
    """
    check = getattr(load("verifiers", verifier), "check", None)
    if check is None:
        return
    for row in rows:
        try:
            check(row)
        except ValueError as error:
            raise UserError(
                f"tasks: {task}: example {row['example_id']}: no response to it can be judged: "
                f"{one_line(error, 200)}; correct the row or take it out"
            ) from error


@contextmanager
def _template_errors(task: str, example: str) -> Iterator[None]:
    """Name the example that a template fails on: it is code of the model's makers, and raises what it likes."""
    try:
        yield
    except (jinja2.TemplateError, TypeError, ValueError, KeyError) as error:
        raise UserError(
            f"tasks: {task}: example {example}: the chat template fails on it ({one_line(error, 200, named=True)}); "
            "change its turns as the template wants them, or give the model another chat_template"
        ) from error


def _some(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
