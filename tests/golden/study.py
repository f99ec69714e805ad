"""A study that runs every stage, weight rule and source, and what evaluations and tasks need no network."""

import json
from pathlib import Path

CHAIN_SUM = {"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 2}
OTHER_RULES = [
    {"rule": "all"},
    {"rule": "perplexity", "tau": "auto"},
    {"rule": "band", "tau_low": "2", "tau_high": "9"},
    {"rule": "budget", "keep": "auto", "per": "set"},
    {"rule": "budget", "keep": 50},
    {"rule": "lowest", "like": "stm-200"},
    {"rule": "rank", "top": 9},
    {"rule": "soft", "temperature": "median"},
    {"rule": "entropy", "at_least": 1},
    {"rule": "info", "c": 2},
    {"rule": "class", "mask": ["numbers"]},
    {"rule": "expression", "formula": "where(not entropy < 1.5 and -rank >= -9, 1 + abs(logprob), exp(logprob) ** 2)"},
]
ROWS = [
    {"prompt": "What is 2 + 3?", "response": "It is\r\n5.", "answer": "5"},
    {"prompt": "What is 10 - 4?", "response": "That is 6. ", "answer": "6"},
    {"prompt": "What is 3 * 3?", "response": "3 * 3 is 9.", "answer": "9"},
]


def golden_study(model: Path, folder: Path) -> dict:
    """The study's config. Args: folder of a tiny model; where its data file is written."""
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    columns = {"prompt": "prompt", "response": "response", "answer": "answer"}
    of_file = {"kind": "file", "splits": {"test": str(data)}, "columns": columns}
    return {
        "study": "golden",
        "models": {"tiny": {"path": str(model)}},
        "tasks": {
            "sums": {
                "kind": "reasoning_gym",
                "generator": "chain_sum",
                "parameters": CHAIN_SUM,
                "splits": {"train": 6, "test": 3},
                "reference": "wordings",
            },
            "numbers": {**of_file, "verifier": "number"},
            "formulas": {**of_file, "verifier": "math"},
            "words": {**of_file, "verifier": "exact"},
            "code": {"kind": "human_eval", "splits": {"test": 1}, "evaluate": "likelihood"},
            "chat": {"kind": "everyday_prompts", "splits": {"test": 2}, "evaluate": "drift", "answers": "everyday"},
        },
        "targets": ["sums"],
        "suites": {"all": ["sums", "numbers", "formulas", "words", "code", "chat"]},
        "sources": {
            "self_output": {"samples": 2, "max_new_tokens": 6, "when_none_accepted": "reference", "dtype": "float32"},
            "rephrase": {"samples": 1, "max_new_tokens": 6, "when_none_accepted": "reference", "dtype": "float32"},
            "everyday": {"kind": "self_output", "samples": 1, "max_new_tokens": 6, "dtype": "float32"},
        },
        "match": {"sources": ["reference", "self_output"]},
        "variants": {
            "self-output": {"responses": "self_output", "training": {"adapter": "dora", "dropout": 0.1}},
            "rephrase": {"responses": "rephrase"},
            "stm-200": {"responses": "reference", "weights": {"rule": "perplexity", "tau": "200"}},
            "random-200": {"responses": "reference", "weights": {"rule": "random", "like": "stm-200"}},
            "other-rules": {"responses": "reference", "weights": {"rule": "combine", "how": "or", "of": OTHER_RULES}},
        },
        "training": {"rank": 2, "epochs": 1, "batch_examples": 4, "learning_rate": 0.01, "dtype": "float32"},
        "evaluation": {"max_new_tokens": 6, "dtype": "float32"},
        "seeds": [0],
        "runtime": {"batch_tokens": 256, "checkpoint_seconds": 0},
    }
