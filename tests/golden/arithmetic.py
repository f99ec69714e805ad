"""Fixed inputs of each arithmetic, and what it makes of them now: to be compared with what it made of them before.

Inputs come from PCG64's raw bits, which no library changes: weights, logits and probabilities are the same everywhere.
"""

import sys
import types
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from tiny import tiny_model_folder

from clearminds.model import sampling, token_statistics
from clearminds.model.encoded import Encoded
from clearminds.model.head import ChunkedHead
from clearminds.model.load import load_model
from clearminds.model.loading import Loading
from clearminds.model.streams import stream_seed
from clearminds.model.vllm import engine as vllm_engine

# by name, the module whose ARITHMETIC is its version
ARITHMETICS = {"scores": token_statistics, "samples": sampling, "vllm": vllm_engine}
ENDS = [2, 17, 40]  # of 300 tokens; more than one, so that some responses end early
PROMPTS = 260  # chosen so that noise of 5e-5 in the logits, more than machines differ by, changes no token


def uniform(seed: int, *shape: int) -> np.ndarray:
    """Float64 in [0, 1)."""
    bits = np.random.PCG64(seed).random_raw(int(np.prod(shape)))
    return ((bits >> np.uint64(11)) * 2.0**-53).reshape(shape)


def model_in(folder: Path) -> torch.nn.Module:
    """A tiny float32 model on the CPU. Args: where its files may lie."""
    model = load_model(tiny_model_folder(folder), dtype="float32", loading=Loading()).cpu()
    for n, (_, weight) in enumerate(sorted(model.named_parameters())):
        values = uniform(n, *weight.shape) - 0.5
        weight.data = torch.tensor(1 + values if weight.dim() == 1 else 1.4 * values, dtype=torch.float32)
    return model


def scores(folder: Path) -> dict:
    """`token_statistics` of chosen logits, and `score_batch` with each target's distance to the next logit."""
    plain = (uniform(100, 8, 300) - 0.5) * 24
    extreme = np.where(uniform(101, 8, 300) < 0.1, -1e4, plain)
    extreme[:4, 7], extreme[:, 11], extreme[2:6, 13] = 1e4, -np.inf, 1e4
    cases = {"plain": plain, "extreme": extreme, "ties": np.round(plain / 4), "small vocabulary": plain[:, :7]}
    targets = {name: (np.arange(8) * 5 + 3) % logits.shape[1] for name, logits in cases.items()}
    targets["extreme"][2:4] = [7, 13]
    found = {
        name: token_statistics.token_statistics(
            torch.tensor(logits, dtype=torch.float32), torch.tensor(targets[name])
        ).tolist()
        for name, logits in cases.items()
    }
    members = []
    for n, (n_prompt, n_response) in enumerate([(3, 9), (12, 1), (1, 6), (7, 14)]):
        # the end of the template, after the last response token, is not scored
        ids = (uniform(110 + n, n_prompt + n_response + 1) * 300).astype(int).tolist()
        members.append(Encoded("", ids, n_prompt, n_response, []))
    head = ChunkedHead(model_in(folder))
    rows = np.concatenate(token_statistics.score_batch(head, members))
    with torch.inference_mode():
        ids, mask, keep = token_statistics.batch_tensors(members, torch.device("cpu"))
        expected = torch.tensor([token for member in members for token in member.response_ids])
        distances = torch.cat(list(head.logits(ids, mask, keep)))
    distances = (distances - distances.gather(1, expected[:, None])).abs().scatter(1, expected[:, None], torch.inf)
    return {"token_statistics": found, "score_batch": rows.tolist(), "distances": distances.amin(1).tolist()}


def samples(folder: Path) -> dict:
    """Streams' seeds, nuclei, tokens drawn from fixed logits, and tokens drawn from a model."""
    seeds = [
        stream_seed(prompt, number, seed) for prompt, number, seed in product([[], [1], [5, 299, 0]], [0, 3], [0, 7])
    ]
    # a sum of powers of two is exact, whatever its order
    counts = np.floor(uniform(200, 4, 1000) ** 8 * 4096) + 1
    probs = torch.tensor(counts / 2**22, dtype=torch.float32)
    nuclei = {}
    for share in (0.3, 0.9):
        tokens, values = sampling.nucleus(probs, share * float(probs[0].sum()))
        nuclei[str(share)] = [row[kept > 0].tolist() for row, kept in zip(tokens, values, strict=True)]
    logits = torch.tensor((uniform(201, 6, 300) - 0.5) * 12, dtype=torch.float32)
    prompts = [(uniform(PROMPTS + n, length) * 300).astype(int).tolist() for n, length in enumerate((4, 1, 11))]
    model, drawn, generated = model_in(folder), {}, {}
    for temperature, top_p in [(0, 1.0), (0.4, 1.0), (1.0, 1.0), (1.0, 0.95), (1.3, 0.6)]:
        name, source = f"{temperature}, {top_p}", {"temperature": temperature, "top_p": top_p, "max_new_tokens": 24}
        streams = [stream_seed(prompt, number, 0) for number in range(2) for prompt in prompts]
        generated[name] = sampling.generate_batch(model, ENDS, prompts * 2, streams, source)
        if temperature:
            draw = sampling.SeededSampling(streams, source, 5)
            steps = [draw(torch.zeros(6, 5 + step, dtype=torch.long), logits) for step in range(20)]
            drawn[name] = torch.stack([step.argmax(1) for step in steps], 1).tolist()
    # without samples that share a prompt's prefix; `source` is the last of the loop
    generated["each prompt once"] = sampling.generate_batch(model, ENDS, prompts, streams[:3], source)
    return {"stream_seed": seeds, "nucleus": nuclei, "SeededSampling": drawn, "generate_batch": generated}


def vllm(folder: Path) -> dict:
    """What vLLM is asked for: its engine's settings that concern numbers, and each request's. It is not run."""
    stand_in = types.ModuleType("vllm")
    stand_in.SamplingParams = stand_in.LLM = dict
    asked = []

    def generate(prompts, settings, **options):
        asked.append([prompts, [{key: value for key, value in one.items() if key != "detokenize"} for one in settings]])
        return [SimpleNamespace(outputs=[SimpleNamespace(token_ids=(4, 2))]) for _ in prompts]

    request = {"prompts": [[1, 2], [3]], "seeds": [7, 2**62], "top_p": 0.95, "max_new_tokens": 12, "ends": ENDS}
    before, sys.modules["vllm"] = sys.modules.get("vllm"), stand_in
    try:
        tokens = [
            vllm_engine.generate(SimpleNamespace(generate=generate), {**request, "temperature": temperature}, None)
            for temperature in (0, 0.7)
        ]
        start = {"model": "m", "adapter": None, "dtype": "float32", "longest": 64, "trust_remote_code": False}
        engines = {str(gpus): vllm_engine._load({**start, "gpus": gpus}) for gpus in (0, 1)}
    finally:
        sys.modules.pop("vllm")
        if before is not None:
            sys.modules["vllm"] = before
    numbers = ("dtype", "generation_config", "enable_prefix_caching", "enforce_eager")
    settings = {gpus: {name: engine.get(name) for name in numbers} for gpus, engine in engines.items()}
    return {"asked": asked, "tokens": tokens, "engine": settings}


def results(name: str, folder: Path) -> dict:
    """JSON-able results of an arithmetic. Args: a key of `ARITHMETICS`; a folder for a model's files."""
    return {"scores": scores, "samples": samples, "vllm": vllm}[name](folder)
