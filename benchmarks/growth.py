"""How time and memory grow with what there is to do: a curve a quantity, and the exponent that fits it.

    PYTHONPATH=workflow .venv/bin/python benchmarks/growth.py [--only WORDS] [--scale 1]

On a random Llama of 4 layers and width 256, by one thread, each curve in a process of its own; variants and shards on
studies of a tiny model, which `results/bench` keeps, in whole processes. Prints, for each size, how much it is
(conversations, tokens, examples, adapters, jobs), seconds of a core and MiB above what the process held (of whole
processes all of it), and the exponents of both: 1 is proportional, 0 is constant. The exponent is the slope of a
straight line through the logarithms, of the larger half of the sizes for time, where what a start costs counts less.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
WORK = HERE.parent / "results" / "bench"  # what is kept there, `make bench` uses too
sys.path.insert(0, str(HERE / "bench"))

from measured import Measured, Places, measure  # noqa: E402

PROMPT, RESPONSE, VOCABULARY, BATCH_TOKENS = 48, 48, 8192, 1024
TABLE = 4000  # conversations of the table that shards share


@dataclass(frozen=True)
class Curve:
    """Attributes: what is varied; in which sizes; how one size is measured; whether in processes of its own."""

    name: str
    sizes: list[int]
    work: Callable[[int], Measured]
    whole: bool = False


def _model(vocabulary: int = VOCABULARY):
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=256,
        intermediate_size=688,
        num_hidden_layers=4,
        num_attention_heads=4,
        max_position_embeddings=4096,
        eos_token_id=2,
        tie_word_embeddings=True,
    )
    return LlamaForCausalLM(config).eval()


def _conversations(count: int, prompt: int = PROMPT, response: int = RESPONSE, samples: int = 1) -> list:
    from clearminds.model.encoded import Encoded

    chance = np.random.default_rng(0)
    found = []
    for _ in range(count):
        begin = chance.integers(3, 8000, prompt).tolist()
        for _ in range(samples):
            found.append(Encoded("", [*begin, *chance.integers(3, 8000, response).tolist()], prompt, response, []))
    return found


def _scored(conversations: list, vocabulary: int = VOCABULARY) -> Measured:
    from clearminds.model.score_sequences import score

    model = _model(vocabulary)
    score(model, conversations[:2], BATCH_TOKENS)
    return measure(lambda: float(len(score(model, conversations, BATCH_TOKENS)[0])))


def _generated(tokens: int) -> Measured:
    from clearminds.model.sampling import generate_batch

    model, prompts = _model(), [one.input_ids[:PROMPT] for one in _conversations(2, samples=8)]
    source = {"temperature": 1.0, "top_p": 0.95, "max_new_tokens": tokens}
    generate_batch(model, [2], prompts, list(range(16)), {**source, "max_new_tokens": 2})
    return measure(lambda: float(sum(map(len, generate_batch(model, [2], prompts, list(range(16)), source)))))


def _trained(examples: int) -> Measured:
    import pyarrow as pa
    import training

    from clearminds.files import contracts
    from clearminds.stages.train_adapter import Runtime
    from clearminds.stages.training.checkpoints import Checkpoints
    from clearminds.stages.training.trainer import train

    about = {"task": "t", "source": "s", "sample": 0, "n_kept": RESPONSE, "n_response": RESPONSE}
    weights = [0.0] * PROMPT + [1.0] * RESPONSE
    rows = [
        {**about, "example_id": str(n), "input_ids": one.input_ids, "weights": weights}
        for n, one in enumerate(_conversations(examples))
    ]
    masks, model = pa.Table.from_pylist(rows, schema=contracts.MASKS.schema), training.with_adapter(_model().bfloat16())
    runtime = Runtime(BATCH_TOKENS, 3600, False, False, "none")
    with tempfile.TemporaryDirectory() as folder:

        def work() -> float:
            train(model, masks, training.SETTINGS, 0, runtime, Checkpoints(Path(folder, "checkpoints"), {}))
            return float(examples)

        return measure(work)


def _masked(tokens: int) -> Measured:
    import mask_rows

    with tempfile.TemporaryDirectory() as folder:
        return mask_rows.own(tokens, Places(Path(), Path(folder)))


def _evaluated(adapters: int) -> Measured:
    from clearminds.model.score_sequences import score

    conversations = _conversations(24)

    def work() -> float:
        for _ in range(adapters):  # as jobs do: each loads its model
            score(_model(), conversations, BATCH_TOKENS)
        return float(adapters)

    return measure(work)


def curves(scale: float) -> list[Curve]:
    """What is varied, in which sizes, and how one size is measured. Args: scale: of all sizes but the vocabulary's."""

    def sizes(*given: int) -> list[int]:
        return [max(1, int(size * scale)) for size in given]

    return [
        Curve("scoring, items", sizes(16, 32, 64, 128), lambda n: _scored(_conversations(n))),
        Curve(
            "scoring, tokens of an item",
            sizes(64, 128, 256, 512, 1024),
            lambda n: _scored(_conversations(4, 16, n - 16)),
        ),
        Curve("scoring, vocabulary", [8192, 32768, 131072, 262144], lambda n: _scored(_conversations(8), n)),
        Curve("scoring, samples of a prompt", sizes(1, 2, 4, 8, 16), lambda n: _scored(_conversations(4, 96, 24, n))),
        Curve("generation, new tokens", sizes(16, 32, 64, 128), _generated),
        Curve("training, examples", sizes(16, 32, 64, 128), _trained),
        Curve("evaluation, adapters", sizes(1, 2, 4, 8), _evaluated),
        Curve("masks, tokens of a table", sizes(400_000, 1_600_000, 6_400_000), _masked),
        *_of_studies(scale),
    ]


