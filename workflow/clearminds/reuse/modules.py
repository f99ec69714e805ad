"""A module taken apart at its top level: what it defines, what it imports, and what it does when it is imported."""

import ast
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from clearminds.reuse.scopes import scopes

Import = ast.Import | ast.ImportFrom
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Imported(NamedTuple):
    """A name that an import statement binds.

    Attributes:
        name: the name.
        module: the dotted module that it is taken from.
        member: what of it, a name or a submodule; None: the module itself.
        place: file and line, for messages.
    """

    name: str
    module: str
    member: str | None
    place: str

    @property
    def source(self) -> tuple[str, str | None]:
        """What is imported, whatever it is called here."""
        return self.module, self.member


@dataclass
class Module:
    """A parsed module.

    Attributes:
        name: dotted.
        file: where its text is.
        siblings: names of files beside it that it imports without naming their folder, as scripts do.
        definitions: the statements that bind each name, in their order.
        aliases: names that are bound by one import and by nothing else.
        loads: modules that are imported when this one is, each with a member that may be a module too, and its place.
        others: statements that may do something besides binding names.
    """

    name: str
    file: Path
    siblings: Collection[str] = ()
    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    aliases: dict[str, Imported] = field(default_factory=dict)
    loads: list[tuple[str, str | None, str]] = field(default_factory=list)
    others: list[ast.stmt] = field(default_factory=list)

    def imported(self, statement: Import) -> list[Imported]:
        """The names that an import statement binds; none for `from __future__`.

        Raises:
            ValueError: a relative import or `import *`.
        """
        place = f"{self.file}:{statement.lineno}"
        if isinstance(statement, ast.Import):
            return [
                Imported(alias.asname, self._absolute(alias.name), None, place)
                if alias.asname
                else Imported(alias.name.split(".")[0], self._absolute(alias.name.split(".")[0]), None, place)
                for alias in statement.names
            ]
        if statement.level or statement.module is None:
            raise ValueError(f"{place}: relative import; name the package")
        if any(alias.name == "*" for alias in statement.names):
            raise ValueError(f"{place}: import of *; name what is used")
        if statement.module == "__future__":
            return []
        module = self._absolute(statement.module)
        return [Imported(alias.asname or alias.name, module, alias.name, place) for alias in statement.names]

    def loaded(self, statement: Import) -> list[tuple[str, str | None, str]]:
        """What an import statement loads, as in `loads`. Unlike the name it binds, `import a.b` loads `a.b` too."""
        if isinstance(statement, ast.Import):
            place = f"{self.file}:{statement.lineno}"
            return [(self._absolute(alias.name), None, place) for alias in statement.names]
        return [(*imported.source, imported.place) for imported in self.imported(statement)]

    def _absolute(self, module: str) -> str:
        first = module.split(".")[0]
        return f"{self.name.split('.')[0]}.{module}" if first in self.siblings else module


def parse(name: str, file: Path, text: str, siblings: Collection[str] = ()) -> Module:
    """Take a module apart.

    Args:
        name: its dotted name.
        file: for messages.
        text: its source.
        siblings: as of `Module`.

    Raises:
        SyntaxError: the text is not Python.
        ValueError: a relative import or `import *`.
    """
    module = Module(name, file, siblings)
    direct: dict[str, list[tuple[Imported, ast.stmt]]] = {}
    for statement in ast.parse(text, str(file)).body:
        if _left_out(statement):
            continue
        for node in outside_functions(statement):
            if isinstance(node, Import):
                module.loads += module.loaded(node)
        if isinstance(statement, Import):
            for imported in module.imported(statement):
                direct.setdefault(imported.name, []).append((imported, statement))
        elif isinstance(statement, Function | ast.ClassDef):
            module.definitions.setdefault(statement.name, []).append(statement)
        else:
            for bound in sorted(scopes([statement]).bound):
                module.definitions.setdefault(bound, []).append(statement)
            module.others.append(statement)
    for name, found in direct.items():
        if name in module.definitions or len({imported.source for imported, _ in found}) > 1:
            statements = [*module.definitions.get(name, []), *(statement for _, statement in found)]
            module.definitions[name] = sorted(statements, key=lambda statement: statement.lineno)
        else:
            module.aliases[name] = found[0][0]
    return module


def outside_functions(statement: ast.AST) -> Iterator[ast.AST]:
    """The statement and what is in it, without the bodies of functions."""
    yield statement
    if not isinstance(statement, Function | ast.Lambda):
        for child in ast.iter_child_nodes(statement):
            yield from outside_functions(child)


def _left_out(statement: ast.stmt) -> bool:
    """Docstrings, `pass`, and what runs only when the file is run as a program."""
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    if isinstance(statement, ast.If) and isinstance(statement.test, ast.Compare):
        return isinstance(statement.test.left, ast.Name) and statement.test.left.id == "__name__"
    return isinstance(statement, ast.Pass)
