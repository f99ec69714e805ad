"""A rehearsal of one model's study: what would fail after hours fails in the first minutes.

The model is loaded as configured, every example goes through the chat template, each evaluated task answers one item
and each training block takes one step. Nothing of it is kept but a record of what was tried, and of training items that
are evaluated too. What depends on answers of the model, as drift does, is encoded only; what depends on several
processes, or on vLLM, is not rehearsed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clearminds.files import contracts
from clearminds.files.settings import as_keys, settings
from clearminds.files.tables import read_table
from clearminds.model.conversation import Chat
from clearminds.model.loading import Loading
from clearminds.model.special_tokens import special_token_warning, texts_of
from clearminds.plugins.load import load
from clearminds.stages import evaluate, train_adapter
from clearminds.stages.rehearsal.overlaps import in_words, overlaps
from clearminds.stages.rehearsal.texts import Checked, check_answers, check_choices, check_prompts, check_references

if TYPE_CHECKING:  # the workflow reads `Settings` here, and needs no torch for it
    import pyarrow as pa

log = logging.getLogger("clearminds")


@settings
class Evaluation:
    """How answers are generated: dtype of the model's weights meanwhile, and most new tokens of an answer."""

    dtype: str
    max_new_tokens: int


@settings
class Block(train_adapter.Step):
    """What of a training block one step depends on.

    Attributes:
        loss: as of `train_adapter.Training`.
    """

    loss: dict[str, Any] | None = None


@settings
class Settings:
    """What a rehearsal depends on.

    Attributes:
        targets: the tasks that are trained on.
        references: whether a variant trains on references, or the matching asks for them.
        sources: the kinds of the sources that sample training responses.
        trainings: the training blocks of all variants, each once.
        max_length: most tokens of a conversation that is trained on.
        verifiers: of the targets, which judge every response to them.
        tasks: every task that is evaluated.
        split: of evaluations.
        evaluation: how answers are generated.
        dtype: of scoring.
        loading: of the model.
        special_tokens: of the targets that set it, as of `Chat`.
        replayed: the kinds of sources of tasks that are replayed and are no targets, by task.
    """

    targets: list[str]
    references: bool
    sources: list[str]
    trainings: list[Block]
    max_length: int
    verifiers: dict[str, str]
    tasks: list[evaluate.Task]
    split: str
    evaluation: Evaluation
    dtype: str
    loading: Loading
    special_tokens: dict[str, str] | None = None
    replayed: dict[str, list[str]] | None = None


@settings
class Runtime:
    """How it runs.

    Attributes:
        batch_tokens: most tokens of a forward pass.
        fsdp: whether trainings spread the weights over devices, which a rehearsal does not.
        gradient_checkpointing: whether trainings compute activations again in the backward pass.
        report_to: trackers of the Trainer, which must be there.
        sandbox: what keeps the programs of answers apart from this machine.
    """

    batch_tokens: int
    fsdp: bool
    gradient_checkpointing: bool
    report_to: str | list[str]
    sandbox: str


def rehearse(
    model: Path, base: str, train: dict[str, Path], evaluated: dict[str, Path], settings: Settings, runtime: Runtime
) -> dict:
    """Try everything on one model.

    Args:
        model: its folder.
        base: what it is called.
        train: the train split of each target, and of each task that is replayed: Parquet files of the contract
            EXAMPLES.
        evaluated: the evaluated split of each of the project's own tasks, likewise.
        settings, runtime: of the stage.

    Returns:
        `tried` (what, and how much of it), `overlaps` (as of `overlaps.overlap`) and `warnings` (lines), JSON-able.

    Raises:
        UserError: what a later stage would fail with.
    """
    from clearminds.model.load import longest_input

    chat, limit = Chat.from_folder(model), longest_input(model, settings.loading)
    rows = {target: read_table(path, contracts.EXAMPLES).to_pylist() for target, path in train.items()}
    items = {task: read_table(path, contracts.EXAMPLES).to_pylist() for task, path in evaluated.items()}
    trained = {target: _check_target(chat, target, rows[target], limit, settings) for target in sorted(rows)}
    measured = {
        task.name: _check_items(chat, task, items[task.name], limit) for task in settings.tasks if task.name in items
    }
    copies = [one for target in sorted(rows) for one in overlaps(target, rows[target], settings.split, items)]
    # what is counted over all examples of a task and stops nothing becomes a line here
    warnings = [line for checked in (*trained.values(), *measured.values()) for line in checked.warnings]
    for line in (*warnings, *map(in_words, copies)):
        log.warning("%s", line)
    example = _example(chat, next(iter(trained)), trained, rows, min(limit, settings.max_length))
    answers = _run(model, base, chat, items, example, settings, runtime)
    tried = {
        "train": {task: _counts(checked) for task, checked in trained.items()},
        "evaluated": {task: _counts(checked) for task, checked in measured.items()},
        "answers": answers,
        "trainings": [as_keys(training) for training in settings.trainings],
    }
    return {"tried": tried, "overlaps": copies, "warnings": warnings}


