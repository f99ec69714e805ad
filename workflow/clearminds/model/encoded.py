"""One templated conversation as token ids."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Encoded:
    """One conversation.

    Attributes:
        text: the rendered conversation.
        input_ids: its token ids, all of them.
        n_prompt: how many of them are the prompt, the generation prompt included.
        n_response: how many after these are the response, the end-of-turn token included.
        spans: per response token, its (start, end) in characters of `text`.
    """

    text: str
    input_ids: list[int]
    n_prompt: int
    n_response: int
    spans: list[tuple[int, int]]

    @property
    def response_ids(self) -> list[int]:
        """The ids of the response's tokens."""
        return self.input_ids[self.n_prompt : self.n_prompt + self.n_response]
