"""The machine's matrix-product peak, on the products of the model's layers for a batch of tokens."""

from collections import Counter

import corpus
import torch
from measured import Measured, Places, measure

TOKENS, REPEATS = 1024, 5


@torch.inference_mode()
def own(dtype: str, places: Places) -> Measured:
    """Every product of the layers once, each the best of `REPEATS`. Args: dtype: of the factors."""
    kind = getattr(torch, dtype)
    model = corpus.model(places.model)
    shapes = Counter(
        tuple(w.shape) for name, w in model.named_parameters() if "layers." in name and name.endswith("proj.weight")
    )
    flops, cpu, wall = 0.0, 0.0, 0.0
    for (rows, columns), count in shapes.items():
        given, weight = torch.randn(TOKENS, columns).to(kind), torch.randn(rows, columns).to(kind)
        found = [measure(lambda: _product(given, weight)) for _ in range(REPEATS)]  # noqa: B023 (called here)
        flops += 2.0 * TOKENS * rows * columns * count
        cpu += count * min(one.cpu for one in found)
        wall += count * min(one.wall for one in found)
    return Measured(flops, cpu, wall, 0.0, flops)


def _product(given: torch.Tensor, weight: torch.Tensor) -> float:
    torch.nn.functional.linear(given, weight)
    return 1.0
