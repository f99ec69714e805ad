"""What the `code` of a stage's jobs covers: its own definitions and the plugins that its spec names, nothing else."""

import ast
import json
import shutil
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pytest
from demo_study import DEMO, WILDCARDS, demo, jobs, spec

from clearminds.checkout import ROOT
from clearminds.reuse import stage_code
from clearminds.reuse.code import closure
from clearminds.reuse.reporting_only import REPORTING_ONLY
from clearminds.run.specs import Specs


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the code that fingerprints are taken of; `forget` after an edit."""
    shutil.copytree(ROOT / "workflow", tmp_path / "workflow", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(stage_code, "WORKFLOW", tmp_path / "workflow")
    yield tmp_path / "workflow" / "clearminds"
    forget()


def forget():
    stage_code._parsed.cache_clear()


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    forget()


@cache
def specs() -> set[tuple[str, str]]:
    return {(stage, text) for (stage, *_), text in jobs(demo()).items()}


def fingerprints() -> dict[tuple, str]:
    return {(stage, text): stage_code.fingerprint(stage, json.loads(text)) for stage, text in specs()}


@cache
def unedited() -> dict[tuple, str]:
    """What `fingerprints` finds in the checkout, and so in each copy of it before an edit."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage_code, "WORKFLOW", ROOT / "workflow")
        return fingerprints()


def changed_by(file: Path, old: str, new: str) -> set[tuple]:
    before = unedited()
    edit(file, old, new)
    after = fingerprints()
    return {job for job in before if before[job] != after[job]}


def test_every_root_of_the_demo_exists():
    """A name that finds nothing would silently leave its code out of the fingerprint."""
    of_demo = Specs(demo({"variants/theirs": {"adapter": {"path": "theirs"}}}))
    found = set()
    for stage in stage_code.STAGES:
        variant = {"variant": "theirs"} if stage == "take_adapter" else {}
        for task in DEMO["tasks"]:
            wildcards = SimpleNamespace(**{**vars(WILDCARDS), "task": task, "split": "test", **variant})
            for root in stage_code.roots(stage, getattr(of_demo, stage)(wildcards)):
                assert stage_code.root_digest(root)
                found.add(root)
    assert found <= set(stage_code.all_roots())


def test_every_entry_of_what_only_reports_exists():
    tree = stage_code.tree()
    modules = set(tree.modules())
    for entry in REPORTING_ONLY:
        module, _, name = entry.partition(":")
        assert f"{module}:{name}" in tree.keys(module) if name else module in modules, entry


@pytest.mark.parametrize("stage", stage_code.STAGES)
def test_no_stage_runs_the_config_models_or_plans_runs(stage):
    reached = closure(stage_code.tree(), [f"scripts.{stage}:main"], REPORTING_ONLY)
    assert reached
    assert not [
        key for key in reached if key.startswith(("clearminds.config", "clearminds.run", "clearminds.commands"))
    ]


def test_a_new_plugin_changes_no_fingerprint(package):
    before = unedited()
    (package / "plugins" / "weights" / "new.py").write_text("def weights(scores, parameters, rng):\n    return 0\n")
    (package / "plugins" / "verifiers" / "new.py").write_text("def verify(response, example):\n    return 0\n")
    (package / "plugins" / "task_kinds" / "new.py").write_text("def load(spec, split):\n    return []\n")
    (package / "plugins" / "sources" / "new.py").write_text("def prompt(example):\n    return []\n")
    forget()
    assert fingerprints() == before


def test_a_copy_has_the_fingerprints_of_the_checkout(package):
    assert fingerprints() == unedited()


def test_a_plugin_may_take_what_it_has_from_another(package):
    mine = package / "plugins" / "verifiers" / "mine.py"
    mine.write_text("from clearminds.plugins.verifiers.number import FILTERS, verify\n")
    forget()
    number = stage_code.fingerprint("verify_responses", {"verifier": "number"})
    assert stage_code.fingerprint("verify_responses", {"verifier": "mine"}) == number


@pytest.mark.parametrize("text", ["def verify(:", "from . import number", "from clearminds.nowhere import verify"])
def test_a_plugin_that_cannot_be_read_concerns_no_run_without_it(package, text):
    (package / "plugins" / "verifiers" / "broken.py").write_text(text)
    forget()
    assert "root clearminds.plugins.verifiers.number:verify" in stage_code.everything()
    with pytest.raises((ValueError, SyntaxError)):
        stage_code.fingerprint("verify_responses", {"verifier": "broken"})


