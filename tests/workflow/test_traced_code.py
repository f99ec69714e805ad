"""The `code` of each stage against what really runs: nothing that computes is outside it, no edit of it goes unseen."""

import ast
import json
import random
from collections import Counter, defaultdict

import pytest
from golden.study import golden_study
from tiny import tiny_adapter_folder, tiny_model_folder
from traced import run_traced
from warm import interpreter

from clearminds.checkout import SNAKEFILE, WORKFLOW
from clearminds.files.analysed_files import GRADIENTS, READS
from clearminds.reuse import stage_code
from clearminds.reuse.code import closure, digest
from clearminds.reuse.definitions import Tree
from clearminds.reuse.reporting_only import REPORTING_ONLY

pytestmark = pytest.mark.slow

PROGRAM = {"text": "Write f, which adds 1.", "code": "def f(x):\n    return x + 1", "tests": "assert f(1) == 2"}
PROGRAMS = {
    "kind": "file",
    "template": {"prompt": "{{ text }}", "response": "{{ code }}", "tests": "{{ tests }}"},
    "verifier": "programs",
}
MUTATIONS = 240
A_DEFINITION = 6  # mutations of one at most


@pytest.fixture(scope="module")
def jobs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("traced")
    model = tiny_model_folder(folder / "model")
    study = golden_study(model, folder / "data")
    # what the golden study lacks, as older code, on which it is run too, does not know it
    answers = {"samples": 2, "temperature": 1.0, "k": [2]}
    asked = {
        "kind": "reasoning_gym",
        "generator": "gcd",
        "splits": {"test": 2},
        "evaluate": "choice",
        "lead_in": "It is",
    }
    study["tasks"] |= {"asked": asked, "often": {**study["tasks"]["numbers"], "sampling": answers}}
    (folder / "data" / "programs.jsonl").write_text(json.dumps(PROGRAM) + "\n", encoding="utf-8")
    study["tasks"]["code-run"] = {**PROGRAMS, "splits": {"test": str(folder / "data" / "programs.jsonl")}}
    study["suites"]["more"] = ["asked", "often", "code-run"]
    study["runtime"]["sandbox"] = "rlimits"
    # not in the golden study itself, which code from before them has to run, too
    study["variants"] |= {
        "eksft": {"responses": "reference", "loss": {"rule": "eksft"}, "training": {"normaliser": "all"}},
        "pissa": {"responses": "reference", "loss": {"rule": "eaft"}, "training": {"adapter": "pissa"}},
        "full": {"responses": "reference", "training": {"adapter": "full"}},
        "then": {"responses": "reference", "start_from": "stm-200"},
        "mixed": {"responses": "reference", "replay": {"task": "again", "share": 0.4}},
        "theirs": {"adapter": {"path": str(tiny_adapter_folder(folder / "theirs", model))}},
    }
    study["tasks"]["again"] = {**study["tasks"][study["targets"][0]]}
    study["tasks"]["sums"]["splits"]["validation"] = 2
    study["variants"]["stm-held-out"] = {"responses": "reference", "training": {"validation_every": 1}}
    study["analyses"] = [*READS, GRADIENTS]
    return run_traced(SNAKEFILE, study, folder / "study", interpreter())


def only_reports(key: str) -> bool:
    parts = key.partition(":")[0].split(".")
    return key in REPORTING_ONLY or any(".".join(parts[:end]) in REPORTING_ONLY for end in range(1, len(parts) + 1))


def definitions_of(job: dict) -> list[str]:
    return [root for root in stage_code.roots(job["stage"], job["spec"]) if "/" not in root]


def test_what_runs_while_a_stage_computes_is_in_its_code_or_only_reports(jobs):
    assert {job["stage"] for job in jobs} == set(stage_code.STAGES)
    outside, counted = defaultdict(set), Counter()
    for job in jobs:
        covered = closure(stage_code.tree(), definitions_of(job), REPORTING_ONLY)
        counted[job["stage"]] = max(counted[job["stage"]], len(job["ran"]))
        outside[job["stage"]] |= {key for key in job["ran"] if key not in covered and not only_reports(key)}
    assert not {stage: keys for stage, keys in outside.items() if keys}, dict(outside)
    assert min(counted.values()) >= 5 and sum(counted.values()) > 200, counted


