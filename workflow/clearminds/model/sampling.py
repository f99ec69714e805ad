"""Sampling responses from a model: the arithmetic of sampling, and nothing else.

Every sample has a random stream of its own, keyed by its prompt's token ids and its number: one uniform number per
token, turned into a token by the inverse of the cumulative distribution. So neither the other rows of a batch, nor
asking for more samples, nor the device changes a sample's stream. (Gumbel noise would do the same with a draw per token
of the vocabulary: on a CPU that costs as much as a small model's forward pass.)
"""

import logging
from collections.abc import Iterable

import torch
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList
from transformers.cache_utils import DynamicCache

from clearminds.errors import NoNumbers
from clearminds.model.causal_model import CausalModel
from clearminds.model.decoding import contiguous_before_head, goes_on, own_settings_only
from clearminds.model.no_numbers import Watched, name_of
from clearminds.model.one_query import one_query_masked
from clearminds.model.padding import pad
from clearminds.model.padding_trials import padding_shows
from clearminds.model.plain_cache import NO_CACHE, begun, chosen, copies
from clearminds.model.shared_prefixes import worth_sharing

log = logging.getLogger("clearminds")

# Version of the samples, part of the name of the store's namespace. Raise it when the same model, dtype, prompt and
# seed give other tokens than before, beyond rounding: after a change here, or of what logits come from in `batches`,
# `decoding` or `load`. Code that gives the same tokens keeps it, and so finds what has been sampled.
ARITHMETIC = 1
# The version of models of these types, by `model_type` of their config: in 1 their tokens were wrong where prompts of
# one batch began alike, as these models count places, those of padding too (see `plain_cache.begun`).
OF_TYPE = {"gpt_neo": 2, "mpt": 2}
ROUND = 16  # new tokens after which finished rows leave a batch
ROUND_ON_CPU = 4  # there a row costs as much whether it has ended or not, and a new round little


class SeededSampling(LogitsProcessor):
    """Turns greedy decoding into sampling with one random stream per row.

    Args:
        seeds: one per row of the batch.
        source: temperature (above 0), top_p (the nucleus; 1.0 keeps every token) and max_new_tokens.
        prompt_length: padded length of the prompts.
    """

    def __init__(self, seeds: list[int], source: dict, prompt_length: int):
        self.temperature, self.top_p, self.prompt_length = source["temperature"], source["top_p"], prompt_length
        # drawn on the CPU in one go, so that the stream is the same on every device
        draw = (torch.rand(source["max_new_tokens"], generator=torch.Generator().manual_seed(seed)) for seed in seeds)
        self.uniforms = torch.stack(list(draw)).double()

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """0 for the token drawn, -inf for all others: [rows, vocabulary]."""
        probs = (scores / self.temperature).softmax(-1)
        tokens, probs = nucleus(probs, self.top_p) if self.top_p < 1 else (None, probs)
        cumulative = probs.double().cumsum(-1)
        uniform = self.uniforms[:, input_ids.shape[1] - self.prompt_length].to(scores.device)
        drawn = (
            (cumulative <= (uniform * cumulative[:, -1])[:, None]).sum(-1, keepdim=True).clamp_max(probs.shape[1] - 1)
        )
        chosen = drawn if tokens is None else tokens.gather(1, drawn)
        return torch.full_like(scores, -torch.inf).scatter(1, chosen, 0.0)


