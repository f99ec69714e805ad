"""Checked texts and conversations of a user's data; every error names the row."""

from clearminds.errors import UserError

ROLES = ("system", "user", "assistant")
TOOL_ROLES = ("tool", "function")
TOOL_KEYS = ("tool_calls", "function_call")


def turns_of(where: str, messages: object) -> list[dict]:
    """A checked conversation: a system turn or none, then user and assistant in turn, the user first."""
    if not isinstance(messages, list) or not all(isinstance(turn, dict) for turn in messages):
        raise UserError(f"{where}: messages must be a list of objects with role and content")
    for number, turn in enumerate(messages, 1):
        _refuse_tools(f"{where}: message {number}", turn)
        if not {"role", "content"} <= turn.keys():
            raise UserError(f"{where}: message {number} must have role and content; found: {', '.join(map(str, turn))}")
        if turn["role"] not in ROLES:
            raise UserError(f"{where}: message {number} has role {turn['role']!r}; allowed: {', '.join(ROLES)}")
    turns = [
        {"role": turn["role"], "content": _content(where, f"message {number}", turn["content"])}
        for number, turn in enumerate(messages, 1)
    ]
    roles = [turn["role"] for turn in turns]
    spoken = roles[1:] if roles[:1] == ["system"] else roles
    if not spoken or spoken != [("user", "assistant")[number % 2] for number in range(len(spoken))]:
        raise UserError(
            f"{where}: messages must be a system turn or none, then user and assistant in turn; found: "
            f"{', '.join(roles) or 'nothing'}"
        )
    return turns


def _refuse_tools(which: str, turn: dict) -> None:
    call = next((key for key in TOOL_KEYS if turn.get(key)), None)
    if call or turn.get("role") in TOOL_ROLES:
        found = f"has {call}" if call else f"has role {turn['role']!r}"
        raise UserError(
            f"{which} {found}: tool calls are not supported; take such rows out, or write the calls into content"
        )


def _content(where: str, what: str, value: object) -> str:
    """A message's text; that of a list of parts is theirs one after the other, as chat templates write them."""
    return text_of(
        where, what, "".join(_part(where, what, part) for part in value) if isinstance(value, list) else value
    )


def _part(where: str, what: str, part: object) -> str:
    kind = part.get("type") if isinstance(part, dict) else type(part).__name__
    if not isinstance(part, dict) or kind != "text":
        raise UserError(
            f"{where}: {what} has a part of type {kind!r}; allowed: parts of type 'text'; take it or the row out"
        )
    if not isinstance(part.get("text"), str):
        raise UserError(f"{where}: {what} has a part of type 'text' without a text; take it out")
    return part["text"]


def text_of(where: str, what: str, value: object) -> str:
    """A text that is there and can be stored. Args: the row; what the text is; what was found for it."""
    if value is None or (isinstance(value, str) and not value.strip()):
        raise UserError(f"{where}: empty {what}; fill it in or take the row out")
    if not isinstance(value, str):
        raise UserError(f"{where}: {what} must be text; found {type(value).__name__}")
    return encodable(where, what, value)


def encodable(where: str, what: str, text: str) -> str:
    """The text, unless no file could store it: JSON can hold half a character, a lone surrogate, "\\ud83d"."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UserError(f"{where}: {what} is not valid Unicode ({error.reason}); fix the text") from error
    return text
