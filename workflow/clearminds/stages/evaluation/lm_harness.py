"""Tasks that lm-evaluation-harness knows by name, on a loaded model: greedy, with the model's chat template.

One row per item, metric and filter.
"""

import difflib
import functools
import json
import logging
import numbers
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import datasets
import huggingface_hub.utils
import lm_eval
from lm_eval.api.task import Task
from lm_eval.tasks import TaskManager

from clearminds.errors import UserError, one_line
from clearminds.model.causal_model import CausalModel
from clearminds.model.conversation import Chat
from clearminds.model.decoding import contiguous_before_head, own_settings_only
from clearminds.model.tokenizer import Tokenizer
from clearminds.stages.evaluation.doc_hashes import unique
from clearminds.stages.evaluation.harness_compat import declared_to_run_code, runs_code
from clearminds.stages.evaluation.harness_model import Model

BUILT_IN = "lm_eval:"
INVALID = "[invalid]"  # what the harness' regex filters give where nothing matches
FEWSHOT_SEED = 1234  # the harness' own default


def evaluate(
    model: CausalModel,
    tokenizer: Tokenizer,
    tasks: list[dict],
    *,
    batch_size: int,
    system: str | None,
    template_arguments: dict,
    max_new_tokens: int,
    limit: int | None = None,
    sampler: Callable[..., list[list[int]]] | None = None,
) -> list[dict]:
    """Evaluate a model on tasks.

    Args:
        model: a transformers or PEFT causal language model, on its device.
        tokenizer: its fast tokenizer with a chat template.
        tasks: each with its `name`; `harness`, the task, group or tag of the harness, where the name is not
            lm_eval: and that; `num_fewshot`, where it is not to be the task's own.
        batch_size: prompts at a time.
        system: system prompt, or None to leave it to the template.
        template_arguments: further arguments of the chat template.
        max_new_tokens: of a response, where the harness' task does not say.
        limit: only the first so many items of every task.
        sampler: what generates answers in the model's place, as `sampling.generate_batch` does. Log-likelihoods stay
            with the model, come first, and it is unloaded after them.

    Returns:
        rows of the contract EVALUATION, task by task and item by item.

    Raises:
        UserError: a task is unknown, cannot be loaded, runs generated code, or asks more than the model's length.
    """
    with _quiet():
        lm = Model(model, Chat(tokenizer, system, template_arguments), batch_size, max_new_tokens, sampler)
        manager = _task_index()
        loaded = {task["name"]: _load(task, manager) for task in tasks}
        # a leaf may be in two groups, so its key names the group too
        leaves = {f"{name}/{leaf}": task for name, found in loaded.items() for leaf, task in found.items()}
        # the harness asks for kinds of answers in the order of the tasks
        leaves = dict(sorted(leaves.items(), key=lambda leaf: leaf[1].OUTPUT_TYPE == "generate_until"))
        with own_settings_only(model), contiguous_before_head(model):
            results = lm_eval.evaluate(
                lm=lm,
                task_dict={"tasks": leaves, "groups": {}},
                limit=limit,
                bootstrap_iters=0,
                apply_chat_template=True,
                fewshot_as_multiturn=True,
                system_instruction=system,
                log_samples=True,
            )
    rows = []
    for task in tasks:
        name, found = task["name"], loaded[task["name"]]
        for leaf, harness_task in found.items():
            samples = results["samples"][f"{name}/{leaf}"]
            subtask = leaf if len(found) > 1 else ""
            rows += [{"eval_task": name, "subtask": subtask, **row} for row in _rows(samples, harness_task, lm)]
    return rows


def _harness_name(task: dict) -> str:
    return task.get("harness") or task["name"].removeprefix(BUILT_IN)


@functools.cache
def _task_index() -> TaskManager:
    """An index of the harness' 14,000 tasks, which takes some ten seconds."""
    return TaskManager()


def _load(task: dict, manager: TaskManager) -> dict[str, Task]:
    name = _harness_name(task)
    if name not in manager.all_tasks:
        near = difflib.get_close_matches(name, manager.all_tasks, n=3)
        raise UserError(
            f"{task['name']}: lm-evaluation-harness has no task {name!r}; nearest: {', '.join(near) or 'none'}"
        )
    # before loading, which would run the task's Python and may fetch the metric that executes code
    _refuse_code(task["name"], declared_to_run_code(manager, name))
    try:
        found = manager.load([name])["tasks"]
    except Exception as error:
        raise UserError(
            f"{task['name']}: lm-evaluation-harness cannot load it; is its data set at hand? "
            f"({one_line(error, named=True)})"
        ) from error
    for leaf in found.values():
        _refuse_code(task["name"], runs_code(leaf))
        shots = task.get("num_fewshot")
        leaf.set_config("num_fewshot", leaf.get_config("num_fewshot") or 0 if shots is None else shots)
        leaf.set_fewshot_seed(FEWSHOT_SEED)
    return found


def _refuse_code(name: str, unsafe: bool) -> None:
    if unsafe:
        raise UserError(
            f"{name}: this task runs generated code, outside any sandbox; evaluate it with a sandboxed task instead"
        )


def _rows(samples: list[dict], task: Task, lm: Model) -> list[dict]:
    """One row per item, filter and metric that is one number per item (not F1's pair or a perplexity's sum)."""
    generates = task.OUTPUT_TYPE == "generate_until"
    regex = {
        entry["name"]
        for entry in task.get_config("filter_list") or []
        if any("regex" in str(step["function"]) for step in entry["filter"])
    }
    rows = []
    for filter_name in dict.fromkeys(sample["filter"] for sample in samples):
        chosen = [sample for sample in samples if sample["filter"] == filter_name]
        hashes = unique([sample["doc_hash"] for sample in chosen])
        for sample, doc_hash in zip(chosen, hashes, strict=True):
            raw = sample["resps"][0][0] if generates else json.dumps([answers[0] for answers in sample["resps"]])
            item = {
                "n_tokens": len(lm.tok_encode(raw)) if generates else None,
                "format_ok": INVALID not in _as_list(sample["filtered_resps"][0]) if filter_name in regex else None,
                "prompt": sample["arguments"][0][0],
                "target": str(sample["target"]),
                "response": raw,
            }
            for metric in sample["metrics"]:
                if isinstance(sample[metric], numbers.Real):
                    key = {
                        "doc_id": str(sample["doc_id"]),
                        "doc_hash": doc_hash,
                        "metric": metric,
                        "filter": filter_name,
                    }
                    rows.append({**key, "score": float(sample[metric]), **item})
    if not rows:
        raise UserError(
            f"{BUILT_IN}{task.task_name}: none of its metrics gives a number per item; choose an accuracy task"
        )
    return rows


def _as_list(value: object) -> list:
    return list(value) if isinstance(value, list | tuple) else [value]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the harness to errors. `Model` reports progress in plain lines; the harness' bars, which draw with control
    characters, are turned off there and, while it builds requests, by TQDM_DISABLE, which every launcher sets."""
    harness = logging.getLogger("lm_eval")
    level = harness.level
    datasets.disable_progress_bars()
    huggingface_hub.utils.disable_progress_bars()
    harness.setLevel(logging.ERROR)
    try:
        yield
    finally:
        harness.setLevel(level)
