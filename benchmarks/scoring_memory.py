"""How much memory a scoring job takes per token of its table, beside its model: tables of several sizes, and the slope.

    PYTHONPATH=workflow .venv/bin/python benchmarks/scoring_memory.py [--tokens 3000000 6000000]

Makes up prompts of 300 tokens and responses of as many, one at a time as a tokenizer gives them, and a store
that has all their scores: then a job keeps what it needs of all, plans, reads the scores and writes both tables; a
shard only plans. Each is a process of its own. Prints the peak of its memory above what it held before, in MiB, seconds
of a core, and bytes per further response token. Above 10^6 tokens a group of rows of the table is full and takes no
more.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "bench"))

from measured import measure  # noqa: E402

from clearminds.files import contracts  # noqa: E402
from clearminds.files.row_groups import write_pieces  # noqa: E402
from clearminds.model.encode_responses import Sequence  # noqa: E402
from clearminds.model.encoded import Encoded  # noqa: E402
from clearminds.model.loading import Loading  # noqa: E402
from clearminds.reuse.store import Store, key_of  # noqa: E402
from clearminds.stages.score_token_perplexity import Runtime, Settings, score_store, score_through  # noqa: E402
from clearminds.stages.scoring.spool import spooled  # noqa: E402
from clearminds.stages.scoring.stored import TYPES  # noqa: E402

PROMPT = RESPONSE = 300
TEXT = "the answer is a number of words that is written down here, " * 50
SPANS = [(1200 + 4 * n, 1204 + 4 * n) for n in range(RESPONSE)]


def made_up(tokens: int) -> Iterator[Sequence]:
    """Responses of so many tokens together, each behind a prompt of its own."""
    rng = np.random.default_rng(0)
    for n in range(tokens // RESPONSE):
        ids = rng.integers(300, 50_000, PROMPT + RESPONSE + 1).tolist()
        yield Sequence(f"made-up-train-{n:07d}", 0, Encoded(f"{n:07d}{TEXT}", ids, PROMPT, RESPONSE, list(SPANS)))


def fill(store: Store, tokens: int) -> None:
    """Give a store made-up scores of all of them, in parts as jobs leave them."""
    waiting = []
    for n, one in enumerate(made_up(tokens), start=1):
        values = np.random.default_rng(n).random(RESPONSE)
        key = key_of([one.encoded.input_ids, PROMPT, RESPONSE])
        waiting.append({"key": key, **{name: values.astype(kind) for name, kind in TYPES.items()}})
        if len(waiting) == 1000 or n == tokens // RESPONSE:
            store.add(pa.Table.from_pylist(waiting, schema=store.schema))
            waiting = []


def job(folder: Path, store: Store, tokens: int, shard: str) -> float:
    """What the launcher does between the tokenizer and its result. Returns the response tokens."""
    runtime = Runtime(str(folder), 8192, 60)
    with spooled(made_up(tokens), folder, texts=not shard) as spool:
        statistics, _, _ = score_through(store, None, spool.encoded, runtime, shard)  # type: ignore[arg-type]
        if not shard:
            write_pieces(folder / "sequences.parquet", spool.sequence_rows(), contracts.SEQUENCES, {})
            write_pieces(folder / "scores.parquet", spool.score_rows(statistics), contracts.TOKEN_SCORES, {})
    return float(tokens)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tokens", type=int, nargs="+", default=[3_000_000, 6_000_000])
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--shard", default="", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.folder:
        store = score_store(given.folder / "store", "weights", Settings("float32", Loading()))
        import clearminds.model.score_sequences  # noqa: F401 - torch is no part of what is measured

        found = measure(lambda: job(given.folder, store, given.tokens[0], given.shard))
        return print(json.dumps([found.memory, found.cpu]))
    last: dict[str, tuple[int, float]] = {}
    print("| job | response tokens | peak, MiB | seconds of a core | bytes a further token |\n|---|---|---|---|---|")
    for tokens in given.tokens:
        with tempfile.TemporaryDirectory() as folder:
            fill(score_store(Path(folder, "store"), "weights", Settings("float32", Loading())), tokens)
            for name, shard in (("table", ""), ("shard", "1of8")):
                command = [sys.executable, __file__, "--folder", folder, "--tokens", str(tokens), "--shard", shard]
                output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
                peak, core = json.loads(output.stdout)
                more = f"{(peak - last[name][1]) * 2**20 / (tokens - last[name][0]):.0f}" if name in last else ""
                print(f"| {name} | {tokens:,} | {peak:.0f} | {core:.1f} | {more} |", flush=True)
                last[name] = tokens, peak


if __name__ == "__main__":
    main()
