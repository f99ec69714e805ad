"""A prompt as a conversation's turns, without the marks that a chat template puts around them.

Evaluations keep the text that a model was given. The marks are those of the families of chat templates that studies
use; a text with none of them is one turn. This is for reading: what a model saw is in the evaluation's table.
"""

import re
from typing import NamedTuple


class Turn(NamedTuple):
    """Who speaks, and what."""

    role: str
    text: str


ROLES = {"model": "assistant", "human": "user"}
NO_ROLE = "prompt"

# by family: how a turn starts, its role in the group `role`, and what ends one
_FAMILIES = (
    (re.compile(r"<\|im_start\|>(?P<role>\w+)\n"), r"<\|im_end\|>\n?"),  # ChatML: SmolLM2, Qwen
    (re.compile(r"<\|start_header_id\|>(?P<role>\w+)<\|end_header_id\|>\n\n"), r"<\|eot_id\|>"),  # Llama 3
    (re.compile(r"<start_of_turn>(?P<role>\w+)\n"), r"<end_of_turn>\n?"),  # Gemma 2
    (re.compile(r"<\|(?P<role>system|user|assistant)\|>\n"), r"<\|endoftext\|>\n?"),  # OLMo 2
)
_MISTRAL = re.compile(r"\[INST\](.*?)\[/INST\](.*?)(?=</s>|\[INST\]|$)", re.DOTALL)
_BEGINS = re.compile(r"^(<\|begin_of_text\|>|<bos>|<s>|<\|endoftext\|>)+")


def turns(prompt: str) -> list[Turn]:
    """The turns of a prompt; an empty last one, which asks the model to answer, is left out."""
    text = _BEGINS.sub("", prompt)
    for start, end in _FAMILIES:
        if start.match(text):
            return [turn for turn in _split(text, start, end) if turn.text]
    if text.startswith("[INST]"):
        pairs = _MISTRAL.findall(text)
        found = [
            Turn(role, part.strip()) for pair in pairs for role, part in zip(("user", "assistant"), pair, strict=True)
        ]
        return [turn for turn in found if turn.text]
    return [Turn(NO_ROLE, prompt)]


def _split(text: str, start: re.Pattern[str], end: str) -> list[Turn]:
    marks = list(start.finditer(text))
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    return [
        Turn(ROLES.get(mark["role"], mark["role"]), re.sub(rf"(?:{end})\s*$", "", text[mark.end() : stop]).strip())
        for mark, stop in zip(marks, ends, strict=True)
    ]
