"""The differences of two JSON values in words, such as the settings of a job before and now."""

import json

LONGEST = 60  # characters of a value


def differences(old: object, new: object, place: tuple[str, ...] = ()) -> list[str]:
    """The differences of two JSON values in words: the keys that lead to each, then both, as in `weights: tau 2 -> 3`.

    Args:
        old: a value.
        new: another.
        place: the keys that lead to both.
    """
    if _json(old) == _json(new):  # as texts: True and 1 are equal in Python
        return []
    if isinstance(old, dict) and isinstance(new, dict):
        found = [f"{_at(*place, key)} added{_value(new[key])}" for key in new if key not in old]
        found += [f"{_at(*place, key)} removed{_value(old[key])}" for key in old if key not in new]
        return found + [word for key in old if key in new for word in differences(old[key], new[key], (*place, key))]
    if isinstance(old, list) and isinstance(new, list):
        return _members(old, new, place)
    return [_change(old, new, place)]


def _change(old: object, new: object, place: tuple[str, ...]) -> str:
    before, now = _short(old), _short(new)
    if before == now:  # a text and a number, or long values that begin alike
        before, now = _json(old), _json(new)
    return f"{_at(*place)} {before} -> {now}" if len(before + now) <= 2 * LONGEST + 6 else f"{_at(*place)} changed"


def _members(old: list, new: list, place: tuple[str, ...]) -> list[str]:
    """Differences of two lists, whose members are told by their name or path where they have one."""
    before, now = ({_key(member): member for member in members} for members in (old, new))
    if (len(before), len(now)) != (len(old), len(new)):  # members that cannot be told from one another
        return [_change(old, new, place)]
    found = [f"{_at(*place)}: {key} added" for key in now if key not in before]
    found += [f"{_at(*place)}: {key} removed" for key in before if key not in now]
    for key in (key for key in before if key in now):
        found += differences(before[key], now[key], (*place, key))
    return found or [f"{_at(*place)} in another order"]


def _key(member: object) -> str:
    if isinstance(member, dict):
        return next((str(member[key]) for key in ("name", "path", "id") if key in member), _short(member))
    return _short(member)


def _at(*keys: str) -> str:
    return ": ".join(keys)


def _value(value: object) -> str:
    """What an added or removed key holds, if that is short."""
    return "" if isinstance(value, dict | list) else f" ({_short(value)})"


def _short(value: object) -> str:
    text = _json(value)
    if isinstance(value, str) and value.isprintable() and value.strip() == value != "":
        text = value
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True)
