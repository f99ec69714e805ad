"""Responses to train on: references as they are, or samples of the model, of which the store keeps every one."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa

from clearminds.errors import NoNumbers, UserError
from clearminds.files.settings import as_keys, settings
from clearminds.model.conversation import Chat
from clearminds.model.loading import Loading
from clearminds.model.streams import stream_seed
from clearminds.plugins.load import load
from clearminds.progress import Progress
from clearminds.reuse.fill_store import fill
from clearminds.reuse.store import Store, key_of

VALUES = pa.schema([("token_ids", pa.list_(pa.int32()))])
STREAM = ("temperature", "top_p", "max_new_tokens", "seed")  # what a sample depends on beside prompt and number


@settings
class Source:
    """How a source samples; of `reference`, whose responses are copied, only its kind.

    Attributes:
        kind: a module of `plugins/sources`.
        samples: per prompt.
        temperature: 0 is greedy.
        top_p: the nucleus; 1.0 keeps every token.
        max_new_tokens: the length limit of a response.
        seed: of the samples' random streams.
        dtype: of the model's weights.
        backend: a module of `model/backends`; None: transformers.
    """

    kind: str
    samples: int = 1
    temperature: float = 0
    top_p: float = 1.0
    max_new_tokens: int = 0
    seed: int = 0
    dtype: str = ""
    backend: str | None = None


@settings
class Settings:
    """What the responses depend on.

    Attributes:
        source: how it samples.
        loading: of the model; None where none samples.
        special_tokens: of the task, as of `Chat`.
    """

    source: Source
    loading: Loading | None = None
    special_tokens: str | None = None


@settings
class Runtime:
    """How it runs.

    Attributes:
        store: folder of the stores.
        generate_tokens: most tokens of a batch, prompts and new ones together.
        part_seconds: between two parts of the store: what a kill loses at most, beside the batch that runs.
        vllm_python: the interpreter that has vLLM, seen from the checkout.
    """

    store: str
    generate_tokens: int
    part_seconds: float
    vllm_python: str


def response_store(
    folder: Path, generator: str, chat: Chat, source: Source, loading: Loading, model_type: str = ""
) -> Store:
    """The store's namespace of a generator.

    Args:
        folder: the store.
        generator: fingerprint of its weights.
        chat: its tokenizer, whose end-of-turn tokens end a response.
        source: of it the dtype and the backend.
        loading: of the generator.
        model_type: of its config; of some the backend has a version of its arithmetic of its own.
    """
    sampler = load("backends", source.backend or "transformers").Sampler
    about = {
        "generator": generator,
        "ends": sorted(chat.end_of_turn_ids),
        "dtype": source.dtype,
        "loading": as_keys(loading),
        "arithmetic": getattr(sampler, "of_type", {}).get(model_type, sampler.arithmetic),
        **({"backend": source.backend} if source.backend else {}),
    }
    return Store(Path(folder) / "responses", about, VALUES)


def texts_used(examples: list[dict], source: Source) -> Iterator[tuple[str, str]]:
    """What a source's responses come from: its prompts or, with theirs, the references; each with its example's id."""
    ask = load("sources", source.kind).prompt
    for example in examples:
        for message in ask(example) or [*example["messages"], {"content": example["reference"]}]:
            yield example["example_id"], message["content"]


def reference_rows(examples: list[dict], count_tokens) -> list[dict]:
    """The contract RESPONSES for references. Args: the examples; a function from text to its number of tokens."""
    return [
        {
            "example_id": example["example_id"],
            "sample": 0,
            "response": example["reference"],
            "token_ids": None,
            "n_tokens": count_tokens(example["reference"]),
            "finish_reason": "reference",
            "seed": None,
        }
        for example in examples
    ]


def generate(
    store: Store,
    sampler: Callable[..., list[list[int]]],
    chat: Chat,
    examples: list[dict],
    source: Source,
    runtime: Runtime,
    shard: str = "",
) -> tuple[list[dict], Progress, dict[str, int]]:
    """Sample responses, computing only those that the store lacks.

    Args:
        store: from `response_store`.
        sampler: ends, prompts, seeds and source to new token ids per prompt, as `sampling.generate_batch` does with a
            model; called only if there is something to compute.
        chat: its tokenizer with the template.
        examples: rows of the contract EXAMPLES.
        source: how it samples.
        runtime: sizes of batches and parts.
        shard: see `fill_store.fill`; no rows are returned then.

    Returns:
        rows of the contract RESPONSES, ordered by example and sample; the progress with its rate; and how many samples
        were asked for, found and computed.
    """
    ask = load("sources", source.kind).prompt
    prompts = [chat.prompt_ids(ask(example), f"example {example['example_id']}") for example in examples]
    rows = [(i, sample) for i in range(len(examples)) for sample in range(source.samples)]
    settings = [getattr(source, name) for name in STREAM]
    keys = [key_of([prompts[i], sample, *settings]) for i, sample in rows]
    seeds = [stream_seed(prompts[i], sample, source.seed) for i, sample in rows]

    decoding = as_keys(source)

    def compute(indices: list[int]) -> tuple[list[dict], int]:
        asked, streams = [prompts[rows[n][0]] for n in indices], [seeds[n] for n in indices]
        try:
            outputs = sampler(chat.end_of_turn_ids, asked, streams, decoding)
        except NoNumbers as error:
            example = examples[rows[indices[error.row or 0]][0]]["example_id"]
            raise UserError(f"example {example}: {error}") from error
        return [{"token_ids": ids} for ids in outputs], sum(map(len, outputs))

    lengths = [len(prompts[i]) + source.max_new_tokens for i, _ in rows]
    progress, counts = fill(
        store,
        keys,
        lengths,
        compute,
        batch_tokens=runtime.generate_tokens,
        part_seconds=runtime.part_seconds,
        what="responses",
        shard=shard,
    )
    if shard:
        return [], progress, counts
    found = {row["key"]: row["token_ids"] for row in store.find(keys).to_pylist()}
    made = [
        _row(chat, examples[i]["example_id"], sample, seed, found[key])
        for (i, sample), seed, key in zip(rows, seeds, keys, strict=True)
    ]
    return made, progress, counts


def _row(chat: Chat, example_id: str, sample: int, seed: int, ids: list[int]) -> dict:
    stopped = bool(ids) and ids[-1] in chat.end_of_turn_ids
    return {
        "example_id": example_id,
        "sample": sample,
        "response": chat.tokenizer.decode(ids, skip_special_tokens=True),
        "token_ids": ids,
        "n_tokens": len(ids),
        "finish_reason": "stop" if stopped else "length",
        "seed": seed,
    }
