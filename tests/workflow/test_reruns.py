"""What reruns after a change, and what does not: the README's table, each line by the exact set of jobs planned.

One study of a tiny model is built once; each test changes its config, its files, or a copy of the code, and dry-runs.
"""

import ast
import copy
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
import transformers
from tiny import tiny_model_folder

from clearminds.files.layout import Layout, earlier_memory_of
from clearminds.reuse import stage_code as stages

from .conftest import tiny_study
from .plans import Checkout, Job, copy_checkout, job

pytestmark = pytest.mark.slow
VARIANTS, SUITES = ("self-output", "stm-200", "stm-50", "random-200"), ("own", "text")
DRAWN = {"random-200"}  # variants whose masks are drawn at random, once per seed
CHANGED = "\n\ndef _added_by_a_test():\n    return 1\n"


# --- the jobs of the study --------------------------------------------------------------------------------------------


def examples(task: str, split: str) -> Job:
    return job("prepare_task", task=task, split=split)


def responses(*sources: str, task: str = "sums") -> set[Job]:
    wildcards = [{"model": "tiny", "task": task, "split": "train", "source": source} for source in sources]
    return {job("generate_responses", **found) for found in wildcards}


def verdicts(*sources: str, task: str = "sums") -> set[Job]:
    return {job("verify_responses", **dict(found)) for _, found in responses(*sources, task=task)}


def scores(*sources: str, task: str = "sums") -> set[Job]:
    return {job("score_token_perplexity", scorer="tiny", **dict(found)) for _, found in responses(*sources, task=task)}


def masks(*variants: str, target: str = "sums", seed: int = 0) -> set[Job]:
    return {
        job("build_masks", model="tiny", target=target, variant=v, draw=f".draw{seed}" if v in DRAWN else "")
        for v in variants
    }


def trainings(*variants: str, target: str = "sums", seed: int = 0) -> set[Job]:
    return {job("train_adapter", model="tiny", target=target, variant=v, seed=str(seed)) for v in variants}


def evaluations(*variants: str, suites: tuple = SUITES, target: str = "sums", seed: int = 0) -> set[Job]:
    return {
        job("evaluate_adapter", **dict(found), suite=suite)
        for _, found in trainings(*variants, target=target, seed=seed)
        for suite in suites
    }


def from_training(*variants: str) -> set[Job]:
    """The trainings of variants and what follows."""
    return trainings(*variants) | evaluations(*variants) | TABLES


def from_masks(*variants: str) -> set[Job]:
    """The masks of variants and what follows."""
    return masks(*variants) | from_training(*variants)


def bases(*suites: str) -> set[Job]:
    return {job("evaluate_base", model="tiny", suite=suite) for suite in suites}


REHEARSAL = {job("rehearse", model="tiny")}
REPORT = {job("report")}
TABLES = {job("summarise")} | REPORT
NOTHING: set[Job] = set()


# --- the study, built once --------------------------------------------------------------------------------------------


def study_of(model: Path) -> dict:
    """The tiny study, with a matched source that can offer other responses when more are sampled."""
    study = tiny_study(model)
    tasks = study["tasks"]
    study["tasks"] = {name: tasks[name] for name in ("sums", "gcd", "code")}
    for name in ("sums", "gcd"):
        tasks[name]["splits"]["test"] = 2
    study["suites"] = {"own": ["sums", "gcd"], "text": ["code"]}
    study["sources"] = {"self_output": study["sources"]["self_output"]}
    study["sources"]["self_output"] |= {"max_new_tokens": 32, "when_none_accepted": "lowest_perplexity"}
    stm = {"responses": "reference", "weights": {"rule": "perplexity", "tau": "50"}}
    study["variants"] = {name: study["variants"].get(name, stm) for name in VARIANTS}
    study["training"]["alpha"] = 4
    return study


def terse(folder: Path) -> Path:
    """Make a random model end its turns, as responses that are cut are never trained on."""
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        model.lm_head.weight[transformers.AutoTokenizer.from_pretrained(folder).eos_token_id] *= 4
    model.save_pretrained(folder)
    return folder


