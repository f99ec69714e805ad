"""The fingerprint of code: what it is taken over, and that neither names nor places matter."""

import ast
import itertools
from pathlib import Path

import pytest
from code_trees import KEY, REPORTING_ONLY, checkout
from hypothesis import given
from hypothesis import strategies as st

from clearminds.reuse.code import Changes, changed, closure, digest, text_digest
from clearminds.reuse.definitions import Tree

ROOT = Path(__file__).parents[2]


def test_a_closure_is_all_that_is_reached_and_nothing_else(tmp_path):
    found = closure(checkout(tmp_path), [KEY], REPORTING_ONLY)
    assert next(iter(found)) == KEY
    assert {key.removeprefix("clearminds.") for key in found} == {
        *("work:main", "work:_tail", "work:Worker", "work:SCALE", "near:LIMIT", "near:Base", "near:shift"),
        *("far:store", "far:cached", "far:STEP", "far:CACHE", "far:<effects>", "deep.sums:twice"),
        *("end:last", "end:even", "end:odd"),
    }


def test_what_only_reports_is_a_package_a_module_or_a_definition(tmp_path):
    old = checkout(tmp_path)
    assert "clearminds.deep.sums:twice" not in closure(old, [KEY], {"clearminds.deep"})
    assert not any("clearminds.end:" in key for key in closure(old, [KEY], {"clearminds.end"}) if key != KEY)
    assert "clearminds.end:odd" in closure(old, [KEY], {"clearminds.en", "clearminds.end:ev"})


def test_equal_names_in_two_modules_are_told_apart(tmp_path):
    root = "from clearminds import a, b\n\n\ndef main(x):\n    return a.f(x) - b.f(x)\n"
    one, two = "def f(x):\n    return x\n", "def f(x):\n    return 2 * x\n"
    old, new = checkout(tmp_path, work=root, a=one, b=two), checkout(tmp_path, work=root, a=two, b=one)
    assert digest(old, KEY) != digest(new, KEY)
    # swapped names that the root follows are a renaming
    again = checkout(tmp_path, work=root.replace("a.f(x) - b.f(x)", "b.f(x) - a.f(x)"), a=two, b=one)
    assert digest(old, KEY) == digest(again, KEY)


def test_a_rewired_reference_far_away_is_seen_between_definitions_that_say_the_same(tmp_path):
    """`p` and `q` differ only in what they call in their turn."""
    source = (
        "def main(): return a(), p(), q()\ndef a(): return b()\ndef b(): return c()\ndef c(): return {}()\n"
        "def p(): return u()\ndef q(): return v()\ndef u(): return 1\ndef v(): return 2\n"
    )
    assert digest(checkout(tmp_path, work=source.format("p")), KEY) != digest(
        checkout(tmp_path, work=source.format("q")), KEY
    )


def test_names_count_where_a_module_is_asked_by_name(tmp_path):
    root = "from clearminds import a\n\n\ndef main(x):\n    return getattr(a, x)\n"
    digests = {
        digest(checkout(tmp_path, work=root, a=text), KEY)
        for text in ("F = 1\nG = 2\n", "F = 2\nG = 1\n", "F = 1\nH = 2\n", "F = 1\n")
    }
    assert len(digests) == 4
    assert digest(checkout(tmp_path, work=root, a="G = 2\n\n# words\nF = 1\n"), KEY) in digests


def test_effects_have_no_order_but_each_counts(tmp_path):
    root = "{}\n{}\n\n\ndef main():\n    return a.f(), b.f()\n"
    first, second = "from clearminds import a", "from clearminds import b"
    one, two = ("def f():\n    pass\n\n\nprint(1)\n", "def f():\n    pass\n\n\nprint(2)\n")
    old = digest(checkout(tmp_path, work=root.format(first, second), a=one, b=two), KEY)
    assert old == digest(checkout(tmp_path, work=root.format(second, first), a=one, b=two), KEY)
    assert old == digest(checkout(tmp_path, work=root.format(first, second), a=two, b=one), KEY)
    assert old != digest(checkout(tmp_path, work=root.format(first, second), a=one, b=one), KEY)


