"""A model's tokenizer with its chat template: put in place, loaded, and tried on a conversation."""

import traceback
from pathlib import Path
from typing import Any

from clearminds.errors import UserError
from clearminds.files.tables import write_json, write_text
from clearminds.files.user_path import located
from clearminds.model.conversation import Chat
from clearminds.stages.fetching.origins import is_reached, place
from clearminds.stages.fetching.wording import reason

TEMPLATE = "chat_template.jinja"
QUESTION, ANSWER = "Hello", "Hello there."


def load_chat(chosen: Any, folder: Path) -> Chat:
    """Put an overriding template in place, leave the chat settings beside it, and load the tokenizer with both.

    Args:
        chosen: the `ChatTemplate` of the model's origin.
        folder: of the model.

    Raises:
        UserError: no such template, no tokenizer, or a tokenizer without a chat template.
    """
    from transformers import AutoTokenizer

    if chosen.file:
        _replace(folder / TEMPLATE, chosen.file)
    try:
        # a tokenizer's own Python is run by no stage; said, so that nobody is asked for it on the terminal
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except MemoryError:
        raise
    except Exception as error:  # damaged files make the libraries raise anything
        raise UserError(
            f"models: {folder.name}: its tokenizer cannot be loaded ({reason(error)}); save one beside the weights"
        ) from error
    if not tokenizer.chat_template:
        raise UserError(
            f"models: {folder.name}: its tokenizer has no chat template; use an instruct model, or name a Jinja file "
            "with chat_template: {file: PATH}"
        )
    chat = Chat(tokenizer, chosen.system, chosen.arguments or {})
    write_json(folder / "chat.json", {"system": chat.system, "arguments": chat.arguments})
    return chat


def _replace(target: Path, file: str) -> None:
    where = f"models: chat_template: file: {place(file)}"
    is_reached(located(file), where)
    try:
        text = located(file).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, UnicodeDecodeError) as error:
        raise UserError(f"{where} is not a text file ({error}); name a Jinja file") from error
    target.unlink(missing_ok=True)
    write_text(target, text)


def described(chat: Chat) -> dict:
    """What identifies a template with its settings."""
    return {
        "template": chat.tokenizer.chat_template,  # type: ignore[attr-defined]  # of transformers' tokenizers
        "system": chat.system,
        "arguments": chat.arguments,
    }


def try_chat(chat: Chat, chosen: Any, folder: Path) -> list[int]:
    """Render and tokenise a short conversation as every later stage would.

    Args:
        chat: of `load_chat`, whose other arguments are as there.

    Returns:
        its token ids.

    Raises:
        UserError: the template does not compile or refuses the conversation; or the response cannot be told from the
            prompt, or has no end.
    """
    asked = [{"role": "user", "content": QUESTION}]
    try:
        return chat.encode(asked, ANSWER, f"models: {folder.name}: {QUESTION!r}, answered by {ANSWER!r}").input_ids
    except (UserError, MemoryError):
        raise
    except Exception as error:  # a template is a program, which may raise anything
        raise UserError(
            f"models: {folder.name}: chat template {_template(chosen, folder)}{_line(error)}: {reason(error)}, in a "
            f"conversation of {'the system prompt, ' if chat.system is not None else ''}a user's turn and an answer; "
            "fix it, name another with chat_template: {file: PATH}, or change its system or arguments"
        ) from error


def _template(chosen: Any, folder: Path) -> str:
    if chosen.file:
        return str(located(chosen.file))
    return TEMPLATE if (folder / TEMPLATE).exists() else "in tokenizer_config.json"


def _line(error: Exception) -> str:
    """Where in the template an error is: jinja says so of syntax, and names it in the traceback of others."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename in ("<template>", "<unknown>")]
    number = getattr(error, "lineno", None) or (lines[-1] if lines else None)
    return f", line {number}" if number else ""
