"""What devices can do, as their makers say: for plans only, no job reads it."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Device:
    """A device.

    Attributes:
        name: as its driver calls it, or a part of that.
        bfloat16: dense FLOP/s of matrix products in 16 bits.
        float32: the same in 32 bits, without TF32, which scoring does not use.
        bandwidth: of its memory, bytes per second.
    """

    name: str
    bfloat16: float
    float32: float
    bandwidth: float

    def peak(self, weight_bytes: float) -> float:
        """FLOP/s for weights of so many bytes."""
        return self.float32 if weight_bytes >= 4 else self.bfloat16

    def is_called(self, name: str) -> bool:
        """Whether a driver's name, such as NVIDIA A100-SXM4-80GB, means this device; an A10 is not an A100."""
        return re.search(rf"(?<!\w){re.escape(self.name)}(?!\w)", name, re.IGNORECASE) is not None


# data sheets of the makers: dense, not sparse, boost clock
DEVICES = {
    "v100": Device("V100", 125e12, 15.7e12, 0.9e12),
    "t4": Device("T4", 65e12, 8.1e12, 0.32e12),
    "a10": Device("A10", 125e12, 31.2e12, 0.6e12),
    "a40": Device("A40", 149.7e12, 37.4e12, 0.696e12),
    "a100": Device("A100", 312e12, 19.5e12, 2.039e12),
    "l40s": Device("L40S", 362e12, 91.6e12, 0.864e12),
    "rtx3090": Device("GeForce RTX 3090", 71e12, 35.6e12, 0.936e12),
    "rtx4090": Device("GeForce RTX 4090", 165.2e12, 82.6e12, 1.008e12),
    "h100": Device("H100", 989.4e12, 66.9e12, 3.35e12),
    "h200": Device("H200", 989.4e12, 66.9e12, 4.8e12),
    "b200": Device("B200", 2250e12, 75e12, 8e12),
    # one thread of a server with bf16 products in hardware: what the small study measured; its bandwidth is assumed
    "cpu": Device("cpu", 0.4e12, 0.05e12, 0.01e12),
}
