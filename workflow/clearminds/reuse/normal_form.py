"""Code written down without names: what it refers to is marked, so the text stays when that moves or is renamed."""

import ast
from collections.abc import Collection
from typing import NamedTuple, Protocol

from clearminds.reuse.modules import Imported
from clearminds.reuse.reduction import Imports
from clearminds.reuse.scopes import Scopes

MARK = "\0"  # no text has it otherwise: strings are written by repr
_REFLECTIVE = ("globals", "eval", "exec")  # reach every name of their module
_SKIPPED = {"annotation", "kind", "returns", "simple", "type_comment"}


class Target(NamedTuple):
    """What a name stands for.

    Attributes:
        kind: "definition", "module" (both first-party) or "external".
        name: "module:name" of a definition, else a dotted name.
    """

    kind: str
    name: str


class Names(Protocol):
    """What names mean in one definition."""

    module: str

    def look_up(self, name: str) -> Target | None:
        """What a global name stands for; None: a builtin or nothing that is known."""

    def attribute(self, module: str, name: str, node: ast.Attribute) -> Target | None:
        """What an attribute of a first-party module stands for; None: of the module object itself."""

    def source(self, imported: Imported) -> Target:
        """What an import takes."""


class Writer:
    """Writes reduced statements down.

    Args:
        names: what names mean.
        own: the name whose definition they are.
        found: the names of the statements.
        kept: names whose imports are written as the assignments they are; their uses keep their text.

    Attributes:
        pieces: of the text.
        references: what the text's marks stand for, in their order: "module:name", or "module" for all of it.
    """

    def __init__(self, names: Names, own: str, found: Scopes, kept: Collection[str]):
        self.names, self.found, self.kept = names, found, kept
        self.labels = {own: "own"}
        self.local = found.local | set(kept)
        self.inside: list[str] = []
        self.pieces: list[str] = []
        self.references: list[str] = []

    def write(self, statements: list[ast.stmt]) -> None:
        """Write the statements of a definition."""
        for statement in statements:
            self._node(statement)
        # where a name is both local and global its text stays, and what the global one stands for is added
        for name in sorted(self.found.read & self.local):
            if target := self.names.look_up(name):
                self.pieces.append(f"also {name}=")
                self._target(target)
        for name in _REFLECTIVE:
            if name in self.found.read and self.names.look_up(name) is None:
                self._target(Target("module", self.names.module))

    def _node(self, node: ast.AST) -> None:
        kind = type(node).__name__
        if isinstance(node, Imports):
            self._imports(node)
        elif isinstance(node, ast.Name | ast.Attribute) and (target := self._resolve(node)):
            self._target(target)
            self.pieces.append(type(node.ctx).__name__)
        elif isinstance(node, ast.Name):
            self._name(node)
        elif isinstance(node, ast.AnnAssign) and not self._in_class():
            self._fields("Assign", {"targets": [node.target], "value": node.value})
        elif isinstance(node, ast.Global):
            self._value(sorted(name for name in node.names if name in self.local or not self.names.look_up(name)))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            fields = dict(ast.iter_fields(node))
            if not self.inside and not isinstance(node, ast.Lambda):
                fields["name"] = self._label(node.name)
            self.inside.append(kind)
            self._fields(kind, fields)
            self.inside.pop()
        else:
            fields = dict(ast.iter_fields(node))
            if isinstance(node, ast.AnnAssign) and isinstance(node.annotation, ast.Constant):  # as `reduce` left it
                fields["field"] = node.annotation.value
            self._fields(kind, fields)

    def _fields(self, kind: str, fields: dict) -> None:
        self.pieces.append(f"{kind}(")
        for name, value in fields.items():
            if name in _SKIPPED:
                continue
            if name in ("body", "orelse", "finalbody") and isinstance(value, list):
                value = [statement for statement in value if self._says_something(statement)]
                if name == "body" and not value:
                    self.pieces.append("pass")
            self._value(value)
        self.pieces.append(")")

    def _value(self, value: object) -> None:
        if isinstance(value, ast.AST):
            self._node(value)
        elif isinstance(value, list):
            self.pieces.append("[")
            for item in value:
                self._value(item)
                self.pieces.append(",")
            self.pieces.append("]")
        else:
            self.pieces.append(f"{value!r};")

    def _name(self, node: ast.Name) -> None:
        ours = node.id in self.found.bound and node.id not in self.local
        self.pieces.append(f"{self._label(node.id) if ours else node.id!r}{type(node.ctx).__name__}")

    def _label(self, name: str) -> str:
        """What stands for a name that the statements bind: which of them it is, not what it is called."""
        return self.labels.setdefault(name, f"bound {len(self.labels)}")

    def _resolve(self, node: ast.expr) -> Target | None:
        if isinstance(node, ast.Name):
            if node.id in self.local or node.id not in self.found.read:
                return None
            binds = not isinstance(node.ctx, ast.Load) and node.id in self.found.bound
            return None if binds else self.names.look_up(node.id)
        if not isinstance(node, ast.Attribute) or not (of := self._resolve(node.value)):
            return None
        if of.kind == "external":
            return Target("external", f"{of.name}.{node.attr}")
        return self.names.attribute(of.name, node.attr, node) if of.kind == "module" else None

    def _target(self, target: Target) -> None:
        if target.kind == "external":
            self.pieces.append(f"<{target.name}>")
        else:
            self.pieces.append(f"{target.kind} {MARK}")
            self.references.append(target.name)

    def _in_class(self) -> bool:
        return self.inside[-1:] == ["ClassDef"]

    def _says_something(self, node: ast.stmt) -> bool:
        if isinstance(node, Imports):
            return any(self._binds(imported.name, node) for imported in node.names)
        if isinstance(node, ast.AnnAssign):  # without a value it declares a field in a class, and nothing elsewhere
            return node.value is not None or self._in_class()
        return not isinstance(node, ast.Pass)

    def _binds(self, name: str, node: Imports) -> bool:
        return name in (self.kept if node.inner else self.labels.keys() | self.found.bound)

    def _imports(self, node: Imports) -> None:
        for imported in node.names:
            if self._binds(imported.name, node):
                name = repr(imported.name) if node.inner else self._label(imported.name)
                self.pieces.append(f"Import({name}")
                self._target(self.names.source(imported))
                self.pieces.append(")")
