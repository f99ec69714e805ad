"""Whether a model whose cache is more than keys and values of tokens answers behind padding as it does without."""

from weakref import WeakKeyDictionary

import torch
from transformers import GenerationConfig

from clearminds.model.cache_trials import STRIDE, TRIED, within_noise
from clearminds.model.causal_model import CausalModel
from clearminds.model.decoding import goes_on, own_settings_only
from clearminds.model.plain_cache import require_plain

SHORT = 3  # tokens of the text that is tried: windows and decay soon hide what lies before a longer one
STEPS = 4  # tokens of an answer that is tried: what runs through a text shows from the second on

_shows: WeakKeyDictionary[torch.nn.Module, bool] = WeakKeyDictionary()


@torch.inference_mode()
def padding_shows(model: CausalModel) -> bool:
    """Whether padding on the left changes an answer, as it does where states take it in (RecurrentGemma, MiniMax).

    Tried once for each model that has such states; of others a pass of one token tells that they have none.

    Args:
        model: causal language model in evaluation mode.
    """
    if model not in _shows:
        _shows[model] = not _plain(model) and _moves(model)
    return _shows[model]


def _plain(model: CausalModel) -> bool:
    if not goes_on(model):
        return False
    one = torch.zeros(1, 1, dtype=torch.long, device=next(model.parameters()).device)
    kinds = getattr(model(input_ids=one, use_cache=True), "past_key_values", None)
    try:
        require_plain(model, kinds)
    except NotImplementedError:
        return False
    return True


def _moves(model: CausalModel) -> bool:
    alone, behind = _answer(model), _answer(model, padding=TRIED)
    dtype = next(model.parameters()).dtype
    return not within_noise(_off(behind, alone), dtype, lambda: _off(_answer(model, rows=2), alone))


def _answer(model: CausalModel, padding: int = 0, rows: int = 1) -> torch.Tensor:
    """Log-probabilities of the first tokens of an answer, [`STEPS`, vocabulary]."""
    vocabulary, device = model.config.get_text_config().vocab_size, next(model.parameters()).device
    # the text is the last of these; padding of tokens that say something, as a model's own may be embedded as zeros
    text = [(STRIDE * n) % vocabulary for n in range(1, padding + SHORT + 1)]
    mask = torch.tensor([[0] * padding + [1] * SHORT] * rows, device=device)
    with own_settings_only(model):
        logits = model.generate(
            input_ids=torch.tensor([text[::-1]] * rows, device=device),
            attention_mask=mask,
            generation_config=GenerationConfig(
                max_new_tokens=STEPS,
                do_sample=False,
                pad_token_id=0,
                return_dict_in_generate=True,
                output_logits=True,
            ),
        ).logits
    return torch.stack([step[0].float().log_softmax(-1) for step in logits])


def _off(left: torch.Tensor, right: torch.Tensor) -> float:
    """The largest difference of a token in nats; of those that neither excludes."""
    there = ~(left.isinf() & right.isinf())
    return float((left - right)[there].abs().max())
