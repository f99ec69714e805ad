"""Generation: 8 samples a prompt of 4 word problems, temperature .7, top-p .95, bfloat16.

Peers: transformers' pipeline, which answers one prompt at a time unless told otherwise; `generate` on all of the
rows at once, prompts padded, as good as it gets; and vLLM's build for CPUs, in its own environment, as a study with
`backend: vllm` runs it. Compared are new tokens, the end of a turn included: samples differ.
"""

import corpus
import psutil
import torch
from catalogue import VLLM_PYTHON
from measured import Measured, Places, fastest, measure

from clearminds.model.backends.vllm import Sampler
from clearminds.model.loading import Loading
from clearminds.model.sampling import generate_batch
from clearminds.model.streams import stream_seed

SAMPLES = 8
SOURCE = {"temperature": 0.7, "top_p": 0.95, "max_new_tokens": 96}
FIRST = {**SOURCE, "max_new_tokens": 2}  # what sets a side up, not measured


def _prompts(places: Places, items: int) -> list[list[int]]:
    return [one.input_ids[: one.n_prompt] for one in corpus.single(places.model, items)]


def _asked(places: Places, items: int) -> tuple[list[list[int]], list[int]]:
    """Prompts, each as often as it is answered, and the seeds of the samples."""
    asked = [(prompt, n) for prompt in _prompts(places, items) for n in range(SAMPLES)]
    return [prompt for prompt, _ in asked], [stream_seed(prompt, n, 0) for prompt, n in asked]


def own(items: int, places: Places) -> Measured:
    """This project's sampler."""
    model, (prompts, seeds) = corpus.model(places.model, "bfloat16"), _asked(places, items)
    ends = corpus.chat(places.model).end_of_turn_ids

    def work() -> float:
        return float(sum(map(len, generate_batch(model, ends, prompts, seeds, SOURCE))))

    generate_batch(model, ends, prompts[:2], seeds[:2], FIRST)
    return measure(work)


def vllm(items: int, places: Places) -> Measured:
    """vLLM's build for CPUs, its start left out; seconds and memory are those of its process."""
    (prompts, seeds), ends = _asked(places, items), corpus.chat(places.model).end_of_turn_ids
    with Sampler(places.model, dtype="bfloat16", loading=Loading(), vllm_python=str(VLLM_PYTHON)) as answers:
        answers(ends, prompts[:2], seeds[:2], FIRST)

        def work() -> float:
            return float(sum(map(len, answers(ends, prompts, seeds, SOURCE))))

        return measure(work, process=psutil.Process(answers.engine.process.pid))


def pipeline(items: int, places: Places) -> Measured:
    """transformers' pipeline on a list of prompts; of the samples one a prompt, which is a rate as good as eight."""
    import transformers

    tokenizer = corpus.chat(places.model).tokenizer
    model = corpus.model(places.model, "bfloat16")
    generate = transformers.pipeline("text-generation", model=model, tokenizer=tokenizer)
    texts = [tokenizer.decode(prompt) for prompt in _prompts(places, items)]
    torch.manual_seed(0)

    def work() -> float:
        found = generate(texts, do_sample=True, return_tensors=True, **SOURCE)
        lengths = [len(answer["generated_token_ids"]) for (answer,) in found]
        return float(sum(lengths) - sum(len(tokenizer(text)["input_ids"]) for text in texts))

    return measure(work)


def generate(items: int, places: Places) -> Measured:
    """`generate` with `num_return_sequences`, on all prompts at once and on one after the other."""
    model, tokenizer = corpus.model(places.model, "bfloat16"), corpus.chat(places.model).tokenizer
    ends = corpus.chat(places.model).end_of_turn_ids
    texts = [tokenizer.decode(prompt) for prompt in _prompts(places, items)]

    def at_a_time(prompts: int) -> Measured:
        def work() -> float:
            return float(sum(answers(texts[n : n + prompts]) for n in range(0, items, prompts)))

        return measure(work)

    @torch.inference_mode()
    def answers(some: list[str]) -> int:
        given = tokenizer(some, return_tensors="pt", padding=True, padding_side="left")
        found = model.generate(**given, do_sample=True, num_return_sequences=SAMPLES, **SOURCE)
        new = found[:, given["input_ids"].shape[1] :].tolist()
        return sum(next((n for n, token in enumerate(row, start=1) if token in ends), len(row)) for row in new)

    torch.manual_seed(0)
    return fastest(map(at_a_time, {1, items}))
