"""What this project uses of lm-evaluation-harness that it does not document, in one place: read from its code,
0.4.13.

- `HFLM._model_call`, `._model_generate`: every forward pass and every generated batch goes through one of them; its
  documented methods see requests only, so they can neither count as they go nor let another backend generate.
- `HFLM._loglikelihood_tokens`: `loglikelihood_rolling` asks it for a progress bar whatever its own caller says.
- `TaskManager.task_index` and its entries' `cfg`: whether a task runs generated code is to be known before it is
  loaded, which would run the task's own Python.
- `Task.UNSAFE_CODE`: nothing documented says the same of a loaded one.

tests/unit/test_compat_harness.py fails when one of them behaves otherwise.
"""

import torch
from lm_eval.api.task import Task
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager


class HookedModel(HFLM):
    """The harness' model with public names for what a subclass changes: `scored` and `generate_batch`. It draws no
    progress bars in log-likelihoods; in `generate_until` they are left out by its `disable_tqdm`."""

    def scored(self, rows: int) -> None:
        """Called after each forward pass for log-likelihoods. Args: of its batch."""

    def generate_batch(
        self, context: torch.Tensor, attention_mask: torch.Tensor, max_length: int, stop: list[str]
    ) -> torch.Tensor:
        """Continue a batch of prompts.

        Args:
            context: token ids of the prompts [batch, length], padded on the left.
            attention_mask: [batch, length], 0 on padding.
            max_length: most tokens of a row, prompt included.
            stop: strings that end a row.

        Returns:
            token ids [batch, at most max_length] that begin with `context`.
        """
        return self.plain_generation(context, attention_mask, max_length, stop)

    def plain_generation(
        self, context: torch.Tensor, attention_mask: torch.Tensor, max_length: int, stop: list[str], **options: object
    ) -> torch.Tensor:
        """The harness' own way to continue a batch. Args: as of `generate_batch`; options of `generate`."""
        return super()._model_generate(context, max_length, stop, attention_mask=attention_mask, **options)

    def _model_call(self, inps: torch.Tensor, *arguments: object, **options: object) -> torch.Tensor:
        logits = super()._model_call(inps, *arguments, **options)
        self.scored(len(inps))
        return logits

    def _model_generate(
        self, context: torch.Tensor, max_length: int, stop: list[str], **generation_kwargs: torch.Tensor
    ) -> torch.Tensor:
        # what a task's YAML says of sampling is left out: everything is greedy
        return self.generate_batch(context, generation_kwargs["attention_mask"], max_length, stop)

    def _loglikelihood_tokens(self, requests: list, disable_tqdm: bool = False, override_bs: int | None = None) -> list:
        return super()._loglikelihood_tokens(requests, disable_tqdm=True, override_bs=override_bs)


def declared_to_run_code(manager: TaskManager, name: str) -> bool:
    """Whether the YAML file of a task says that it runs generated code; nothing is loaded."""
    return bool((manager.task_index[name].cfg or {}).get("unsafe_code", False))


def runs_code(task: Task) -> bool:
    """Whether a loaded task runs generated code."""
    return bool(getattr(task, "UNSAFE_CODE", False))
