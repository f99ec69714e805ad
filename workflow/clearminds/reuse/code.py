"""What makes a step rerun: its spec (the settings it reads) and its code (the modules it runs).

Both become plain strings in a rule's `params`, so that Snakemake compares values and neither times nor layout.
"""

import ast
import hashlib
import json
from functools import lru_cache
from pathlib import Path

from clearminds.checkout import PACKAGE


def code_fingerprint(*modules: str) -> str:
    """Fingerprint of modules and of every first-party module that they import, directly or not.

    Taken over the syntax trees without comments, docstrings and layout.

    Args:
        modules: dotted names, such as "clearminds.stages.build_masks"; plugins that are resolved by name, such as
            "clearminds.plugins.weights.perplexity", are named beside the stage that calls them. A path below the
            package that is not Python (a task's YAML, a list of prompts) is taken by its bytes.

    Returns:
        32 hexadecimal digits.
    """
    digests = sorted({d for module in modules for d in _closure(module).items()})
    return hashlib.sha256(json.dumps(digests).encode()).hexdigest()[:32]


def code_parts(*modules: str) -> dict[str, str]:
    """Digest per module of the closure: what to compare to say *which* module changed."""
    return {name: digest for module in modules for name, digest in sorted(_closure(module).items())}


def all_modules() -> dict[str, str]:
    """Digest per module and plugin file of the whole package, under the names that `code_parts` gives them."""
    root = PACKAGE.parent
    modules = (".".join(file.relative_to(root).with_suffix("").parts) for file in sorted(PACKAGE.rglob("*.py")))
    names = [name.removesuffix(".__init__") for name in modules]
    others = [
        *sorted(root.glob("scripts/*.py")),
        *sorted((root / "tasks").glob("*")),
        *sorted(PACKAGE.rglob("*.txt")),
        *sorted(PACKAGE.rglob("*.jinja")),
    ]
    names += [str(file.relative_to(root)) for file in others if file.is_file()]
    return {name: _closure(name)[name] for name in names}


@lru_cache
def _closure(module: str) -> dict[str, str]:
    found: dict[str, str] = {}
    pending = [module]
    while pending:
        name = pending.pop()
        if name in found:
            continue
        if (file := _file(name)) is None:
            continue
        if file.suffix != ".py":
            found[name] = hashlib.sha256(file.read_bytes()).hexdigest()
            continue
        tree = ast.parse(file.read_text(encoding="utf-8"))
        found[name] = hashlib.sha256(ast.dump(_without_docstrings(tree)).encode()).hexdigest()
        if not name.startswith("scripts/"):  # a launcher's imports are named by its stage, without how it is launched
            pending += _first_party_imports(tree)
    return found


def _file(name: str) -> Path | None:
    if "/" in name:
        return PACKAGE.parent / name
    path = PACKAGE.parent.joinpath(*name.split("."))
    return next((p for p in (path.with_suffix(".py"), path / "__init__.py") if p.is_file()), None)


def _first_party_imports(tree: ast.AST) -> list[str]:
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from clearminds import x` names a module, `from clearminds.x import f` names one already
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [name for name in names if name.split(".")[0] == PACKAGE.name]


def _without_docstrings(tree: ast.AST) -> ast.AST:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:] or [ast.Pass()]
    return tree
