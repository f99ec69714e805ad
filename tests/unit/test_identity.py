"""What makes a step rerun, and what must not: fingerprints of code, and the settings that each stage's spec holds."""

import ast
import copy
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from clearminds import identity, stages
from clearminds.config import Study
from clearminds.identity import canonical, code_fingerprint, code_parts
from clearminds.specs import Specs

ROOT = Path(__file__).parents[2]
DEMO = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
WILDCARDS = {
    "model": "smollm2-135m-q4",
    "scorer": "smollm2-135m-q4",
    "task": "sums",
    "split": "train",
    "source": "self_output",
    "target": "sums",
    "variant": "stm-2.5",
    "draw": "",
    "seed": "0",
    "suite": "small",
}


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


def study_with(**changes: object) -> Study:
    """The demo study with keys, named by their path with double underscores for slashes, set anew."""
    keys = copy.deepcopy(DEMO)
    for path, value in changes.items():
        *above, last = path.split("__")
        block = keys
        for part in above:
            block = block.setdefault(part, {})
        block[last] = value
    return Study.model_validate(keys)


def spec(study: Study, stage: str, **wildcards: str) -> str:
    return Specs(study).text(stage)(SimpleNamespace(**{**WILDCARDS, **wildcards}))


def jobs(study: Study) -> dict[tuple, str]:
    """The specs of every kind of job of the study."""
    found = {}
    for stage in stages.STAGES:
        for task in study.tasks:
            for variant in study.variants:
                for source in ("reference", *study.sources):
                    chosen = {"task": task, "variant": variant, "source": source}
                    split = "train" if task in study.targets else "test"
                    found[stage, task, variant, source] = spec(study, stage, **chosen, split=split)
    return found


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
    before = code_fingerprint("clearminds.build_masks")
    edit(package / "figures.py", "import", "UNRELATED = 1\nimport")
    assert code_fingerprint("clearminds.build_masks") == before


def test_the_order_in_which_modules_are_named_does_not_matter():
    names = ["clearminds.build_masks", "clearminds.weights.perplexity", "clearminds.weights.random"]
    assert code_fingerprint(*names) == code_fingerprint(*reversed(names))


def test_every_file_that_a_plugin_names_is_found():
    """A name that finds no file would leave its code out of the fingerprint without a word."""
    specs = Specs(Study.model_validate(DEMO))
    for stage in stages.STAGES:
        for task in DEMO["tasks"]:
            wildcards = SimpleNamespace(**{**WILDCARDS, "task": task, "split": "test"})
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
    study = Study.model_validate(DEMO)
    specs = Specs(study)
    for task in study.tasks:
        for variant in study.variants:
            wildcards = SimpleNamespace(**{**WILDCARDS, "task": task, "variant": variant, "split": "test"})
            parts = code_parts(*stages.modules(stage, getattr(specs, stage)(wildcards)))
            assert len(parts) > 1
            assert not parts.keys() & {"clearminds.config", "clearminds.specs", "clearminds.load_config"}


def fingerprints() -> dict[tuple, str]:
    study = Study.model_validate(DEMO)
    return {(job[0], text): stages.fingerprint(job[0], json.loads(text)) for job, text in jobs(study).items()}


def test_a_new_weight_rule_changes_no_fingerprint(package):
    before = fingerprints()
    (package / "weights" / "new.py").write_text("def weights(scores, parameters, rng):\n    return 0\n")
    (package / "verifiers" / "new.py").write_text("def verify(response, example):\n    return 0\n")
    (package / "task_kinds" / "new.py").write_text("def load(spec, split):\n    return []\n")
    (package / "sources" / "new.py").write_text("def prompt(example):\n    return []\n")
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
        ("weights/perplexity.py", "build_masks", ("weights", "rule"), "perplexity"),
        ("weights/all.py", "build_masks", ("weights", "rule"), "all"),
        ("sources/rephrase.py", "generate_responses", ("source", "kind"), "rephrase"),
        ("verifiers/unverified.py", "verify_responses", ("verifier",), "unverified"),
        ("task_kinds/human_eval.py", "prepare_task", ("task", "kind"), "human_eval"),
        ("wordings/everyday_prompts.txt", "prepare_task", ("task", "kind"), "everyday_prompts"),
        ("wordings/chain_sum.py", "prepare_task", ("task", "reference"), "wordings"),
    ],
)
def test_a_plugin_changes_the_jobs_that_name_it_and_no_others(package, file, stage, key, value):
    changed = changed_by(package, file)
    chosen = set()
    for job in fingerprints():
        found = json.loads(job[1])
        if job[0] == stage:
            like = found.get("weights", {}).get("like") if file.startswith("weights") else None
            for part in key:
                found = found.get(part) if isinstance(found, dict) else None
            if found == value or (like and like["rule"] == value):
                chosen.add(job)
    assert chosen
    assert changed == chosen


