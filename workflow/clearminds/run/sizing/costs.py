"""What a study costs: floating-point operations, device hours and disk of its jobs, before they run.

A forward pass takes 2 FLOPs per parameter and token, a backward pass through frozen weights as many again (the usual
count, without attention's share, which grows with the length). Time is that of the operations at a stated share of the
device's peak, or of reading the weights once per generated token at a share of its memory's bandwidth, whichever is
longer; generating reaches less of a GPU, by its backend. Or, where runs on such a device wrote down their rate, time is
that of the tokens at it.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from clearminds.config.blocks import Training
from clearminds.config.study import Study
from clearminds.files.layout import run_records
from clearminds.run.sizing.hardware import GENERATING, Device
from clearminds.run.sizing.workload import BYTES, RUN_A_MODEL, Workload, Workloads
from clearminds.run.wildcards import Wildcards

# bytes on disk: the store takes 14 a scored token (benchmarks/store_lookup.py), the others are estimates
PER_SCORED_TOKEN = 2 * 16  # in the table and in the store
PER_RESPONSE_TOKEN = 2 * 6
PER_MASK_TOKEN = 3
PER_ITEM = 2000  # prompt, target and response of an evaluation
HIDDEN_PER_LAYER = 128  # width over depth of the usual decoders
MATRICES = 20  # sum of the sides of a layer's matrices, in widths


@dataclass
class Cost:
    """What jobs of one rule cost together.

    Attributes:
        jobs: how many there are.
        read: tokens that pass the model at once: every epoch's, and for drift those of both models.
        written: tokens that are generated.
        flops: floating-point operations.
        seconds: of a device or, without one, of a job.
        disk: bytes of their results.
        measured: of the seconds, those that rest on a rate that was measured.
    """

    jobs: int = 0
    read: float = 0
    written: float = 0
    flops: float = 0
    seconds: float = 0
    disk: float = 0
    measured: float = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))


@dataclass(frozen=True)
class Rates:
    """Tokens per second that earlier jobs wrote down, by stage and model."""

    found: dict[tuple[str, str], float] = field(default_factory=dict)

    @classmethod
    def measured(cls, logs: Path, study: Study, device: Device) -> "Rates":
        """The medians over a study's jobs on a device. Args: folder of its logs; the study; the device."""
        rates: dict[tuple[str, str], list[float]] = {}
        for path in run_records(logs):
            stage, *place = path.relative_to(logs).parts
            model = next((part for part in place if part in study.models), None)
            try:
                run = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue
            rate, ran_on = run.get("tokens_per_second"), str(run.get("device"))
            if model and rate and device.is_called(ran_on):
                rates.setdefault((stage, model), []).append(rate)
        return cls({key: median(values) for key, values in rates.items()})


def cost(stage: str, wildcards: Wildcards, works: Workloads, device: Device, utilisation: float, rates: Rates) -> Cost:
    """What one job costs.

    Args:
        stage: of the job.
        wildcards: of its rule.
        works: of the study.
        device: that its model runs on.
        utilisation: share of the device's peak, above 0 and at most 1.
        rates: of earlier runs.
    """
    total = Cost(jobs=1, disk=_disk(stage, wildcards, works))
    if stage not in RUN_A_MODEL:
        return total
    rate = rates.found.get((stage, getattr(wildcards, "model", "")))
    for work in works.parts(stage, wildcards):
        tokens = work.counted or work.written or work.read
        seconds = tokens / rate if rate else estimated_seconds(work, device, utilisation)
        flops = 2 * work.parameters * (work.passes * work.read + work.written)
        total += Cost(0, work.read, work.written, flops, seconds, 0, seconds if rate else 0)
    return total


def estimated_seconds(work: Workload, device: Device, utilisation: float) -> float:
    """Device seconds of a job by the roofline: the longer of computing and of reading the weights per token.

    Args:
        work: of the job.
        device: that its model runs on.
        utilisation: share of the device's peak that reading reaches; on a GPU generating reaches `GENERATING` of it.
    """
    compute = 2 * work.parameters / device.peak(work.weight_bytes)
    weights = work.parameters * work.weight_bytes / device.bandwidth / work.rows
    generating = GENERATING["vllm" if work.vllm else "transformers"] if device.memory else 1
    return (compute * work.passes * work.read + max(compute, weights) * work.written / generating) / utilisation


def adapter_parameters(parameters: float, rank: int) -> float:
    """About how many a LoRA adapter on all linear layers has, for a decoder of the usual proportions.

    12 layers' widths squared make a layer's parameters, and a layer for every 128 of width: 97 million for 8 billion at
    rank 32, where Llama-3-8B has 84.
    """
    width = (parameters * HIDDEN_PER_LAYER / 12) ** (1 / 3)
    return rank * MATRICES * width * width / HIDDEN_PER_LAYER


def trained_parameters(parameters: float, training: Training) -> float:
    """About how many a training changes. Args: those of the model."""
    return parameters if training.adapter == "full" else adapter_parameters(parameters, training.rank)


def _disk(stage: str, wc: Wildcards, works: Workloads) -> float:
    study = works.study
    if stage == "fetch_model":
        model = study.models[wc.model]
        return (
            works.sizes.parameters(wc.model) * BYTES["float32" if model.pypi else "bfloat16"] if not model.path else 0
        )
    if stage == "train_adapter":
        return 4 * trained_parameters(works.sizes.parameters(wc.model), study.training_of(wc.variant))
    work = works.parts(stage, wc)
    items = sum(part.items for part in work)
    if stage == "score_token_perplexity":
        return sum(part.read for part in work) * PER_SCORED_TOKEN
    if stage == "generate_responses":
        texts = 0 if getattr(wc, "shard", None) else items * PER_ITEM  # a shard fills the store alone
        return sum(part.written for part in work) * PER_RESPONSE_TOKEN + texts
    if stage == "build_masks":
        return works.sizes.mask_tokens(wc) * PER_MASK_TOKEN
    return items * PER_ITEM if stage.startswith("evaluate") or stage == "prepare_task" else 0
