"""The first-party Python of a checkout as definitions, each with its text and with what it refers to."""

import ast
import hashlib
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from clearminds.reuse.modules import Imported, Module, parse
from clearminds.reuse.normal_form import MARK, Target, Writer
from clearminds.reuse.reduction import Imports, does_something, reduce
from clearminds.reuse.scopes import scopes

PACKAGE = "clearminds"
FOLDERS = ("scripts", "tasks")  # of files that are run or loaded by their path
EFFECTS = "<effects>"  # in a definition's place: the statements of a module that do more than bind names


@dataclass(frozen=True)
class Definition:
    """A top-level function, class or variable; or all of a module, where the module itself is passed around.

    Attributes:
        key: "module:name"; of a module, its dotted name.
        text: what it says, without its name and with a mark wherever it refers to a definition.
        references: keys of the definitions that the marks stand for, in their order.
        effects: keys of the statements that run when what it needs is imported.
    """

    key: str
    text: str
    references: tuple[str, ...]
    effects: frozenset[str] = frozenset()

    @cached_property
    def own(self) -> str:
        """Hash of the text alone, in hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass
class Tree:
    """The modules below a `workflow/` folder: `clearminds.*`, `scripts.NAME` and `tasks.NAME`. Parsed when asked for.

    Args:
        workflow: the folder.
        overlay: text to take in place of a file's, also of one that does not exist.

    Attributes:
        memory: for what others derive from this tree.
    """

    workflow: Path
    overlay: Mapping[Path, str] | None = None
    memory: dict[Hashable, str] = field(default_factory=dict, repr=False)

    def __post_init__(self):
        self._texts = {Path(file).absolute(): text for file, text in (self.overlay or {}).items()}
        self._folders = {folder for file in self._texts for folder in file.parents}
        self._root = Path(self.workflow).absolute()
        self._modules: dict[str, Module | None] = {}
        self._definitions: dict[str, Definition] = {}
        self._effects: dict[str, frozenset[str]] = {}
        self._loads: dict[str, set[str]] = {}
        self._reduced: dict[int, ast.stmt] = {}
        self._siblings = {folder: {name.split(".")[1] for name in self._names(folder)} for folder in FOLDERS}

    def modules(self) -> list[str]:
        """The dotted names of all modules, sorted."""
        return sorted(name for top in (PACKAGE, *FOLDERS) for name in self._names(top))

    def keys(self, module: str) -> list[str]:
        """The keys of a module's definitions, without its effects, sorted.

        Raises:
            ValueError: there is no such module.
        """
        return [f"{module}:{name}" for name in sorted(self._module(module).definitions)]

    def definition(self, key: str) -> Definition:
        """A definition. Args: its key.

        Raises:
            ValueError: there is none; or it needs what does not exist, or by a relative or star import.
            SyntaxError: a module is not Python.
        """
        if key not in self._definitions:
            self._definitions[key] = self._define(key)
        return self._definitions[key]

    def is_function(self, key: str) -> bool:
        """Whether a definition is a function, which is called, and no class or value."""
        name, _, own = key.partition(":")
        found = self._module(name).definitions.get(own, [])
        return bool(found) and all(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in found)

    def methods(self, key: str) -> dict[str, str]:
        """What each method of a class says, by name, without what changes no number; of other definitions nothing."""
        name, _, own = key.partition(":")
        module = self._module(name)
        classes = (node for node in module.definitions.get(own, []) if isinstance(node, ast.ClassDef))
        reduced = (part for node in classes for part in getattr(self._reduce(module, node), "body", []))
        return {node.name: ast.dump(node) for node in reduced if isinstance(node, ast.FunctionDef)}

    def effects(self, module: str) -> frozenset[str]:
        """Keys of the statements that run when a module is imported: its own and those of all that it imports.

        Raises:
            ValueError: an import of what does not exist.
        """
        if module not in self._effects:
            found, seen, pending = set(), {module}, [module]
            while pending:
                name = pending.pop()
                if self._own_effects(name):
                    found.add(f"{name}:{EFFECTS}")
                if name not in self._loads:
                    self._loads[name] = {p for source in self._module(name).loads for p in self._loaded(*source)}
                pending += self._loads[name] - seen
                seen |= self._loads[name]
            self._effects[module] = frozenset(found)
        return self._effects[module]

    def resolve(self, module: str, member: str | None, place: str) -> Target:
        """What an import takes, wherever it is defined. Args: as of `Imported`.

        Raises:
            ValueError: a first-party module or name that does not exist.
        """
        if module.split(".")[0] not in (PACKAGE, *FOLDERS):
            return Target("external", f"{module}.{member}" if member else module)
        if self._find(module) is None:
            raise ValueError(f"{place}: there is no module {module}")
        found = self.attribute(module, member) if member else Target("module", module)
        if found is None:
            raise ValueError(f"{place}: {module} has no {member}")
        return found

    def attribute(self, module: str, name: str, seen: tuple[tuple[str, str], ...] = ()) -> Target | None:
        """What a first-party module has under a name, through all that it passes on; None: nothing."""
        found = self._module(module)
        if name in found.definitions:
            return Target("definition", f"{module}:{name}")
        alias = found.aliases.get(name)
        if alias and (module, name) not in seen and alias.source != (module, name):
            if alias.member is None or self._find(alias.module) is None:
                return self.resolve(*alias[1:])
            passed_on = self.attribute(alias.module, alias.member, (*seen, (module, name)))
            if passed_on is None:
                raise ValueError(f"{alias.place}: {alias.module} has no {alias.member}")
            return passed_on
        return Target("module", f"{module}.{name}") if self._find(f"{module}.{name}") else None

    def _define(self, key: str) -> Definition:
        name, _, own = key.partition(":")
        module = self._module(name)
        if not own:  # by the names too, as they may be asked for by a string
            keys = tuple(self.keys(name))
            text = "".join(f"{name} {MARK}" for name in sorted(module.definitions))
            return Definition(key, text, keys, self.effects(name))
        statements = self._own_effects(name) if own == EFFECTS else module.definitions.get(own)
        if not statements:
            raise ValueError(f"{module.file}: {name} has no {own}")
        reduced = [self._reduce(module, statement) for statement in statements]
        names = _Names(self, module, reduced)
        writer = Writer(names, own, names.found, names.kept)
        writer.write(reduced)
        loaded = {part for source in names.loads for part in self._loaded(*source)}
        effects = self.effects(name).union(*(self.effects(part) for part in loaded)) - {key}
        return Definition(key, "".join(writer.pieces), tuple(writer.references), effects)

    def _own_effects(self, name: str) -> list[ast.stmt]:
        if name.startswith("scripts."):  # they end by launching themselves
            return []
        module = self._module(name)
        reduced = [(statement, self._reduce(module, statement)) for statement in module.others]
        return [statement for statement, left in reduced if does_something(left) and not _edits_path(left)]

    def _reduce(self, module: Module, statement: ast.stmt) -> ast.stmt:
        if id(statement) not in self._reduced:  # a block that binds several names is asked for by each
            shadowed: list[frozenset[str]] = []

            def is_log(node: ast.expr) -> bool:
                if isinstance(node, ast.Call):
                    return _is_get_logger(node, module)
                if not isinstance(node, ast.Name) or not self._is_logger(module, node.id):
                    return False
                shadowed[:] = shadowed or [scopes([statement]).local]
                return node.id not in shadowed[0]

            self._reduced[id(statement)] = reduce([statement], module, is_log)[0]
        return self._reduced[id(statement)]

    def _is_logger(self, module: Module, name: str) -> bool:
        found = self.attribute(module.name, name) if name in module.aliases or name in module.definitions else None
        if found is None or found.kind != "definition":
            return False
        owner, _, own = found.name.partition(":")
        statements = self._module(owner).definitions[own]
        value = getattr(statements[0], "value", None) if len(statements) == 1 else None
        return isinstance(value, ast.Call) and _is_get_logger(value, self._module(owner))

    def _loaded(self, module: str, member: str | None, place: str) -> list[str]:
        """The first-party modules that an import loads: the module, the packages around it, and a member's."""
        found = self.resolve(module, member, place)
        if self._find(module) is None:
            return []
        names = [module, *([found.name] if found.kind == "module" else [])]
        parents = {name.rsplit(".", depth)[0] for name in names for depth in range(name.count(".") + 1)}
        return [name for name in parents if self._find(name)]

    def _module(self, name: str) -> Module:
        found = self._find(name)
        if found is None:
            raise ValueError(f"{self._root}: there is no module {name}")
        return found

    def _find(self, name: str) -> Module | None:
        if name not in self._modules:
            self._modules[name] = self._parse(name)
        return self._modules[name]

    def _parse(self, name: str) -> Module | None:
        top = name.split(".")[0]
        if top not in (PACKAGE, *FOLDERS):
            return None
        path = self._root.joinpath(*name.split("."))
        for file in (path / "__init__.py", path.with_name(f"{path.name}.py")):
            if file in self._texts or file.is_file():
                text = self._texts[file] if file in self._texts else file.read_text(encoding="utf-8")
                return parse(name, file, text, self._siblings.get(top, ()))
        # a folder without __init__.py is a package, too
        return Module(name, path) if path.is_dir() or path in self._folders else None

    def _names(self, top: str) -> set[str]:
        files = {*(self._root / top).rglob("*.py"), *(f for f in self._texts if f.is_relative_to(self._root / top))}
        return {
            ".".join(file.relative_to(self._root).with_suffix("").parts).removesuffix(".__init__") for file in files
        }


