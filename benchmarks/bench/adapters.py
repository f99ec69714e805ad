"""Evaluation of several adapters of a base on two tasks, from start to table: choices, and answers of 48 tokens.

A process for each adapter on both sides, as the workflow has a job for each and lm-evaluation-harness a run; float32.
The amount is adapters; memory is that of the largest process, whole.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import choices
import corpus
import torch
import training
import yaml
from measured import Measured, Places

from clearminds.files import contracts
from clearminds.files.tables import write_table
from clearminds.model.loading import Loading
from clearminds.stages.evaluate import Evaluation, Runtime, Settings, Task, evaluate
from clearminds.stages.training.adapter import save_trained

NEW_TOKENS, BATCH_ROWS, BATCH_TOKENS = 48, 16, 1024
TASKS = {
    "choice": {"output_type": "multiple_choice", "doc_to_choice": "choices", "doc_to_target": "gold"},
    "answers": {
        "output_type": "generate_until",
        "doc_to_target": "answer",
        "generation_kwargs": {"until": ["<|im_end|>"], "do_sample": False, "max_gen_toks": NEW_TOKENS},
    },
}


def made_up(places: Places, count: int) -> list[Path]:
    """Folders of adapters of random values, made when they are not there yet."""
    found = [places.work / "adapters" / str(n) for n in range(count)]
    for n, folder in enumerate(found):
        if not (folder / "adapter_config.json").exists():
            model = training.with_adapter(corpus.model(places.model))
            torch.manual_seed(n)
            for parameter in model.parameters():
                if parameter.requires_grad:
                    parameter.data += torch.randn_like(parameter) * 1e-3
            save_trained(model, folder)
    return found


def own(count: int, items: int, places: Places) -> Measured:
    """This project's evaluation, a process for each adapter."""
    rows = [{**row, "answer": str(n)} for n, row in enumerate(choices.examples(items))]
    with tempfile.TemporaryDirectory() as folder:
        tables = {task: Path(folder, f"{task}.parquet") for task in TASKS}
        for table in tables.values():
            write_table(table, rows, contracts.EXAMPLES, {})
        command = [sys.executable, "-c", "import sys, adapters; adapters.evaluate_one(*sys.argv[1:])", folder]
        return _one_after_the_other([[*command, places.model, adapter] for adapter in made_up(places, count)])


def evaluate_one(tables: str, model: str, adapter: str) -> None:
    """Evaluate one adapter in this process. Args: folder of the examples; those of model and adapter."""
    tasks = [Task("choice", "choice"), Task("answers", "accuracy", verifier="number")]
    settings = Settings(tasks, Evaluation("float32", NEW_TOKENS), "float32", Loading())
    runtime = Runtime(BATCH_TOKENS, BATCH_ROWS, "", "none")
    examples = {task: Path(tables, f"{task}.parquet") for task in TASKS}
    rows, _ = evaluate(Path(model), Path(adapter), settings, runtime, 0, examples, {})
    write_table(Path(tables, "evaluation.parquet"), rows, contracts.EVALUATION, {})


def harness(count: int, items: int, places: Places) -> Measured:
    """lm-evaluation-harness, a run for each adapter."""
    with tempfile.TemporaryDirectory() as folder:
        _write_tasks(Path(folder), items)
        command = [sys.executable, "-m", "lm_eval", "run", "--model", "hf", "--tasks", ",".join(TASKS)]
        command += ["--include_path", folder, "--batch_size", str(BATCH_ROWS), "--apply_chat_template", "--model_args"]
        adapters = made_up(places, count)
        return _one_after_the_other(
            [[*command, f"pretrained={places.model},peft={adapter},dtype=float32"] for adapter in adapters]
        )


def _write_tasks(folder: Path, items: int) -> None:
    """The same items as the harness reads them: a file of rows, and a YAML file a task."""
    lines = []
    for n, row in enumerate(choices.examples(items)):
        meta = json.loads(row["meta"])
        about = {"question": row["messages"][0]["content"], "answer": str(n)}
        lines.append(json.dumps({**about, "choices": meta["choices"], "gold": meta["gold"]}))
    data = folder / "rows.jsonl"
    data.write_text("\n".join(lines))
    for name, own in TASKS.items():
        task = {
            "task": name,
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": {"test": str(data)}},
            "test_split": "test",
            "doc_to_text": "{{question}}",
            "metric_list": [{"metric": "acc" if name == "choice" else "exact_match"}],
            **own,
        }
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(task))


def _one_after_the_other(commands: list[list]) -> Measured:
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    paths = f"{os.environ['PYTHONPATH']}:{Path(__file__).parent}"
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "PYTHONPATH": paths, "HF_DATASETS_CACHE": cache}
        for command in commands:
            done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=environment)
            if done.returncode:
                sys.exit(f"{done.stdout}\n{done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Measured(float(len(commands)), cpu, time.perf_counter() - start, after.ru_maxrss / 1024)