class Built:
    """The built study.

    Attributes:
        folder: its working directory; no test changes a file in it.
        checkout: the copy of the code that it was built from, which is not edited meanwhile.
        config: the study as it was built; tests get a copy of their own.
    """

    def __init__(self, folder: Path, checkout: Checkout, config: dict):
        self.folder, self.checkout, self._config = folder, checkout, config

    @property
    def config(self) -> dict:
        return copy.deepcopy(self._config)

    def plan(self, config: dict | None = None, *arguments: str, code: Checkout | None = None) -> set[Job]:
        """What is planned in its folder with another config, other arguments, or other code."""
        return (code or self.checkout).plan(self.folder, config or self.config, *arguments)

    def moved(self, to: Path, *, snakemake: bool = False, times: bool = True) -> Path:
        """A copy of its results in another folder.

        Args:
            to: the folder.
            snakemake: whether Snakemake's own records move along.
            times: whether the files keep their times.
        """
        shutil.copytree(
            self.folder,
            to,
            copy_function=shutil.copy2 if times else shutil.copyfile,
            ignore=None if snakemake else shutil.ignore_patterns(".snakemake"),
        )
        return to


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Built:
    folder = tmp_path_factory.mktemp("reruns")
    config = study_of(terse(tiny_model_folder(folder / "model", "llama")))
    checkout = Checkout(copy_checkout(folder / "code"))
    (folder / "study").mkdir(exist_ok=True)
    checkout.run(folder / "study", config)
    return Built(folder / "study", checkout, config)


@pytest.fixture
def code(built, tmp_path) -> Checkout:
    """A copy of the code, to be edited."""
    return Checkout(copy_checkout(tmp_path / "elsewhere", built.checkout.folder))


def append(code: Checkout, module: str, text: str = CHANGED) -> None:
    with open(code.folder / "workflow" / "clearminds" / module, "a", encoding="utf-8") as handle:
        handle.write(text)


def edit(code: Checkout, module: str, old: str, new: str) -> None:
    """Edit a module or another file of the package."""
    file = code.folder / "workflow" / "clearminds" / module
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


# --- a setting changed ------------------------------------------------------------------------------------------------


def test_tau_of_a_variant_reruns_it_and_the_variant_like_it(built):
    config = built.config
    config["variants"]["stm-200"]["weights"]["tau"] = "250"
    assert built.plan(config) == from_masks("stm-200", "random-200")
    lines = built.checkout.explain(built.folder, config)
    assert "build_masks tiny/sums/stm-200: weights: tau 200 -> 250" in lines
    assert "build_masks tiny/sums/random-200.draw0: weights: like: tau 200 -> 250" in lines
    assert "train_adapter tiny/sums/stm-200/seed0: after build_masks tiny/sums/stm-200" in lines
    assert "summarise summary: after 4 evaluate_adapter jobs" in lines
    assert "10 jobs: 2 build_masks, 2 train_adapter, 4 evaluate_adapter, 1 summarise, 1 report" in lines
    assert len(lines) == 10 + 2 and "takes its former result back" in lines[-1]


def test_tau_that_no_variant_imitates_reruns_one_variant(built):
    config = built.config
    config["variants"]["stm-50"]["weights"]["tau"] = "60"
    assert built.plan(config) == from_masks("stm-50")


def test_an_added_variant_runs_alone(built):
    config = built.config
    config["variants"]["stm-30"] = {"responses": "reference", "weights": {"rule": "perplexity", "tau": "30"}}
    assert built.plan(config) == from_masks("stm-30")
    lines = built.checkout.explain(built.folder, config)
    assert "build_masks tiny/sums/stm-30: new" in lines
    assert "train_adapter tiny/sums/stm-30/seed0: new; after build_masks tiny/sums/stm-30" in lines


def test_an_added_seed_runs_alone(built):
    config = built.config | {"seeds": [0, 1]}
    expected = masks("random-200", seed=1) | trainings(*VARIANTS, seed=1) | evaluations(*VARIANTS, seed=1) | TABLES
    assert built.plan(config) == expected


LCM = {"kind": "reasoning_gym", "generator": "lcm", "splits": {"test": 2}}