def _check_target(chat: Chat, target: str, rows: list[dict], limit: int, settings: Settings) -> Checked:
    chat = replace(chat, special_tokens=(settings.special_tokens or {}).get(target))
    if kinds := (settings.replayed or {}).get(target):
        sampled = [kind for kind in kinds if kind != "reference"]
        settings = replace(settings, references="reference" in kinds, sources=sampled)
    asked = ((row["example_id"], turn["content"]) for row in rows for turn in _turns_of_sources(row, settings))
    texts = chain(texts_of(rows, references=settings.references), asked)
    special = special_token_warning(chat, target, texts)
    check_answers(target, rows, settings.verifiers[target])
    found = check_prompts(chat, target, rows, settings.sources)
    if settings.references:
        found = check_references(chat, target, rows, limit, settings.max_length)
    return found.with_warning(special)


def _turns_of_sources(row: dict, settings: Settings) -> Iterator[dict]:
    """The turns of an example as each source asks it, which may hold its reference."""
    for kind in settings.sources:
        yield from load("sources", kind).prompt(row)


def _check_items(chat: Chat, task: evaluate.Task, rows: list[dict], limit: int) -> Checked:
    chat = replace(chat, special_tokens=task.special_tokens)
    reads_references = task.evaluate == "likelihood"
    special = special_token_warning(chat, task.name, texts_of(rows, references=reads_references))
    if reads_references:
        return check_references(chat, task.name, rows, limit).with_warning(special)
    if task.evaluate == "choice":
        return check_choices(chat, task.name, rows, task.lead_in or "", limit).with_warning(special)
    if task.verifier is not None:
        check_answers(task.name, rows, task.verifier)
    return check_prompts(chat, task.name, rows, []).with_warning(special)


def _example(chat: Chat, target: str, trained: dict[str, Checked], rows: dict[str, list[dict]], limit: int) -> pa.Table:
    """What the steps train on: the first conversation that fits, else a prompt."""
    from clearminds.stages.rehearsal.steps import one_example

    first = next((checked.first for checked in trained.values() if checked.first), None)
    return one_example(first, chat.prompt_ids(rows[target][0]["messages"]), limit)


def _run(
    folder: Path,
    base: str,
    chat: Chat,
    items: dict[str, list[dict]],
    example: pa.Table,
    settings: Settings,
    runtime: Runtime,
) -> dict[str, int]:
    """What the model itself is needed for: one item of each task, and a step of each training block."""
    from clearminds.model.load import cast, load_model
    from clearminds.stages.rehearsal.answers import answer
    from clearminds.stages.rehearsal.steps import check_trackers, step

    check_trackers(runtime.report_to)
    network = load_model(folder, dtype=settings.dtype, loading=settings.loading)
    tasks = [task for task in settings.tasks if task.evaluate != "drift"]
    how = evaluate.Evaluation(settings.evaluation.dtype, settings.evaluation.max_new_tokens)
    answers = {}
    if tasks:
        once = evaluate.Settings(tasks, how, settings.dtype, settings.loading)
        answers = answer(network, chat, tasks, once, items, runtime.sandbox)
    trainer = train_adapter.Runtime(runtime.batch_tokens, 0, False, runtime.gradient_checkpointing, "none")
    for training in settings.trainings:
        log.info("a training step: %s, rank %d, on %s", training.adapter, training.rank, training.target_modules)
        if not runtime.fsdp:  # what fits one device only when spread stays in the dtype of evaluations
            cast(network, "float32" if training.adapter == "full" else training.dtype)
        one_step = train_adapter.Training(**vars(training), epochs=1, batch_examples=1)
        network = step(network, base, example, one_step, trainer)
    return answers


def _counts(checked: Checked) -> dict[str, int]:
    return {"prompts": checked.prompts, "references": checked.references}
