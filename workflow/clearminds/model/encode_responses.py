"""Responses in their templated conversations, ready for a forward pass."""

from collections.abc import Iterable, Iterator, Mapping
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
) -> tuple[list[Sequence], dict[str, int]]:
    """Tokenise every response after its example's prompt.

    Args:
        examples: rows of the contract EXAMPLES.
        chat, responses, limit: as of `encoding`.

    Returns:
        the sequences in the order of the responses, and how many were left out, as of `encoding`.

    Raises:
        UserError: as of `encoding`.
    """
    left_out: dict[str, int] = {}
    messages = {row["example_id"]: row["messages"] for row in examples}
    return list(encoding(chat, messages, responses, limit, left_out)), left_out


def encoding(
    chat: Chat,
    messages: Mapping[str, list[dict]],
    responses: Iterable[dict],
    limit: int,
    left_out: dict[str, int],
) -> Iterator[Sequence]:
    """Tokenise every response after its example's prompt, one at a time.

    Args:
        chat: the tokenizer with its template, and what special tokens in texts are.
        messages: the turns of each example by its id.
        responses: rows of the contract RESPONSES.
        limit: most tokens of a conversation that the model can take.
        left_out: is filled with how many were left out: `cut` at generation's length limit (they have no end of turn),
            `too_long` for the model, `merged`: samples that begin with blanks which the tokenizer merges into the
            prompt, and, if there are any, `special_tokens`: samples whose text holds one that it may not hold.

    Raises:
        UserError: a prompt, or a reference, which its author can fix, holds a special token that it may not hold, or
            a reference merges with its prompt.
    """
    left_out |= {"cut": 0, "too_long": 0, "merged": 0}
    for row in responses:
        if row["finish_reason"] == "length":
            left_out["cut"] += 1
            continue
        turns = messages[row["example_id"]]
        name = f"example {row['example_id']}, sample {row['sample']}"
        try:
            encoded = chat.encode(turns, row["response"], name)
        except SpecialTokenError:
            chat.prompt_ids(turns, name)  # the prompt's are an author's too
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
        yield Sequence(row["example_id"], row["sample"], encoded)