class _Names:
    """What names mean in a definition, its own imports included; see `normal_form.Names`."""

    def __init__(self, tree: Tree, module: Module, statements: list[ast.stmt]):
        self.tree, self.found, self._module = tree, scopes(statements), module
        self.module, self.inner = module.name, {}
        markers = [n for statement in statements for n in ast.walk(statement) if isinstance(n, Imports) and n.inner]
        self.loads = [source for marker in markers for source in marker.loads]
        by_name: dict[str, list[Imported]] = {}
        for imported in (i for marker in markers for i in marker.names):
            by_name.setdefault(imported.name, []).append(imported)
        for name, found in by_name.items():
            sources = {i.source for i in found} | ({module.aliases[name].source} if name in module.aliases else set())
            if len(sources) == 1 and name not in module.definitions and name not in self.found.local:
                self.inner[name] = found[0]
        self.kept = by_name.keys() - self.inner.keys()

    def look_up(self, name: str) -> Target | None:
        if name in self.inner:
            return self.source(self.inner[name])
        known = name in self._module.definitions or name in self._module.aliases
        return self.tree.attribute(self.module, name) if known else None

    def attribute(self, module: str, name: str, node: ast.Attribute) -> Target | None:
        found = self.tree.attribute(module, name)
        if found is None and isinstance(node.ctx, ast.Load) and not name.startswith("__"):
            raise ValueError(f"{self._module.file}:{node.lineno}: {module} has no {name}")
        return found

    def source(self, imported: Imported) -> Target:
        return self.tree.resolve(*imported[1:])


def _is_get_logger(node: ast.Call, module: Module) -> bool:
    return _dotted(node.func, module) == "logging.getLogger"


def _edits_path(statement: ast.stmt) -> bool:
    """Whether a statement only changes where modules are looked for."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        return ast.unparse(statement.value.func).startswith("sys.path.")
    targets = getattr(statement, "targets", [getattr(statement, "target", None)])
    return all(target is not None and ast.unparse(target).startswith("sys.path") for target in targets)


def _dotted(node: ast.expr, module: Module) -> str | None:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value, module)}.{node.attr}"
    if not isinstance(node, ast.Name) or node.id not in module.aliases:
        return None
    source = module.aliases[node.id].source
    return ".".join(part for part in source if part)
