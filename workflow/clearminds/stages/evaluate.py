"""Evaluating one model, the base or the base with an adapter, on every task of a suite.

Drift is measured first, while the adapter is beside the base; then the adapter is merged where that loses nothing,
and likelihoods and choices are measured in the scoring dtype; then the model is cast for generation. Another backend
only generates: it has no logits to measure by.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clearminds.files import contracts
from clearminds.files.settings import as_keys, settings
from clearminds.files.tables import read_table
from clearminds.model.conversation import Chat
from clearminds.model.loading import Loading
from clearminds.model.special_tokens import check_special_tokens, texts_of
from clearminds.plugins.load import load
from clearminds.progress import Progress

if TYPE_CHECKING:  # the workflow reads `Settings` here, and needs no torch for it
    import torch

log = logging.getLogger("clearminds")


@settings
class Sampling:
    """Several answers to each example.

    Attributes:
        samples: of an example.
        temperature: above 0.
        top_p: the nucleus; 1.0 keeps every token.
        k: of each pass@k that is reported.
    """

    samples: int
    temperature: float
    top_p: float
    k: tuple[int, ...]


@settings
class Task:
    """One task of the suite.

    Attributes:
        name: its id, or lm_eval:NAME.
        evaluate: accuracy, choice, likelihood, drift, or lm_eval.
        verifier: of accuracy: a module of `plugins/verifiers`.
        answers: of drift: the source whose samples are the base's own answers.
        special_tokens: of its texts, as of `Chat`.
        sampling: of accuracy: how each example is answered; None: greedily, once.
        lead_in: of choice: how the assistant's turn begins.
        harness: of lm_eval: what the harness calls it; None: what `name` says.
        num_fewshot: of lm_eval: examples before each item; None: the harness' own number.
    """

    name: str
    evaluate: str
    verifier: str | None = None
    answers: str | None = None
    special_tokens: str | None = None
    sampling: Sampling | None = None
    lead_in: str | None = None
    harness: str | None = None
    num_fewshot: int | None = None


@settings
class Evaluation:
    """How answers are generated.

    Attributes:
        dtype: of the model's weights meanwhile.
        max_new_tokens: of an answer, where a task of the harness does not say.
        limit: most items per task of accuracy or of the harness, the first ones; None: all. Of the other tasks all.
        backend: a module of `model/backends`; None: transformers.
    """

    dtype: str
    max_new_tokens: int
    limit: int | None = None
    backend: str | None = None


@settings
class Settings:
    """What an evaluation depends on; `dtype` is that of scoring, which likelihood and drift are measured in."""

    tasks: list[Task]
    evaluation: Evaluation
    dtype: str
    loading: Loading


@settings
class Runtime:
    """How it runs.

    Attributes:
        batch_tokens: most tokens of a forward pass.
        batch_rows: answers that are generated at a time.
        vllm_python: the interpreter that has vLLM, seen from the checkout.
        sandbox: what keeps the programs of answers apart from this machine.
    """

    batch_tokens: int
    batch_rows: int
    vllm_python: str
    sandbox: str


def evaluate(
    model: Path,
    adapter: Path | None,
    settings: Settings,
    runtime: Runtime,
    gpus: int,
    examples: dict[str, Path],
    responses: dict[str, Path],
) -> tuple[list[dict], dict]:
    """Load a model and evaluate it.

    Args:
        model: its folder.
        adapter: the folder of a training, if any: as of `load_trained`.
        settings, runtime: of the stage.
        gpus: devices of the job.
        examples, responses: as of `evaluate_suite`.

    Returns:
        rows of the contract EVALUATION, and what they cost.
    """
    from clearminds.model.full_weights import load_trained
    from clearminds.model.load import device
    from clearminds.model.throughput import rate, throughput

    chat = Chat.from_folder(model)
    check_texts(chat, settings.tasks, examples)  # before the model is loaded
    network = load_trained(model, dtype=settings.dtype, loading=settings.loading, adapter=adapter)
    progress, backend = Progress(len(settings.tasks), "tasks"), settings.evaluation.backend
    if backend is None:
        rows = evaluate_suite(network, chat, settings, examples, responses, runtime)
        progress.add(len(settings.tasks), answered_tokens(rows))
        return rows, throughput(progress, network)
    with load("backends", backend).Sampler(
        model,
        dtype=settings.evaluation.dtype,
        loading=settings.loading,
        adapter=adapter,
        gpus=gpus,
        vllm_python=runtime.vllm_python,
    ) as sampler:
        rows = evaluate_suite(network, chat, settings, examples, responses, runtime, sampler)
    progress.add(len(settings.tasks), answered_tokens(rows))
    return rows, {**sampler.cost(), **rate(progress, device())}


def check_texts(chat: Chat, tasks: list[Task], examples: dict[str, Path]) -> None:
    """Refuse tasks whose texts hold special tokens, or warn, as each says. Args: as of `evaluate_suite`.

    Raises:
        UserError: it names the task and the first of its examples.
    """
    for task in tasks:
        if task.name in examples:
            rows = read_table(examples[task.name], contracts.EXAMPLES).to_pylist()
            texts = texts_of(rows, references=task.evaluate == "likelihood")
            check_special_tokens(_chat_of(task, chat), task.name, texts)


def _chat_of(task: Task, chat: Chat) -> Chat:
    return replace(chat, special_tokens=task.special_tokens)


def evaluate_suite(
    model: torch.nn.Module,
    chat: Chat,
    settings: Settings,
    examples: dict[str, Path],
    responses: dict[str, Path],
    runtime: Runtime,
    sampler: Callable[..., list[list[int]]] | None = None,
) -> list[dict]:
    """Rows of the contract EVALUATION for every task of the suite.

    Args:
        model: in evaluation mode, loaded in the scoring dtype.
        chat: its tokenizer with the template.
        settings: of the stage.
        examples: Parquet file of the contract EXAMPLES per task that has one.
        responses: Parquet file of the base's own answers per drift task.
        runtime: sizes of batches.
        sampler: what generates answers in the model's place; see `answers.answer_all`.
    """

    def of_kind(*kinds: str) -> list[Task]:
        return [task for task in settings.tasks if task.evaluate in kinds]

    items = {
        task.name: read_table(examples[task.name], contracts.EXAMPLES).to_pylist()
        for task in settings.tasks
        if task.name in examples
    }
    found: dict[str, list[dict]] = {}
    for task in of_kind("drift"):
        log.info("%s: divergence from the base over its own answers", task.name)
        answers = read_table(responses[task.name], contracts.RESPONSES).to_pylist()
        found[task.name] = load("evaluations", "drift").evaluate(
            model, _chat_of(task, chat), task.name, items[task.name], answers, runtime.batch_tokens
        )
    model = merged(model)
    for task in of_kind("likelihood"):
        log.info("%s: likelihood of the reference text", task.name)
        found[task.name] = load("evaluations", "likelihood").evaluate(
            model, _chat_of(task, chat), task.name, items[task.name], runtime.batch_tokens
        )
    for task in of_kind("choice"):
        log.info("%s: likelihood of each choice", task.name)
        found[task.name] = load("evaluations", "choice").evaluate(
            model, _chat_of(task, chat), task.name, items[task.name], task.lead_in or "", runtime.batch_tokens
        )
    order = [task.name for task in (*of_kind("drift"), *of_kind("likelihood"), *of_kind("choice"))]
    if generated := of_kind("accuracy", "lm_eval"):
        from clearminds.model.load import cast

        cast(model, settings.evaluation.dtype)
        found |= _generated(model, chat, generated, items, settings.evaluation, runtime, sampler)
        order += [task.name for task in generated]
    return [row for name in order for row in found[name]]


def _generated(
    model: torch.nn.Module,
    chat: Chat,
    tasks: list[Task],
    items: dict[str, list[dict]],
    evaluation: Evaluation,
    runtime: Runtime,
    sampler: Callable[..., list[list[int]]] | None,
) -> dict[str, list[dict]]:
    """Rows by task of what the model answers; the harness first, which may need the model's logits too."""
    log.info("%s: answers", ", ".join(task.name for task in tasks))
    rows: list[dict] = []
    if harness := [task for task in tasks if task.evaluate == "lm_eval"]:
        rows += load("evaluations", "lm_harness").evaluate(
            model,
            chat.tokenizer,
            [as_keys(task) for task in harness],
            batch_size=runtime.batch_rows,
            system=chat.system,
            template_arguments=chat.arguments,
            max_new_tokens=evaluation.max_new_tokens,
            limit=evaluation.limit,
            sampler=sampler,
        )
    if own := [task for task in tasks if task.evaluate == "accuracy"]:
        rows += load("evaluations", "accuracy").evaluate(
            model,
            chat,
            own,
            {task.name: items[task.name][: evaluation.limit] for task in own},
            max_new_tokens=evaluation.max_new_tokens,
            batch_rows=runtime.batch_rows,
            isolation=runtime.sandbox,
            sampler=sampler,
        )
    found: dict[str, list[dict]] = {task.name: [] for task in tasks}
    for row in rows:
        found[row["eval_task"]].append(row)
    return found


def merged(model: Any) -> torch.nn.Module:  # Any: a Module is not known to have what PEFT's have
    """The model with its adapter added into its weights, where these are float32 and the sum loses nothing.

    An adapter of its own costs as much time again on a small model. Weights of fewer bits would round it away: there
    the adapter stays beside them.
    """
    import torch

    exact = hasattr(model, "merge_and_unload") and all(p.dtype == torch.float32 for p in model.parameters())
    return model.merge_and_unload() if exact else model


def answered_tokens(rows: list[dict]) -> int:
    """Tokens of the answers and texts; an item has several rows."""
    return sum({(row["eval_task"], row["subtask"], row["doc_hash"]): row["n_tokens"] or 0 for row in rows}.values())


def by_task(tables: list[Path]) -> dict[str, Path]:
    """Tables of examples or responses by their task, which their folder bears the name of."""
    return {path.parent.name: path for path in tables}