def test_an_added_suite_runs_alone(built):
    config = built.config
    config["tasks"]["lcm"] = LCM
    config["suites"]["more"] = ["lcm"]
    expected = {examples("lcm", "test")} | bases("more") | evaluations(*VARIANTS, suites=("more",)) | TABLES
    assert built.plan(config) == expected | REHEARSAL


def test_a_task_added_to_a_suite_reruns_that_suite(built):
    config = built.config
    config["tasks"]["lcm"] = LCM
    config["suites"]["text"].append("lcm")
    expected = {examples("lcm", "test")} | bases("text") | evaluations(*VARIANTS, suites=("text",)) | TABLES
    assert built.plan(config) == expected | REHEARSAL
    lines = built.checkout.explain(built.folder, config)
    assert "evaluate_base tiny/text: tasks: lcm added; after prepare_task lcm/test and rehearse tiny" in lines


def test_a_task_that_nothing_uses_changes_the_report_s_copy_of_the_study_alone(built):
    config = built.config
    config["tasks"]["lcm"] = LCM
    assert built.plan(config) == REPORT


def test_an_added_target_runs_alone(built):
    config = built.config
    config["tasks"]["more-sums"] = config["tasks"]["sums"] | {"seed": 9}
    config["targets"].append("more-sums")
    both, new = ("reference", "self_output"), "more-sums"
    expected = {examples(new, "train")} | responses(*both, task=new) | verdicts(*both, task=new)
    expected |= scores(*both, task=new) | masks(*VARIANTS, target=new) | trainings(*VARIANTS, target=new)
    assert built.plan(config) == expected | evaluations(*VARIANTS, target=new) | REHEARSAL | TABLES


def test_a_removed_variant_reruns_the_tables(built):
    config = built.config
    del config["variants"]["stm-50"]
    assert built.plan(config) == TABLES


def test_two_training_values_swapped_rerun_every_training(built):
    config = built.config
    training = config["training"]
    training["rank"], training["alpha"] = training["alpha"], training["rank"]
    assert built.plan(config) == from_training(*VARIANTS) | REHEARSAL
    [line] = [n for n in built.checkout.explain(built.folder, config) if n.startswith("train_adapter tiny/sums/stm-50")]
    assert "training: rank 2 -> 4" in line and "training: alpha 4 -> 2" in line


def test_a_training_key_of_one_variant_reruns_it_alone(built):
    config = built.config
    config["variants"]["stm-50"]["training"] = {"learning_rate": 0.02}
    assert built.plan(config) == from_training("stm-50") | REHEARSAL


def test_a_rehearsal_that_is_missing_reruns_nothing_and_what_is_new_waits_for_it(built, tmp_path):
    folder = built.moved(tmp_path / "study", snakemake=True)
    (folder / "results/tiny/rehearsals/tiny.json").unlink()
    assert built.checkout.plan(folder, built.config) == NOTHING
    config = built.config
    config["variants"]["stm-50"]["training"] = {"rank": 3}
    assert built.checkout.plan(folder, config) == from_training("stm-50") | REHEARSAL
    lines = built.checkout.explain(folder, config)
    assert "rehearse tiny: trainings changed; result missing" in lines
    assert "train_adapter tiny/sums/stm-50/seed0: training: rank 2 -> 3; after rehearse tiny" in lines


def more_samples(config: dict) -> dict:
    config["sources"]["self_output"]["samples"] = 4
    return config


def test_more_samples_rerun_their_source_and_what_is_matched_on_it(built):
    expected = responses("self_output") | verdicts("self_output") | scores("self_output") | from_masks(*VARIANTS)
    assert built.plan(more_samples(built.config)) == expected


