"""What makes a step rerun, and what must not: fingerprints of the code that each stage runs."""

import ast
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from demo_study import DEMO, WILDCARDS, demo, jobs, spec

from clearminds.reuse import code as identity
from clearminds.reuse import stage_code as stages
from clearminds.reuse.code import code_fingerprint, code_parts
from clearminds.run.specs import Specs

ROOT = Path(__file__).parents[2]


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package that fingerprints are taken of; call `edit` on it."""
    keep_out = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "workflow" / "clearminds", tmp_path / "clearminds", ignore=keep_out)
    for folder in ("tasks", "scripts"):
        shutil.copytree(ROOT / "workflow" / folder, tmp_path / folder, ignore=keep_out)
    monkeypatch.setattr(identity, "PACKAGE", tmp_path / "clearminds")
    identity._closure.cache_clear()
    yield tmp_path / "clearminds"
    identity._closure.cache_clear()


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    identity._closure.cache_clear()


# --- code -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""The rule', '"""Another docstring of the rule'),
        ("import", "# a comment\nimport"),
        ("import", "\n\n\nimport"),
        ("\n", "  # a comment at the end of a line\n"),
    ],
)
def test_comments_docstrings_and_layout_change_no_fingerprint(package, old, new):
    module = package / "invented.py"
    module.write_text('"""The rule."""\nimport math\n\n\ndef f(x):\n    """Its docstring."""\n    return math.log(x)\n')
    before = code_fingerprint("clearminds.invented")
    edit(module, old, new)
    assert code_fingerprint("clearminds.invented") == before
    edit(module, '    """Its docstring."""\n', "")
    edit(module, "math.log(x)", "(\n        math.log(x)\n    )")
    assert code_fingerprint("clearminds.invented") == before


@pytest.mark.parametrize(
    ("old", "new"), [("x + 1", "x + 2"), ("x + 1", "1 + x"), ("'a'", "'b'"), ("def f(x)", "def f(x=0)")]
)
def test_code_changes_its_fingerprint(package, old, new):
    module = package / "invented.py"
    module.write_text("A = 'a'\n\n\ndef f(x):\n    return x + 1\n")
    before = code_fingerprint("clearminds.invented")
    edit(module, old, new)
    assert code_fingerprint("clearminds.invented") != before


def test_a_string_that_is_no_docstring_is_code(package):
    module = package / "invented.py"
    module.write_text("def f():\n    x = 'a'\n    return x\n")
    before = code_fingerprint("clearminds.invented")
    edit(module, "'a'", "'b'")
    assert code_fingerprint("clearminds.invented") != before


@pytest.mark.parametrize(
    "line",
    [
        "import clearminds.middle",
        "import clearminds.middle as m",
        "from clearminds import middle",
        "from clearminds.middle import f",
        "def g():\n    from clearminds.middle import f\n    return f",
        "if 1:\n    import clearminds.middle",
    ],
)
def test_an_import_of_an_import_changes_the_fingerprint(package, line):
    (package / "first.py").write_text(line + "\n")
    (package / "middle.py").write_text("from clearminds.last import f\n")
    (package / "last.py").write_text("def f():\n    return 1\n")
    before = code_fingerprint("clearminds.first")
    edit(package / "last.py", "1", "2")
    assert code_fingerprint("clearminds.first") != before


def test_modules_that_import_each_other_have_a_fingerprint(package):
    (package / "first.py").write_text("import clearminds.second\n")
    (package / "second.py").write_text("import clearminds.first\n")
    parts = {"clearminds.first", "clearminds.second"}
    assert code_parts("clearminds.first").keys() == code_parts("clearminds.second").keys() == parts


def test_a_module_that_is_not_imported_changes_nothing(package):
    before = code_fingerprint("clearminds.stages.build_masks")
    edit(package / "report" / "figures.py", "import", "UNRELATED = 1\nimport")
    assert code_fingerprint("clearminds.stages.build_masks") == before


def test_the_order_in_which_modules_are_named_does_not_matter():
    names = [
        "clearminds.stages.build_masks",
        "clearminds.plugins.weights.perplexity",
        "clearminds.plugins.weights.random",
    ]
    assert code_fingerprint(*names) == code_fingerprint(*reversed(names))


def test_every_file_that_a_plugin_names_is_found():
    """A name that finds no file would leave its code out of the fingerprint without a word."""
    specs = Specs(demo())
    for stage in stages.STAGES:
        for task in DEMO["tasks"]:
            wildcards = SimpleNamespace(**{**vars(WILDCARDS), "task": task, "split": "test"})
            for name in stages.modules(stage, getattr(specs, stage)(wildcards)):
                assert identity._file(name).is_file(), name


