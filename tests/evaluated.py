"""Hand-made evaluations of a study whose scores, TI and BWT are known."""

import polars as pl

from clearminds.files import contracts
from clearminds.files.summary import COMPARISONS
from clearminds.files.tables import write_table

NONE = COMPARISONS.to_frame()
ACCURACY = {"evaluate": "accuracy", "metric": "accuracy", "filter": "lenient"}
TASKS = {
    "gcd": ACCURACY,
    "sums": ACCURACY,
    "mmlu": {"evaluate": "lm_eval", "metric": None, "filter": None},
    "text": {"evaluate": "likelihood", "metric": None, "filter": None},
    "chat": {"evaluate": "drift", "metric": None, "filter": None},
}
# right answers of 10, of 10, per subtask of 2 and 8; nats per token
BASE = {"gcd": 5, "sums": 4, "mmlu": (1, 4), "text": 2.0, "chat": 0.0}
STM_0 = {"gcd": 5, "sums": 6, "mmlu": (1, 2), "text": 1.0, "chat": 0.5}
STM_1 = {"gcd": 4, "sums": 5, "mmlu": (1, 4), "text": 1.0, "chat": 0.5}
TRUTH_0 = {"gcd": 1, "sums": 7, "mmlu": (0, 0), "text": 4.0, "chat": 1.0}


def rows_of(results):
    for task, value in results.items():
        kind = TASKS[task]["evaluate"]
        if kind == "accuracy":
            for i in range(10):
                right, ok = i < value, i % 5 != 0
                yield row(task, task, i, "accuracy", "lenient", right, format_ok=ok)
                yield row(task, task, i, "accuracy", "strict", right and ok, format_ok=ok)
        elif kind == "lm_eval":
            for subtask, right, n in (("law", value[0], 2), ("art", value[1], 8)):
                for i in range(n):
                    yield row(task, subtask, i, "acc", "none", i < right)
                    yield row(task, subtask, i, "acc_norm", "none", True)
        else:
            for i in range(3):
                n = 2**i  # long items weigh more
                yield row(task, task, i, "nll" if kind == "likelihood" else "kl", "none", value * n, n_tokens=n)


def row(task, subtask, i, metric, chosen_filter, score, n_tokens=None, format_ok=None):
    return {
        "eval_task": task,
        "subtask": subtask,
        "doc_id": str(i),
        "doc_hash": f"{subtask}-{i}",
        "metric": metric,
        "filter": chosen_filter,
        "score": float(score),
        "n_tokens": n_tokens,
        "format_ok": format_ok,
    }


def written(folder, *runs):
    """Evaluations of runs (variant, seed, results or rows) in a folder, as `summarise` takes them."""
    evaluations = []
    for variant, seed, results in runs:
        rows = results if isinstance(results, list) else list(rows_of(results))
        path = folder / f"{variant}.{seed}.{len(evaluations)}.parquet"
        write_table(path, rows, contracts.EVALUATION, {})
        target = None if variant == "base" else "sums"
        evaluations.append({"path": path, "model": "tiny", "target": target, "variant": variant, "seed": seed})
    return evaluations


def score_of(summary, variant, seed, task, column="score"):
    run = (pl.col("variant") == variant) & pl.col("seed").eq_missing(seed)
    return summary.filter(run & (pl.col("eval_task") == task))[column].item()


def compared(tables, variant, other, measure):
    return compared_in(tables.comparisons, variant, other, measure)


def compared_in(comparisons, variant, other, measure):
    found = comparisons.filter(pl.col("variant") == variant, pl.col("other") == other, pl.col("measure") == measure)
    return found.row(0, named=True)