def test_variants_whose_examples_stay_take_their_results_back(built, tmp_path):
    folder = built.moved(tmp_path / "study", snakemake=True)
    output = built.checkout.run(folder, more_samples(built.config))
    lines = re.findall(r"^(\w+) (\S+): (taken back|done in)", output, re.MULTILINE)
    taken = {f"{stage} {name}" for stage, name, outcome in lines if outcome == "taken back"}
    made = {f"{stage} {name}" for stage, name, outcome in lines if outcome == "done in"}
    adapters = {f"tiny/sums/{variant}/seed0" for variant in VARIANTS if variant != "self-output"}
    assert taken == {f"train_adapter {adapter}" for adapter in adapters} | {
        f"evaluate_adapter {adapter}/{suite}" for adapter in adapters for suite in SUITES
    }
    assert {name for name in made if name.startswith(("train", "evaluate"))} == {
        "train_adapter tiny/sums/self-output/seed0",
        *(f"evaluate_adapter tiny/sums/self-output/seed0/{suite}" for suite in SUITES),
    }
    assert built.checkout.plan(folder, more_samples(built.config)) == NOTHING


def test_another_verifier_generates_and_scores_nothing(built):
    config = built.config
    config["tasks"]["sums"]["verifier"] = "number"
    expected = verdicts("reference", "self_output") | from_masks(*VARIANTS) | bases("own") | REHEARSAL
    assert built.plan(config) == expected


def other_values(settings: dict) -> dict:
    """Another value for every key."""
    found = {}
    for key, value in settings.items():
        found[key] = not value if isinstance(value, bool) else f"{value}-other" if isinstance(value, str) else value + 1
    return found


def test_nothing_of_how_to_run_reruns_anything(built):
    from clearminds.config.blocks import Runtime

    # fsdp asks for as many GPUs, a tracker must be one that is installed, and there are three sandboxes
    runtime = other_values(Runtime().model_dump()) | {"gpus": 2, "report_to": "all", "sandbox": "rlimits"}
    assert len(runtime) > 5
    assert built.plan(built.config | {"runtime": runtime}) == NOTHING


def test_keys_in_another_order_rerun_nothing(built):
    config = built.config
    for rows in ("tasks", "sources", "variants", "models"):  # whose own order is that of the tables
        config[rows] = {name: reordered(block) for name, block in config[rows].items()}
    for block in ("training", "evaluation", "match"):
        config[block] = reordered(config[block])
    config = {key: config[key] for key in reversed(config)}
    assert config == built.config and list(config["training"]) != list(built.config["training"])
    assert built.plan(config) == NOTHING


def reordered(value: object) -> object:
    return {key: reordered(value[key]) for key in reversed(value)} if isinstance(value, dict) else value


def test_variants_in_another_order_rerun_the_tables_that_show_them_so(built):
    config = built.config
    config["variants"] = dict(reversed(config["variants"].items()))
    assert built.plan(config) == TABLES


def test_the_number_of_cores_reruns_nothing(built):
    assert built.plan(None, "--cores", "1") == NOTHING


# --- the code changed -------------------------------------------------------------------------------------------------


def test_another_place_of_the_code_reruns_nothing(built, code):
    assert built.plan(code=code) == NOTHING
    assert code.explain(built.folder, built.config) == ["nothing to do"]


def test_a_definition_of_the_mask_module_reruns_the_masks(built, code):
    edit(code, "stages/build_masks.py", "ROW_GROUP = 1024", "ROW_GROUP = 512")
    assert built.plan(code=code) == from_masks(*VARIANTS)
    assert "build_masks tiny/sums/stm-50: code of clearminds.stages.build_masks.ROW_GROUP changed" in code.explain(
        built.folder, built.config
    )


def test_a_weight_rule_reruns_the_masks_of_its_variants(built, code):
    edit(code, "plugins/weights/perplexity.py", "<= math.log", "< math.log")
    assert built.plan(code=code) == from_masks("stm-200", "stm-50", "random-200")


def test_a_definition_of_the_scorer_alone_reruns_the_scores(built, code):
    edit(code, "stages/score_token_perplexity.py", "n: int = 16", "n: int = 8")
    assert built.plan(code=code) == scores("reference", "self_output") | from_masks(*VARIANTS)


