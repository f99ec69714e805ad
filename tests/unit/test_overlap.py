"""Which evaluated items are in the training data too, and what scores are without them."""

import polars as pl
import pytest

from clearminds.files import contracts
from clearminds.files.summary import OVERLAPS
from clearminds.files.tables import write_table
from clearminds.report.result_table import terminal_table
from clearminds.stages.statistics.overlap import Item, TrainingTexts
from clearminds.stages.summarise import tables

LONG = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"


def example(name, prompt, reference=""):
    return {"example_id": name, "messages": [{"role": "user", "content": prompt}], "reference": reference}


def item(prompt, target="", name="i"):
    return Item("", name, name, f"<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n", target)


def found(examples, *prompts, others=()):
    items = [item(prompt, name=str(n)) for n, prompt in enumerate(prompts)]
    seen = [item(prompt).prompt for prompt in others]
    return {row["doc_id"]: row for row in TrainingTexts(examples).overlaps("t", items, seen)}


def test_a_prompt_is_found_in_its_chat_template_whatever_its_case_and_blanks():
    trained = [example("a", "What is 3 + 4?"), example("b", "What is 5 + 6?")]
    copies = found(trained, "what IS  3 + 4 ?", "What is 3 * 4?", "What is 3 + 4 + 5?", "What is 9 + 9?")
    assert {key: (row["exact"], row["example_id"]) for key, row in copies.items()} == {"0": (True, "a")}


def test_a_question_under_another_instruction_is_the_same_question():
    copies = found([example("a", "Is the sea blue?")], "Answer in a word. Is the sea blue?", "Answer in a word. Why?")
    assert list(copies) == ["0"]


def test_thirteen_words_in_a_row_are_found_in_prompts_and_references():
    trained = [example("a", "Count.", f"We say {LONG}."), example("b", "Else.", "Nothing of it.")]
    copies = found(trained, f"Tell me: {LONG.upper()}!", LONG.rsplit(maxsplit=2)[0], "Else?")
    assert list(copies) == ["0"]
    assert (copies["0"]["exact"], copies["0"]["example_id"]) == (False, "a")
    assert 0 < copies["0"]["shared"] < 1
    [row] = TrainingTexts(trained).overlaps("t", [item("Say it.", target=LONG)])
    assert row["shared"] > 0


@pytest.mark.parametrize(("times", "seen"), [(1, True), (10, True), (11, False)])
def test_the_wording_of_a_task_is_no_copy(times, seen):
    others = [example(f"o{n}", f"other {n}") for n in range(200)]
    trained = [example(f"e{n}", f"{LONG} number {n}?") for n in range(times)] + others
    assert bool(found(trained, f"{LONG} but of what?", "Else?")) == seen


@pytest.mark.parametrize("prompts", [["What is it?"], ["What is it?"] * 2])
def test_a_task_with_one_prompt_is_compared_by_what_other_tasks_have_around_theirs(prompts):
    assert found([example("a", "What is it?")], *prompts, others=["Why?", "Who?"])["0"]["exact"]
    assert found([example("a", "What is it?")], *prompts) == {}, "nothing shows where the template ends"
    for part in ("What", "is it?", "assistant", "user"):
        assert found([example("a", part)], *prompts, others=["Why?", "Who?"]) == {}, part
        assert found([example("a", part)], *prompts) == {}, part


def test_a_training_set_without_prompts_is_compared():
    assert found([], "What?") == {}
    assert found([example("a", "")], "What?", "Why?") == {}


@pytest.fixture
def study(tmp_path):
    """A base and a variant on `sums` (the target) and `gcd`, of which the first items were trained on."""

    def rows(right):
        for task in ("sums", "gcd"):
            for n in range(10):
                prompt = item(f"What is {n} + {task}?").prompt
                yield {
                    **{"eval_task": task, "subtask": "", "doc_id": f"{task}{n}", "doc_hash": f"{task}{n}"},
                    **{"metric": "accuracy", "filter": "lenient", "prompt": prompt, "target": str(n)},
                    "score": float(n in right),
                }

    def write(variant, seed, right):
        path = tmp_path / f"{variant}.parquet"
        write_table(path, list(rows(right)), contracts.EVALUATION, {})
        target = None if variant == "base" else "sums"
        return {"path": path, "model": "tiny", "target": target, "variant": variant, "seed": seed}

    return [write("base", None, {0, 2, 3}), write("stm", 0, {0, 1, 2, 4})]


