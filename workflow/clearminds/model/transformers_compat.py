"""What this project uses of transformers that it does not document, in one place: read from its code, 5.23.0.

- `TrainingArguments._n_gpu`: the documented `n_gpu` cannot be set, and is every GPU that the process sees.
- `Trainer.is_distributed_loading_by_transformers`: nothing documented tells that the weights are spread over processes.
- `config._attn_implementation`: nothing documented tells which attention a model was given.

tests/unit/test_compat_transformers.py fails when one of them behaves otherwise, or the mask [batch, length] that `head`
and `weighted_loss` give as `logits_to_keep`, which is documented with other shapes.
"""

from transformers import PreTrainedModel, Trainer, TrainingArguments

from clearminds.model.causal_model import CausalModel


def use_one_device(arguments: TrainingArguments) -> None:
    """Keep this process to one device: the Trainer would use every GPU it sees, and multiply the batch by them."""
    arguments._n_gpu = min(arguments.n_gpu, 1)


def weights_are_spread(trainer: Trainer) -> bool:
    """Whether each process holds a part of the model's weights only, so that every forward pass takes all of them."""
    return trainer.is_distributed_loading_by_transformers


def attention_of(model: PreTrainedModel | CausalModel) -> str | None:
    """The attention that a model computes by, as `attn_implementation` names it."""
    return model.config._attn_implementation


def uses_fused_kernel(model: PreTrainedModel | CausalModel) -> bool:
    """Whether transformers chose torch's fused kernel for a model of one part that is on a CPU."""
    on_cpu = all(parameter.device.type == "cpu" for parameter in model.parameters())
    return on_cpu and attention_of(model) == "sdpa" and not model.config.sub_configs