@pytest.mark.parametrize(
    ("stage", "changes"),
    [
        ("generate_responses", {"sources__self_output__backend": "vllm"}),
        ("evaluate_base", {"evaluation__backend": "vllm"}),
        ("evaluate_adapter", {"evaluation__backend": "vllm"}),
    ],
)
def test_the_code_of_vllm_counts_where_it_runs_and_nowhere_else(stage, changes):
    names = ("vllm_engine", "vllm_client", "vllm_adapter", "backends.vllm")
    own = {f"clearminds.{name}" for name in names}
    served = stages.parts(stage, json.loads(spec(study_with(**changes), stage)))
    plain = stages.parts(stage, json.loads(spec(Study.model_validate(DEMO), stage)))
    assert own <= served.keys() and not own & plain.keys()
    reference = json.loads(spec(Study.model_validate(DEMO), "generate_responses", source="reference"))
    backends = {name for name in stages.parts("generate_responses", reference) if "backends." in name}
    assert not backends, "copied references are drawn by none"


def test_a_text_that_only_the_report_is_made_of_changes_the_report_alone(package):
    assert {stage for stage, _ in changed_by(package, "report.html.jinja")} == {"report"}


def test_the_training_loop_changes_the_training_alone(package):
    assert {stage for stage, _ in changed_by(package, "train_adapter.py")} == {"train_adapter"}


def test_the_scorer_s_own_module_changes_no_training(package):
    changed = {stage for stage, _ in changed_by(package, "score_token_perplexity.py")}
    assert "score_token_perplexity" in changed
    assert not changed & {"prepare_task", "generate_responses", "build_masks", "train_adapter"}


# --- specs ------------------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda values: st.lists(values, max_size=4) | st.dictionaries(st.text(), values, max_size=4),
    max_leaves=12,
)


def reordered(value: object) -> object:
    if isinstance(value, dict):
        return {key: reordered(value[key]) for key in reversed(value)}
    return [reordered(item) for item in value] if isinstance(value, list) else value


@given(st.dictionaries(st.text(), JSON, max_size=5))
def test_a_spec_does_not_depend_on_the_order_of_its_keys(value):
    assert canonical(reordered(value)) == canonical(value)
    assert json.loads(canonical(value)) == value
    assert "\n" not in canonical(value)


def test_no_job_depends_on_the_order_of_the_study_but_the_tables():
    before, after = jobs(Study.model_validate(DEMO)), jobs(Study.model_validate(reordered(DEMO)))
    assert {job[0] for job in before if before[job] != after[job]} == {
        "summarise",
        "report",
    }  # columns in the order given


def changed_stages(**changes: object) -> set[str]:
    """The stages of which a change of the study changes any job."""
    before, after = jobs(Study.model_validate(DEMO)), jobs(study_with(**changes))
    return {job[0] for job in before if job in after and before[job] != after[job]}


STM = {"responses": "reference", "weights": {"rule": "perplexity", "tau": "4"}}


