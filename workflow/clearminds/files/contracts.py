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