def test_a_verifier_s_code_generates_and_scores_nothing(built, code):
    edit(code, "plugins/verifiers/reasoning_gym.py", "1.0 - 1e-9", "1.0 - 1e-8")
    expected = verdicts("reference", "self_output") | from_masks(*VARIANTS) | bases("own") | REHEARSAL
    assert built.plan(code=code) == expected


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("report/figures.py", "BINS_PER_DECADE = 10", "BINS_PER_DECADE = 5"),
        ("report/numbers.py", "{minutes} min {rest:02d} s", "{minutes}:{rest:02d}"),
        ("report/templates/page.html.jinja", "</body>", "<p>another text</p></body>"),
    ],
)
def test_the_looks_of_the_report_rerun_the_report_alone(built, code, file, old, new):
    edit(code, file, old, new)
    assert built.plan(code=code) == REPORT


@pytest.mark.parametrize(
    "file", ["stages/build_masks.py", "model/token_statistics.py", "stages/training/trainer.py", "errors.py"]
)
def test_an_added_function_reruns_nothing(built, code, file):
    append(code, file)
    assert built.plan(code=code) == NOTHING


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("stages/masking/blocks.py", "rows do not follow", "rows are not those of"),
        ("stages/evaluate.py", "likelihood of the reference text", "likelihood of references"),
        ("model/fingerprints.py", "(model: Path)", "(model)"),
        ("progress.py", "every: float = 10.0", "every: float = 1.0"),
        ("errors.py", "retry_is_pointless = False", "retry_is_pointless = bool(0)"),
    ],
)
def test_a_message_a_log_line_and_an_annotation_rerun_nothing(built, code, file, old, new):
    edit(code, file, old, new)
    assert built.plan(code=code) == NOTHING


def test_a_moved_module_reruns_nothing(built, code):
    package = code.folder / "workflow" / "clearminds"
    (package / "stages" / "select_examples.py").rename(package / "model" / "chosen_examples.py")
    old, new = "clearminds.stages.select_examples", "clearminds.model.chosen_examples"
    users = [file for file in package.rglob("*.py") if old in file.read_text(encoding="utf-8")]
    assert len(users) > 2
    for file in users:
        file.write_text(file.read_text(encoding="utf-8").replace(old, new))
    assert built.plan(code=code) == NOTHING


BLOCKS = ("Strict", "_Task", "_OfRows", "Scored")  # what a block of the config's models is made of


def test_new_plugins_and_new_keys_rerun_nothing(built, code):
    package = code.folder / "workflow" / "clearminds"
    (package / "plugins" / "weights" / "new.py").write_text("def weights(scores, parameters, rng):\n    return 0\n")
    (package / "plugins" / "task_kinds" / "new.py").write_text("def load(spec, split):\n    return []\n")
    (package / "plugins" / "verifiers" / "new.py").write_text(
        "def verify(response, example, *, strict):\n    return 0\n"
    )
    (package / "plugins" / "sources" / "new.py").write_text("def prompt(example):\n    return []\n")
    keys = 0
    for models in sorted((package / "config").glob("*.py")):
        lines = models.read_text(encoding="utf-8").splitlines()
        blocks = [node for node in ast.parse("\n".join(lines)).body if isinstance(node, ast.ClassDef) and node.bases]
        blocks = [node for node in blocks if ast.unparse(node.bases[0]) in BLOCKS and ast.get_docstring(node)]
        for node in reversed(blocks):
            lines.insert(node.body[0].end_lineno, "    brand_new: str | None = None")
        text = "\n".join(lines) + "\n"
        text = text.replace('Literal["all"]', 'Literal["all", "new"]').replace(
            'Literal["hub"]', 'Literal["hub", "new"]'
        )
        models.write_text(text, encoding="utf-8")
        keys += len(blocks)
    assert keys > 40
    assert built.plan(code=code) == NOTHING


