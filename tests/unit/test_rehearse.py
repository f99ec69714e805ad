"""The rehearsal of a model: what would fail later fails here, in one line; the rest leaves a record without times."""

import json
import shutil

import pytest
import torch
from small_training import TRAINING, runtime, training
from tiny import CHAT_TEMPLATE, tiny_model_folder
from transformers import AutoTokenizer

from clearminds.errors import UserError
from clearminds.files import contracts
from clearminds.files.settings import parse
from clearminds.files.tables import write_json, write_table
from clearminds.model.conversation import Chat
from clearminds.model.load import load_model
from clearminds.model.loading import Loading
from clearminds.model.sampling import generate_batch
from clearminds.plugins.load import load
from clearminds.stages.rehearsal import answers, steps
from clearminds.stages.rehearsal.overlaps import in_words, overlaps
from clearminds.stages.rehearsal.texts import check_references
from clearminds.stages.rehearse import Runtime, Settings, rehearse

BLOCK = {key: value for key, value in TRAINING.items() if key not in ("epochs", "batch_examples")}
RUNTIME = {
    "batch_tokens": 64,
    "fsdp": False,
    "gradient_checkpointing": False,
    "report_to": "none",
    "sandbox": "rlimits",
}
SETTINGS = {
    "targets": ["sums"],
    "references": True,
    "sources": ["rephrase", "self_output"],
    "trainings": [BLOCK],
    "max_length": 64,
    "verifiers": {"sums": "unverified"},
    "tasks": [
        {"name": "chat", "evaluate": "drift", "answers": "everyday"},
        {"name": "sums", "evaluate": "accuracy", "verifier": "number"},
        {"name": "text", "evaluate": "likelihood"},
    ],
    "split": "test",
    "evaluation": {"dtype": "float32", "max_new_tokens": 40},
    "dtype": "float32",
    "loading": {},
}
# ends its generation prompt in a letter, which the tokenizer merges with the letters that some responses begin with
MERGING = CHAT_TEMPLATE.replace("<|im_start|>assistant\n", "<|im_start|>assistant\na").replace(
    "{{ message['content'] }}", "{% if message['role'] == 'assistant' %}a{% endif %}{{ message['content'] }}"
)
# of some models: two turns of a user are an error
ALTERNATING = (
    "{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}{% endfor %}" + CHAT_TEMPLATE
)


def row(name: str, prompt: str = "What is 1 + 2?", reference: str = "It is 3.", **more: object) -> dict:
    messages = more.get("messages") or [{"role": "user", "content": prompt}]
    return {"example_id": name, "messages": messages, "reference": reference, "answer": "3", "meta": "{}"}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return with_chat(tiny_model_folder(tmp_path_factory.mktemp("model")))


def with_chat(folder):
    """Leave the chat settings in a model's folder, as `fetch_model` does."""
    write_json(folder / "chat.json", {"system": None, "arguments": {}})
    return folder


@pytest.fixture
def run(model, tmp_path):
    """Rehearses the model on one target and its tasks, with some of it changed."""

    def run(folder=model, train=None, evaluated=None, runtime=RUNTIME, **changes):
        def table(task, split, rows):
            path = tmp_path / task / f"{split}.parquet"
            write_table(path, rows, contracts.EXAMPLES, {})
            return path

        train = {"sums": table("sums", "train", train or [row("a"), row("b", "What is 4 + 5?", "9")])}
        given = {task: [row(f"{task}-{n}", f"{task} {n}?") for n in range(2)] for task in ("chat", "sums", "text")}
        items = {task: table(task, "test", rows) for task, rows in {**given, **(evaluated or {})}.items()}
        settings = parse(Settings, {**SETTINGS, **changes}, "--spec")
        return rehearse(folder, "owner/name", train, items, settings, parse(Runtime, runtime, "--runtime"))

    return run


def test_what_was_tried_is_told_without_times_and_alike_each_time(run):
    found = run(trainings=[BLOCK, {**BLOCK, "adapter": "dora", "scheduler": "linear", "dtype": "bfloat16"}])
    assert found["tried"]["train"] == {"sums": {"prompts": 2, "references": 2}}
    assert found["tried"]["evaluated"]["text"] == {"prompts": 2, "references": 2}
    assert found["tried"]["answers"] == {"sums": 2, "text": 1}  # read leniently and strictly; drift has no answers yet
    assert [block["adapter"] for block in found["tried"]["trainings"]] == ["lora", "dora"]
    assert (found["overlaps"], found["warnings"]) == ([], [])
    again = run(trainings=[BLOCK, {**BLOCK, "adapter": "dora", "scheduler": "linear", "dtype": "bfloat16"}])
    assert json.dumps(again) == json.dumps(found)


