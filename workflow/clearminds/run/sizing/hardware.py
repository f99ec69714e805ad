"""What devices can do, as their makers say: for plans only, no job reads it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

# memory in the names that drivers give: of a part of a split GPU, as MIG 1g.10gb, and of a whole one
SLICE, SIZE = re.compile(r"\b\dg\.(\d+)gb\b", re.IGNORECASE), re.compile(r"\b(\d+)\s?GB\b", re.IGNORECASE)

UTILISATION = 0.3  # share of a device's peak that is assumed where nothing was measured
# of that share, what generating reaches on a GPU: with an 8B model on an H100 others measured 1,100 tokens a second by
# transformers' continuous batching, and 5,800 to 12,500 by vLLM; on a CPU it keeps as busy as reading does
GENERATING = {"transformers": 1 / 3, "vllm": 2 / 3}


@dataclass(frozen=True)
class Device:
    """A device.

    Attributes:
        name: as its driver calls it, or a part of that.
        bfloat16: dense FLOP/s of matrix products in 16 bits.
        float32: the same in 32 bits, without TF32, which scoring does not use.
        bandwidth: of its memory, bytes per second.
        memory: its size in bytes; 0 where jobs ask their host for it.
    """

    name: str
    bfloat16: float
    float32: float
    bandwidth: float
    memory: float

    def peak(self, weight_bytes: float) -> float:
        """FLOP/s for weights of so many bytes."""
        return self.float32 if weight_bytes >= 4 else self.bfloat16

    def is_called(self, name: str) -> bool:
        """Whether a driver's name, such as NVIDIA A100-SXM4-80GB, means this device; an A10 is not an A100.

        Nor is that of a laptop the card of the same number.
        """
        if "laptop" in name.lower():
            return False
        return re.search(rf"(?<!\w){re.escape(self.name)}(?!\w)", name, re.IGNORECASE) is not None

    def called(self, name: str) -> "Device":
        """This device with the memory that a driver's name tells, of a part of a split GPU that part's."""
        told = SLICE.search(name) or SIZE.search(name)
        return self if told is None else replace(self, memory=float(told[1]) * 1e9)


# data sheets of the makers (for GeForce cards and the RTX A series the appendices of NVIDIA's whitepapers on Ampere,
# Ada and Blackwell): dense, not sparse, with sums in float32, boost clock; of a V100 and an A100 the larger memory
DEVICES = {
    "v100": Device("V100", 125e12, 15.7e12, 0.9e12, 32e9),
    "t4": Device("T4", 65e12, 8.1e12, 0.32e12, 16e9),
    "l4": Device("L4", 121e12, 30.3e12, 0.3e12, 24e9),
    "a10": Device("A10", 125e12, 31.2e12, 0.6e12, 24e9),
    "a40": Device("A40", 149.7e12, 37.4e12, 0.696e12, 48e9),
    "a100": Device("A100", 312e12, 19.5e12, 2.039e12, 80e9),
    "l40s": Device("L40S", 362e12, 91.6e12, 0.864e12, 48e9),
    "a5000": Device("RTX A5000", 111.1e12, 27.8e12, 0.768e12, 24e9),
    "a6000": Device("RTX A6000", 154.8e12, 38.7e12, 0.768e12, 48e9),
    "rtx3090": Device("GeForce RTX 3090", 71e12, 35.6e12, 0.936e12, 24e9),
    "rtx4090": Device("GeForce RTX 4090", 165.2e12, 82.6e12, 1.008e12, 24e9),
    "rtx5090": Device("GeForce RTX 5090", 209.5e12, 104.8e12, 1.792e12, 32e9),
    "h100": Device("H100", 989.4e12, 66.9e12, 3.35e12, 80e9),
    "h200": Device("H200", 989.4e12, 66.9e12, 4.8e12, 141e9),
    "b200": Device("B200", 2250e12, 75e12, 8e12, 180e9),
    # one thread of a server with AVX-512 and bf16 products in hardware, of which the demo's scoring reaches a half
    # (docs/cost.md); the bandwidth is assumed
    "cpu": Device("cpu", 0.4e12, 0.15e12, 0.01e12, 0),
}


def of_machine(name: str, models: Sequence[str]) -> tuple[Device, str | None]:
    """A device of the table as this machine has it, and what a plan says where this machine's are not in the table.

    Args:
        name: the device's, in `DEVICES`.
        models: what the driver calls the GPUs that jobs may take; empty where it does not tell.
    """
    device = DEVICES[name]
    same = [model for model in models if device.is_called(model)]
    if not models or any(one.is_called(model) for one in DEVICES.values() for model in models):
        return min((device.called(model) for model in same), key=lambda one: one.memory, default=device), None
    unknown = " and ".join(dict.fromkeys(model.removeprefix("NVIDIA ") or "GPU" for model in models))
    return (
        device,
        f"planned for {device.name}: this machine's {unknown} is not known; name one by --gpu",
    )
