"""The columns of every table that stages hand to each other: names, Arrow types and order.

New columns go to the end; a change of meaning raises `VERSION`, and older files are then refused.
"""

from typing import NamedTuple

import pyarrow as pa

VERSION = 1


class Contract(NamedTuple):
    """The columns of one kind of table, and the name that its files bear in their metadata."""

    name: str
    schema: pa.Schema


MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string())])

EXAMPLES = Contract(
    "EXAMPLES",
    pa.schema(
        [
            ("example_id", pa.string()),  # unique in its task
            ("messages", pa.list_(MESSAGE)),  # the prompt: all turns before the response
            ("reference", pa.string()),  # the response that a human or a teacher wrote
            ("answer", pa.string()),  # what a verifier compares with
            ("meta", pa.string()),  # JSON
        ]
    ),
)

RESPONSES = Contract(
    "RESPONSES",
    pa.schema(
        [
            ("example_id", pa.string()),
            ("sample", pa.int16()),
            ("response", pa.string()),
            ("token_ids", pa.list_(pa.int32())),  # as sampled; null for references
            ("n_tokens", pa.int32()),
            ("finish_reason", pa.string()),  # stop, length, or reference
            ("seed", pa.int64()),  # of the sample's own random stream; null for references
        ]
    ),
)

VERDICTS = Contract(
    "VERDICTS",
    pa.schema(
        [
            ("example_id", pa.string()),
            ("sample", pa.int16()),
            ("verdict", pa.string()),  # one of VERDICT_VALUES
            ("detail", pa.string()),
        ]
    ),
)
VERDICT_VALUES = ("correct", "incorrect", "format_error", "timeout", "error", "unverified")

SEQUENCES = Contract(
    "SEQUENCES",
    pa.schema(
        [
            ("example_id", pa.string()),
            ("sample", pa.int16()),
            ("input_ids", pa.list_(pa.int32())),  # the templated conversation, tokenised once
            ("n_prompt", pa.int32()),
        ]
    ),
)

TOKEN_SCORES = Contract(
    "TOKEN_SCORES",
    pa.schema(
        [
            ("example_id", pa.string()),
            ("sample", pa.int16()),
            ("position", pa.int32()),  # 0 = first response token
            ("token_id", pa.int32()),
            ("token", pa.string()),
            ("char_start", pa.int32()),  # span in the rendered conversation
            ("char_end", pa.int32()),
            ("logprob", pa.float32()),  # natural log; perplexity is exp(-logprob)
            ("entropy", pa.float16()),  # nats
            ("entropy_top20", pa.float16()),  # nats, of the 20 likeliest tokens renormalised
            ("prob_sq_sum", pa.float16()),
            ("rank", pa.int32()),  # 0 = the model's first choice
        ]
    ),
)

# the columns of it that a model gives, in the order of `token_statistics`; the others say which token they are of
STATISTICS = ("logprob", "entropy", "entropy_top20", "prob_sq_sum", "rank")

MASKS = Contract(
    "MASKS",
    pa.schema(
        [
            ("task", pa.string()),
            ("source", pa.string()),
            ("example_id", pa.string()),
            ("sample", pa.int16()),
            ("input_ids", pa.list_(pa.int32())),
            ("weights", pa.list_(pa.float32())),  # 0 on the prompt and after the end-of-turn token
            ("n_kept", pa.int32()),
            ("n_response", pa.int32()),
        ]
    ),
)

EVALUATION = Contract(
    "EVALUATION",
    pa.schema(
        [
            ("eval_task", pa.string()),
            ("subtask", pa.string()),
            ("doc_id", pa.string()),
            ("doc_hash", pa.string()),  # what pairs items across runs
            ("metric", pa.string()),
            ("filter", pa.string()),  # strict, lenient, none, ...
            ("score", pa.float64()),
            ("n_tokens", pa.int32()),
            ("format_ok", pa.bool_()),  # null where no format was asked for
            ("prompt", pa.string()),
            ("target", pa.string()),
            ("response", pa.string()),
        ]
    ),
)

# --- analyses -------------------------------------------------------------------------------------------------------

WEIGHT_CHANGE = Contract(
    "WEIGHT_CHANGE",
    pa.schema(
        [
            ("variant", pa.string()),
            ("seed", pa.int64()),
            ("module", pa.string()),  # its whole name in the model
            ("layer", pa.int32()),  # null where the module is in none
            ("projection", pa.string()),  # its name in the layer
            ("norm", pa.float64()),  # Frobenius
            ("largest", pa.float64()),  # singular value
            ("effective_rank", pa.float64()),  # null where nothing changed
            ("singular_values", pa.list_(pa.float64())),  # the largest ones, in falling order
        ]
    ),
)

MASKED_TOKENS = Contract(
    "MASKED_TOKENS",
    pa.schema(
        [
            ("variant", pa.string()),
            ("draw", pa.int64()),  # seed of a rule that draws at random, else null
            ("class", pa.string()),  # numbers, identifiers, words, symbols or other
            ("tokens", pa.int64()),
            ("masked", pa.int64()),  # of these
        ]
    ),
)

MASK_AGREEMENT = Contract(
    "MASK_AGREEMENT",
    pa.schema(
        [
            ("variant", pa.string()),
            ("draw", pa.int64()),
            ("other", pa.string()),
            ("other_draw", pa.int64()),
            ("tokens", pa.int64()),  # of the responses that both train on
            ("masked", pa.int64()),  # by the variant
            ("masked_by_other", pa.int64()),
            ("masked_by_both", pa.int64()),
            ("jaccard", pa.float64()),  # of the masked tokens; null where neither masks any
            ("equal", pa.float64()),  # share of tokens with equal decisions
            ("kappa", pa.float64()),  # Cohen's; null where chance alone gives equal decisions
        ]
    ),
)

NLL_SHARES = Contract(
    "NLL_SHARES",
    pa.schema(
        [
            ("source", pa.string()),
            ("cut", pa.string()),  # tokens: a share of them was given; perplexity: their least perplexity
            ("tokens", pa.int64()),  # of the highest loss
            ("token_share", pa.float64()),  # 0 to 1
            ("nll_share", pa.float64()),  # of all loss, held by them; null where there is none
            ("perplexity", pa.float64()),  # the least among them, or the limit that they are above
        ]
    ),
)

CONVERGENCE = Contract(
    "CONVERGENCE",
    pa.schema(
        [
            ("variant", pa.string()),
            ("seed", pa.int64()),
            ("step", pa.int32()),  # optimiser steps that were taken; 0: before the first
            ("loss", pa.float64()),  # nats per response token
            ("tokens", pa.int64()),
        ]
    ),
)

GRADIENT_NORMS = Contract(
    "GRADIENT_NORMS",
    pa.schema(
        [
            ("source", pa.string()),
            ("batch", pa.int32()),
            ("examples", pa.int32()),  # of the batch
            ("perplexity", pa.float64()),  # the limit
            ("tokens", pa.int64()),
            ("tokens_above", pa.int64()),  # of a higher perplexity
            ("norm", pa.float64()),  # of the gradient of the batch's mean loss
            ("norm_above", pa.float64()),  # of the part that the tokens above give
            ("norm_rest", pa.float64()),  # of the part of all others
            ("cosine", pa.float64()),  # of the angle between these two; null where one of them is 0
        ]
    ),
)

SELF_BLEU = Contract(
    "SELF_BLEU",
    pa.schema(
        [
            ("variant", pa.string()),
            ("responses", pa.int64()),
            ("distinct", pa.int64()),
            ("self_bleu", pa.float64()),  # 0 to 100; null where there is one response
        ]
    ),
)
