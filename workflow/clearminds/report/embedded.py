"""Data for the page's script, written so that no text in it can end its element."""

import json


def embedded(value: object) -> str:
    """JSON to stand in an element of a page: without what could end that element or begin another."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