@given(st.lists(st.lists(st.integers(0, 5), max_size=3), min_size=6, max_size=6), st.permutations(range(6)))
def test_no_name_and_no_place_matters(tmp_path_factory, calls, names):
    """Functions that call each other at random, all in one module, and under other names in a module each."""
    folder = tmp_path_factory.mktemp("trees")

    def body(of: int, called: list[str]) -> str:
        return f"(x):\n    return [{of % 2}, {', '.join(f'{name}(x)' for name in called)}]\n\n\n"

    one = "".join(f"def f{i}" + body(i, [f"f{j}" for j in called]) for i, called in enumerate(calls))
    many = {
        f"m{names[i]}": "".join(f"from clearminds.m{names[j]} import g{names[j]}\n" for j in sorted({*called} - {i}))
        + f"def g{names[i]}"
        + body(i, [f"g{names[j]}" for j in called])
        for i, called in enumerate(calls)
    }
    old, new = checkout(folder, work=one), checkout(folder, **many)
    assert digest(old, "clearminds.work:f0") == digest(new, f"clearminds.m{names[0]}:g{names[0]}")
    reached = closure(old, ["clearminds.work:f0"])
    for i in range(6):
        mutant = checkout(folder, work=one.replace(f"def f{i}(x):\n    return [", f"def f{i}(x):\n    return [7, "))
        differs = digest(mutant, "clearminds.work:f0") != digest(old, "clearminds.work:f0")
        assert differs == (f"clearminds.work:f{i}" in reached)


# --- which definition changed -----------------------------------------------------------------------------------------


def test_changes_name_what_changed_and_not_what_moved():
    old = {"clearminds.a:f": "1", "clearminds.a:g": "2", "clearminds.a:gone": "3", "clearminds.b:<effects>": "4"}
    new = {"clearminds.a:f": "9", "clearminds.c:g": "2", "clearminds.a:come": "5", "clearminds.b:<effects>": "6"}
    assert changed(old, new) == Changes(
        ["clearminds.a.f", "clearminds.b (what it does when imported)"], ["clearminds.a.come"], ["clearminds.a.gone"]
    )
    assert not changed(old, old)
    assert changed({}, {"clearminds.a": "1"}) == Changes([], ["clearminds.a (its names)"], [])


def test_a_copy_of_what_stays_is_an_addition():
    old = {"clearminds.a:f": "1"}
    assert changed(old, {**old, "clearminds.b:f": "1"}) == Changes([], ["clearminds.b.f"], [])


# --- files that are not Python ----------------------------------------------------------------------------------------


def test_yaml_counts_by_what_it_says(tmp_path):
    texts = {
        "a: 1\nb: !function tasks.f\n": 0,
        "# words\na: 1   # words\n\nb:   !function tasks.f\n": 0,
        "{a: 1, b: !function tasks.f}": 0,
        "a: '1'\nb: !function tasks.f\n": 1,
        "b: !function tasks.f\na: 1\n": 2,
        "a: 1\nb: !function tasks.g\n": 3,
        "a: 1\nb: [tasks.f]\n": 4,
    }
    found = {}
    for text, group in texts.items():
        (tmp_path / "a.yaml").write_text(text)
        found.setdefault(group, set()).add(text_digest(tmp_path / "a.yaml"))
    assert all(len(digests) == 1 for digests in found.values())
    assert len(set.union(*found.values())) == len(found)


@pytest.mark.parametrize("suffix", ["txt", "jinja"])
def test_other_files_count_by_their_bytes(tmp_path, suffix):
    file = tmp_path / f"a.{suffix}"
    digests = set()
    for text in ("a: 1\n", "a: 1 # words\n", "a:  1\n"):
        file.write_text(text)
        digests.add(text_digest(file))
    assert len(digests) == 3


# --- the package itself -----------------------------------------------------------------------------------------------


def test_every_launcher_has_a_fingerprint_of_its_own():
    package = Tree(ROOT / "workflow")
    roots = [f"{name}:main" for name in package.modules() if name.startswith("scripts.") and "._" not in name]
    assert len(roots) > 8
    for first, second in itertools.combinations(roots, 2):
        assert digest(package, first) != digest(package, second)
    assert digest(package, roots[0]) == digest(Tree(ROOT / "workflow"), roots[0])


@pytest.mark.slow
def test_an_edit_of_the_package_changes_the_fingerprints_that_reach_it():
    """Every 40th function or class of the package, each with one more statement."""
    workflow, root = ROOT / "workflow", "scripts.evaluate_adapter:main"
    package = Tree(workflow)
    reached, before = closure(package, [root]), digest(package, root)
    found = []
    for file in sorted((workflow / "clearminds").rglob("*.py")):
        module = ".".join(file.relative_to(workflow).with_suffix("").parts).removesuffix(".__init__")
        parsed = ast.parse(file.read_text(encoding="utf-8"))
        found += [(file, module, parsed, s) for s in parsed.body if isinstance(s, ast.FunctionDef | ast.ClassDef)]
    for file, module, parsed, statement in found[::40]:
        assert digest(Tree(workflow, {file: ast.unparse(parsed)}), root) == before
        statement.body += ast.parse("edited = 1").body
        after = digest(Tree(workflow, {file: ast.unparse(parsed)}), root)
        assert (after != before) == (f"{module}:{statement.name}" in reached)
        statement.body.pop()
