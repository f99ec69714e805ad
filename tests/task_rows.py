"""Rows of tasks: columns that tests name, a conversation, and what they ask."""

PAIR = {"prompt": "question", "response": "reply"}
CHAT = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}]


def questions(rows: list[dict]) -> list[str]:
    """The first message of each row."""
    return [row["messages"][0]["content"] for row in rows]
