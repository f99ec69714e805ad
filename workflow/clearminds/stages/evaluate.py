"""Evaluating one model, the base or the base with an adapter, on every task of a suite.

Drift is measured first, while the base stands beside the adapter; then the adapter is merged where that loses nothing,
and likelihood is measured in the scoring dtype; then the model is cast for generation. Another backend only generates:
it has no logits to measure by.
"""

import json
import logging
from collections.abc import Callable
from pathlib import Path

import torch

from clearminds.files.tables import read_table, write_table
from clearminds.model.conversation import Chat
from clearminds.model.fingerprints import fingerprints
from clearminds.model.load import device, load_model
from clearminds.model.throughput import rate, throughput
from clearminds.plugins.load import load
from clearminds.progress import Progress
from clearminds.stages.evaluation import drift, likelihood

log = logging.getLogger("clearminds")


def evaluate_suite(
    model: torch.nn.Module,
    chat: Chat,
    spec: dict,
    examples: dict[str, Path],
    responses: dict[str, Path],
    runtime: dict,
    draw: Callable[..., list[list[int]]] | None = None,
) -> list[dict]:
    """Rows of the contract EVALUATION for every task of the suite.

    Args:
        model: in evaluation mode, loaded in the scoring dtype.
        chat: its tokenizer with the template.
        spec: tasks (name, evaluate, verifier, ...) and evaluation (dtype, max_new_tokens, limit).
        examples: Parquet file of the contract EXAMPLES per task that has one.
        responses: Parquet file of the base's own answers per drift task.
        runtime: batch_tokens, batch_rows.
        draw: what generates answers in the model's place; see `lm_harness.evaluate_accuracy`.
    """
    drifts, texts, generated = (
        [task for task in spec["tasks"] if task["evaluate"] in kinds]
        for kinds in (("drift",), ("likelihood",), ("accuracy", "lm_eval"))
    )
    rows = []
    for task in drifts:
        log.info("%s: divergence from the base over its own answers", task["name"])
        items = read_table(examples[task["name"]], "EXAMPLES").to_pylist()
        answers = read_table(responses[task["name"]], "RESPONSES").to_pylist()
        rows += drift.evaluate(model, chat, task["name"], items, answers, runtime["batch_tokens"])
    model = merged(model)
    for task in texts:
        log.info("%s: likelihood of the reference text", task["name"])
        items = read_table(examples[task["name"]], "EXAMPLES").to_pylist()
        rows += likelihood.evaluate(model, chat, task["name"], items, runtime["batch_tokens"])
    if generated:
        from clearminds.stages.evaluation import lm_harness  # takes seconds to import

        model.to(getattr(torch, spec["evaluation"]["dtype"]))
        log.info("%s: answers by greedy decoding", ", ".join(task["name"] for task in generated))
        rows += lm_harness.evaluate_accuracy(
            model,
            chat.tokenizer,
            [
                {**task, "examples": str(examples[task["name"]])} if task["name"] in examples else task
                for task in generated
            ],
            batch_size=runtime["batch_rows"],
            system=chat.system,
            template_arguments=chat.arguments,
            max_new_tokens=spec["evaluation"]["max_new_tokens"],
            limit=spec["evaluation"].get("limit"),
            draw=draw,
        )
    return rows


def merged(model: torch.nn.Module) -> torch.nn.Module:
    """The model with its adapter added into its weights, where these are float32 and the sum loses nothing.

    An adapter of its own costs as much time again on a small model. Weights of fewer bits would round it away: there
    the adapter stays beside them.
    """
    exact = hasattr(model, "merge_and_unload") and all(p.dtype == torch.float32 for p in model.parameters())
    return model.merge_and_unload() if exact else model


def evaluate_files(
    job, examples: list[Path], answers: list[Path], model: Path, adapter_json: Path | None, evaluation: Path
) -> None:
    """What both launchers do: load, evaluate, write. Args: the job, and its input and output files."""
    spec, adapter = job.spec, adapter_json and adapter_json.parent
    chat = Chat.from_folder(model.parent)
    network = load_model(model.parent, dtype=spec["dtype"], settings=spec["loading"], adapter=adapter)
    by_task = {path.parent.name: path for path in examples}
    by_drift, progress = {path.parent.name: path for path in answers}, Progress(len(spec["tasks"]), "tasks")
    if backend := spec["evaluation"].get("backend"):
        settings = {"dtype": spec["evaluation"]["dtype"], "loading": spec["loading"], "runtime": job.runtime}
        with load("backends", backend).Sampler(model.parent, adapter=adapter, **settings) as draw:
            rows = evaluate_suite(network, chat, spec, by_task, by_drift, job.runtime, draw)
        progress.add(len(spec["tasks"]), _tokens(rows))
        job.cost |= {**draw.cost(), **rate(progress, device())}
    else:
        rows = evaluate_suite(network, chat, spec, by_task, by_drift, job.runtime)
        progress.add(len(spec["tasks"]), _tokens(rows))
        job.cost |= throughput(progress, network)
    write_table(
        evaluation, rows, "EVALUATION", job.provenance(**fingerprints(model), adapter=adapter_files(adapter_json))
    )


def _tokens(rows: list[dict]) -> int:
    """Tokens of the answers and texts; an item has several rows."""
    return sum({(row["eval_task"], row["subtask"], row["doc_hash"]): row["n_tokens"] or 0 for row in rows}.values())


def adapter_files(adapter_json: Path | None) -> dict | None:
    """The hashes of an adapter's files, from what declares it."""
    return json.loads(adapter_json.read_text(encoding="utf-8"))["files"] if adapter_json else None