# --- mutations --------------------------------------------------------------------------------------------------------

SWAPPED = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.FloorDiv: ast.Div, ast.Mod: ast.Mult,
    ast.Pow: ast.Mult, ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr, ast.RShift: ast.LShift,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip


def sites(definition: ast.stmt) -> list[tuple[str, ast.AST]]:
    """What can be mutated in a definition: not its docstrings, annotations, log lines and messages of errors."""
    found: list[tuple[str, ast.AST]] = []

    def walk(node: ast.AST) -> None:
        if isinstance(node, ast.Raise | ast.Import | ast.ImportFrom | ast.JoinedStr):
            return
        if isinstance(node, ast.Expr) and (isinstance(node.value, ast.Constant) or is_log(node.value)):
            return
        if isinstance(node, ast.BinOp | ast.BoolOp | ast.AugAssign) and type(node.op) in SWAPPED:
            found.append(("operator", node))
        if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPPED:
            found.append(("comparison", node))
        if isinstance(node, ast.Constant) and isinstance(node.value, str | int | float) and node.value != "":
            found.append(("constant", node))
        if isinstance(node, ast.Expr | ast.Assign | ast.AugAssign | ast.Return):
            found.append(("statement", node))
        for field, value in ast.iter_fields(node):
            if field in ("annotation", "returns"):
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    walk(child)

    walk(definition)
    return found


def is_log(call: ast.expr) -> bool:
    return isinstance(call, ast.Call) and ast.unparse(call.func).startswith(("log.", "logging."))


def mutate(kind: str, node: ast.AST) -> None:
    if kind == "operator":
        node.op = SWAPPED[type(node.op)]()
    elif kind == "comparison":
        node.ops[0] = SWAPPED[type(node.ops[0])]()
    elif kind == "constant":
        value = node.value
        node.value = not value if isinstance(value, bool) else f"{value}x" if isinstance(value, str) else value + 1
    else:  # a statement that does nothing in its place
        node.__class__ = ast.Pass
        for field in list(vars(node)):
            if field not in ("lineno", "col_offset", "end_lineno", "end_col_offset"):
                delattr(node, field)


def test_every_mutation_of_what_runs_changes_the_code_of_a_stage_that_runs_it(jobs):
    runs = {key: job for job in jobs for key in job["ran"] if not only_reports(key) and not key.startswith("tasks.")}
    by_module: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for key in sorted(runs):
        module, _, name = key.partition(":")
        definition = stage_definition(module, name)
        numbers = list(range(len(sites(definition)))) if definition else []
        random.Random(key).shuffle(numbers)
        by_module[module] += [(name, number) for number in numbers[:A_DEFINITION]]
    chosen: list[tuple[str, str, int]] = []
    while len(chosen) < MUTATIONS and any(by_module.values()):  # a mutation of each module in turn
        chosen += [(module, *left.pop()) for module, left in by_module.items() if left]
    unseen, kinds, modules = [], Counter(), set()
    for module, name, number in chosen:
        file = WORKFLOW.joinpath(*module.split(".")).with_suffix(".py")
        tree = ast.parse(file.read_text(encoding="utf-8"))
        kind, node = sites(definition_in(tree, name))[number]
        mutate(kind, node)
        mutated = Tree(WORKFLOW, {file: ast.unparse(tree)})
        roots = definitions_of(runs[f"{module}:{name}"])
        if all(digest(mutated, root, REPORTING_ONLY) == stage_code.root_digest(root) for root in roots):
            unseen.append((module, name, kind, number))
        kinds[kind] += 1
        modules.add(module)
    assert not unseen, unseen
    assert len(chosen) >= 200 and len(modules) >= 30 and len(kinds) == 4, (len(chosen), len(modules), kinds)


def stage_definition(module: str, name: str) -> ast.stmt | None:
    file = WORKFLOW.joinpath(*module.split(".")).with_suffix(".py")
    return definition_in(ast.parse(file.read_text(encoding="utf-8")), name) if file.is_file() else None


def definition_in(tree: ast.Module, name: str) -> ast.stmt | None:
    defined = (node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef))
    return next((node for node in defined if node.name == name), None)