def nucleus(probs: torch.Tensor, top_p: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The smallest set of likeliest tokens whose probability reaches `top_p`.

    Args:
        probs: [rows, vocabulary].
        top_p: below 1.

    Returns:
        tokens and probabilities [rows, k], likeliest first and of equal ones the lower id, 0 outside the nucleus.
        Partial sorts are tried first: a whole sort of a vocabulary costs more than a small model's forward pass.
    """
    k = min(128, probs.shape[1])
    while True:
        values, tokens = probs.topk(k, dim=-1)
        kept = values.cumsum(-1) - values < top_p
        # a partial sort cuts a run of equal values anywhere, so it must reach past the run that ends the nucleus
        if k == probs.shape[1] or bool((values[:, -1] < values.where(kept, torch.inf).amin(-1)).all()):
            break
        k = min(8 * k, probs.shape[1])
    # nor does it order them, and the order must not depend on k, which the other rows have a say in
    tokens, order = tokens.sort(dim=-1)
    values, order = values.gather(1, order).sort(dim=-1, descending=True, stable=True)
    return tokens.gather(1, order), values * kept


@torch.inference_mode()
def generate_batch(
    model: CausalModel, ends: Iterable[int], prompts: list[list[int]], seeds: list[int], source: dict
) -> list[list[int]]:
    """Sample or decode one batch.

    Args:
        model: causal language model in evaluation mode.
        ends: token ids that end a turn.
        prompts: token ids of each row's prompt; rows with equal ones share its forward pass.
        seeds: of each row's random stream.
        source: temperature (0 is greedy), top_p, max_new_tokens.

    Returns:
        new token ids per prompt, the end-of-turn token included where the model came to it.

    Raises:
        NoNumbers: a token's logits are NaN, or its largest is infinite.
    """
    if len({len(prompt) for prompt in prompts}) > 1 and padding_shows(model):
        return _by_length(model, ends, prompts, seeds, source)
    device = next(model.parameters()).device
    ends = sorted(ends)
    padding = ends[0]  # is masked, so that any will do
    # samples of one prompt share all of it but the last token, different ones what they begin with
    unique = list(dict.fromkeys(map(tuple, prompts)))
    row = {prompt: n for n, prompt in enumerate(unique)}
    rows = torch.tensor([row[tuple(prompt)] for prompt in prompts], device=device)
    shares = goes_on(model)
    common, cache = _beginning(model, unique, source["max_new_tokens"]) if shares else (0, None)
    input_ids = _behind([list(prompt) for prompt in unique], common, padding).to(device)
    attention_mask = _behind([[1] * len(prompt) for prompt in unique], common, 0).to(device)
    sampling = SeededSampling(seeds, source, input_ids.shape[1]) if source["temperature"] > 0 else None
    prompt_length, alive = input_ids.shape[1], list(range(len(prompts)))
    found: dict[int, list[int]] = {}
    with own_settings_only(model), contiguous_before_head(model), one_query_masked(model):
        if shares and len(unique) < len(prompts) and prompt_length > 1:
            cache = _prefix(model, input_ids, attention_mask, rows, common, cache)
        input_ids, attention_mask = input_ids[rows], attention_mask[rows]
        # in rounds, so that rows which have ended their turn cost nothing while the longest go on; two of them where a
        # model hands no cache over, as each runs the whole texts then
        done = 0
        while done < source["max_new_tokens"]:
            left = source["max_new_tokens"] - done
            if cache is None:
                new = left if done else min(ROUND, left)
            else:
                new = min(ROUND_ON_CPU if device.type == "cpu" else ROUND, left)
            done += new
            watched = Watched()
            output = model.generate(
                input_ids=input_ids,
                attention_mask=attention_mask,
                **({} if cache is None else {"past_key_values": cache}),
                generation_config=GenerationConfig(
                    max_new_tokens=new,
                    do_sample=False,
                    eos_token_id=ends,
                    pad_token_id=padding,
                    return_dict_in_generate=True,
                ),
                logits_processor=LogitsProcessorList([watched, *([sampling] if sampling else [])]),
            )
            if (unsound := watched.first_unsound()) is not None:
                raise NoNumbers(f"{name_of(model)}: its logits of an answer's token are no numbers", alive[unsound])
            ids = [_until_end(row, set(ends)) for row in output.sequences[:, prompt_length:].tolist()]
            found |= dict(zip(alive, ids, strict=True))
            going = [n for n, row in enumerate(ids) if row[-1] not in ends]
            if not going:
                break
            kept = torch.tensor(going, device=device)
            fewer = kept if len(going) < len(alive) else None
            alive, input_ids = [alive[n] for n in going], output.sequences[kept]
            cache = chosen(output.past_key_values, fewer) if shares else None
            attention_mask = torch.cat(
                [attention_mask[kept], torch.ones_like(input_ids[:, attention_mask.shape[1] :])], 1
            )
            if sampling:
                sampling.uniforms = sampling.uniforms[going]
    return [found[n] for n in range(len(prompts))]


def _by_length(
    model: CausalModel, ends: Iterable[int], prompts: list[list[int]], seeds: list[int], source: dict
) -> list[list[int]]:
    """As `generate_batch`, without padding: prompts of one length at a time."""
    found: dict[int, list[int]] = {}
    for length in sorted({len(prompt) for prompt in prompts}):
        rows = [n for n, prompt in enumerate(prompts) if len(prompt) == length]
        try:
            new = generate_batch(model, ends, [prompts[n] for n in rows], [seeds[n] for n in rows], source)
        except NoNumbers as error:
            error.row = rows[error.row or 0]
            raise
        found |= dict(zip(rows, new, strict=True))
    return [found[n] for n in range(len(prompts))]


def _beginning(model: CausalModel, prompts: list[tuple[int, ...]], new: int) -> tuple[int, DynamicCache | None]:
    """How many tokens different prompts begin with, and a cache of these for each of them; 0, None: they run whole."""
    if not (common := worth_sharing(prompts)):
        return 0, None
    try:
        cache = begun(model, prompts[0][:common], max(map(len, prompts)) + new)
    except NO_CACHE as error:
        log.debug("prompts run whole: %s", error)
        return 0, None
    return common, copies(cache, torch.zeros(len(prompts), dtype=torch.long, device=next(model.parameters()).device))


def _behind(rows: list[list[int]], common: int, padding: int) -> torch.Tensor:
    """Rows of one length, padded on the left of what follows their common tokens: [rows, longest]."""
    rest = pad([row[common:] for row in rows], padding, left=True)
    return torch.cat([torch.tensor([row[:common] for row in rows], dtype=rest.dtype), rest], dim=1)


def _prefix(
    model: CausalModel,
    input_ids: torch.Tensor,
    attention_mask: torch.Tensor,
    rows: torch.Tensor,
    common: int,
    beginning: DynamicCache | None,
) -> DynamicCache | None:
    """The cache of each prompt but its last token, computed once per prompt and laid out by `rows`; None: of a model
    that hands none over. Args: beginning: of the first `common` tokens of each prompt, which is changed."""
    if common == input_ids.shape[1] - 1:
        return chosen(beginning, rows)
    output = model(
        input_ids=input_ids[:, common:-1],
        attention_mask=attention_mask[:, :-1],
        position_ids=(attention_mask.cumsum(-1) - 1).clamp_min(0)[:, common:-1],
        **({} if beginning is None else {"past_key_values": beginning}),
        use_cache=True,
        logits_to_keep=1,
    )
    return chosen(getattr(output, "past_key_values", None), rows)


def _until_end(ids: list[int], ends: set[int]) -> list[int]:
    last = next((n for n, token in enumerate(ids) if token in ends), len(ids) - 1)
    return ids[: last + 1]