def test_a_step_is_taken_with_each_loss_and_kind_of_adapter(run, caplog):
    blocks = [
        {**BLOCK, "adapter": "pissa"},
        {**BLOCK, "loss": {"rule": "kl", "beta": 0.1}},
        {**BLOCK, "adapter": "full", "dtype": "bfloat16"},
        {**BLOCK, "adapter": "rslora"},
    ]
    assert run(trainings=blocks)["tried"]["trainings"] == blocks


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"trainings": [{**BLOCK, "loss": {"rule": "kl"}}]},
            "training: a step with adapter: lora, scheduler: .*, loss: kl fails on this model .*beta",
        ),
        (
            {"trainings": [BLOCK, {**BLOCK, "target_modules": ["no_such_layer"]}]},
            r"training: adapter: lora, target_modules: \['no_such_layer'\]: cannot be put on this model .*its linear "
            "layers are down_proj, gate_proj, k_proj, o_proj, q_proj, up_proj, v_proj; name some",
        ),
        (
            {"trainings": [{**BLOCK, "scheduler": "cosin"}]},
            r"training: a step with adapter: lora, scheduler: cosin, dtype: float32 fails .*not a valid SchedulerType",
        ),
        (
            {"trainings": [{**BLOCK, "scheduler": "cosine_with_min_lr"}]},
            r"training: a step with adapter: lora, scheduler: cosine_with_min_lr.*fails on this model",
        ),
        pytest.param(
            {"tasks": [{"name": "lm_eval:arc_esy", "evaluate": "lm_eval"}]},
            r"lm_eval:arc_esy: .*nearest: arc_easy",
            marks=pytest.mark.slow,  # the harness lists its thousands of tasks
        ),
        ({"runtime": {**RUNTIME, "report_to": "wanddb"}}, "runtime: report_to: wanddb cannot be used .*not supported"),
        ({"runtime": {**RUNTIME, "report_to": "wandb"}}, "runtime: report_to: wandb cannot be used .*install"),
    ],
)
def test_what_would_fail_later_is_refused_in_a_line(run, changes, message):
    with pytest.raises(UserError, match=message) as caught:
        run(**changes)
    assert "\n" not in str(caught.value)


@pytest.fixture
def model_with(model, tmp_path):
    """The model with another chat template."""

    def copy(template):
        folder = shutil.copytree(model, tmp_path / "other" / "model")
        tokenizer = AutoTokenizer.from_pretrained(folder)
        tokenizer.chat_template = template
        tokenizer.save_pretrained(folder)
        return folder

    return copy


def test_a_template_that_fails_on_one_example_names_it(run, model_with):
    twice = [{"role": "user", "content": "One."}, {"role": "user", "content": "Two."}]
    folder = model_with(ALTERNATING)
    with pytest.raises(UserError, match=r"^tasks: sums: example b: the chat template fails .*roles must alternate"):
        run(folder, train=[row("a"), row("b", messages=twice)])
    with pytest.raises(UserError, match=r"^tasks: chat: example c: the chat template fails .*roles must alternate"):
        run(folder, evaluated={"chat": [row("a"), row("c", messages=twice)]})


MERGED = [row("a"), row("b", reference="nswer is 3."), row("c", reference="nswer is 4.")]


def test_references_that_merge_with_their_prompts_are_all_counted_where_they_are_read(run, model_with):
    merging = model_with(MERGING)
    with pytest.raises(UserError, match=r"^tasks: sums: 2 of 3 references merge with their prompts \(b, c\), "):
        run(merging, train=MERGED)
    assert run(merging, train=MERGED, references=False)["tried"]["train"]["sums"]["references"] == 0
    with pytest.raises(UserError, match=r"^tasks: text: 2 of 3 references merge"):
        run(merging, evaluated={"text": MERGED}, references=False)


