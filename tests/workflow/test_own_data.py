"""`make score` and `make mask` of a file, without a study: tables, exports, and the store that they share."""

import json
import math
import os
import subprocess
from pathlib import Path

import datasets
import polars as pl
import pytest
from forked import run_module

from clearminds.checkout import ROOT
from clearminds.files.layout import run_records

pytestmark = pytest.mark.slow

ROWS = [
    {
        "messages": [
            {"role": "user", "content": f"What is {n} + 2?"},
            {"role": "assistant", "content": f"It is {n + 2}."},
        ]
    }
    for n in range(6)
]


def command(name: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow")}
    return run_module(f"clearminds.commands.{name}", "my.jsonl", *arguments, cwd=folder, env=environment)


def looked_up(folder: Path) -> dict:
    """What scoring has found in the store, and what it has computed."""
    [record] = [path for path in run_records(folder / "logs") if "score_token_perplexity" in path.parts]
    return json.loads(record.read_text())["store"]


def test_a_file_is_scored_once_and_masked_by_what_the_store_holds(tmp_path, tiny_model):
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
        (folder / "my.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    shared = ["--model", str(tiny_model), "--store", str(tmp_path / "store"), "--cores", "2"]
    done = command("score", *shared, "--out", "scores", folder=one)
    assert done.returncode == 0, done.stdout[-4000:]
    assert "of 6 responses" in done.stdout.splitlines()[-1] and "score_token_perplexity" in done.stdout
    assert looked_up(one)["computed"] == 6
    scores = pl.read_parquet(one / "scores" / "scores.parquet")
    tau = f"{(-scores['logprob']).exp().median():.3f}"
    done = command("mask", *shared, "--rule", "perplexity", "--tau", tau, "--out", "masked", folder=other)
    assert done.returncode == 0, done.stdout[-4000:]
    assert looked_up(other)["computed"] == 0
    kept = scores.filter(-pl.col("logprob").cast(pl.Float64) <= math.log(float(tau)))
    assert 0 < len(kept) < len(scores)
    rows = datasets.load_from_disk(str(other / "masked" / "dataset"))
    labels = [[label for label in row if label != -100] for row in rows["labels"]]
    expected = kept.group_by("example_id", maintain_order=True).agg("token_id")["token_id"].to_list()
    assert [row for row in labels if row] == expected
    assert f"{len(kept)} of {len(scores)} response tokens with a label" in done.stdout.splitlines()[-1]
    assert not list((other / "results").rglob("rehearsals"))


def test_a_row_that_cannot_be_read_is_named_and_nothing_is_written(tmp_path, tiny_model):
    (tmp_path / "my.jsonl").write_text(json.dumps(ROWS[0]) + "\n{}\n")
    done = command("score", "--model", str(tiny_model), "--out", "scores", "--cores", "2", folder=tmp_path)
    assert done.returncode
    assert "my.jsonl line 2: no column 'messages'" in done.stdout
    assert "Traceback" not in done.stdout and not (tmp_path / "scores").exists()