@pytest.mark.parametrize(
    ("file", "old", "new", "stage", "key", "value"),
    [
        ("weights/perplexity.py", "<= math.log", "< math.log", "build_masks", ("weights", "rule"), "perplexity"),
        ("weights/all.py", "np.ones", "np.zeros", "build_masks", ("weights", "rule"), "all"),
        ("sources/rephrase.py", "A correct", "The correct", "generate_responses", ("source", "kind"), "rephrase"),
        (
            "verifiers/unverified.py",
            '"unverified", ""',
            '"correct", ""',
            "verify_responses",
            ("verifier",),
            "unverified",
        ),
        ("task_kinds/human_eval.py", "Complete the", "Write the", "prepare_task", ("task", "kind"), "human_eval"),
        ("wordings/everyday_prompts.txt", "\n", "!\n", "prepare_task", ("task", "kind"), "everyday_prompts"),
        ("wordings/chain_sum.py", "Adding", "Summing", "prepare_task", ("task", "reference"), "wordings"),
    ],
)
def test_a_plugin_changes_the_jobs_that_name_it_and_no_others(package, file, old, new, stage, key, value):
    changed = changed_by(package / "plugins" / file, old, new)
    chosen = set()
    for job in unedited():
        found = json.loads(job[1])
        if job[0] == stage:
            like = found.get("weights", {}).get("like") if file.startswith("weights") else None
            for part in key:
                found = found.get(part) if isinstance(found, dict) else None
            if found == value or (like and like["rule"] == value):
                chosen.add(job)
    assert chosen
    assert {job for job in changed if job[0] != "rehearse"} == chosen
    # a rehearsal asks as each source does
    assert {job[0] for job in changed} - {job[0] for job in chosen} == ({"rehearse"} if "sources" in file else set())


def test_a_loss_counts_in_the_trainings_and_rehearsals_that_name_it_and_in_no_others(package):
    plain = json.loads(spec(demo(), "train_adapter"))
    rehearsal = json.loads(spec(demo(), "rehearse"))
    jobs_of = [("train_adapter", plain), ("rehearse", rehearsal)]
    for name in ("dft", "kl"):
        loss = {"loss": {"rule": name, "beta": 0.1}}
        jobs_of.append(("train_adapter", {**plain, "training": {**plain["training"], **loss}}))
        jobs_of.append(("rehearse", {**rehearsal, "trainings": [{**rehearsal["trainings"][0], **loss}]}))

    def found():
        return [stage_code.fingerprint(stage, one) for stage, one in jobs_of]

    before = found()
    edit(package / "model" / "losses" / "kl.py", 'nll, settings["beta"]', 'nll, 2 * settings["beta"]')
    of_kl = found()
    assert [a == b for a, b in zip(before, of_kl, strict=True)] == [True] * 4 + [False] * 2
    edit(package / "model" / "losses" / "terms.py", "base - now", "now - base")
    assert [a == b for a, b in zip(of_kl, found(), strict=True)] == [True] * 2 + [False] * 4


@pytest.mark.parametrize("kind", ["pissa", "full"])
def test_what_a_kind_of_training_saves_counts_in_its_own_trainings_alone(package, kind):
    plain = json.loads(spec(demo(), "train_adapter"))
    jobs_of = [{**plain, "training": {**plain["training"], "adapter": name}} for name in ("lora", "dora", kind)]
    before = [stage_code.fingerprint("train_adapter", one) for one in jobs_of]
    edit(package / "stages" / "training" / f"{kind}.py", "def finish(", "def finish(more=0, *")
    after = [stage_code.fingerprint("train_adapter", one) for one in jobs_of]
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, True, False]


def test_scores_and_responses_know_nothing_of_losses_and_kinds_of_training():
    for stage, text in specs():
        modules = {key.partition(":")[0] for key in stage_code.parts(stage, json.loads(text))}
        found = {name for name in modules if ".losses." in name or name.endswith((".pissa", ".training.full"))}
        assert not found, stage
        # whole models are evaluated, score for the rules of other variants, and are trained further
        loads_them = stage.startswith(("evaluate", "score", "train"))
        assert loads_them or "clearminds.model.full_weights" not in modules, stage


@pytest.mark.parametrize("kind", ["drift", "likelihood"])
def test_an_evaluation_counts_only_where_a_suite_has_such_a_task(package, kind):
    with_it = json.loads(spec(demo(), "evaluate_base"))
    without = {**with_it, "tasks": [task for task in with_it["tasks"] if task["evaluate"] != kind]}
    before = [stage_code.fingerprint("evaluate_base", one) for one in (with_it, without)]
    edit(package / "stages" / "evaluation" / f"{kind}.py", '"filter": "none"', '"filter": "other"')
    after = [stage_code.fingerprint("evaluate_base", one) for one in (with_it, without)]
    assert before[0] != after[0] and before[1] == after[1]


