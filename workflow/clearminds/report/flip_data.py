"""Flipped items as the page's script reads them: what many of them share stands there once."""

from collections.abc import Sequence

from clearminds.report.flips import Flip, Flips

STATIC = 3  # items that are there without a script too
SYSTEM = "system"


def flip_data(flips: Flips) -> dict:
    """The shown items, as JSON.

    Returns:
        `targets`: names of model and target; `variants`, `tasks`: names; `systems`: prompts of the system; `items`:
        task, id, system or -1, turns, and the right answer; `flips`: target, variant, seed, item, 1 if lost, and both
        answers as pieces, of which every other one, from the second on, is not in the other answer.
    """
    places: dict[str, dict] = {key: {} for key in ("targets", "variants", "tasks", "systems", "items")}

    def place(kind: str, value: object) -> int:
        return places[kind].setdefault(value, len(places[kind]))

    rows = []
    for flip in flips.shown:
        system = next((turn.text for turn in flip.prompt if turn.role == SYSTEM), None)
        turns = tuple((turn.role, turn.text) for turn in flip.prompt if turn.role != SYSTEM)
        item = (
            place("tasks", flip.eval_task),
            flip.doc_id,
            -1 if system is None else place("systems", system),
            turns,
            flip.expected,
        )
        target = place("targets", f"{flip.model}, trained on {flip.target}")
        one = [target, place("variants", flip.variant), flip.seed, place("items", item), int(flip.lost)]
        rows.append([*one, _pieces(flip.before), _pieces(flip.after)])
    return {**{kind: list(values) for kind, values in places.items()}, "flips": rows}


def systems(flips: Flips) -> list[str]:
    """The different prompts of the system of all shown items."""
    return list(dict.fromkeys(turn.text for flip in flips.shown for turn in flip.prompt if turn.role == SYSTEM))


def first(flips: Flips) -> list[Flip]:
    """The items that are there without a script: one each of the first variant, task and direction."""
    found: dict[tuple, Flip] = {}
    for flip in flips.shown:
        found.setdefault((flip.target, flip.variant, flip.eval_task, flip.lost), flip)
    return list(found.values())[:STATIC]


def _pieces(answer: Sequence[tuple[bool, str]]) -> list[str]:
    """Texts that both answers have and that one alone has, in turns."""
    pieces = [""]
    for differs, text in answer:
        if differs == (len(pieces) % 2 == 0):
            pieces[-1] += text
        else:
            pieces.append(text)
    return pieces
