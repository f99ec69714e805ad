"""How many examples of a task hold special tokens' strings, and what is said of it before anything is computed."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from clearminds.model.conversation import Chat
from clearminds.model.text_tokens import INSTEAD_OF_REFUSING, SpecialTokenError

log = logging.getLogger("clearminds")


@dataclass(frozen=True)
class SpecialTokens:
    """What examples hold of a tokenizer's special tokens.

    Attributes:
        examples: how many hold one or more.
        first: the id of the first of these; None: there is none.
        token: the first special token in that one.
    """

    examples: int
    first: str | None = None
    token: str | None = None


def special_tokens_in(chat: Chat, texts: Iterable[tuple[str, str]]) -> SpecialTokens:
    """Count the examples that hold special tokens' strings.

    Args:
        chat: the tokenizer.
        texts: of examples, each with the example's id, as `texts_of` gives them; an example may have many.
    """
    found: dict[str, str] = {}
    for example_id, text in texts:
        if example_id not in found and (token := chat.texts.first_in(text)):
            found[example_id] = token
    return SpecialTokens(len(found), *next(iter(found.items()), (None, None)))


def texts_of(examples: Iterable[dict], *, references: bool) -> Iterator[tuple[str, str]]:
    """The texts of examples, each with the example's id.

    Args:
        examples: rows of the contract EXAMPLES.
        references: whether the references are among them.
    """
    for example in examples:
        for message in example["messages"]:
            yield example["example_id"], message["content"]
        if references:
            yield example["example_id"], example["reference"]


def check_responses(chat: Chat, task: str, examples: Iterable[dict], responses: Iterable[dict]) -> None:
    """What `check_special_tokens` does, for responses in their conversations.

    Args:
        chat, task: as of `special_token_warning`.
        examples, responses: rows of the contracts; the responses are gone through twice.
    """

    def written(by_authors: bool) -> Iterator[tuple[str, str]]:
        for row in responses:
            if (row["finish_reason"] == "reference") is by_authors:
                yield row["example_id"], row["response"]

    texts = chain(texts_of(examples, references=False), written(by_authors=True))
    check_special_tokens(chat, task, texts, written(by_authors=False))


def check_special_tokens(
    chat: Chat, task: str, texts: Iterable[tuple[str, str]], samples: Iterable[tuple[str, str]] = ()
) -> None:
    """Refuse a task whose texts hold special tokens' strings, or warn of them. Args and errors: as of the following."""
    if line := special_token_warning(chat, task, texts, samples):
        log.warning("%s", line)


def special_token_warning(
    chat: Chat, task: str, texts: Iterable[tuple[str, str]], samples: Iterable[tuple[str, str]] = ()
) -> str | None:
    """What there is to say of the special tokens' strings in a task's texts, by what its `special_tokens` says.

    Args:
        chat: the tokenizer, with the task's `special_tokens`.
        task: its id.
        texts: as of `special_tokens_in`.
        samples: likewise, what a model wrote: it is counted, but no reason to refuse the task.

    Returns:
        a line; None where there is none or they are ordinary text.

    Raises:
        SpecialTokenError: the task refuses them.
    """
    if chat.special_tokens == "as_text":
        return None
    refused = chat.special_tokens == "refuse"
    found = special_tokens_in(chat, texts if refused else chain(texts, samples))
    if not found.examples:
        return None
    which = f"task {task}: example {found.first} holds the special token {found.token!r} ({found.examples} examples"
    if refused:
        raise SpecialTokenError(f"{which} hold one); {INSTEAD_OF_REFUSING}")
    return (
        f"{which} hold one): the model sees the token itself there; special_tokens of the task can be as_text or refuse"
    )