def rewritten(text: str) -> str:
    """The same code in another layout, without its comments, with others, and with other docstrings."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            node.body[0].value.value = "Another docstring."
    return "# a comment\n\n\n" + ast.unparse(tree).replace("\n\n", "\n\n# a comment\n\n") + "\n\n\n# the end\n"


def test_comments_docstrings_and_layout_of_all_code_rerun_nothing(built, code):
    files = [file for file in (code.folder / "workflow").rglob("*.py") if file.read_text(encoding="utf-8").strip()]
    for file in files:
        file.write_text(rewritten(file.read_text(encoding="utf-8")), encoding="utf-8")
    assert len(files) > 50
    for file in (code.folder / "Snakefile", *(code.folder / "workflow" / "rules").glob("*.smk")):
        file.write_text(f"# a comment\n{file.read_text(encoding='utf-8')}\n\n# the end\n", encoding="utf-8")
    assert built.plan(code=code) == NOTHING


def test_a_git_clone_reruns_nothing(built, code, tmp_path):
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(code.folder)]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "all"]):
        subprocess.run([*git, *arguments], check=True)
    subprocess.run(["git", "clone", "-q", str(code.folder), str(tmp_path / "clone")], check=True)
    assert built.plan(code=Checkout(tmp_path / "clone")) == NOTHING


# of which no result depends on
# --- files touched, moved, altered ------------------------------------------------------------------------------------


def test_touching_every_file_reruns_nothing(built, code, tmp_path):
    folder = built.moved(tmp_path / "study", snakemake=True)
    model = shutil.copytree(built.config["models"]["tiny"]["path"], tmp_path / "model")
    for place in (folder, code.folder, model):
        files = [file for file in place.rglob("*") if file.is_file() and ".snakemake" not in file.parts]
        for n, file in enumerate(sorted(files, reverse=True)):
            os.utime(file, times=(2_000_000_000 + n, 2_000_000_000 + n))
    os.utime(folder / "results" / "tiny" / "report.html", times=(1, 1))  # older than all that it is made of
    assert code.plan(folder, built.config) == NOTHING


@pytest.mark.parametrize("times", [True, False])
def test_results_moved_beside_a_fresh_clone_are_reused(built, code, tmp_path, times):
    folder = built.moved(tmp_path / "study", times=times)
    config = built.config
    assert code.plan(folder, config) == NOTHING
    config["variants"]["stm-200"]["weights"]["tau"] = "250"
    assert code.plan(folder, config) == from_masks("stm-200", "random-200")


@pytest.mark.parametrize("times", [True, False])
def test_a_change_made_while_results_were_moved_is_seen(built, code, tmp_path, times):
    folder = built.moved(tmp_path / "study", times=times)
    config = built.config
    config["variants"]["stm-200"]["weights"]["tau"] = "250"
    edit(code, "plugins/weights/all.py", "np.ones(", "1 * np.ones(")
    assert code.plan(folder, config) == from_masks("stm-200", "random-200", "self-output")


def as_earlier_versions(results: Path) -> None:
    """Put the memories of all jobs of the study where earlier versions had them: under their logs' paths."""
    layout, kinds = Layout.of("tiny"), Layout.outputs()
    own = results / Path(layout.jobs).name
    for file in sorted(own.rglob("record.json")):
        [output, *_] = json.loads(file.read_text(encoding="utf-8"))["outputs"]
        found = ((kind, getattr(layout, name).parse(output, split=["train", "test"])) for name, kind in kinds.items())
        kind, wildcards = next((kind, wildcards) for kind, wildcards in found if wildcards is not None)
        earlier = earlier_memory_of(results / "earlier", kind.stage, kind.name.format(**wildcards))
        earlier.parent.mkdir(parents=True, exist_ok=True)
        file.parent.rename(earlier)
    shutil.rmtree(own)
    (results / "earlier").rename(own)


def test_results_of_an_earlier_version_are_known_and_taken_back(built, tmp_path):
    folder = built.moved(tmp_path / "study")
    results = folder / "results/tiny"
    as_earlier_versions(results)
    assert (results / ".jobs/build_masks/tiny/sums/stm-200/record.json").is_file()
    assert built.checkout.plan(folder, built.config) == NOTHING
    config = built.config
    config["variants"]["stm-200"]["weights"]["tau"] = "250"
    lines = built.checkout.explain(folder, config)
    assert "build_masks tiny/sums/stm-200: weights: tau 200 -> 250" in lines
    for masks in results.glob("masks/**/*.parquet"):
        masks.unlink()
    output = built.checkout.run(folder, built.config, "--cores", "2", "masks")
    assert output.count("taken back: settings, code and inputs are what they were") == len(VARIANTS)
    assert (results / ".jobs/masks/tiny/sums/.stm-200.parquet/record.json").is_file()
    assert not (results / ".jobs/build_masks/tiny/sums/stm-200").exists()


