"""What a study may say, and the one line that answers each mistake: where it is, what was found, what is allowed."""

import copy
import re
from pathlib import Path

import pytest
import yaml

from clearminds import config_schema
from clearminds.config import Study
from clearminds.config_blocks import FileTask, HubTask
from clearminds.errors import UserError
from clearminds.load_config import load_study

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config.yaml"
DEMO = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))


def study_with(changes: dict[str, object]) -> dict:
    """The demo study with some keys, named by their path with slashes, set anew; `...` takes a key out."""
    study = copy.deepcopy(DEMO)
    for path, value in changes.items():
        *above, key = path.split("/")
        block = study
        for part in above:
            block = block[part]
        if value is ...:
            del block[key]
        else:
            block[key] = value
    return study


@pytest.fixture
def load(tmp_path):
    """Writes a study, text or keys, to a file and loads it."""

    def write_and_load(study: dict | str | bytes) -> Study:
        file = tmp_path / "study.yaml"
        text = yaml.safe_dump(study, sort_keys=False, allow_unicode=True) if isinstance(study, dict) else study
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_study([file])

    return write_and_load


@pytest.fixture
def refusal(load, tmp_path):
    """The error that a study meets, without the file's name, which it must begin with."""

    def load_and_catch(study: dict | str | bytes) -> str:
        with pytest.raises(UserError) as caught:
            load(study)
        message = str(caught.value)
        file = f"{tmp_path / 'study.yaml'}: "
        assert message.startswith(file)
        assert "\n" not in message
        return message.removeprefix(file)

    return load_and_catch


@pytest.mark.parametrize("file", [CONFIG, *sorted((ROOT / "studies").glob("*.yaml"))], ids=lambda file: file.name)
def test_every_study_of_the_project_is_valid(file):
    assert load_study([file]).variants


def test_what_snakemake_has_read_counts_and_the_files_are_only_checked():
    study = load_study([CONFIG], {**DEMO, "study": "from-the-command-line"})
    assert study.study == "from-the-command-line"


def test_a_later_file_replaces_the_keys_of_an_earlier_one(tmp_path):
    (tmp_path / "seeds.yaml").write_text("seeds: [1, 2]", encoding="utf-8")
    assert load_study([CONFIG, tmp_path / "seeds.yaml"]).seeds == [1, 2]


# --- keys and values --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("varients", "varients: unknown key; did you mean variants?"),
        ("zzz", "zzz: unknown key; known here: study, models, tasks, targets, suites, sources, "),
        ("training/learning_rat", "training: learning_rat: unknown key; did you mean learning_rate?"),
        ("tasks/sums/generater", "tasks: sums: generater: unknown key; did you mean generator?"),
        ("tasks/chat-drift/generator", "tasks: chat-drift: generator: unknown key; "),
        ("variants/stm-2.5/wieghts", "variants: stm-2.5: wieghts: unknown key; did you mean weights?"),
        ("variants/stm-2.5/weights/tua", "variants: stm-2.5: weights: tua: unknown key; did you mean tau?"),
        ("variants/random-2.5/weights/lik", "variants: random-2.5: weights: lik: unknown key; did you mean like?"),
        ("models/smollm2-135m-q4/sha265", "models: smollm2-135m-q4: sha265: unknown key; did you mean sha256?"),
        ("sources/self_output/sample", "sources: self_output: sample: unknown key; did you mean samples?"),
        ("runtime/batch_token", "runtime: batch_token: unknown key; did you mean batch_tokens?"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(refusal, path, message):
    assert refusal(study_with({path: 1})).startswith(message)


@pytest.mark.parametrize("name", ["mine", "file", "hub", "all", "str"])
@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"colums": {}}, "colums: unknown key; did you mean columns?"),
        ({"columns": {"promt": "a"}}, "columns: promt: unknown key; did you mean prompt?"),
        ({"splits": {"test": {"path": "a", "limt": 3}}}, "splits: test: limt: unknown key; did you mean limit?"),
        ({"splits": {"test": {"limit": 3}}}, "splits: test: path: missing; add this key"),
        ({"splits": {"test": 3}}, "splits: test: input should be a valid string, not 3"),
    ],
)
def test_errors_name_the_keys_of_the_file_even_where_ids_resemble_kinds(refusal, name, task, message):
    task = {"kind": "file", "splits": {"test": "a.jsonl"}, **task}
    assert refusal(study_with({f"tasks/{name}": task})) == f"tasks: {name}: {message}"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"tasks/sums/kind": "reasoninggym"},
            "tasks: sums: kind: 'reasoninggym' is not one of reasoning_gym, human_eval, everyday_prompts, file, hub; "
            "did you mean reasoning_gym?",
        ),
        (
            {"tasks/sums/kind": ...},
            "tasks: sums: kind: missing; give one of everyday_prompts, file, hub, human_eval, reasoning_gym",
        ),
        (
            {"variants/stm-2.5/weights/rule": "perplexty"},
            "variants: stm-2.5: weights: rule: 'perplexty' is not one of all, perplexity, random; "
            "did you mean perplexity?",
        ),
        (
            {"variants/stm-2.5/weights/rule": ...},
            "variants: stm-2.5: weights: rule: missing; give one of all, perplexity, random",
        ),
    ],
)
def test_a_kind_or_rule_must_be_a_known_one(refusal, changes, message):
    assert refusal(study_with(changes)) == message