ACCURACY = {"evaluate": "accuracy", "metric": "accuracy", "filter": "lenient"}
TASKS = {"sums": ACCURACY, "gcd": ACCURACY}


def test_results_without_the_items_that_were_trained_on_stand_beside(study):
    trained = {"sums": [example("a", "What is 0 + sums?"), example("b", "What is 1 + sums?")]}
    made = tables(study, TASKS, trained)
    assert made.overlaps.schema == OVERLAPS
    assert made.overlaps.select("eval_task", "doc_id", "exact", "example_id").rows() == [
        ("sums", "sums0", True, "a"),
        ("sums", "sums1", True, "b"),
    ]
    stm = made.summary.filter(pl.col("variant") == "stm", pl.col("eval_task") == "sums").row(0, named=True)
    assert (stm["n_overlap"], stm["score"], stm["score_without_overlap"]) == (2, 0.4, 0.25)
    assert stm["ti"] == pytest.approx(100 / 3)
    assert stm["ti_without_overlap"] == pytest.approx(0)  # 2 of 8 before and after
    assert stm["bwt_without_overlap"] is None  # no item of the other task was trained on
    text = terminal_table(made.summary, made.comparisons)
    assert "2 of 10 items of sums are in the training data too" in text
    assert "TI without such items: stm +0.00." in text


def test_what_a_variant_replays_or_started_from_counts_for_that_variant_alone(study):
    trained = {"sums": [example("a", "What is 0 + sums?")], "talk": [example("t", "What is 2 + gcd?")]}
    replaying = {**study[1], "variant": "replaying"}
    made = tables([*study, replaying], TASKS, trained, {"replaying": {"sums": ["talk"]}})
    assert made.overlaps.select("target", "eval_task", "doc_id").rows() == [
        ("sums", "sums", "sums0"),
        ("talk", "gcd", "gcd2"),
    ]
    seen = made.summary.select("variant", "eval_task", "n_overlap").rows()
    counts = {(variant, task): n for variant, task, n in seen}
    assert [counts[v, "sums"] for v in ("base", "stm", "replaying")] == [1, 1, 1]
    assert [counts[v, "gcd"] for v in ("base", "stm", "replaying")] == [1, 0, 1]
    bwt = dict(made.summary.select("variant", "bwt_without_overlap").unique().rows())
    assert bwt == {"base": 0, "stm": None, "replaying": pytest.approx(50)}  # without item 2: 3 of 9 after, 2 before


def test_where_nothing_is_compared_that_is_said_and_where_nothing_is_found_nothing(study):
    made = tables(study, TASKS)
    assert "Not looked at: whether items of " in terminal_table(made.summary, made.comparisons)
    assert made.overlaps.is_empty()
    assert made.summary["n_overlap"].null_count() == made.summary.height
    clean = tables(study, TASKS, {"sums": [example("a", "Another?")]})
    assert clean.summary["n_overlap"].to_list() == [0] * 4
    assert clean.summary["score_without_overlap"].null_count() == 4
    assert "training data" not in terminal_table(clean.summary, clean.comparisons)


def test_where_every_item_was_trained_on_nothing_is_left(study):
    trained = {"sums": [example(str(n), f"What is {n} + gcd?") for n in range(10)]}
    summary = tables(study, TASKS, trained).summary
    gcd = summary.filter(pl.col("eval_task") == "gcd")
    assert gcd["n_overlap"].to_list() == [10, 10]
    assert gcd["score_without_overlap"].to_list() == gcd["bwt_without_overlap"].to_list() == [None, None]