def test_moved_results_that_were_altered_or_have_no_memory_are_made_again(built, tmp_path):
    folder = built.moved(tmp_path / "study")
    altered = "results/tiny/masks/tiny/sums/stm-200.parquet"
    (folder / altered).write_bytes((folder / altered).read_bytes()[:-10])
    shutil.rmtree(folder / "results/tiny/.jobs/adapters/tiny/sums/stm-50")
    expected = from_masks("stm-200") | from_training("stm-50")
    assert built.checkout.plan(folder, built.config) == expected
    lines = built.checkout.explain(folder, built.config)
    assert (
        "build_masks tiny/sums/stm-200: results/tiny/masks/tiny/sums/stm-200.parquet: is not what its job made "
        "(edited or damaged)" in lines
    )
    assert "train_adapter tiny/sums/stm-50/seed0: no record of how it was made" in lines


def test_a_result_that_is_gone_is_made_again(built, tmp_path):
    folder = built.moved(tmp_path / "study", snakemake=True)
    (folder / "results/tiny/report.html").unlink()
    (folder / "results/tiny/evaluations/tiny/base/text.parquet").unlink()
    assert built.checkout.plan(folder, built.config) == bases("text") | TABLES
    lines = built.checkout.explain(folder, built.config)
    assert "evaluate_base tiny/text: result missing" in lines
    assert "report: result missing; after evaluate_base tiny/text and summarise summary" in lines


# --- explain ----------------------------------------------------------------------------------------------------------


def test_explain_names_the_jobs_that_are_planned(built):
    config = built.config
    config["scoring"] = {"dtype": "bfloat16"}
    expected = REHEARSAL | scores("reference", "self_output") | from_masks(*VARIANTS) | bases(*SUITES)
    assert built.plan(config) == expected
    lines = built.checkout.explain(built.folder, config)
    rules = [re.match(r"\w+", line)[0] for line in lines[: len(expected)]]
    assert rules == sorted(rules, key=stages.STAGES.index)
    assert sorted(rules) == sorted(rule for rule, _ in expected)
    scored = "score_token_perplexity tiny/tiny/sums/train.reference: dtype float32 -> bfloat16; after rehearse tiny"
    assert scored in lines


def test_explain_tells_what_a_kill_left_half_done(built, tmp_path):
    from snakemake.persistence.file import FilePersistence

    folder = built.moved(tmp_path / "study", snakemake=True)
    path = "results/tiny/tables/summary.parquet"
    FilePersistence(path=folder / ".snakemake")._mark_incomplete(path, None)
    assert built.checkout.plan(folder, built.config) == TABLES
    assert "summarise summary: interrupted" in built.checkout.explain(folder, built.config)


# --- environments -----------------------------------------------------------------------------------------------------


def test_no_record_of_snakemake_mentions_an_environment(built):
    records = [file for file in (built.folder / ".snakemake" / "metadata").rglob("*") if file.is_file()]
    assert len(records) > 30
    for file in records:
        record = json.loads(file.read_text(encoding="utf-8"))
        assert "envs" not in json.dumps([record[key] for key in ("params", "input", "code", "shellcmd")])


STAND_IN = """#!/bin/sh
case "$1" in
info) echo '{"conda_prefix": "/opt/conda", "platform": "linux-64", "conda_version": "24.9.0"}' ;;
--version) echo "conda 24.9.0" ;;
config) echo '{"get": {"channel_priority": "strict"}}' ;;
esac
"""


def test_switching_conda_on_reruns_nothing(built, tmp_path, monkeypatch):
    conda = tmp_path / "conda"
    conda.write_text(STAND_IN)
    conda.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert built.plan(None, "--sdm", "conda") == NOTHING
    # it is the profile's triggers that see to that
    everything = built.plan(None, "--sdm", "conda", "--rerun-triggers", "software-env")
    assert everything > from_masks(*VARIANTS)
