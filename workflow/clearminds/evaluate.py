"""Evaluating one model, the base or the base with an adapter, on every task of a suite.

Likelihood and drift are measured first, in the scoring dtype; then the model is cast for generation.
"""

import json
import logging
from pathlib import Path

import torch

from clearminds import drift, likelihood
from clearminds.conversation import Chat
from clearminds.model_identity import fingerprints
from clearminds.models import load_model
from clearminds.tables import read_table, write_table

log = logging.getLogger("clearminds")


def evaluate_suite(
    model: torch.nn.Module, chat: Chat, spec: dict, examples: dict[str, Path], responses: dict[str, Path], runtime: dict
) -> list[dict]:
    """Rows of the contract EVALUATION for every task of the suite.

    Args:
        model: in evaluation mode, loaded in the scoring dtype.
        chat: its tokenizer with the template.
        spec: tasks (name, evaluate, verifier, ...) and evaluation (dtype, max_new_tokens, limit).
        examples: Parquet file of the contract EXAMPLES per task that has one.
        responses: Parquet file of the base's own answers per drift task.
        runtime: batch_tokens, batch_rows.
    """
    rows = []
    for task in spec["tasks"]:
        name = task["name"]
        if task["evaluate"] == "likelihood":
            log.info("%s: likelihood of the reference text", name)
            rows += likelihood.evaluate(
                model, chat, name, read_table(examples[name], "EXAMPLES").to_pylist(), runtime["batch_tokens"]
            )
        elif task["evaluate"] == "drift":
            log.info("%s: divergence from the base over its own answers", name)
            table = read_table(examples[name], "EXAMPLES").to_pylist()
            answers = read_table(responses[name], "RESPONSES").to_pylist()
            rows += drift.evaluate(model, chat, name, table, answers, runtime["batch_tokens"])
    generated = [task for task in spec["tasks"] if task["evaluate"] in ("accuracy", "lm_eval")]
    if generated:
        from clearminds import lm_harness  # takes seconds to import

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
            limit=spec["evaluation"]["limit"],
        )
    return rows


def evaluate_files(
    job, examples: list[Path], answers: list[Path], model: Path, adapter: Path | None, evaluation: Path
) -> None:
    """What both launchers do: load, evaluate, write. Args: the job, and its input and output files."""
    spec = job.spec
    chat = Chat.from_folder(model.parent)
    network = load_model(model.parent, dtype=spec["dtype"], settings=spec["loading"], adapter=adapter)
    by_task = {path.parent.name: path for path in examples}
    rows = evaluate_suite(network, chat, spec, by_task, {path.parent.name: path for path in answers}, job.runtime)
    write_table(evaluation, rows, "EVALUATION", job.provenance(**fingerprints(model), adapter=adapter_files(adapter)))


def adapter_files(adapter: Path | None) -> dict | None:
    """The hashes of an adapter's files, from its `adapter.json`."""
    return json.loads((adapter / "adapter.json").read_text(encoding="utf-8"))["files"] if adapter else None
