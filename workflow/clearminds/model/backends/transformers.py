"""Responses sampled by transformers, in this process."""

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from clearminds.model.causal_model import CausalModel
from clearminds.model.load import load_model
from clearminds.model.loading import Loading
from clearminds.model.sampling import ARITHMETIC, OF_TYPE, generate_batch
from clearminds.model.throughput import throughput
from clearminds.progress import Progress


class Sampler:
    """A model that is loaded when the first batch is asked for.

    Args:
        folder: the model's.
        dtype: of its weights.
        loading: of the config's model.
        adapter: a PEFT adapter's folder to put on top.
        gpus, vllm_python: matter to vLLM only.
    """

    arithmetic, of_type = ARITHMETIC, OF_TYPE

    def __init__(
        self,
        folder: Path,
        *,
        dtype: str,
        loading: Loading,
        adapter: Path | None = None,
        gpus: int = 0,
        vllm_python: str = "",
    ):
        self.folder, self.dtype, self.loading, self.adapter = folder, dtype, loading, adapter

    def __enter__(self) -> "Sampler":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    @cached_property
    def model(self) -> CausalModel:
        """The loaded model."""
        return load_model(self.folder, dtype=self.dtype, loading=self.loading, adapter=self.adapter)

    def __call__(
        self, ends: Iterable[int], prompts: list[list[int]], seeds: list[int], source: dict
    ) -> list[list[int]]:
        """New token ids per prompt, as of `sampling.generate_batch`."""
        return generate_batch(self.model, ends, prompts, seeds, source)

    def cost(self, progress: Progress) -> dict:
        """Tokens per second and the share of the peak that they are. Args: of the loop that called this."""
        return throughput(progress, self.model)