@pytest.mark.parametrize("key", ["study", "models", "tasks", "targets", "suites", "match", "variants", "seeds"])
def test_a_missing_block_is_named(refusal, key):
    assert refusal(study_with({key: ...})) == f"{key}: missing; add this key"


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("tasks/sums/splits", "tasks: sums: splits"),
        ("tasks/sums/generator", "tasks: sums: generator"),
        ("variants/ground-truth/responses", "variants: ground-truth: responses"),
        ("variants/stm-2.5/weights/tau", "variants: stm-2.5: weights: tau"),
        ("variants/random-2.5/weights/like", "variants: random-2.5: weights: like"),
        ("match/sources", "match: sources"),
    ],
)
def test_a_missing_key_is_named(refusal, path, where):
    assert refusal(study_with({path: ...})) == f"{where}: missing; add this key"


@pytest.mark.parametrize("key", ["sources", "scoring", "training", "runtime", "models"])
def test_a_block_without_keys_is_refused(refusal, key):
    message = "a block of keys belongs here, not None; fill it in or take the key out"
    assert refusal(study_with({key: None})) == f"{key}: {message}"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training/rank": -3}, "training: rank: input should be greater than 0, not -3"),
        ({"training/dropout": 1}, "training: dropout: input should be less than 1, not 1"),
        ({"training/adapter": "lorra"}, "training: adapter: input should be 'lora' or 'dora', not 'lorra'"),
        ({"training/target_modules": 3}, "training: target_modules: input should be a valid string, not 3"),
        ({"scoring/dtype": "int8"}, "scoring: dtype: input should be 'float32', 'bfloat16' or 'float16', not 'int8'"),
        ({"sources/self_output/samples": 0}, "sources: self_output: samples: input should be greater than 0, not 0"),
        ({"tasks/sums/splits/train": 0}, "tasks: sums: splits: train: input should be greater than 0, not 0"),
        ({"seeds": []}, "seeds: at least one entry is needed, not []"),
        ({"seeds": [0, 0]}, "seeds: 0 stands twice; take one out"),
        ({"seeds": [0, -1]}, "seeds: 1: input should be greater than or equal to 0, not -1"),
        ({"variants/ground-truth/training": {"rank": -3}}, "variants: ground-truth: training: rank: input should be "),
        ({"runtime": {"fsdp": True, "gpus": 1}}, "runtime: fsdp: true spreads the weights over GPUs and needs gpus: 2"),
    ],
)
def test_a_value_out_of_range_is_named_with_its_range(refusal, changes, message):
    assert refusal(study_with(changes)).startswith(message)


@pytest.mark.parametrize("text", ["1e-4", "0.0001", "'1e-4'"])
def test_a_learning_rate_is_a_number_however_yaml_reads_it(load, text):
    written = CONFIG.read_text(encoding="utf-8").replace("learning_rate: 0.0005", f"learning_rate: {text}")
    assert load(written).training.learning_rate == 1e-4


def test_a_word_is_no_learning_rate(refusal):
    message = refusal(study_with({"training/learning_rate": "fast"}))
    assert message.startswith("training: learning_rate: input should be a valid number")
    assert message.endswith("not 'fast'")


# --- tau --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tau", ["1", "1.0", "2.5", "2.50", "1000"])
def test_tau_is_kept_as_it_is_written(load, tau):
    assert load(study_with({"variants/stm-2.5/weights/tau": tau})).variants["stm-2.5"].weights.tau == tau