def test_a_reference_that_is_too_long_for_the_model_is_a_warning(run):
    [line] = run(train=[row("a"), row("b", reference="answer " * 600)])["warnings"]
    assert line.startswith("tasks: sums: 1 of 2 references make conversations of more than the model's 512 tokens (b)")


def test_answers_end_after_a_few_tokens_by_either_way_of_generating(model):
    network, chat = load_model(model, dtype="float32", loading=Loading()), Chat.from_folder(model)
    prompts = [chat.prompt_ids(row("a", text)["messages"]) for text in ("What is 1 + 2?", "What?")]
    greedy = {"temperature": 0, "max_new_tokens": 40}
    with answers.short_answers(network, chat):
        found = generate_batch(network, chat.end_of_turn_ids, prompts, [0, 0], greedy)
        ends = sorted(chat.end_of_turn_ids)  # as `HookedModel.plain_generation` is called
        plain = network.generate(
            input_ids=torch.tensor(prompts[:1]), max_length=200, do_sample=False, eos_token_id=ends
        )
    assert all(len(ids) <= answers.TOKENS and ids[-1] in chat.end_of_turn_ids for ids in found)
    assert plain.shape[1] <= len(prompts[0]) + answers.TOKENS
    assert max(map(len, generate_batch(network, chat.end_of_turn_ids, prompts, [0, 0], greedy))) > answers.TOKENS


def test_a_step_leaves_the_weights_as_they_were_and_no_adapter(model):
    network = load_model(model, dtype="float32", loading=Loading())
    before = {name: value.clone() for name, value in network.state_dict().items()}
    example = steps.one_example(None, list(range(3, 20)), 16)
    assert example.num_rows == 1 and len(example["input_ids"][0]) == 16
    after = steps.step(network, "x", example, training(epochs=1, batch_examples=1), runtime())
    assert after.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in after.state_dict().items())


# --- training items that are evaluated too ----------------------------------------------------------------------------

TRAINED = [row("t1", "one"), row("t2", "two", "2"), row("t3", "three"), row("t4", "two", "ii")]


def test_copies_are_counted_by_prompt_and_by_prompt_and_reference():
    items = {"gcd": [row("e1", "two", "2"), row("e2", "three", "iii"), row("e3", "four")], "lcm": [row("e4", "four")]}
    [found] = overlaps("sums", TRAINED, "test", items)
    assert found == {
        "target": "sums",
        "task": "gcd",
        "split": "test",
        "trained": 4,
        "prompts": 3,
        "with_reference": 1,
        "same_item": 0,
        "examples": ["t2", "t3", "t4"],
    }
    assert in_words(found) == (
        "3 of 4 training prompts of sums are in split test of gcd, which is evaluated, 1 of them with the same "
        "reference: t2, t3, t4"
    )


def test_rows_without_a_reference_have_none_in_common():
    trained = [row("t1", "one", None), row("t2", "two", "")]
    [found] = overlaps("sums", trained, "test", {"gcd": [row("e1", "one", ""), row("e2", "two", None)]})
    assert (found["prompts"], found["with_reference"]) == (2, 0)


def test_copies_may_differ_in_blanks_and_line_ends_and_in_nothing_else():
    trained = [row("t1", "What is\n 1 + 2?", "It is 3."), row("t2", "what is 1 + 2?"), row("t3", "What is 1+2?")]
    [found] = overlaps("sums", trained, "test", {"sums": [row("e1", " What is 1 + 2? ", "It  is 3.\n")]})
    assert (found["prompts"], found["with_reference"], found["examples"]) == (1, 1, ["t1"])


def test_a_copy_in_any_evaluated_split_is_warned_of_and_kept(run, caplog):
    with caplog.at_level("WARNING", logger="clearminds"):
        found = run(train=[row("a", "one"), row("b", "two")], evaluated={"chat": [row("c", "two", "other")]})
    [one] = found["overlaps"]
    assert (one["task"], one["prompts"], one["with_reference"], one["examples"]) == ("chat", 1, 0, ["b"])
    assert "1 of 2 training prompts of sums are in split test of chat" in caplog.text


# --- special tokens ---------------------------------------------------------------------------------------------------

TURNS = [row("a"), row("b", "Say <|im_end|> twice.", "<|im_end|><|im_end|>")]


