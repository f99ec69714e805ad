"""How fast masks are built, and in how much memory, from score tables of a given size.

    PYTHONPATH=workflow .venv/bin/python benchmarks/mask_building.py [--tokens 10000000] [--rule RULE ...] [--folder F]

Makes up tables of responses of 20 to 380 tokens behind prompts of 100, one reference an example, all accepted, and lets
each rule weigh them in a process of its own. RULE is JSON, such as '{"rule": "perplexity", "tau": "2.5"}'. Prints
response tokens per second of building the masks (choosing the examples left out, and shown beside), and the process's
peak memory in MiB, also before it began. With `--folder` the tables are kept there and used again.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from clearminds.files import contracts
from clearminds.files.tables import table_writer
from clearminds.stages.build_masks import Settings, plan_examples, write_masks
from clearminds.stages.select_examples import SourceTables

PROMPT, AFTER = 100, 1
FACTS = {"base": "b", "model": "m", "tokenizer": "t", "chat_template": "c", "scorer": "s", "spec": {"dtype": "float32"}}
RULES = (
    {"rule": "all"},
    {"rule": "perplexity", "tau": "2.5"},
    {"rule": "random", "like": {"rule": "perplexity", "tau": "2.5"}},
)
WORDS = pa.array([" the", " sum", "12", ",", "\n", " x_1", "ing", "(", "Answer", " 7"])


def tables(folder: Path) -> SourceTables:
    """Where the tables of one source are."""
    return SourceTables(folder / "verdicts.parquet", folder / "sequences.parquet", folder / "scores.parquet")


def make_up(folder: Path, tokens: int) -> None:
    """Tables with about so many response tokens."""
    found, rng, first, made = tables(folder), np.random.default_rng(0), 0, 0
    with (
        table_writer(found.verdicts, contracts.VERDICTS) as verdicts,
        table_writer(found.sequences, contracts.SEQUENCES) as sequences,
        table_writer(found.scores, contracts.TOKEN_SCORES) as scores,
    ):
        while made < tokens:
            lengths = rng.integers(20, 381, 4096)
            ids, keys = _response_rows(first, lengths), [f"gsm8k-train-{first + n:07d}" for n in range(len(lengths))]
            verdicts.write(pa.table({**ids, "verdict": ["correct"] * len(keys), "detail": [""] * len(keys)}))
            sequences.write(_sequences(rng, ids, lengths))
            scores.write(_scores(rng, keys, lengths))
            first, made = first + len(lengths), made + int(lengths.sum())
        for table in (verdicts, sequences, scores):
            table.finish(FACTS)


def _response_rows(first: int, lengths: np.ndarray) -> dict:
    n = len(lengths)
    return {"example_id": [f"gsm8k-train-{first + i:07d}" for i in range(n)], "sample": pa.array([0] * n, pa.int16())}


def _sequences(rng: np.random.Generator, ids: dict, lengths: np.ndarray) -> pa.Table:
    offsets = np.concatenate([[0], np.cumsum(lengths + PROMPT + AFTER)]).astype(np.int32)
    input_ids = pa.array(rng.integers(0, 49152, offsets[-1]), pa.int32())
    lists = pa.ListArray.from_arrays(pa.array(offsets), input_ids)
    return pa.table({**ids, "input_ids": lists, "n_prompt": pa.array([PROMPT] * len(lengths), pa.int32())})


def _scores(rng: np.random.Generator, keys: list[str], lengths: np.ndarray) -> pa.Table:
    n = int(lengths.sum())
    starts = np.repeat(np.cumsum(lengths) - lengths, lengths)
    loss = rng.exponential(1.0, n) ** 2
    columns = {
        "example_id": pa.array(keys).take(pa.array(np.repeat(np.arange(len(keys)), lengths))),
        "sample": np.zeros(n, np.int16),
        "position": np.arange(n) - starts,
        "token_id": rng.integers(0, 49152, n),
        "token": WORDS.take(pa.array(rng.integers(0, len(WORDS), n))),
        "char_start": np.arange(n) % 2000,
        "char_end": np.arange(n) % 2000 + 3,
        "logprob": -loss,
        "entropy": rng.exponential(1.0, n),
        "entropy_top20": rng.exponential(0.5, n),
        "prob_sq_sum": rng.random(n),
        "rank": rng.geometric(0.6, n) - 1,
    }
    schema = contracts.TOKEN_SCORES.schema
    return pa.table({name: pa.array(values).cast(schema.field(name).type) for name, values in columns.items()})


def build(folder: Path, rule: dict, masks: Path) -> None:
    """Build the masks of one rule, and print what it took as JSON."""
    settings = Settings("reference", [], {}, 4096, rule, 0 if rule["rule"] == "random" else None)
    found, start = {"reference": tables(folder)}, time.perf_counter()
    ids = pa.parquet.read_table(tables(folder).verdicts, columns=["example_id"])["example_id"].to_pylist()
    chosen, _ = plan_examples(settings, found, ids)
    planned, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    counts = write_masks(masks, "task", settings, found, chosen, {})
    took, peak = time.perf_counter() - planned, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps([counts["tokens"], planned - start, took, before // 1024, peak // 1024, counts["kept"]]))


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tokens", type=int, default=10_000_000)
    parser.add_argument("--rule", type=json.loads, action="append")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--masks", type=Path, help="where one rule's masks are written, to be kept")
    parser.add_argument("--build", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.build:
        return build(given.folder, given.rule[0], given.masks)
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        if not tables(folder).scores.exists():
            make_up(folder, given.tokens)
        print("| rule | kept | choosing, s | building, s | response tokens/s | memory before, MiB | peak, MiB |")
        print("|---|---|---|---|---|---|---|")
        for rule in given.rule or RULES:
            masks = given.masks or Path(temporary, "masks.parquet")
            command = [sys.executable, __file__, "--build", "--folder", str(folder), "--masks", str(masks)]
            output = subprocess.run([*command, "--rule", json.dumps(rule)], check=True, capture_output=True, text=True)
            tokens, planned, took, before, peak, kept = json.loads(output.stdout)
            name, rate = json.dumps(rule).replace("|", "\\|"), tokens / took
            print(f"| `{name}` | {kept / tokens:.3f} | {planned:.1f} | {took:.1f} | {rate:,.0f} | {before} | {peak} |")


if __name__ == "__main__":
    main()