@pytest.mark.parametrize(
    ("tau", "message"),
    [
        (2.5, 'tau is a quoted string, so that no reader rounds it: write tau: "2.5" in quotes'),
        (2, 'tau is a quoted string, so that no reader rounds it: write tau: "2" in quotes'),
        ("0.9", "tau is a perplexity and so at least 1, not 0.9"),
        ("-2", "tau is a perplexity and so at least 1, not -2"),
        *(
            (tau, f'tau is a number in quotes, such as "2.5", not {tau!r}; to keep every token, set rule: all')
            for tau in ("high", "", "2,5", " 2.5", "2_5", "nan", "inf", None, True, [])
        ),
    ],
)
def test_tau_is_a_quoted_number_of_at_least_one(refusal, tau, message):
    found = refusal(study_with({"variants/stm-2.5/weights/tau": tau}))
    assert found == f"variants: stm-2.5: weights: tau: {message}"


# --- references between blocks ----------------------------------------------------------------------------------------

TASKS = ", ".join(DEMO["tasks"])
SOURCES = ", ".join(["reference", *DEMO["sources"]])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"targets": ["sum"]}, f"targets: 'sum' is not one of {TASKS}; did you mean sums?"),
        ({"targets": ["sums", "sums"]}, "targets: 'sums' stands twice; take one out"),
        ({"targets": ["gcd"]}, "tasks: gcd: splits, of a target,: 'train' is not one of test"),
        (
            {"suites/small": ["sums", "product"]},
            f"suites: small: 'product' is not one of {TASKS}; did you mean products?",
        ),
        ({"suites/small": ["sums", "sums"]}, "suites: small: 'sums' stands twice; take one out"),
        ({"suites/large": ["sums"]}, "suites (a task in two of them): 'sums' stands twice; take one out"),
        (
            {"suites/large": ["lm_eval:"]},
            "suites: large: lm_eval: names no task; write one behind it, as in lm_eval:arc_easy",
        ),
        (
            {"tasks/gcd/splits": {"validation": 3}},
            "tasks: gcd: splits, of an evaluated task,: 'test' is not one of validation",
        ),
        ({"tasks/gcd/splits": {}}, "tasks: gcd: splits, of an evaluated task,: 'test' is not one of (none given)"),
        (
            {"match/sources": ["reference", "self-output"]},
            f"match: sources: 'self-output' is not one of {SOURCES}; did you mean self_output?",
        ),
        ({"match/sources": ["reference"] * 2}, "match: sources: 'reference' stands twice; take one out"),
        ({"match/sources": []}, "match: sources: at least one entry is needed, not []"),
        (
            {"variants/ground-truth/responses": "referense"},
            f"variants: ground-truth: responses: 'referense' is not one of {SOURCES}; did you mean reference?",
        ),
        (
            {"tasks/chat-drift/answers": "everydy"},
            "tasks: chat-drift: answers: 'everydy' is not one of self_output, rephrase, everyday; "
            "did you mean everyday?",
        ),
        ({"sources/reference": {}}, "sources: reference is built in; give another name"),
        ({"sources/mine": {}}, "sources: mine: needs kind: self_output or rephrase"),
        ({"sources/my.own": {"kind": "rephrase"}}, "sources: my.own: a source's name has no dot"),
        ({"variants/x.draw0": {"responses": "reference"}}, "variants: x.draw0: .draw and a number end the masks"),
        ({"variants/base": {"responses": "reference"}}, "variants: base is built in (the model as it is); "),
    ],
)
def test_a_name_must_be_declared_where_it_belongs(refusal, changes, message):
    assert refusal(study_with(changes)).startswith(message)


@pytest.mark.parametrize(
    ("like", "responses", "message"),
    [
        ("new", "reference", "'new' is not one of ground-truth, self-output, rephrase, stm-2.5, random-2.5"),
        ("stm-25", "reference", "'stm-25' is not one of ground-truth, .*; did you mean stm-2.5\\?$"),
        ("random-2.5", "reference", "random-2.5 must have the same responses and a rule that does not draw at random"),
        ("stm-2.5", "self_output", "stm-2.5 must have the same responses and a rule that does not draw at random"),
    ],
)
def test_a_random_rule_imitates_another_rule_on_the_same_responses(refusal, like, responses, message):
    variant = {"responses": responses, "weights": {"rule": "random", "like": like}}
    found = refusal(study_with({"variants/new": variant}))
    assert re.match(rf"variants: new: weights: like: {message}", found)


