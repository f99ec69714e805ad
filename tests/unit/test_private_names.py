"""Names that libraries keep private are used in the compat modules only, each under a contract test of its own."""

import ast
from pathlib import Path

WORKFLOW = Path(__file__).parents[2] / "workflow"
TESTS = Path(__file__).parent
OWN = ("self", "cls")
DOCUMENTED = {"os._exit"}


def private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def private_names(tree: ast.AST) -> set[str]:
    """What a module uses of others: attributes of anything but its own objects, and imports."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and private(node.attr):
            if not (isinstance(node.value, ast.Name) and node.value.id in OWN):
                found.add(ast.unparse(node))
        elif isinstance(node, ast.ImportFrom) and node.module:
            parts = [*node.module.split("."), *(alias.name for alias in node.names)]
            found |= {f"{node.module}: {part}" for part in parts if private(part)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if any(private(p) for p in alias.name.split(".")[1:])}
    return found - DOCUMENTED


def imported(tree: ast.AST) -> set[str]:
    """The libraries that a module imports."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
    return found


def modules() -> dict[Path, ast.AST]:
    return {file: ast.parse(file.read_text(encoding="utf-8")) for file in WORKFLOW.rglob("*.py")}


def test_private_names_are_used_in_compat_modules_only():
    found = {file.name: names for file, tree in modules().items() if (names := private_names(tree))}
    assert {name for name in found if not name.endswith("_compat.py")} == set(), found
    assert {"snakemake_compat.py", "transformers_compat.py", "harness_compat.py"} <= found.keys()


def test_each_compat_module_has_a_contract_test():
    for file in WORKFLOW.rglob("*_compat.py"):
        assert (TESTS / f"test_compat_{file.stem.removesuffix('_compat')}.py").is_file()


def test_no_module_patches_what_it_calls():
    assert [file.name for file, tree in modules().items() if {"unittest", "mock"} & imported(tree)] == []
