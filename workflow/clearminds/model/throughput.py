"""What a stage got out of the machine: tokens per second, and the share of the measured matrix-product peak."""

import time

import torch

from clearminds.progress import Progress

SIZE = 1024  # of the square matrices whose product is timed


def throughput(progress: Progress, model: torch.nn.Module, passes: int = 2) -> dict:
    """Tokens per second and what share of the peak they are.

    Args:
        progress: of the stage's long loop.
        model: what ran; its dtype, device and number of parameters count.
        passes: FLOPs per parameter and token: 2 for a forward pass, 4 with the backward pass through frozen weights.

    Returns:
        tokens, tokens_per_second, device, peak_flops (measured just now) and peak_share.
    """
    parameters = sum(p.numel() for p in model.parameters())
    weight = next(model.parameters())
    peak = matrix_peak(weight.dtype, weight.device)
    flops = passes * parameters * progress.tokens_per_second
    return {**rate(progress, weight.device), "peak_flops": round(peak), "peak_share": round(flops / peak, 4)}


def rate(progress: Progress, device: torch.device) -> dict:
    """What `throughput` knows without the model: tokens, tokens_per_second and device."""
    return {
        "tokens": progress.tokens,
        "tokens_per_second": round(progress.tokens_per_second, 1),
        "device": device_name(device),
    }


def device_name(device: torch.device) -> str:
    """What the driver calls a device; `cpu` for the CPU."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def matrix_peak(dtype: torch.dtype, device: torch.device, repeats: int = 8) -> float:
    """FLOP/s of a product of two square matrices: the best of `repeats`."""
    a = torch.randn(SIZE, SIZE, device=device).to(dtype)
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        a @ a
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = min(best, time.perf_counter() - start)
    return 2 * SIZE**3 / best
