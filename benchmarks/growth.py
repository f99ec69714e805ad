"""How time and memory grow with what there is to do: a curve a quantity, and the exponent that fits it.

    PYTHONPATH=workflow .venv/bin/python benchmarks/growth.py [--only WORDS] [--scale 1]

On a random Llama of 4 layers and width 256, by one thread, each curve in a process of its own. Prints, for each size,
seconds of a core and MiB above what the process held, and the exponents of both: 1 is proportional, 0 is constant. The
exponent is the slope of a straight line through the logarithms, of the larger half of the sizes for time, where what a
start costs counts less.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "bench"))

from measured import Measured, Places, measure  # noqa: E402

PROMPT, RESPONSE, VOCABULARY, BATCH_TOKENS = 48, 48, 8192, 1024
Curve = tuple[str, list[int], Callable[[int], Measured]]


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
        ("scoring, items", sizes(16, 32, 64, 128), lambda n: _scored(_conversations(n))),
        (
            "scoring, tokens of an item",
            sizes(64, 128, 256, 512, 1024),
            lambda n: _scored(_conversations(4, 16, n - 16)),
        ),
        ("scoring, vocabulary", [8192, 32768, 131072, 262144], lambda n: _scored(_conversations(8), n)),
        ("scoring, samples of a prompt", sizes(1, 2, 4, 8, 16), lambda n: _scored(_conversations(4, 96, 24, n))),
        ("generation, new tokens", sizes(16, 32, 64, 128), _generated),
        ("training, examples", sizes(16, 32, 64, 128), _trained),
        ("evaluation, adapters", sizes(1, 2, 4, 8), _evaluated),
        ("masks, tokens of a table", sizes(400_000, 1_600_000, 6_400_000), _masked),
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
    found = {name: (sizes, work) for name, sizes, work in curves(given.scale)}
    if given.curve:
        sizes, work = found[given.curve]
        work(sizes[0])  # libraries set themselves up
        print(json.dumps([work(size).as_dict() for size in sizes]))
        return
    print("| what grows | sizes | seconds of a core | exponent | MiB | exponent |\n|---|---|---|---|---|---|")
    quiet = {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1", "TQDM_DISABLE": "1", "HF_HUB_OFFLINE": "1"}
    environment = {**os.environ, **quiet, "PYTHONPATH": f"{HERE.parent / 'workflow'}:{HERE}"}
    for name, (sizes, _) in found.items():
        if given.only not in name:
            continue
        command = [sys.executable, __file__, "--curve", name, "--scale", str(given.scale)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment, check=True)
        measured = [Measured(**one) for one in json.loads(done.stdout.splitlines()[-1])]
        seconds, memory = [one.cpu for one in measured], [one.memory for one in measured]
        half = len(sizes) // 2
        cells = [", ".join(f"{value:,}" for value in sizes), ", ".join(f"{value:.2g}" for value in seconds)]
        cells += [f"{exponent(sizes[half - 1 :], seconds[half - 1 :]):.2f}"]
        cells += [", ".join(f"{value:.0f}" for value in memory), f"{exponent(sizes, memory):.2f}"]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
