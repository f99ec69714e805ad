"""Definitions of an invented checkout: what each one refers to. And the package resolves."""

import ast
from pathlib import Path

import pytest
from code_trees import tree_of

from clearminds.reuse.definitions import Tree
from clearminds.reuse.modules import outside_functions
from clearminds.reuse.scopes import scopes

ROOT = Path(__file__).parents[2]


def references(tree: Tree, key: str) -> set[str]:
    return set(tree.definition(f"clearminds.{key}").references)


# --- what a definition refers to --------------------------------------------------------------------------------------

USES = {
    "from clearminds.b import g\ndef f(): return g()",
    "from clearminds.b import g as h\ndef f(): return h()",
    "from clearminds import b\ndef f(): return b.g()",
    "from clearminds import b as h\ndef f(): return h.g()",
    "import clearminds.b\ndef f(): return clearminds.b.g()",
    "import clearminds.b as h\ndef f(): return h.g()",
    "def f():\n    from clearminds.b import g\n    return g()",
    "def f():\n    from clearminds import b\n    return b.g()",
    "def f():\n    import clearminds.b\n    return clearminds.b.g()",
    "def f():\n    import clearminds.b as h\n    return h.g()",
    "from clearminds.c import g\ndef f(): return g()",
    "from clearminds.c import renamed\ndef f(): return renamed()",
    "from clearminds.c import b\ndef f(): return b.g()",
    "from clearminds import c\ndef f(): return c.renamed()",
    "from clearminds.p import g\ndef f(): return g()",
    "from clearminds.p.q import g\ndef f(): return g()",
    "from clearminds.p import q\ndef f(): return q.g()",
    "import clearminds.p.q\ndef f(): return clearminds.p.q.g()",
}
OTHERS = {
    "b": "def g(): return 1\ndef unused(): return 2",
    "c": "from clearminds import b\nfrom clearminds.b import g\nfrom clearminds.b import g as renamed",
    "p/__init__": "from clearminds.b import g",
    "p/q": "from clearminds.p import g",
}


@pytest.mark.parametrize("use", sorted(USES))
def test_every_way_of_importing_leads_to_the_definition(tmp_path, use):
    tree = tree_of(tmp_path, a=use, **OTHERS)
    plain = tree_of(tmp_path / "plain", a="def g(): return 1\ndef f(): return g()")
    assert references(tree, "a:f") == {"clearminds.b:g"}
    assert tree.definition("clearminds.a:f").text == plain.definition("clearminds.a:f").text


@pytest.mark.parametrize(
    "use",
    [
        "def f(): return g",
        "def f(x=g): return x",
        "@g\ndef f(): return 1",
        "class f(g): pass",
        "class f:\n    x = g",
        "class f:\n    def m(self): return g()",
        "class f:\n    g = g",
        "class f:\n    def g(self): return g()",
        "class f(metaclass=g): pass",
        "f = lambda: g",
        "f = [g for _ in ()]",
        "def f(): return [g for g in g()]",
        "def f(x): return {k: g(k) for k in x}, [g for g in x]",
        "def f():\n    def inner(): return g\n    return inner",
        "def f():\n    def inner(g): return g\n    return inner(g)",
        "def f():\n    global g\n    g = 1",
        "f = 1 if g else 2",
        "f = {'a': g}",
        "f, h = g",
        "f = 1\nf += g",
        "with g as f: pass",
        "for f in g: pass",
        "if g:\n    f = 1",
        "try:\n    f = 1\nexcept g:\n    f = 2",
        "def f(): return g.a.b[0]",
        "def f(x): return f'{g:{x}}'",
        "def f(x):\n    match x:\n        case g.a: return 1",
        "async def f():\n    async for x in g(): yield x",
    ],
)
def test_every_use_of_a_name_is_a_reference(tmp_path, use):
    tree = tree_of(tmp_path, a=f"from clearminds.b import g\n{use}", b="g = 1")
    assert "clearminds.b:g" in references(tree, "a:f")


