"""The weight changes that a training has made, module by module: of an adapter's factors, or of whole weights."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open

from clearminds.errors import UserError
from clearminds.stages.analyses.singular_values import of_factors, of_whole

LORA = re.compile(r"(?:base_model\.model\.)?(?P<module>.+)\.lora_(?P<embedding>embedding_)?A(?:\.weight)?")


class Weights:
    """The tensors of a folder of safetensors, each read when it is asked for.

    Args:
        folder: of a model or an adapter.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.file_of: dict[str, Path] = {}
        for path in sorted(folder.glob("*.safetensors")):
            with safe_open(path, "pt") as file:
                self.file_of |= dict.fromkeys(file.keys(), path)

    def __getitem__(self, name: str) -> torch.Tensor:
        """A tensor in float32. Raises: UserError: the folder has none of this name."""
        if name not in self.file_of:
            raise UserError(f"{self.folder}: has no tensor {name}, which was trained; train the variant again")
        with safe_open(self.file_of[name], "pt") as file:
            return file.get_tensor(name).float()


@dataclass(frozen=True)
class Change:
    """What became of one module's weight.

    Attributes:
        module: its name in the model.
        values: float64, the singular values of the change, falling.
    """

    module: str
    values: torch.Tensor


def changes(adapter: Path, base: Path) -> Iterator[Change]:
    """The changes that a training has saved.

    Args:
        adapter: its folder, of an adapter or of a whole model.
        base: the folder of the model that it began with; read only where whole weights are compared.
    """
    config = adapter / "adapter_config.json"
    if not config.exists():
        yield from _whole(Weights(adapter), Weights(base))
        return
    settings, factors = json.loads(config.read_text(encoding="utf-8")), Weights(adapter)
    for key in ("alpha_pattern", "modules_to_save"):
        if settings.get(key):
            raise UserError(f"{config}: {key}: changes of such an adapter are not analysed; leave weight_change out")
    own = Weights(base) if settings.get("use_dora") else None
    for name in factors.file_of:
        if (found := LORA.fullmatch(name)) is None:
            continue
        right, left = factors[name], factors[name.replace("_A", "_B")]
        scale = settings["lora_alpha"] / (right.shape[0] ** 0.5 if settings.get("use_rslora") else right.shape[0])
        if own is None:
            yield Change(found["module"], of_factors(left, right, scale))
        else:
            prefix = name.partition(".lora_")[0]
            magnitude = factors[f"{prefix}.lora_magnitude_vector"]
            whole = dora_change(own[f"{found['module']}.weight"], scale * (left @ right), magnitude)
            yield Change(found["module"], of_whole(whole))


def dora_change(weight: torch.Tensor, product: torch.Tensor, magnitude: torch.Tensor) -> torch.Tensor:
    """What DoRA makes of a weight, less the weight: m (W + BA) / ||W + BA|| - W, with the norm of each row.

    Source: Liu et al., "DoRA: weight-decomposed low-rank adaptation", arXiv 2402.09353, equation 5, in PEFT's layout,
    where a row belongs to an output.

    Args:
        weight, product: [out, in].
        magnitude: [out].
    """
    turned = weight + product
    return (magnitude / turned.norm(dim=1)).unsqueeze(1) * turned - weight


def _whole(trained: Weights, base: Weights) -> Iterator[Change]:
    for name in trained.file_of:
        after = trained[name]
        if after.dim() == 2:
            yield Change(name.removesuffix(".weight"), of_whole(after - base[name]))
