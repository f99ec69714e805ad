"""Responses sampled by vLLM, in a process and an environment of its own.

Its arithmetic and its random streams are not transformers', so its responses are others. A sample's seed is the same,
and neither its neighbours nor more samples change it, as far as vLLM's kernels give the same for every batch.
"""

import logging
import time
from collections.abc import Iterable
from pathlib import Path

from clearminds.errors import UserError
from clearminds.files.stamps import refuse_changed
from clearminds.model.full_weights import is_whole
from clearminds.model.load import device, longest_input
from clearminds.model.loading import Loading
from clearminds.model.throughput import device_name
from clearminds.model.vllm.adapter import merged_copy, rank_for, why_merge
from clearminds.model.vllm.client import Engine, EngineError, interpreter
from clearminds.model.vllm.engine import ARITHMETIC
from clearminds.progress import Progress

log = logging.getLogger("clearminds")

LEAST = 1024  # tokens that a sequence may have at first, prompt and response


class Sampler:
    """A model in vLLM, which is started when the first batch is asked for.

    Args:
        folder: the model's.
        dtype: of its weights.
        loading: of the config's model; vLLM chooses its own attention.
        adapter: the folder of a training: a PEFT adapter, or a whole model in the place of `folder`.
        gpus: devices of the job.
        vllm_python: the interpreter that has vLLM, seen from the checkout.
    """

    arithmetic = ARITHMETIC

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
        self.folder, self.dtype, self.loading, self.adapter = Path(folder), dtype, loading, adapter
        self.gpus, self.vllm_python = gpus, vllm_python
        self.engine: Engine | None = None
        self.why_merge = why_merge(adapter) if adapter else None
        self.longest = self.tokens = self.peak = 0
        self.seconds = self.starting = 0.0

    def __enter__(self) -> "Sampler":
        return self

    def __exit__(self, kind: object, *error: object) -> None:
        if self.engine:
            self.engine.kill() if kind else self.engine.close()

    def __call__(
        self, ends: Iterable[int], prompts: list[list[int]], seeds: list[int], source: dict
    ) -> list[list[int]]:
        """New token ids per prompt, as of `sampling.generate_batch`.

        Raises:
            UserError: a prompt with its response is longer than the model takes.
            OutOfMemory, EngineError: vLLM cannot do it.
        """
        engine = self._engine(max(map(len, prompts)) + source["max_new_tokens"])
        request = {"prompts": prompts, "seeds": seeds, "ends": sorted(ends)}
        request |= {"temperature": source["temperature"], "max_new_tokens": source["max_new_tokens"]}
        start = time.monotonic()
        answer = engine.ask({**request, "top_p": source.get("top_p", 1.0)})
        self.seconds += time.monotonic() - start
        self.tokens += sum(map(len, answer["tokens"]))
        self.peak = max(self.peak, answer["peak_memory_bytes"])
        return answer["tokens"]

    def cost(self, progress: Progress | None = None) -> dict:
        """Tokens per second without vLLM's start, its version, the seconds of its start and its peak memory."""
        if not self.engine:
            return {}
        return {
            "tokens": self.tokens,
            "tokens_per_second": round(self.tokens / max(self.seconds, 1e-9), 1),
            "device": device_name(device()),
            "vllm": {
                "version": self.engine.version,
                "device": self.engine.device,
                "starting_seconds": round(self.starting, 1),
                "peak_memory_bytes": self.peak,
                "adapter": self.adapter and self._taken_as(),
            },
        }

    def _taken_as(self) -> str:
        """How vLLM has what was trained."""
        if self.adapter and is_whole(self.adapter):
            return "model"
        return "merged" if self.why_merge else "lora"

    def _engine(self, needed: int) -> Engine:
        """A running engine for sequences of this many tokens; it makes room for that many, so few will not do."""
        if self.engine and needed <= self.longest:
            return self.engine
        most = longest_input(self.folder, self.loading)
        if needed > most:
            raise UserError(
                f"{self.folder.name}: a prompt and its response have up to {needed:,} tokens, more than the model's "
                f"{most:,}; lower max_new_tokens, or take the longest examples out"
            )
        if self.engine:
            self.engine.close()
            self.engine = None
        while self.longest < needed:
            self.longest = min(max(LEAST, 2 * self.longest), most)
        start = time.monotonic()
        self.engine = self._started()
        for loaded in (self.folder, self.adapter):
            if loaded:
                refuse_changed(loaded)
        self.starting += time.monotonic() - start
        return self.engine

    def _started(self) -> Engine:
        python = interpreter(self.vllm_python)
        if self.adapter and is_whole(self.adapter):
            return self._with(python, self.adapter, None)
        if self.adapter and not self.why_merge:
            try:
                engine = self._with(python, self.folder, self.adapter)
                log.info("vLLM takes the adapter as a LoRA request")
                return engine
            except EngineError as error:
                if error.kind != "adapter":
                    raise
                self.why_merge = str(error)
        if not self.adapter:
            return self._with(python, self.folder, None)
        log.info("the adapter is merged into a temporary copy of the model in %s: %s", self.dtype, self.why_merge)
        with merged_copy(self.folder, self.adapter, dtype=self.dtype, loading=self.loading) as merged:
            return self._with(python, merged, None)

    def _with(self, python: str, folder: Path, adapter: Path | None) -> Engine:
        request = {
            "model": str(folder.resolve()),
            "adapter": adapter and str(adapter.resolve()),
            "rank": adapter and rank_for(adapter),
            "dtype": self.dtype,
            "longest": self.longest,
            "gpus": self.gpus,
            "trust_remote_code": self.loading.trust_remote_code,
        }
        return Engine(python, request)