@pytest.mark.parametrize(
    "use",
    [
        "def f(g): return g",
        "def f(x): return [g for g in x]",
        "f = lambda g: g",
        "def f():\n    g = 1\n    return lambda: g",
        "def f(x: g) -> g:\n    y: g = x\n    return y",
        "class f:\n    x: g",
        "def f(): raise ValueError(f'{g}')",
        "def f(x): return x.g",
        "def f(x): return x(g=1)",
    ],
)
def test_a_name_that_means_something_else_is_none(tmp_path, use):
    assert not references(tree_of(tmp_path, a=f"from clearminds.b import g\n{use}", b="g = 1"), "a:f")


@pytest.mark.parametrize("use", ["b", "getattr(b, x)", "b.__name__", "vars(b)", "[b]"])
def test_a_module_that_is_passed_around_stands_for_all_it_defines(tmp_path, use):
    tree = tree_of(tmp_path, a=f"from clearminds import b\ndef f(x): return {use}", b="def g(): pass\nh = 1")
    assert references(tree, "a:f") == {"clearminds.b"}
    assert references(tree, "b") == {"clearminds.b:g", "clearminds.b:h"}


def test_globals_stands_for_all_that_its_module_defines(tmp_path):
    assert references(tree_of(tmp_path, a="def f(x): return globals()[x]\ng = 1"), "a:f") == {"clearminds.a"}


def test_scripts_find_what_stands_beside_them(tmp_path):
    tree = tree_of(tmp_path, b="")
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "helper.py").write_text("def g(): pass")
    (tmp_path / "scripts" / "step.py").write_text("import helper\ndef main(): helper.g()\nlaunch(main)")
    tree = Tree(tmp_path)
    assert tree.modules() == ["clearminds.b", "scripts.helper", "scripts.step"]
    assert tree.definition("scripts.step:main").references == ("scripts.helper:g",)


def test_a_logger_may_come_from_another_module(tmp_path):
    logger = "import logging\nlog = logging.getLogger('a')"
    line = "from clearminds.b import log\ndef f():\n    log.info('words')"
    tree = tree_of(tmp_path, a=line, b=logger, c="def f(): pass")
    assert tree.definition("clearminds.a:f").text == tree.definition("clearminds.c:f").text
    assert not references(tree, "a:f")


def test_what_only_has_a_loggers_name_is_not_a_logger(tmp_path):
    tree = tree_of(tmp_path, a="from clearminds.b import log\ndef f():\n    log.info('words')", b="log = object()")
    assert references(tree, "a:f") == {"clearminds.b:log"}


# --- what a module does when it is imported ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "import os\nos.environ['A'] = '1'",
        "import os\nos.environ.setdefault('A', '1')",
        "f.attribute = 1",
        "if f:\n    f.register()",
        "for x in (1, 2):\n    f.register(x)",
        "with f:\n    g = 1\n    f.register(g)",
        "import os\ndel os.environ['A']",
        "assert f",
    ],
)
def test_a_statement_that_does_something_belongs_to_every_definition(tmp_path, statement):
    tree = tree_of(tmp_path, a=f"def f(): pass\n{statement}", b="def g(): pass", c="import clearminds.a\nx = 1")
    assert tree.definition("clearminds.a:f").effects == {"clearminds.a:<effects>"}
    assert tree.definition("clearminds.c:x").effects == {"clearminds.a:<effects>"}
    assert not tree.definition("clearminds.b:g").effects


@pytest.mark.parametrize(
    "statement",
    [
        "'words'",
        "pass",
        "g = 1",
        "g: int",
        "if __name__ == '__main__':\n    f()",
        "import sys\nsys.path.insert(0, 'a')",
        "import sys\nsys.path[:0] = ['a']",
        "import logging\nlog = logging.getLogger()\nlog.setLevel(10)",
        "try:\n    import json\nexcept ImportError:\n    json = None",
    ],
)
def test_a_statement_that_only_binds_names_has_no_effects(tmp_path, statement):
    assert not tree_of(tmp_path, a=f"def f(): pass\n{statement}").definition("clearminds.a:f").effects


