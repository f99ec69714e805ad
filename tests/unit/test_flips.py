"""Items that flipped: which, how many, and what of their answers differs."""

from dataclasses import replace

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearminds.files import contracts
from clearminds.files.tables import write_table
from clearminds.report.flip_data import STATIC, first, flip_data, systems
from clearminds.report.flips import LONGEST, MOST, Flips, differences, flips
from clearminds.report.links import flip_link
from clearminds.report.turns import Turn

TASK = {"evaluate": "accuracy", "metric": "accuracy", "filter": "lenient"}
TASKS = {"sums": TASK, "text": {"evaluate": "likelihood", "metric": None, "filter": None}}
PROMPT = "<|im_start|>user\nWhat is 1 + 1?<|im_end|>\n<|im_start|>assistant\n"


def evaluation(folder, variant, seed, scores, say="It is {n} of {variant}", task="sums", suite=""):
    rows = [
        {
            "eval_task": task,
            "subtask": "",
            "doc_id": f"item {n}",
            "doc_hash": f"{n:03}",
            "metric": "accuracy",
            "filter": name,
            "score": score if name == "lenient" else 0.0,
            "prompt": PROMPT,
            "target": "2",
            "response": say.format(n=n, variant=variant),
        }
        for n, score in enumerate(scores)
        for name in ("lenient", "strict")
    ]
    path = folder / f"{variant}.{seed}{suite}.parquet"
    write_table(path, rows, contracts.EVALUATION, {})
    target = None if variant == "base" else "sums"
    return {"path": path, "model": "tiny", "target": target, "variant": variant, "seed": seed}


@pytest.fixture
def runs(tmp_path):
    return [
        evaluation(tmp_path, "base", None, [1.0, 1.0, 0.0, 0.0, 0.5]),
        evaluation(tmp_path, "stm", 3, [1.0, 0.0, 1.0, 0.0, 0.0]),
        evaluation(tmp_path, "stm", 4, [0.0, 0.0, 0.0, 0.0, 0.0]),
        evaluation(tmp_path, "truth", 3, [1.0, 1.0, 0.0, 0.0, 0.5]),
    ]


def test_items_of_the_first_seed_that_went_from_right_to_wrong_or_back(runs):
    found = flips(runs, TASKS)
    assert [(f.variant, f.seed, f.doc_id, f.lost) for f in found.shown] == [
        ("stm", 3, "item 1", True),
        ("stm", 3, "item 2", False),
    ]
    [count] = found.counts
    assert (count["lost"], count["gained"], count["shown"], count["eval_task"]) == (1, 1, 2, "sums")
    first = found.shown[0]
    assert first.prompt == [("user", "What is 1 + 1?")] and first.expected == "2"
    assert (first.before, first.after) == (
        [(False, "It is 1 of "), (True, "base")],
        [(False, "It is 1 of "), (True, "stm")],
    )


def test_a_task_of_two_suites_counts_once(tmp_path, runs):
    again = [
        evaluation(tmp_path, "base", None, [1.0, 1.0, 0.0, 0.0, 0.5], suite=".more"),
        evaluation(tmp_path, "stm", 3, [1.0, 0.0, 1.0, 0.0, 0.0], suite=".more"),
    ]
    assert flips([runs[0], again[0], runs[1], again[1]], TASKS).counts == flips(runs, TASKS).counts


def test_there_are_none_without_judged_tasks_or_a_base(runs):
    assert flips(runs, {"text": TASKS["text"]}).shown == [] and flips(runs[1:], TASKS).counts == []


def test_a_few_of_each_are_shown_and_all_are_counted(tmp_path):
    n = MOST + 5
    runs = [evaluation(tmp_path, "base", None, [1.0] * n)]
    runs += [evaluation(tmp_path, variant, 0, [0.0] * n) for variant in ("a", "b")]
    found = flips(runs, TASKS)
    assert [(row["lost"], row["shown"]) for row in found.counts] == [(n, MOST)] * 2
    few = flips(runs, TASKS, budget=5000)
    shown = [row["shown"] for row in few.counts]
    assert 0 < sum(shown) < 2 * MOST and max(shown) - min(shown) <= 1, "in turns"
    assert [f.variant for f in few.shown] == sorted(f.variant for f in few.shown), "in the study's order"
    assert len(flips(runs, TASKS, budget=0).shown) == 1


def test_long_answers_are_cut(tmp_path):
    runs = [
        evaluation(tmp_path, "base", None, [1.0], "word " * 1000),
        evaluation(tmp_path, "stm", 0, [0.0], "x" * LONGEST),
    ]
    [flip] = flips(runs, TASKS).shown
    lengths = [sum(len(text) for _, text in part) for part in (flip.before, flip.after)]
    assert lengths == [LONGEST + len(" […]"), LONGEST]


@given(st.text(), st.text())
def test_pieces_make_up_the_texts_and_shared_ones_are_equal(before, after):
    pieces = differences(before, after)
    assert ["".join(text for _, text in part) for part in pieces] == [before, after]
    same = [[text for differs, text in part if not differs] for part in pieces]
    assert same[0] == same[1]
    assert not any(differs for differs, _ in differences(before, before)[0])


def test_a_table_that_cannot_be_read_is_named(runs):
    runs[1]["path"].write_text("cut off")
    with pytest.raises(Exception, match=r"stm\.3\.parquet"):
        flips(runs, TASKS)
    assert pl.read_parquet(runs[0]["path"]).height


def test_the_page_s_data_hold_an_item_once_and_both_answers_in_turns(tmp_path):
    runs = [evaluation(tmp_path, "base", None, [1.0, 0.0])]
    runs += [evaluation(tmp_path, variant, 0, [0.0, 1.0]) for variant in ("a", "b")]
    found = flips(runs, TASKS)
    data = flip_data(found)
    assert (data["targets"], data["variants"], data["tasks"]) == (["tiny, trained on sums"], ["a", "b"], ["sums"])
    assert data["items"] == [(0, f"item {n}", -1, (("user", "What is 1 + 1?"),), "2") for n in (0, 1)]
    assert data["flips"][0] == [0, 0, 0, 0, 1, ["It is 0 of ", "base"], ["It is 0 of ", "a"]]
    assert [row[:5] for row in data["flips"]] == [[0, v, 0, item, 1 - item] for v in (0, 1) for item in (0, 1)]
    assert len(first(found)) == STATIC and systems(found) == []
    link = flip_link("tiny", "sums", "a", "sums", "lost")
    assert link == "#flips?target=tiny%2C%20trained%20on%20sums&variant=a&task=sums&way=lost"


def test_the_system_s_prompt_is_there_once(tmp_path):
    flip = flips([evaluation(tmp_path, "base", None, [1.0]), evaluation(tmp_path, "a", 0, [0.0])], TASKS).shown[0]
    told = replace(flip, prompt=[Turn("system", "Be kind."), Turn("user", "Hi")], before=[(True, "x")])
    data = flip_data(Flips([told, replace(told, doc_id="other")]))
    assert data["systems"] == systems(Flips([told])) == ["Be kind."]
    assert [item[2:4] for item in data["items"]] == [(0, (("user", "Hi"),))] * 2
    assert data["flips"][0][5] == ["", "x"], "the first piece is one that both have"