def _of_studies(scale: float) -> list[Curve]:
    import study_growth as study

    table = max(1, int(TABLE * scale))
    held = [max(1, table * n // 4) for n in (1, 2, 4)]

    def none_of(items: int) -> Measured:
        return study.shard(f"{items + 1}of{items + 1}", items, WORK)

    return [
        Curve("plan, variants", [2, 4, 8, 16, 64, 256], lambda n: study.planned(n, WORK), whole=True),
        Curve("run, variants", [2, 4, 8], lambda n: study.finished_with(n, WORK), whole=True),
        Curve("job of a shard, shards", [1, 2, 4, 8], lambda n: study.shard(f"1of{n}", table, WORK), whole=True),
        Curve(
            "job of a shard, items of the others", held, lambda n: study.shard(f"{n + 1}of{n + 1}", n, WORK), whole=True
        ),
    ]


def exponent(sizes: list[int], values: list[float]) -> float:
    """Slope of a straight line through the logarithms."""
    slope, _ = np.polyfit(np.log(sizes), np.log(np.maximum(values, 1e-9)), 1)
    return float(slope)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", default="", help="curves with these words")
    parser.add_argument("--scale", type=float, default=1.0, help="of the sizes")
    parser.add_argument("--curve", help=argparse.SUPPRESS)
    given = parser.parse_args()
    found = {curve.name: curve for curve in curves(given.scale)}
    if given.curve:
        curve = found[given.curve]
        if not curve.whole:
            curve.work(curve.sizes[0])  # libraries set themselves up
        print(json.dumps([curve.work(size).as_dict() for size in curve.sizes]))
        return
    print("| what grows | sizes | that is | seconds of a core | exponent | MiB | exponent |\n" + "|---" * 7 + "|")
    quiet = {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1", "TQDM_DISABLE": "1", "HF_HUB_OFFLINE": "1"}
    environment = {**os.environ, **quiet, "PYTHONPATH": f"{HERE.parent / 'workflow'}:{HERE}"}
    for curve in found.values():
        if given.only not in curve.name:
            continue
        command = [sys.executable, __file__, "--curve", curve.name, "--scale", str(given.scale)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment, check=True)
        measured = [Measured(**one) for one in json.loads(done.stdout.splitlines()[-1])]
        print(f"| {curve.name} | {' | '.join(cells(curve.sizes, measured))} |", flush=True)


def cells(sizes: list[int], measured: list[Measured]) -> list[str]:
    """The cells of a curve's line. Args: its sizes; what was measured of each."""
    seconds, memory, half = [one.cpu for one in measured], [one.memory for one in measured], len(sizes) // 2
    return [
        ", ".join(f"{value:,}" for value in sizes),
        ", ".join(f"{one.amount:,.0f}" for one in measured),
        ", ".join(f"{value:.2g}" for value in seconds),
        f"{exponent(sizes[half - 1 :], seconds[half - 1 :]):.2f}",
        ", ".join(f"{value:.0f}" for value in memory),
        f"{exponent(sizes, memory):.2f}",
    ]


if __name__ == "__main__":
    main()