def test_a_package_around_a_module_is_imported_too(tmp_path):
    files = {"p/__init__": "import os\nos.umask(0)", "p/q": "x = 1", "b": "def f():\n    import clearminds.p.q"}
    tree = tree_of(tmp_path, **files)
    assert tree.definition("clearminds.b:f").effects == {"clearminds.p:<effects>"}


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("from . import b\nf = 1", r"a\.py:1: relative import"),
        ("def f():\n    from .b import g", r"a\.py:2: relative import"),
        ("from clearminds.b import *\nf = 1", r"a\.py:1: import of \*"),
        ("from clearminds.b import missing\nf = 1", r"a\.py:1: clearminds\.b has no missing"),
        ("def f():\n    from clearminds.b import missing", r"a\.py:2: clearminds\.b has no missing"),
        ("import clearminds.missing\nf = 1", r"a\.py:1: there is no module clearminds\.missing"),
        ("from clearminds.missing import g\nf = 1", r"a\.py:1: there is no module clearminds\.missing"),
        ("from clearminds import b\ndef f():\n    return b.missing", r"a\.py:3: clearminds\.b has no missing"),
        ("from clearminds.c import g\nf = 1", r"c\.py:1: clearminds\.b has no g"),
        ("from clearminds.a import f2\nf = 1", r"a\.py:1: clearminds\.a has no f2"),
    ],
)
def test_what_cannot_be_followed_is_refused(tmp_path, source, error):
    tree = tree_of(tmp_path, a=source, b="x = 1", c="from clearminds.b import g")
    with pytest.raises(ValueError, match=error):
        tree.definition("clearminds.a:f")


@pytest.mark.parametrize("key", ["clearminds.a:missing", "clearminds.missing:f", "json:loads"])
def test_a_definition_that_does_not_exist_is_refused(tmp_path, key):
    with pytest.raises(ValueError, match=r"has no missing|there is no module"):
        tree_of(tmp_path, a="f = 1").definition(key)


def test_an_overlay_takes_a_files_place(tmp_path):
    tree_of(tmp_path, a="f = 1")
    new = Tree(tmp_path, {tmp_path / "clearminds" / "a.py": "f = g", tmp_path / "clearminds" / "b.py": "h = 1"})
    assert new.modules() == ["clearminds.a", "clearminds.b"]
    assert "'g'" in new.definition("clearminds.a:f").text
    assert new.keys("clearminds.b") == ["clearminds.b:h"]


# --- the compiler's view, and the package itself ----------------------------------------------------------------------


def test_scopes_are_the_compilers():
    found = scopes(ast.parse("x = [y for y in z]\ndef f(a):\n    global b\n    b = c(a)\nclass g:\n    d = e\n").body)
    assert found.bound == {"x", "f", "g"}
    assert found.read == {"z", "b", "c", "e", "__name__"}
    assert {"y", "a", "d"} <= found.local


def test_many_names_are_read_as_well_as_few():
    """Arguments above 255 are written in two parts."""
    source = "def f():\n" + "".join(f"    g{n}(h{n}.a{n})\n" for n in range(400))
    assert scopes(ast.parse(source).body).read == {f"{letter}{n}" for letter in "gh" for n in range(400)}


def test_the_package_resolves():
    tree = Tree(ROOT / "workflow")
    modules = tree.modules()
    keys = [key for module in modules for key in tree.keys(module)]
    assert len(modules) > 80
    assert len(keys) > 500
    for key in keys:
        for reference in tree.definition(key).references:
            assert tree.definition(reference)
    for module in modules:
        tree.effects(module)  # resolves its imports, the unused ones too


def test_every_definition_of_the_package_is_found():
    tree = Tree(ROOT / "workflow")
    for file in sorted((ROOT / "workflow" / "clearminds").rglob("*.py")):
        module = ".".join(file.relative_to(ROOT / "workflow").with_suffix("").parts).removesuffix(".__init__")
        for statement in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(statement, ast.FunctionDef | ast.ClassDef):
                assert f"{module}:{statement.name}" in tree.keys(module)
            elif isinstance(statement, ast.Assign):
                stored = [n for n in outside_functions(statement) if isinstance(n, ast.Name)]
                for name in {n.id for n in stored if isinstance(n.ctx, ast.Store)}:
                    assert f"{module}:{name}" in tree.keys(module) or any(
                        isinstance(n, ast.comprehension) for n in ast.walk(statement)
                    )
