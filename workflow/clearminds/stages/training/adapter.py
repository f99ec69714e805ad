"""An adapter: put on a model, told from it, and the history of its training."""

from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from transformers import Trainer

from clearminds.stages.train_adapter import Training


def add_adapter(model: torch.nn.Module, training: Training, base: str, revision: str | None = None) -> torch.nn.Module:
    """Put a fresh adapter on a model; none where all of its weights are trained.

    Args:
        model: the base; PiSSA changes its weights, so that with the adapter they are what they were.
        training: of it adapter, rank, alpha, dropout and target_modules.
        base: what the adapter's config names as its base, which it can be loaded by.
        revision: its commit, where that is a repository of the hub.
    """
    if training.adapter == "full":
        return model.requires_grad_(True)  # which an adapter before it took away
    # by 16 power iterations: whole decompositions take minutes where this takes seconds
    first: Any = "pissa_niter_16" if training.adapter == "pissa" else True
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=training.rank,
        lora_alpha=training.alpha,
        lora_dropout=training.dropout,
        target_modules=training.target_modules,
        use_dora=training.adapter == "dora",
        use_rslora=training.adapter == "rslora",
        init_lora_weights=first,
    )
    peft = get_peft_model(model, config)
    peft.peft_config["default"].base_model_name_or_path = base
    peft.peft_config["default"].revision = revision
    return peft


def trained_parameters(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """What training changes, by name: left to itself PEFT collects the base's weights from all processes, too."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def save_trained(model: Any, folder: str | Path, is_main_process: bool = True) -> None:
    """Save an adapter, or a model without one as a whole.

    Args:
        model: what was trained, from `add_adapter`.
        folder: where to.
        is_main_process: of several processes the main one writes.
    """
    if not hasattr(model, "peft_config"):
        model.save_pretrained(folder, is_main_process=is_main_process)
        return
    model.save_pretrained(
        folder,
        state_dict=trained_parameters(model),
        is_main_process=is_main_process,
        save_embedding_layers=False,  # "auto" would ask the hub for the base's vocabulary
    )


def history(trainer: Trainer) -> list[dict]:
    """One row per optimiser step: step, epoch, loss, learning_rate, grad_norm."""
    keys = ("step", "epoch", "loss", "learning_rate", "grad_norm")
    return [{key: entry.get(key) for key in keys} for entry in trainer.state.log_history if "loss" in entry]
