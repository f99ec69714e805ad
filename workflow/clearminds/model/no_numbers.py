"""What a model gives that is no number is told, as comparisons with it are all false, and look like results."""

from pathlib import Path

import torch
from transformers import LogitsProcessor


def name_of(model: torch.nn.Module) -> str:
    """What errors call a model: the folder that it was loaded from."""
    folder = Path(getattr(getattr(model, "config", None), "name_or_path", "") or "")
    return f"the model {folder.name}" if folder.name else "the model"


class Watched(LogitsProcessor):
    """Notes of each row whether its logits were numbers so far; those of excluded tokens may be -inf.

    Attributes:
        sound: bool [rows]; read once a round, as each reading waits for a GPU.
    """

    sound: torch.Tensor | None = None

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """The logits as they are, [rows, vocabulary]."""
        now = scores.amax(-1).isfinite()
        self.sound = now if self.sound is None else self.sound & now
        return scores

    def first_unsound(self) -> int | None:
        """The first row whose logits were none; None: all were."""
        if self.sound is None or bool(self.sound.all()):
            return None
        return int(self.sound.int().argmin())
