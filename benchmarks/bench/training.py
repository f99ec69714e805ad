"""Training: LoRA of rank 16 on all linear layers, steps of 8 word problems, bfloat16; loss on three quarters of the
response tokens.

The peer is TRL's SFTTrainer on the same labels, order of examples and first adapter: with its defaults, and with the
settings that suit this work best (a base in bfloat16, no gradient checkpointing). Both sides must come to the same
losses. Memory is what training takes beside the base's weights.
"""

import random
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import corpus
import pyarrow as pa
import torch
from measured import Measured, Places, measure
from online_losses import TRAINING

from clearminds.files import contracts
from clearminds.model.lora_linear import compute_at_once
from clearminds.model.short_attention import attend_short
from clearminds.stages.train_adapter import Runtime
from clearminds.stages.training.adapter import add_adapter, history
from clearminds.stages.training.checkpoints import Checkpoints
from clearminds.stages.training.trainer import seeded, train

SEED, KEPT, BATCH_TOKENS = 3, 0.75, 1024
SETTINGS = replace(TRAINING, learning_rate=5e-4)
BEST = {"gradient_checkpointing": False}


def own(items: int, places: Places) -> Measured:
    """This project's trainer."""
    return prepared(places.model, rows_of(places.model, items))()


def prepared(folder: Path, rows: list[dict]) -> Callable[[], Measured]:
    """What measures this project's training: the model is loaded. Args: its folder; rows of the contract MASKS."""
    model = corpus.model(folder, SETTINGS.dtype)
    attend_short(model)
    model = with_adapter(model)
    compute_at_once(model)
    runtime = Runtime(BATCH_TOKENS, 3600, False, False, "none")

    def work(place: Path) -> list[dict]:
        masks = pa.Table.from_pylist(rows, schema=contracts.MASKS.schema)
        trainer, *_ = train(model, masks, SETTINGS, SEED, runtime, Checkpoints(place, {}))
        return history(trainer)

    return partial(_measured, work, rows, model)


def sft(settings: str, items: int, places: Places) -> Measured:
    """TRL's. Args: settings: defaults or best."""
    import datasets
    import trl
    from transformers import AutoModelForCausalLM

    rows = rows_of(places.model, items)
    dtype = torch.bfloat16 if settings == "best" else "auto"
    model = with_adapter(AutoModelForCausalLM.from_pretrained(places.model, dtype=dtype))
    table = datasets.Dataset.from_list([{"input_ids": row["input_ids"], "labels": _labels(row)} for row in rows])

    def work(folder: Path) -> list[dict]:
        config = trl.SFTConfig(
            output_dir=str(folder),
            max_length=None,
            per_device_train_batch_size=SETTINGS.batch_examples,
            num_train_epochs=SETTINGS.epochs,
            learning_rate=SETTINGS.learning_rate,
            lr_scheduler_type=SETTINGS.scheduler,
            seed=SEED,
            data_seed=SEED,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=not torch.cuda.is_available(),  # it refuses a CPU otherwise
            **(BEST if settings == "best" else {}),
        )
        trainer = trl.SFTTrainer(
            model, config, train_dataset=table, processing_class=corpus.chat(places.model).tokenizer
        )
        trainer.train()
        return history(trainer)

    return _measured(work, rows, model)


def _measured(work: Callable[[Path], list[dict]], rows: list[dict], model: torch.nn.Module) -> Measured:
    """Tokens per second of a training, and its losses. Args: work: trains in a folder and gives the history."""
    losses: list[float] = []
    for parameter in model.parameters():
        parameter.sum()  # reads weights that are mapped, so that they are there before

    def all_of_it() -> float:
        with tempfile.TemporaryDirectory() as folder:
            losses[:] = [step["loss"] for step in work(Path(folder))]
        return float(sum(len(row["input_ids"]) for row in rows))

    tokens, kept = sum(len(row["input_ids"]) for row in rows), sum(row["n_kept"] for row in rows)
    # forward and backward through frozen weights; those of the adapter, a twentieth, left out
    flops = 4.0 * (corpus.body(model) * tokens + corpus.head(model) * kept)
    return measure(all_of_it, flops).finding(*losses)


def with_adapter(model: torch.nn.Module) -> torch.nn.Module:
    """A model with a fresh adapter, always of the same first values."""
    seeded(SEED)
    return add_adapter(model, SETTINGS, "base")


def rows_of(folder: Path, items: int) -> list[dict]:
    """Word problems as rows of the contract MASKS. Args: the model's folder; how many."""
    chance, found = random.Random(0), []
    for n, one in enumerate(corpus.single(folder, items)):
        ids = one.input_ids[: one.n_prompt + one.n_response]
        weights = [0.0] * one.n_prompt + [float(chance.random() < KEPT) for _ in range(one.n_response)]
        about = {"task": "t", "source": "s", "example_id": f"e{n}", "sample": 0}
        counts = {"n_kept": int(sum(weights)), "n_response": one.n_response}
        found.append({**about, "input_ids": ids, "weights": weights, **counts})
    return found


def _labels(row: dict) -> list[int]:
    return [token if weight else -100 for token, weight in zip(row["input_ids"], row["weights"], strict=True)]