@pytest.mark.parametrize(
    ("stage", "changes"),
    [
        ("generate_responses", {"sources/self_output/backend": "vllm"}),
        ("evaluate_base", {"evaluation/backend": "vllm"}),
        ("evaluate_adapter", {"evaluation/backend": "vllm"}),
    ],
)
def test_the_code_of_vllm_counts_where_it_runs_and_nowhere_else(stage, changes):
    def modules(text: str, stage: str = stage) -> set[str]:
        return {key.partition(":")[0] for key in stage_code.parts(stage, json.loads(text))}

    own = {f"clearminds.model.{name}" for name in ("vllm.engine", "vllm.client", "vllm.adapter", "backends.vllm")}
    served, plain = modules(spec(demo(changes), stage)), modules(spec(demo(), stage))
    assert own <= served and not own & plain
    reference = modules(spec(demo(), "generate_responses", source="reference"), "generate_responses")
    assert not [name for name in reference if ".backends" in name], "copied references are sampled by none"


@pytest.mark.parametrize(
    ("file", "old", "new", "stages"),
    [
        ("report/templates/page.html.jinja", "</body>", "<p>more</p></body>", {"report"}),
        ("report/figures.py", "BINS_PER_DECADE = 10", "BINS_PER_DECADE = 12", {"report"}),
        ("stages/training/trainer.py", "* processes", "/ processes", {"rehearse", "train_adapter"}),
        ("stages/training/adapter.py", "r=training.rank", "r=1", {"rehearse", "train_adapter"}),
        ("stages/metrics.py", "100 * (after", "10 * (after", {"summarise"}),
        ("files/contracts.py", "pa.bool_()", "pa.int8()", {"evaluate_base", "evaluate_adapter", "summarise", "report"}),
    ],
)
def test_an_edit_changes_the_stages_that_run_it(package, file, old, new, stages):
    assert {stage for stage, _ in changed_by(package / file, old, new)} == stages


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("errors.py", "retry_is_pointless = False", "retry_is_pointless = True"),
        ("progress.py", "every: float = 10.0", "every: float = 1.0"),
        ("job/guard.py", "import time", "import time\n\nNEW = 1"),
        ("model/throughput.py", "SIZE = 1024", "SIZE = 2048"),
        ("files/tables.py", '"torch", ', '"torch", "numpy", '),
        ("config/blocks.py", "rank: Positive = Field(16,", "rank: Positive = Field(8,"),
        ("stages/evaluate.py", "likelihood of the reference text", "likelihood"),
        ("stages/masking/blocks.py", "rows do not follow", "rows are not those of"),
        ("stages/nothing_left.py", "no example is left to train on", "nothing is left"),
    ],
)
def test_what_only_reports_changes_no_fingerprint(package, file, old, new):
    assert changed_by(package / file, old, new) == set()


def test_no_module_imports_relatively():
    """Fingerprints follow imports by their full names only."""
    for file in (ROOT / "workflow" / "clearminds").rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        assert not [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.level], file


@pytest.mark.parametrize("file", sorted((ROOT / "workflow" / "clearminds").rglob("__init__.py")), ids=str)
def test_a_wing_s_init_holds_a_docstring_only(file):
    """Some wings are imported where not all libraries are installed."""
    body = ast.parse(file.read_text(encoding="utf-8")).body
    assert [type(node) for node in body] == [ast.Expr], file


def test_what_makes_and_measures_choices_is_code_of_tasks_with_choices_alone():
    chosen = demo({"tasks/gcd/evaluate": "choice"})
    for study, there in ((demo(), False), (chosen, True)):
        prepared = stage_code.roots("prepare_task", json.loads(spec(study, "prepare_task", task="gcd", split="test")))
        assert (stage_code.DISTRACTORS in prepared) is there
        evaluated = stage_code.roots("evaluate_base", json.loads(spec(study, "evaluate_base")))
        assert ("clearminds.stages.evaluation.choice:evaluate" in evaluated) is there
    plain = stage_code.roots("prepare_task", json.loads(spec(demo(), "prepare_task", task="gcd", split="test")))
    reached = closure(stage_code.tree(), [root for root in plain if "/" not in root], REPORTING_ONLY)
    assert not [key for key in reached if "distractors" in key]
