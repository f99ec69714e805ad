"""Verdicts on answers by letter."""

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from real_rows import shared_rows

from clearminds.plugins.verifiers.letter import check, verify

TEXTS = ["dry palms", "wet palms", "palms covered with oil", "palms covered with lotion"]


def question(labels, texts=None, answer=None):
    labels = list(labels)
    answer = labels[0] if answer is None else answer
    return {"answer": answer, "meta": json.dumps({"labels": labels, "choices": texts or TEXTS[: len(labels)]})}


def read(response, labels="ABCD", texts=None, strict=False):
    """The label that is read, or None for a format error."""
    right = [verify(response, question(labels, texts, answer), strict=strict)[0] for answer in labels]
    assert set(right) in ({"format_error"}, {"correct", "incorrect"})
    return labels[right.index("correct")] if "correct" in right else None


@pytest.mark.parametrize(
    "response",
    [
        "Answer: B",
        "Answer: b",
        "answer: B - wet palms",
        "Answer: (B)",
        "Answer - B",
        "<answer>B</answer>",
        "Final answer: the answer would be B",
        "The correct answer is **B. wet palms**.",
        "Option B is correct.",
        "Choice B.",
        "**Answer:** B",
        "**Answer: B.**",
        "The answer is: B) wet palms.",
        "The answer is (B) wet palms.",
        "The answer is B.",
        "The answer is wet palms.",
        "The best answer is B: wet palms",
        "The correct answer is option B.",
        "Therefore, B is the best choice.",
        "I would choose B because it is slippery",
        "Is it A? No.\nThe best choice is B!",
        "The answer is B, because (C) is wrong.",
        "B is the correct answer. It is slippery.",
        "(B) is correct\nsince water is slippery.",
        "(B)",
        "**B**",
        "B",
        "b",
        "B) wet palms",
        "B. Because they are wet",
        "wet palms",
        "Wet palms.",
        r"$\boxed{B}$",
        r"so \boxed{\text{(B)}} it is",
        "We take the one that is **B**, clearly",
        "The one that fits is (B) as I said",
        "Answer:\n\nB\n\nIt is slippery.",
        "B. wet palms\n\nExplanation: they are slippery.",
        "Answer: B\nA) dry palms\nB) wet palms\nC) palms covered with oil\nD) palms covered with lotion",
        "The choices are\n(A) x\n(B) y\n(C) z\n(D) w\n\nWater is slippery, so option (B) fits.",
    ],
)
def test_a_clear_label_is_read(response):
    assert read(response) == "B"


@pytest.mark.parametrize(
    "response",
    [
        "",
        "Answer:",
        "A dog rubs its hands",
        "I think a warm hand is nice",
        "The answer is A warm hand",
        "A. Because of it",
        "A warm hand.\nA",
        "The answer is B vitamins",
        "Vitamin B",
        "The answer is not B",
        "The correct answer isn't B.",
        "Which answer is right? B or C",
        "answer-B-type",
        "The answer is A or B",
        "Answer: A, B",
        "A and B is correct",
        "Choices (A) and (B) are wrong.",
        "It is not (B) at all",
        "A) dry palms\nB) wet palms\nC) palms covered with oil\nD) palms covered with lotion",
        "A. dry palms\nThey rub well.\nB. wet palms\nThey do not.",
    ],
)
def test_an_unclear_one_is_a_format_error(response):
    assert read(response) == ("A" if response.endswith("\nA") else None)


@pytest.mark.parametrize(
    ("response", "label"),
    [
        ("Answer: 2", "2"),
        ("2", "2"),
        ("The answer is 2.", "2"),
        ("2. wet palms", "2"),
        ("3. Therefore the answer is 2.", "2"),
        ("It takes 2 days", None),
        ("The answer is 2.5", None),
        ("The answer is 3 dogs", None),
        ("1. First step\n2. second step\n3. I do not know", None),
        ("4) I do not know", None),
        ("as in (2), it is so", None),
    ],
)
def test_numeric_labels_are_no_numbers(response, label):
    assert read(response, "1234") == label


def test_a_label_goes_before_a_choice_of_the_same_text():
    assert read("3", "1234", ["4", "3", "2", "1"]) == "3"
    assert read("3", "ABCD", ["4", "3", "2", "1"]) == "B"
    assert read("C", "ABCD", ["C", "NO2", "O2", "CO"]) == "C"


def test_case_tells_choices_apart():
    genes = ["WW or ww", "WW or Ww", "WW only", "Ww only"]
    assert [read(text, texts=genes) for text in genes] == ["A", "B", "C", "D"]
    assert read("ww only", texts=genes) is None


@pytest.mark.parametrize(
    ("response", "label"),
    [
        ("Answer: B", "B"),
        ("So.\nanswer: **B**.\n\n", "B"),
        ("**Answer:** B", "B"),
        ("Answer: (B)", None),
        ("Answer: B because", None),
        ("Answer: B\nThat is it.", None),
        ("The answer is B", None),
        ("Answer B", None),
        ("B", None),
        ("", None),
    ],
)
def test_strict_reads_only_the_form_that_was_asked_for(response, label):
    assert read(response, strict=True) == label


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"answer": "A", "meta": "{}"}, "needs choices and as many labels"),
        (question("ABC", ["x", "y"]), "needs choices and as many labels"),
        (question("AAB"), "must differ"),
        (question(["A", " B"]), "single blanks"),
        (question(["A", "B\nC"]), "one line of text each"),
        (question(["A", ""]), "one line of text each"),
        (question("ABC", answer="D"), "'D' is none of the labels A, B, C"),
    ],
)
def test_a_question_that_cannot_be_judged_is_named(row, message):
    with pytest.raises(ValueError, match=message):
        check(row)


LABEL = st.text(min_size=1, max_size=4).filter(lambda label: label and label == " ".join(label.split()))


@given(st.lists(LABEL, min_size=2, max_size=5, unique=True), st.text(), st.data())
def test_the_reference_format_is_always_read(labels, before, data):
    label = data.draw(st.sampled_from(labels))
    row = question(labels, [f"choice {place}" for place in range(len(labels))], label)
    check(row)
    assert {verify(f"{before}\nAnswer: {label}", row, strict=strict)[0] for strict in (False, True)} == {"correct"}


@given(st.lists(st.text() | st.sampled_from(["answer", "the best choice is", "(", "**", ":", "is correct", "\n"])))
def test_a_text_without_labels_is_a_format_error(pieces):
    response = " ".join(pieces)
    labels, texts = ["Ä", "Ö"], ["Ost", "West"]
    assume(not any(name.casefold() in response.casefold() for name in labels + texts))
    assert [verify(response, question(labels, texts), strict=strict)[0] for strict in (False, True)] == [
        "format_error"
    ] * 2


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_real_questions_are_judged(split):
    wrong = []
    for row in shared_rows(f"arc_challenge-{split}"):
        labels, texts = row["choices"]["label"], row["choices"]["text"]
        example = question(labels, texts, row["answerKey"])
        check(example)
        text = texts[labels.index(row["answerKey"])]
        clear = [f"Answer: {row['answerKey']}", f"**{row['answerKey']}**", f"({row['answerKey']}) {text}", text]
        # with a number or a label as its text, a choice is told by its label
        for response in clear if text not in labels else clear[:2]:
            if verify(response, example)[0] != "correct":
                wrong.append((response, labels, texts))
        if verify("There is no answer to it, I am afraid", example)[0] != "format_error":
            wrong.append(("none", labels, texts))
    assert not wrong