def test_a_variant_overrides_known_keys_of_training_only(refusal):
    found = refusal(study_with({"variants/ground-truth/training": {"rnk": 4}}))
    assert found.startswith("variants: ground-truth: training: 'rnk' is not one of adapter, rank, ")
    assert found.endswith("; did you mean rank?")


def test_a_variant_cannot_override_max_length(refusal):
    assert refusal(study_with({"variants/ground-truth/training": {"max_length": 100}})) == (
        "variants: ground-truth: training: max_length fixes the matched examples; set it for all variants"
    )


def test_a_variant_takes_the_other_keys_from_training(load):
    study = load(study_with({"variants/ground-truth/training": {"rank": 4}}))
    assert study.training_of("ground-truth") == study.training.model_copy(update={"rank": 4})
    assert study.training_of("stm-2.5") == study.training


# --- several processes of a training ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"runtime/gpus": 3},
            "variants: ground-truth: training: batch_examples: 8 must be a multiple of runtime: gpus: 3, ",
        ),
        (
            {"runtime/gpus": 4, "variants/stm-2.5/training": {"batch_examples": 6}},
            "variants: stm-2.5: training: batch_examples: 6 must be a multiple of runtime: gpus: 4, ",
        ),
        (
            {"runtime/gpus": 2, "runtime/fsdp": True, "variants/stm-2.5/training": {"adapter": "dora"}},
            "variants: stm-2.5: training: adapter: dora takes norms of whole weights, which runtime: fsdp spreads; ",
        ),
        (
            {"runtime/gpus": 2, "runtime/fsdp": True, "models/smollm2-135m-q4/quantization": "4bit"},
            "models: smollm2-135m-q4: quantization: weights of 4 bits cannot be spread; ",
        ),
    ],
)
def test_what_several_processes_cannot_train_is_refused_before_anything_runs(refusal, load, changes, message):
    assert refusal(study_with(changes)).startswith(message)
    assert load(study_with({**changes, "runtime/gpus": 1, "runtime/fsdp": False}))


# --- backends ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", ["sources/rephrase", "evaluation"])
def test_a_backend_is_transformers_unless_vllm_is_asked_for(load, refusal, block):
    assert load(study_with({f"{block}/backend": "transformers"})) == load(study_with({f"{block}/backend": None}))
    assert load(study_with({f"{block}/backend": "transformers"})) == load(DEMO)
    assert load(study_with({f"{block}/backend": "vllm"})) != load(DEMO)
    message = refusal(study_with({f"{block}/backend": "vlm"}))
    assert message.startswith(block.replace("/", ": ") + ": backend: ")
    assert "'vlm'" in message and "transformers" in message and "vllm" in message


@pytest.mark.parametrize(("block", "key"), [("sources/rephrase", "sources: rephrase"), ("evaluation", "evaluation")])
def test_vllm_takes_no_model_that_is_quantised_on_loading(refusal, load, block, key):
    quantised = {"models/smollm2-135m-q4/quantization": "4bit"}
    assert load(study_with(quantised))
    assert refusal(study_with({**quantised, f"{block}/backend": "vllm"})) == (
        f"{key}: backend: vllm takes no model with quantization: 4bit, as smollm2-135m-q4 has; set quantization: none, "
        "or backend: transformers"
    )


# --- models and ids ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({}, "give exactly one of pypi, hub and path"),
        ({"hub": "a/b", "revision": "c", "path": "d"}, "give exactly one of pypi, hub and path"),
        ({"hub": "a/b"}, "hub needs revision, a pinned commit, beside it"),
        ({"pypi": "a==1", "file": "b"}, "pypi needs file (the GGUF inside the wheel) and sha256 (its hash) beside it"),
        ({"pypi": "a==1", "sha256": "b"}, "pypi needs file (the GGUF inside the wheel) and sha256 (its hash) "),
        ({"path": "a", "chat_template": {"files": "b"}}, "chat_template: files: unknown key; did you mean file?"),
        ("a/b", "a block of keys belongs here, not 'a/b'; fill it in or take the key out"),
    ],
)
def test_a_model_has_one_pinned_origin(refusal, model, message):
    assert refusal(study_with({"models": {"m": model}})).startswith(f"models: m: {message}")


ID = "use letters, digits, '.', '_' and '-', a letter or digit first (a number in quotes)"


