"""Responses in their templated conversations, ready for a forward pass."""

from dataclasses import dataclass

from clearminds.model.conversation import Chat, MergedPromptError
from clearminds.model.encoded import Encoded
from clearminds.model.text_tokens import SpecialTokenError


@dataclass(frozen=True)
class Sequence:
    """A response in its templated conversation."""

    example_id: str
    sample: int
    encoded: Encoded


def encode_responses(
    chat: Chat, examples: list[dict], responses: list[dict], limit: int
) -> tuple[list[Sequence], dict]:
    """Tokenise every response after its example's prompt.

    Args:
        chat: the tokenizer with its template, and what special tokens in texts are.
        examples, responses: rows of the contracts of these names.
        limit: most tokens of a conversation that the model can take.

    Returns:
        the sequences in the order of the responses, and how many were left out: `cut` at generation's length limit
        (they have no end of turn), `too_long` for the model, `merged`: samples that begin with blanks which the
        tokenizer merges into the prompt, and, if there are any, `special_tokens`: samples whose text holds one that it
        may not hold.

    Raises:
        UserError: a prompt, or a reference, which its author can fix, holds a special token that it may not hold, or
            a reference merges with its prompt.
    """
    by_id = {row["example_id"]: row for row in examples}
    sequences, left_out = [], {"cut": 0, "too_long": 0, "merged": 0}
    for row in responses:
        if row["finish_reason"] == "length":
            left_out["cut"] += 1
            continue
        messages = by_id[row["example_id"]]["messages"]
        name = f"example {row['example_id']}, sample {row['sample']}"
        try:
            encoded = chat.encode(messages, row["response"], name)
        except SpecialTokenError:
            chat.prompt_ids(messages, name)  # the prompt's are an author's too
            if row["finish_reason"] == "reference":
                raise
            left_out["special_tokens"] = left_out.get("special_tokens", 0) + 1
            continue
        except MergedPromptError:
            if row["finish_reason"] == "reference":
                raise
            left_out["merged"] += 1
            continue
        if len(encoded.input_ids) > limit:
            left_out["too_long"] += 1
            continue
        sequences.append(Sequence(row["example_id"], row["sample"], encoded))
    return sequences, left_out
