"""Fingerprints of code: over a definition and all that it reaches, whatever their names and wherever they are."""

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from clearminds.reuse.definitions import EFFECTS, Definition, Tree

_REPORTING = -1  # in a number's place: a definition that only reports


@dataclass(frozen=True)
class Changes:
    """How two sets of definitions differ, in names for readers, sorted.

    Attributes:
        changed: what says something else now.
        added: what is reached now and was not.
        removed: what was reached and is not any more.
    """

    changed: list[str]
    added: list[str]
    removed: list[str]

    def __bool__(self) -> bool:
        return bool(self.changed or self.added or self.removed)


def closure(tree: Tree, roots: Iterable[str], reporting: Collection[str] = ()) -> dict[str, Definition]:
    """All definitions that some definitions reach, themselves included.

    Args:
        tree: the code.
        roots: keys, such as "scripts.train_adapter:main".
        reporting: what only reports and is not followed: "module" (a package: all below it) or "module:name".

    Returns:
        the definitions by key, the nearest first.

    Raises:
        ValueError: a root that does not exist, or a definition that needs what does not exist.
    """
    reports = _is_reporting(reporting)
    found: dict[str, Definition] = {}
    pending = list(dict.fromkeys(roots))
    while pending:
        for key in pending:
            found[key] = tree.definition(key)
        reached = (key for old in pending for key in (*found[old].references, *sorted(found[old].effects)))
        pending = [key for key in dict.fromkeys(reached) if key not in found and not reports(key)]
    return found


def digest(tree: Tree, root: str, reporting: Collection[str] = ()) -> str:
    """Fingerprint of a definition and of all that it reaches.

    Definitions are numbered in the order in which the root's text and theirs mention them, so that equal numbers mean
    the same definition without naming it. Which of two definitions that say the same is meant makes a difference: they
    may be two stores.

    Args:
        tree, reporting: as of `closure`.
        root: its key.

    Returns:
        32 hexadecimal digits, the same after any renaming and moving.

    Raises:
        ValueError: as of `closure`.
    """
    place = ("digest", root, frozenset(reporting))
    if place not in tree.memory:
        tree.memory[place] = _hash(_numbered(tree, root, reporting))
    return tree.memory[place]


def own(tree: Tree, roots: Iterable[str], reporting: Collection[str] = ()) -> dict[str, str]:
    """What each definition of a closure says by itself, as hashes by key: what tells which one changed.

    A definition that now refers to another one that was reached before, too, says the same: only `digest` sees that.

    Args:
        tree, roots, reporting: as of `closure`.

    Raises:
        ValueError: as of `closure`.
    """
    return {key: definition.own for key, definition in closure(tree, roots, reporting).items()}


def changed(old: Mapping[str, str], new: Mapping[str, str]) -> Changes:
    """What differs between two results of `own`; what was only moved or renamed does not."""
    gone, come = {k: old[k] for k in old.keys() - new.keys()}, {k: new[k] for k in new.keys() - old.keys()}
    moved = Counter(gone.values()) & Counter(come.values())
    return Changes(
        sorted(words(key) for key in old.keys() & new.keys() if old[key] != new[key]),
        _without(come, moved),
        _without(gone, moved),
    )


def words(key: str) -> str:
    """A definition's name for readers, such as "clearminds.files.tables.read_table"."""
    if "/" in key:  # a file
        return key
    module, _, name = key.partition(":")
    if name == EFFECTS:
        return f"{module} (what it does when imported)"
    return f"{module}.{name}" if name else f"{module} (its names)"


def text_digest(path: Path) -> str:
    """Fingerprint of a file that is not Python: of YAML what it says, of any other its bytes.

    Returns:
        64 hexadecimal digits.

    Raises:
        OSError: it cannot be read.
        yaml.YAMLError: it is not YAML.
    """
    if path.suffix not in (".yaml", ".yml"):
        return hashlib.sha256(path.read_bytes()).hexdigest()
    import yaml

    def said(node: yaml.Node) -> list:
        if isinstance(node, yaml.ScalarNode):
            return [node.tag, node.value]
        if isinstance(node, yaml.MappingNode):
            return [node.tag, [[said(key), said(value)] for key, value in node.value]]
        return [node.tag, [said(item) for item in node.value]]

    # the nodes, since a tag may name a function that only its own loader knows
    documents = yaml.compose_all(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    return hashlib.sha256(json.dumps([said(document) for document in documents]).encode()).hexdigest()


def _is_reporting(reporting: Collection[str]):
    known = frozenset(reporting)

    def reports(key: str) -> bool:
        parts = key.partition(":")[0].split(".")
        return key in known or any(".".join(parts[:end]) in known for end in range(1, len(parts) + 1))

    return reports


def _numbered(tree: Tree, root: str, reporting: Collection[str], with_effects: bool = True) -> list:
    """Every reached definition's text hash and the numbers of what it refers to, in the order of their numbers.

    Effects are reached by imports, which have no order: they come last, by what each one says and reaches.
    """
    reports = _is_reporting(reporting)
    numbers = {root: 0}
    order = [root]
    rows: list[list] = []
    effects: set[str] = set()
    while len(rows) < len(order):
        definition = tree.definition(order[len(rows)])
        for key in definition.references:
            if key not in numbers and not reports(key):
                numbers[key] = len(order)
                order.append(key)
        rows.append([definition.own, [numbers.get(key, _REPORTING) for key in definition.references]])
        effects |= {key for key in definition.effects if not reports(key)}
        if with_effects and len(rows) == len(order):
            for key in sorted(effects - numbers.keys(), key=lambda key: _standing(tree, key, reporting)):
                numbers[key] = len(order)
                order.append(key)
    return rows


def _standing(tree: Tree, key: str, reporting: Collection[str]) -> tuple[str, str]:
    place = ("effect", key, frozenset(reporting))
    if place not in tree.memory:
        tree.memory[place] = _hash(_numbered(tree, key, reporting, with_effects=False))
    return tree.memory[place], key


def _hash(value: list) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:32]


def _without(keys: Mapping[str, str], moved: Counter[str]) -> list[str]:
    """Names of those whose hash is not among the moved ones, each of which stands for one key."""
    left = moved.copy()
    named = []
    for key in sorted(keys):
        if left[keys[key]]:
            left[keys[key]] -= 1
        else:
            named.append(words(key))
    return named