@pytest.mark.parametrize("name", ["a/b", "a+b", "a b", ".a", "-a", "", "ä", "a\n", 2.5])
@pytest.mark.parametrize("block", ["models", "tasks", "suites", "sources", "variants"])
def test_an_id_is_a_plain_file_name(refusal, block, name):
    study = copy.deepcopy(DEMO)
    study[block] = {name: next(iter(study[block].values())), **study[block]}
    assert refusal(study).endswith(f"{name!r} is no id; {ID}")


@pytest.mark.parametrize("name", ["a/b", "../a", "a b"])
def test_the_study_and_the_splits_have_ids_too(refusal, name):
    assert refusal(study_with({"study": name})) == f"study: {name!r} is no id; {ID}"
    splits = {"train": 1, "test": 1, name: 1}
    assert refusal(study_with({"tasks/sums/splits": splits})).endswith(f"{name!r} is no id; {ID}")


# --- YAML -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "key", "lines"),
    [
        ("study: a\nseeds: [0]\nstudy: b\n", "study", "1 and 3"),
        ("variants:\n  x: {responses: a}\n  y: {}\n  x: {responses: b}\n", "x", "2 and 4"),
        ("variants:\n  x:\n    weights:\n      rule: all\n      rule: random\n", "rule", "4 and 5"),
        ("suites:\n  - {a: 1,\n     a: 2}\n", "a", "2 and 3"),
    ],
)
def test_a_key_that_stands_twice_is_refused_with_both_lines(refusal, text, key, lines):
    message = f"key {key!r} stands twice, in lines {lines}; YAML would keep the last: rename one"
    assert refusal(text) == message


def test_a_merged_key_may_be_overridden(load):
    text = CONFIG.read_text(encoding="utf-8").replace("  products:", "  products: &products", 1)
    text = text.replace("targets: [sums]", "  mine: {<<: *products, seed: 8}\ntargets: [sums]")
    study = load(text)
    assert study.tasks["mine"] == study.tasks["products"].model_copy(update={"seed": 8})


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a\n", "a word", "null"])
def test_a_file_without_keys_is_refused(refusal, text):
    assert refusal(text) == "holds no keys; a study needs at least models, tasks, targets and variants"


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("study: [1,\nseeds: 2\n", "line 1, column 8"),
        ("study:\n\tseeds: 2\n", "line 2, column 1"),
        ("study: a\n---\nstudy: b\n", "line 2, column 1"),
        ("study: !!python/object:os.system x\n", "line 1, column 8"),
        ("study: &a\n  b: *a\n", "line 1, column 8"),
    ],
)
def test_bad_yaml_is_refused_with_its_line(refusal, text, where):
    message = refusal(text)
    assert message.startswith("not valid YAML: ")
    assert where in message


@pytest.mark.parametrize("text", ["? [a, b]\n: 1\n", "? {a: b}\n: 1\n"])
def test_a_key_is_a_word_or_a_number(refusal, text):
    assert refusal(text).startswith("line 1: a key must be a word or a number, not ")


def test_a_file_in_another_encoding_is_refused(refusal):
    assert refusal("study: café\n".encode("latin-1")) == "not UTF-8 text (byte 10); save the file as UTF-8"


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.yaml: cannot be read \(No such file or directory\); give the path"):
        load_study([tmp_path / "none.yaml"])


# --- schema and comments ----------------------------------------------------------------------------------------------


def test_the_schema_for_editors_follows_the_models():
    assert config_schema.PATH.read_text(encoding="utf-8") == config_schema.schema(), "run `make schema`"


def test_prompts_alone_are_asked_for_explicitly(load):
    file = {"kind": "file", "splits": {"test": "a.jsonl"}}
    assert load(study_with({"tasks/mine": {**file, "prompt_only": True}})).tasks["mine"].prompt_only
    assert not load(study_with({"tasks/mine": file})).tasks["mine"].prompt_only
    for model in (FileTask, HubTask):
        assert "without responses" in model.model_fields["prompt_only"].description


def test_every_key_of_the_demo_is_commented():
    """A block's key may lean on the comment that it has in an earlier block beside it."""
    commented: set[tuple[int, str, str]] = set()
    bare = []
    block = ""
    for line in CONFIG.read_text(encoding="utf-8").splitlines():
        match = re.match(r"(|  |    )([\w.-]+):", line)
        if match is None:
            continue
        depth, key = len(match[1]), match[2]
        block = block if depth else key
        if " # " in line:
            commented.add((depth, block, key))
        elif depth < 4 or (depth, block, key) not in commented:
            bare.append(line)
    assert len(commented) > 50
    assert not bare
