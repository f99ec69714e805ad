"""Taking out of code what changes no number: docstrings, annotations, log lines, messages of errors, import statements.

A statement that goes leaves a `pass`, since a body needs one; whoever writes the code down leaves that out.
"""

import ast
from collections.abc import Callable
from typing import Any

from clearminds.reuse.modules import Import, Imported, Module
from clearminds.reuse.scopes import scopes

# of annotations these alone say what a class does; the rest are for readers
_FIELD_KINDS = {"ClassVar", "InitVar", "KW_ONLY"}


class Imports(ast.Pass):
    """What is left of an import statement: for the compiler nothing, so that its names are read as global ones.

    Attributes:
        names: what it binds.
        loads: the modules it loads, as of `Module`.
        inner: whether it is in a function or class.
    """

    names: list[Imported]
    loads: list[tuple[str, str | None, str]]
    inner: bool


def reduce(statements: list[ast.stmt], module: Module, is_log: Callable[[ast.expr], bool]) -> list[ast.stmt]:
    """The statements without what changes no number; they are changed in place, too.

    Args:
        statements: of the top of a module.
        module: the module.
        is_log: whether an expression is a logger.

    Raises:
        ValueError: a relative import or `import *`.
    """
    reduction = _Reduction(module, is_log)
    return [reduction.visit(statement) for statement in statements]


class _Reduction(ast.NodeTransformer):
    def __init__(self, module: Module, is_log: Callable[[ast.expr], bool]):
        self.module, self.is_log, self.depth = module, is_log, 0

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        node.returns = None
        return self._inside(node)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._inside(node)

    def _inside(self, node: ast.AST) -> ast.AST:
        self.depth += 1
        node = self.generic_visit(node)
        self.depth -= 1
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        names: set[Any] = {getattr(part, "id", getattr(part, "attr", None)) for part in ast.walk(node.annotation)}
        kind = next(iter(sorted(names & _FIELD_KINDS)), None)
        # an annotation without value still makes the name local to its function
        node.annotation = ast.copy_location(ast.Constant(kind), node.annotation)
        return self.generic_visit(node)

    def visit_Import(self, node: Import) -> ast.AST:
        left = Imports()
        left.names, left.loads, left.inner = self.module.imported(node), self.module.loaded(node), self.depth > 0
        return ast.copy_location(left, node)

    visit_ImportFrom = visit_Import

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        if isinstance(node.value, ast.Constant) or self._is_log_line(node.value):
            return ast.copy_location(ast.Pass(), node)
        return self.generic_visit(node)

    def _is_log_line(self, value: ast.expr) -> bool:
        method = value.func if isinstance(value, ast.Call) else None
        if not isinstance(method, ast.Attribute) or not self.is_log(method.value):
            return False
        # `n := count()` in a log line is read elsewhere, and a `yield` makes its function another kind
        return not any(isinstance(n, ast.NamedExpr | ast.Yield | ast.YieldFrom | ast.Await) for n in ast.walk(value))

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        error = node.exc
        # by custom the message comes first; a second string may be what the handler decides by
        if isinstance(error, ast.Call) and error.args and _is_message(error.args[0]):
            del error.args[0]
        return self.generic_visit(node)


def _is_message(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str)
    if isinstance(node, ast.BinOp):
        if isinstance(node.op, ast.Add):  # what is added to a string is one
            return _is_message(node.left) or _is_message(node.right)
        return isinstance(node.op, ast.Mod) and _is_message(node.left)
    if isinstance(node, ast.IfExp):
        return _is_message(node.body) and _is_message(node.orelse)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr in ("format", "join") and _is_message(node.func.value)
    return isinstance(node, ast.JoinedStr)


def does_something(statement: ast.stmt) -> bool:
    """Whether a reduced statement of the top of a module may do more than bind names."""
    if isinstance(statement, ast.Pass):
        return False
    assigns = isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign)
    if assigns and isinstance(getattr(statement, "target", statement), ast.Name):
        return False
    if not assigns and not scopes([statement]).bound:
        return True
    return any(
        isinstance(node, ast.Expr | ast.Delete)
        or (isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load))
        for node in ast.walk(statement)
    )