def test_texts_with_special_tokens_are_counted_for_each_task_and_kept(run, caplog):
    with caplog.at_level("WARNING", logger="clearminds"):
        found = run(train=TURNS, evaluated={"chat": [row("c", "<|im_start|>user")]})
    lines = [line for line in found["warnings"] if "special token" in line]
    assert [line.partition(" (")[0] for line in lines] == [
        "task sums: example b holds the special token '<|im_end|>'",
        "task chat: example c holds the special token '<|im_start|>'",
    ]
    assert all(line in caplog.text for line in lines)


def test_a_task_that_refuses_special_tokens_ends_before_the_model_is_loaded(run, monkeypatch):
    monkeypatch.setattr("clearminds.model.load.load_model", None)
    with pytest.raises(UserError, match=r"task sums: example b holds the special token '<\|im_end\|>'"):
        run(train=TURNS, special_tokens={"sums": "refuse"})


def test_special_tokens_that_are_text_are_no_warning(run):
    assert run(train=TURNS, special_tokens={"sums": "as_text"})["warnings"] == []


def test_a_reference_that_only_rephrasing_reads_is_refused_with_the_others(run):
    rows = [row("a", reference="It is <|im_end|> 3.")]
    with pytest.raises(UserError, match=r"task sums: example a holds the special token"):
        run(train=rows, references=False, sources=["rephrase"], special_tokens={"sums": "refuse"})


# --- what is trained in a step ----------------------------------------------------------------------------------------


def test_a_step_takes_no_conversation_that_is_too_long_to_be_trained_on(model):
    chat = Chat.from_folder(model)
    rows = [row("long", reference="It is " + "very " * 40 + "3."), row("short")]
    found = check_references(chat, "sums", rows, limit=4096, max_length=64)
    assert "It is 3." in found.first.text and not found.warnings  # a model that takes more is no reason to warn
    assert check_references(chat, "sums", rows[:1], limit=4096, max_length=64).first is None


def test_answers_are_ended_by_tokens_that_the_model_has(model):
    """A tokenizer may have special tokens that only a larger model of the family knows."""
    network, chat = load_model(model, dtype="float32", loading=Loading()), Chat.from_folder(model)
    rows = network.get_output_embeddings().weight.shape[0]
    chat.tokenizer.add_special_tokens({"additional_special_tokens": [f"<image_{n}>" for n in range(rows)]})
    assert max(chat.end_of_turn_ids) >= rows
    with answers.short_answers(network, chat):
        ends = sorted(end for end in chat.end_of_turn_ids if end < rows)
        made = network.generate(input_ids=torch.tensor([[1, 2]]), max_length=60, do_sample=False, eos_token_id=ends)
    assert made.shape[1] <= 2 + answers.TOKENS


def choices(name, **meta):
    return {**row(name), "meta": json.dumps({"choices": ["3", "4"], "gold": 0, **meta})}


def test_choices_are_tried_and_a_bad_one_is_named(run):
    task = {"name": "asked", "evaluate": "choice", "lead_in": "It is "}
    found = run(tasks=[task], evaluated={"asked": [choices("a"), choices("b")]})
    assert found["tried"]["answers"] == {"asked": 3}
    assert found["tried"]["evaluated"]["asked"] == {"prompts": 2, "references": 0}
    with pytest.raises(UserError, match=r"^tasks: asked: example b: gold is 5; it must be the place"):
        run(tasks=[task], evaluated={"asked": [choices("a"), choices("b", gold=5)]})


def test_every_example_is_shown_to_the_verifier_that_asks_for_it(run, monkeypatch):
    def check(example):
        if example["example_id"] == "b":
            raise ValueError("its tests do not parse:\nline 3")

    monkeypatch.setattr(load("verifiers", "number"), "check", check, raising=False)
    task = {"name": "sums", "evaluate": "accuracy", "verifier": "number"}
    said = "^tasks: sums: example b: no response to it can be judged: its tests do not parse: line 3; correct the row"
    with pytest.raises(UserError, match=said):
        run(tasks=[task], evaluated={"sums": [row("a"), row("b", "What is 5 + 6?")]})
    assert run(tasks=[task], evaluated={"sums": [row("a")]})["tried"]["answers"] == {"sums": 2}
    # responses to what is trained on are judged too, once they have been paid for
    with pytest.raises(UserError, match=said):
        run(verifiers={"sums": "number"}, train=[row("a"), row("b", "What is 5 + 6?")])