def test_no_module_imports_relatively():
    """Fingerprints follow imports by their full names only."""
    for file in (ROOT / "workflow" / "clearminds").rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        assert not [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.level], file


# --- stages -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", stages.STAGES)
def test_no_stage_runs_the_config_models(stage):
    study = demo()
    specs = Specs(study)
    for task in study.tasks:
        for variant in study.variants:
            wildcards = SimpleNamespace(**{**vars(WILDCARDS), "task": task, "variant": variant, "split": "test"})
            parts = code_parts(*stages.modules(stage, getattr(specs, stage)(wildcards)))
            assert len(parts) > 1
            assert not parts.keys() & {"clearminds.config.study", "clearminds.run.specs", "clearminds.config.load"}


def fingerprints() -> dict[tuple, str]:
    study = demo()
    return {(job[0], text): stages.fingerprint(job[0], json.loads(text)) for job, text in jobs(study).items()}


def test_a_new_weight_rule_changes_no_fingerprint(package):
    before = fingerprints()
    (package / "plugins" / "weights" / "new.py").write_text("def weights(scores, parameters, rng):\n    return 0\n")
    (package / "plugins" / "verifiers" / "new.py").write_text("def verify(response, example):\n    return 0\n")
    (package / "plugins" / "task_kinds" / "new.py").write_text("def load(spec, split):\n    return []\n")
    (package / "plugins" / "sources" / "new.py").write_text("def prompt(example):\n    return []\n")
    identity._closure.cache_clear()
    assert fingerprints() == before


def changed_by(package: Path, file: str) -> set[tuple]:
    before = fingerprints()
    with open(package / file, "a", encoding="utf-8") as handle:
        handle.write("\nCHANGED = 1\n")
    identity._closure.cache_clear()
    after = fingerprints()
    return {job for job in before if before[job] != after[job]}


@pytest.mark.parametrize(
    ("file", "stage", "key", "value"),
    [
        ("plugins/weights/perplexity.py", "build_masks", ("weights", "rule"), "perplexity"),
        ("plugins/weights/all.py", "build_masks", ("weights", "rule"), "all"),
        ("plugins/sources/rephrase.py", "generate_responses", ("source", "kind"), "rephrase"),
        ("plugins/verifiers/unverified.py", "verify_responses", ("verifier",), "unverified"),
        ("plugins/task_kinds/human_eval.py", "prepare_task", ("task", "kind"), "human_eval"),
        ("plugins/wordings/everyday_prompts.txt", "prepare_task", ("task", "kind"), "everyday_prompts"),
        ("plugins/wordings/chain_sum.py", "prepare_task", ("task", "reference"), "wordings"),
    ],
)
def test_a_plugin_changes_the_jobs_that_name_it_and_no_others(package, file, stage, key, value):
    changed = changed_by(package, file)
    chosen = set()
    for job in fingerprints():
        found = json.loads(job[1])
        if job[0] == stage:
            like = found.get("weights", {}).get("like") if file.startswith("plugins/weights") else None
            for part in key:
                found = found.get(part) if isinstance(found, dict) else None
            if found == value or (like and like["rule"] == value):
                chosen.add(job)
    assert chosen
    assert changed == chosen


@pytest.mark.parametrize(
    ("stage", "changes"),
    [
        ("generate_responses", {"sources/self_output/backend": "vllm"}),
        ("evaluate_base", {"evaluation/backend": "vllm"}),
        ("evaluate_adapter", {"evaluation/backend": "vllm"}),
    ],
)
def test_the_code_of_vllm_counts_where_it_runs_and_nowhere_else(stage, changes):
    names = ("vllm.engine", "vllm.client", "vllm.adapter", "backends.vllm")
    own = {f"clearminds.model.{name}" for name in names}
    served = stages.parts(stage, json.loads(spec(demo(changes), stage)))
    plain = stages.parts(stage, json.loads(spec(demo(), stage)))
    assert own <= served.keys() and not own & plain.keys()
    reference = json.loads(spec(demo(), "generate_responses", source="reference"))
    backends = {name for name in stages.parts("generate_responses", reference) if "backends." in name}
    assert not backends, "copied references are drawn by none"


def test_a_text_that_only_the_report_is_made_of_changes_the_report_alone(package):
    assert {stage for stage, _ in changed_by(package, "report/page.html.jinja")} == {"report"}


def test_the_training_loop_changes_the_training_alone(package):
    assert {stage for stage, _ in changed_by(package, "stages/train_adapter.py")} == {"train_adapter"}


def test_the_scorer_s_own_module_changes_no_training(package):
    changed = {stage for stage, _ in changed_by(package, "stages/score_token_perplexity.py")}
    assert "score_token_perplexity" in changed
    assert not changed & {"prepare_task", "generate_responses", "build_masks", "train_adapter"}
