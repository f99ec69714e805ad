"""What online rules add to a training: tokens per second of each rule beside the plain loss, taking turns.

    PYTHONPATH=workflow .venv/bin/python benchmarks/online_losses.py --model FOLDER [--rounds 5] [--tokens 512]

Trains a LoRA adapter of rank 16 on made-up token ids, of which the second half are a response, and times forward and
backward passes of one batch a rule and round; the order of rules changes from round to round. Without a GPU one thread
computes, and seconds are those that it had of a core, so that a busy machine matters less. Prints the median of tokens
per second, the ratio to the plain loss in the median of rounds, and on a GPU what a rule added to the peak of memory.
"""

import argparse
import random
import statistics
import time
from functools import partial
from pathlib import Path

import torch

from clearminds.model.load import device, load_model
from clearminds.model.loading import Loading
from clearminds.model.weighted_loss import WeightedBatch, weighted_token_loss
from clearminds.plugins.load import load
from clearminds.stages.train_adapter import Training
from clearminds.stages.training.adapter import add_adapter

RULES = [
    {"rule": "dft"},
    {"rule": "profit", "threshold": 0.1},
    {"rule": "eaft", "alpha": 1.0},
    {"rule": "infosft", "c": 2.0},
    {"rule": "clip", "epsilon": 0.28},
    {"rule": "kl", "beta": 0.1},
    {"rule": "asft", "alpha": 0.1},
    {"rule": "eksft", "top": 0.2, "kl": 0.05, "entropy": 0.05},
]
TRAINING = Training(
    adapter="lora",
    rank=16,
    alpha=32,
    dropout=0.0,
    target_modules="all-linear",
    learning_rate=2e-5,
    scheduler="constant",
    warmup_steps=0,
    weight_decay=0.0,
    max_grad_norm=1.0,
    dtype="bfloat16",
    epochs=1,
    batch_examples=8,
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="a model's folder, such as results/demo/models/...")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=512, help="of a batch, in rows of 128")
    given = parser.parse_args()
    torch.manual_seed(0)
    where = device()
    clock = time.perf_counter if where.type == "cuda" else time.process_time
    torch.set_num_threads(1)
    model = load_model(given.model, dtype="bfloat16", loading=Loading())
    model = add_adapter(model, TRAINING, str(given.model)).train()
    rows = [
        {"input_ids": torch.randint(100, 4000, (128,)).tolist(), "weights": [0.0] * 64 + [1.0] * 64}
        for _ in range(given.tokens // 128)
    ]
    batch = WeightedBatch.of(rows, where)
    losses = {rule["rule"]: partial(load("losses", rule["rule"]).RULE, settings=rule) for rule in RULES}
    losses = {"plain": weighted_token_loss, **losses}

    def once(name: str) -> tuple[float, float]:
        if where.type == "cuda":
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
        start = clock()
        with torch.autocast(where.type, dtype=torch.bfloat16):
            loss = losses[name](model, batch, batch.weights.sum())
        loss.backward()
        model.zero_grad()
        if where.type == "cuda":
            torch.cuda.synchronize()
            return clock() - start, torch.cuda.max_memory_allocated() / 2**20
        return clock() - start, 0.0

    for name in losses:
        once(name)
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in losses}
    for turn in range(given.rounds):
        order = list(losses)
        random.Random(turn).shuffle(order)
        for name in order:
            taken[name].append(once(name))
    plain = [seconds for seconds, _ in taken["plain"]]
    for name, found in taken.items():
        seconds = [one for one, _ in found]
        ratio = statistics.median(p / s for p, s in zip(plain, seconds, strict=True))
        memory = f"{max(peak for _, peak in found) - max(peak for _, peak in taken['plain']):+8.0f} MiB"
        rate = given.tokens / statistics.median(seconds)
        print(f"{name:8} {rate:9.0f} tokens/s  {ratio:5.2f} of plain  {memory if where.type == 'cuda' else ''}")


if __name__ == "__main__":
    main()
