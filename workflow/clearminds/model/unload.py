"""Giving a model's memory back while something still refers to it."""

import torch


def unload(model: torch.nn.Module) -> None:
    """Drop the weights of a model, which cannot run any more, and return the device's memory to the machine."""
    model.to("meta")
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
