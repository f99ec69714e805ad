"""The harness' view of a loaded model, for `lm_harness`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import jinja2
import torch

from clearminds.errors import UserError
from clearminds.model.causal_model import CausalModel, without_adapter
from clearminds.model.conversation import Chat
from clearminds.model.padding import pad
from clearminds.model.sampling import generate_batch
from clearminds.model.unload import unload
from clearminds.progress import Progress
from clearminds.stages.evaluation.harness_compat import HookedModel


class Model(HookedModel):
    """The harness' view of a loaded model: plain greedy decoding and the project's chat rendering.

    Args:
        model: a transformers or PEFT causal language model, on its device.
        chat: its tokenizer and chat settings.
        batch_size: prompts at a time.
        max_new_tokens: of a response, where a task does not say.
        sampler: what generates in the model's place, as `sampling.generate_batch` does; the model is unloaded before.
    """

    def __init__(
        self,
        model: CausalModel,
        chat: Chat,
        batch_size: int,
        max_new_tokens: int,
        sampler: Callable[..., list[list[int]]] | None = None,
    ):
        # every prompt comes out of the chat template, which writes the special tokens itself
        super().__init__(
            pretrained=model,
            tokenizer=chat.tokenizer,
            batch_size=batch_size,
            softmax_dtype="float32",
            add_bos_token=False,
        )
        self.chat, self.max_new_tokens, self.sampler = chat, max_new_tokens, sampler
        self.progress = Progress(0, "requests")
        inner = without_adapter(model)
        ends = inner.generation_config.eos_token_id
        self.ends = chat.end_of_turn_ids | set(ends if isinstance(ends, list) else [ends]) - {None}

    @property
    def max_gen_toks(self) -> int:
        """Most new tokens where a task does not say."""
        return self.max_new_tokens

    def apply_chat_template(self, chat_history: list[dict], add_generation_prompt: bool = True) -> str:
        """The conversation as text; without a generation prompt, its last turn is left open, to be continued.

        Args:
            chat_history: its turns.
            add_generation_prompt: whether the assistant is to answer.
        """
        arguments = (
            self.chat.arguments if add_generation_prompt else {**self.chat.arguments, "continue_final_message": True}
        )
        # the harness has put the system prompt before the task's own description already
        chat = Chat(self.chat.tokenizer, None, arguments)
        try:
            return chat.render(chat_history, add_generation_prompt=add_generation_prompt)
        except jinja2.TemplateError:
            # some templates (Gemma's) take no system turn; the harness would silently drop the task's description
            if len(chat_history) < 2 or (chat_history[0]["role"], chat_history[1]["role"]) != ("system", "user"):
                raise
            system, user, *rest = chat_history
            merged = {"role": "user", "content": f"{system['content']}\n\n{user['content']}"}
            return chat.render([merged, *rest], add_generation_prompt=add_generation_prompt)

    def generate_until(self, requests: list, disable_tqdm: bool = False) -> list[str]:
        """Responses to prompts; a prompt that the harness would cut on the left is an error."""
        for request in requests:
            prompt, settings = request.args[:2]
            length, new = len(self.tok_encode(prompt)), settings.get("max_gen_toks", self.max_gen_toks)
            if length + new > self.max_length:
                raise UserError(
                    f"task {request.task_name}, item {request.doc_id}: a prompt of {length:,} tokens and {new:,} new "
                    f"ones are more than the model's {self.max_length:,}; lower max_new_tokens or num_fewshot, "
                    "or drop the task"
                )
        if self.sampler:
            unload(self.model)
        with self._progress(len(requests)):
            return super().generate_until(requests, disable_tqdm=True)

    def loglikelihood(self, requests: list, disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        """Log-likelihood of continuations, and whether greedy decoding would give them."""
        with self._progress(len(requests)):
            return super().loglikelihood(requests, disable_tqdm=True)

    @contextmanager
    def _progress(self, n_requests: int) -> Iterator[None]:
        self.progress = Progress(n_requests, "requests")
        yield
        # several continuations may share one row of a batch
        if (left := n_requests - self.progress.items) > 0:
            self.progress.add(left)

    def scored(self, rows: int) -> None:
        """Count the rows of a forward pass."""
        self.progress.add(rows)

    def generate_batch(
        self, context: torch.Tensor, attention_mask: torch.Tensor, max_length: int, stop: list[str]
    ) -> torch.Tensor:
        """Continue a batch of prompts greedily, and count the tokens that took. Args: as of `HookedModel`."""
        prompts = [row[mask.bool()].tolist() for row, mask in zip(context, attention_mask, strict=True)]
        greedy = {"temperature": 0, "max_new_tokens": max_length - context.shape[1]}
        if self.sampler:
            # knows no strings to stop at; the harness cuts the text behind the first one anyway
            output = self._appended(context, self.sampler(self.ends, prompts, [0] * len(prompts), greedy))
        elif set(stop) <= {self.tokenizer.decode([end]) for end in self.ends}:
            new = generate_batch(self.model, self.chat.end_of_turn_ids, prompts, [0] * len(prompts), greedy)
            output = self._appended(context, new)
        else:
            ends = sorted(self.ends)
            output = self.plain_generation(
                context, attention_mask, max_length, stop, do_sample=False, eos_token_id=ends
            )
        new_ids = output[:, context.shape[1] :].tolist()
        counts = [next((n for n, token in enumerate(ids, start=1) if token in self.ends), len(ids)) for ids in new_ids]
        self.progress.add(len(counts), sum(counts))
        return output

    def _appended(self, context: torch.Tensor, new: list[list[int]]) -> torch.Tensor:
        return torch.cat([context, pad(new, self.tokenizer.pad_token_id).to(context.device)], dim=1)
