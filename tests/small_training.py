"""A training of seconds: its settings, its masks, and where its checkpoints are."""

import pyarrow as pa
import torch

from clearminds.files import contracts
from clearminds.stages.train_adapter import Runtime, Training

TRAINING = {
    "adapter": "lora",
    "rank": 2,
    "alpha": 4,
    "dropout": 0.0,
    "target_modules": "all-linear",
    "learning_rate": 0.005,
    "scheduler": "cosine",
    "warmup_steps": 1,
    "weight_decay": 0.01,
    "max_grad_norm": 1.0,
    "epochs": 2,
    "batch_examples": 4,
    "dtype": "float32",
}

# what masks say of how they were made
MADE_OF = {
    "spec": {
        "responses": "reference",
        "match": ["reference", "self_output"],
        "sources": {"self_output": "drop"},
        "max_length": 512,
        "weights": {"rule": "perplexity", "tau": "2.5"},
    },
    "counts": {"examples": 160, "matched": 150, "missing": 1},
    "masks": {"tokens": 2000, "kept": 1500, "all_masked": 3},
    "scoring": {"dtype": "float32"},
}


def training(**changed: object) -> Training:
    """Its settings, some of them changed."""
    return Training(**{**TRAINING, **changed})


def runtime(**changed: object) -> Runtime:
    """How it runs, some of it changed."""
    usual = {
        "batch_tokens": 60,
        "checkpoint_seconds": 300,
        "fsdp": False,
        "gradient_checkpointing": False,
        "report_to": "none",
    }
    return Runtime(**{**usual, **changed})


def masks(n: int = 10, seed: int = 0, keep: float = 0.6, all_masked: int = 4) -> pa.Table:
    """A table of the contract MASKS.

    Args:
        n: examples, of unequal length.
        seed: of their tokens and weights.
        keep: share of tokens that are kept.
        all_masked: every so many examples one keeps no token; 0: none does.
    """
    generator = torch.Generator().manual_seed(seed)
    rows = []
    for i in range(n):
        length = int(torch.randint(6, 24, (), generator=generator))
        ids = torch.randint(3, 300, (length,), generator=generator).tolist()
        share = 0 if all_masked and i % all_masked == all_masked - 1 else keep
        kept = (torch.rand(length - 3, generator=generator) < share).float().tolist()
        rows.append(
            {
                "task": "t",
                "source": "s",
                "example_id": f"e{i}",
                "sample": 0,
                "input_ids": ids,
                "weights": [0.0, 0.0, *kept, 0.0],
                "n_kept": int(sum(kept)),
                "n_response": length - 3,
            }
        )
    return pa.Table.from_pylist(rows, schema=contracts.MASKS.schema)