@pytest.mark.parametrize(
    ("changes", "changed"),
    [
        ({"runtime": {"batch_tokens": 1, "batch_rows": 1, "generate_tokens": 1}}, set()),
        ({"runtime": {"gradient_checkpointing": True, "report_to": "tensorboard"}}, set()),
        ({"variants__stm-2.5": STM}, {"build_masks", "report"}),
        ({"variants__new": STM}, {"summarise", "report"}),
        ({"training__rank": 4}, {"train_adapter", "report"}),
        ({"training__max_length": 4}, {"build_masks", "report"}),
        ({"scoring__dtype": "bfloat16"}, {"score_token_perplexity", "evaluate_base", "evaluate_adapter", "report"}),
        ({"sources__rephrase__temperature": 0.1}, {"generate_responses", "report"}),
        ({"sources__rephrase__when_none_accepted": "reference"}, {"build_masks", "report"}),
        ({"tasks__sums__verifier": "number"}, {"verify_responses", "evaluate_base", "evaluate_adapter", "report"}),
        ({"tasks__sums__seed": 8}, {"prepare_task", "report"}),
        ({"match__sources": ["reference"]}, {"build_masks", "report"}),
        ({"seeds": [0, 1]}, {"summarise", "report"}),
        ({"sources__rephrase__backend": "transformers", "evaluation__backend": "transformers"}, set()),
        ({"sources__rephrase__backend": "vllm"}, {"generate_responses", "report"}),
        ({"evaluation__backend": "vllm"}, {"evaluate_base", "evaluate_adapter", "report"}),
        ({"runtime": {"vllm_python": "/elsewhere/python"}}, set()),
        ({"evaluation__max_new_tokens": 9}, {"evaluate_base", "evaluate_adapter", "report"}),
        ({"models__smollm2-135m-q4__sha256": "0"}, {"fetch_model", "report"}),
    ],
)
def test_a_setting_is_in_the_specs_of_the_stages_that_read_it_and_no_others(changes, changed):
    assert changed_stages(**changes) == changed


def test_tau_is_in_the_masks_spec_and_in_no_score_s():
    other = study_with(**{"variants__stm-2.5": STM})
    study = Study.model_validate(DEMO)
    assert spec(study, "score_token_perplexity") == spec(other, "score_token_perplexity")
    assert spec(study, "build_masks") != spec(other, "build_masks")
    assert spec(study, "build_masks", variant="ground-truth") == spec(other, "build_masks", variant="ground-truth")
    control = {"variant": "random-2.5", "draw": ".draw0"}
    assert spec(study, "build_masks", **control) != spec(other, "build_masks", **control)


def test_training_of_one_variant_changes_no_other_variant():
    other = study_with(**{"variants__rephrase__training": {"rank": 4}})
    study = Study.model_validate(DEMO)
    for variant in study.variants:
        same = spec(study, "train_adapter", variant=variant) == spec(other, "train_adapter", variant=variant)
        assert same == (variant != "rephrase")


def test_growing_one_split_leaves_the_others_as_they_are():
    other = study_with(tasks__sums__splits__test=500)
    study = Study.model_validate(DEMO)
    assert spec(study, "prepare_task", split="train") == spec(other, "prepare_task", split="train")
    assert spec(study, "prepare_task", split="test") != spec(other, "prepare_task", split="test")


def test_a_split_more_may_move_items_and_so_changes_the_others():
    other = study_with(tasks__products__splits={"test": 96, "validation": 4})
    chosen = {"task": "products", "split": "test"}
    assert spec(Study.model_validate(DEMO), "prepare_task", **chosen) != spec(other, "prepare_task", **chosen)


def test_the_draw_and_the_seed_are_in_the_specs_of_what_they_drive():
    study = Study.model_validate(DEMO)
    draws = {spec(study, "build_masks", variant="random-2.5", draw=f".draw{n}") for n in range(3)}
    seeds = {spec(study, "train_adapter", seed=str(n)) for n in range(3)}
    assert len(draws) == len(seeds) == 3


def test_copied_references_need_nothing_of_the_model():
    study = Study.model_validate(DEMO)
    other = study_with(**{"models__smollm2-135m-q4__attn_implementation": "eager"})
    for source, same in (("reference", True), ("self_output", False)):
        before, after = (spec(s, "generate_responses", source=source) for s in (study, other))
        assert (before == after) is same
