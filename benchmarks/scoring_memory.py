"""How much memory a scoring job takes per token of its table: jobs of several sizes, and the slope of their peaks.

    PYTHONPATH=workflow .venv/bin/python benchmarks/scoring_memory.py [--tokens 100000 400000] [--shard 1of1000]

Makes up examples with one reference each, of random words behind a prompt that is as long, and scores them with a tiny
random model, whose own memory does not matter. Each size is a job of its own: the launcher as Snakemake would start it,
on an empty store. A shard gets one of so many parts of the batches: what it takes then is
what planning takes. Prints response tokens, the peak of the process in MiB and seconds of a core, and bytes per
response token between one size and the next.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests")]

from clearminds.files import contracts  # noqa: E402
from clearminds.files.tables import write_table  # noqa: E402

WORDS = np.array(["the", "answer", "is", "number", "question", "and", "another", "12", "34", "What", "a", "user"])
PRINTS = dict.fromkeys(("base", "model", "tokenizer", "chat_template"), "f" * 64)
SPEC = {"dtype": "float32", "loading": {}}


def make_up(folder: Path, rows: int) -> None:
    """Examples and responses. Args: where; how many, of some 85 tokens each, and prompts of as many."""
    rng = np.random.default_rng(0)

    def text() -> str:
        return " ".join(WORDS[rng.integers(0, len(WORDS), rng.integers(30, 70))])

    ids = [f"made-up-train-{n:07d}" for n in range(rows)]
    examples = [{"example_id": i, "messages": [{"role": "user", "content": text()}], "reference": ""} for i in ids]
    said = [{"example_id": i, "sample": 0, "response": text(), "finish_reason": "reference"} for i in ids]
    write_table(folder / "examples.parquet", examples, contracts.EXAMPLES, {})
    write_table(folder / "responses.parquet", said, contracts.RESPONSES, {})


def make_model(folder: Path) -> Path:
    """A tiny model's folder as `fetch_model` leaves it. Returns its `model.json`."""
    from tiny import tiny_model_folder

    tiny_model_folder(folder)
    (folder / "chat.json").write_text('{"system": null, "arguments": {}}')
    (folder / "model.json").write_text(json.dumps({**PRINTS, "files": {}}))
    return folder / "model.json"


def job(folder: Path, model: Path, shard: str) -> dict:
    """Run a job and return its record, with seconds of a core. Args: of its tables; of the model; "": no shard."""
    runtime = {"store": str(folder / "store"), "batch_tokens": 4096, "part_seconds": 2, "gpus": 0}
    command = [sys.executable, str(ROOT / "workflow/scripts/score_token_perplexity.py"), "--adapter"]
    command += ["--spec", json.dumps(SPEC), "--runtime", json.dumps(runtime), "--log", str(folder / "job.log")]
    command += ["--examples", str(folder / "examples.parquet"), "--responses", str(folder / "responses.parquet")]
    command += ["--model", str(model), "--scorer", str(model), "--scores", str(folder / f"scores{shard}.parquet")]
    command += ["--shard", shard] if shard else ["--sequences", str(folder / "sequences.parquet")]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    record = json.loads((folder / "job.run.json").read_text())
    return {**record, "core": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime}


def main() -> None:
    """Run the command line."""
    import pyarrow.parquet as pq

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tokens", type=int, nargs="+", default=[100_000, 400_000])
    parser.add_argument("--shard", default="1of1000")
    given = parser.parse_args()
    last: dict[str, tuple[int, int]] = {}
    print("| job | response tokens | peak, MiB | seconds of a core | bytes a further token |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        model = make_model(Path(scratch, "model"))
        for tokens in given.tokens:
            folder = Path(scratch, str(tokens))
            folder.mkdir()
            make_up(folder, tokens // 85)
            found = {"shard": job(folder, model, given.shard)}
            found |= {"empty store": job(folder, model, "")}
            counted = pq.read_metadata(folder / "scores.parquet").num_rows
            for name, record in found.items():
                peak, before = record["peak_memory_bytes"], last.get(name)
                more = f"{(peak - before[1]) / (counted - before[0]):.0f}" if before else ""
                print(f"| {name} | {counted:,} | {peak / 2**20:.0f} | {record['core']:.1f} | {more} |", flush=True)
                last[name] = counted, peak


if __name__ == "__main__":
    main()
