"""The analyses of tables, each against numbers that were counted by hand or by another library."""

import math
from pathlib import Path

import numpy as np
import pytest
import sacrebleu
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score, jaccard_score

from clearminds.files import contracts
from clearminds.files.tables import write_table
from clearminds.stages.analyses import agreement, masks, nll, self_bleu

WORDS = ["the", "answer", "is", "7", "."]


def write(path: Path, contract: contracts.Contract, rows: list[dict]) -> str:
    """A table whose missing columns are null."""
    blank = dict.fromkeys(contract.schema.names)
    write_table(path, [{**blank, **row} for row in rows], contract, {})
    return str(path)


def mask_file(path: Path, weights: list[list[float]], source: str = "reference") -> str:
    """Masks of conversations with two prompt tokens and one token after the end of turn; ids count the tokens up.

    Behind them stands one that is replayed of another task, whose examples have the same ids.
    """
    rows = []
    for n, response in enumerate(weights):
        ids = [0, 0, *range(1, len(response) + 1), 9]
        key = {"task": "sums", "source": source, "example_id": f"e{n}", "sample": 0}
        counts = {"n_kept": sum(w != 0 for w in response), "n_response": len(response)}
        rows.append({**key, "input_ids": ids, "weights": [0.0, 0.0, *response, 0.0], **counts})
    replayed = {"task": "talk", "source": source, "example_id": "e0", "sample": 0, "input_ids": [7] * 20}
    rows.append({**replayed, "weights": [1.0] * 20, "n_kept": 20, "n_response": 20})
    return write(path, contracts.MASKS, rows)


def of(variant: str, path: str, draw: int | None = None) -> dict:
    return {"target": "sums", "variant": variant, "draw": draw, "path": path}


# --- masks ------------------------------------------------------------------------------------------------------------


def test_masked_tokens_are_counted_by_class(tmp_path):
    scores, sequences = [], []
    for n in range(2):
        key = {"example_id": f"e{n}", "sample": 0}
        sequences.append({**key, "input_ids": [0], "n_prompt": 2})
        scores += [
            {**key, "position": p, "token_id": p + 1, "token": text}
            for p, text in enumerate([" 12", " the", "):", "my_sum", "(x", " "])
        ]
    files = {
        "masks": [of("v", mask_file(tmp_path / "v", [[0, 1, 0, 1, 0, 0], [1, 1, 0, 1]])), of("w", "")],
        "scores": [{"source": "reference", "path": write(tmp_path / "s", contracts.TOKEN_SCORES, scores)}],
        "sequences": [{"source": "reference", "path": write(tmp_path / "q", contracts.SEQUENCES, sequences)}],
    }
    files["masks"][1] = of("w", mask_file(tmp_path / "w", [[1.0] * 6, [0.5] * 4]), draw=3)
    found = masks.analyse(files)
    counts = {row["class"]: (row["tokens"], row["masked"]) for row in found if row["variant"] == "v"}
    assert counts == {"numbers": (2, 1), "identifiers": (2, 0), "words": (2, 0), "symbols": (2, 2), "other": (2, 2)}
    others = [row for row in found if row["variant"] == "w"]
    assert [row["masked"] for row in others] == [0] * 5 and {row["draw"] for row in others} == {3}


# --- agreement --------------------------------------------------------------------------------------------------------


def test_masks_agree_as_scikit_learn_counts_it(tmp_path):
    one, other = [[0, 1, 1, 0, 1.0], [1, 0.0]], [[0, 0, 1, 1, 0.5], [1, 0.0], [1.0]]
    files = [of("one", mask_file(tmp_path / "1", one)), of("other", mask_file(tmp_path / "2", other), draw=0)]
    [row] = agreement.analyse({"masks": files})
    left = [w == 0 for response in one for w in response]
    right = [w == 0 for response in other[:2] for w in response]
    assert row["jaccard"] == pytest.approx(jaccard_score(left, right))
    assert row["kappa"] == pytest.approx(cohen_kappa_score(left, right))
    assert row["equal"] == np.mean(np.array(left) == np.array(right))
    assert (row["tokens"], row["masked"], row["masked_by_other"], row["masked_by_both"]) == (7, 3, 3, 2)
    assert (row["variant"], row["draw"], row["other"], row["other_draw"]) == ("one", None, "other", 0)


def test_other_responses_are_not_compared(tmp_path):
    files = [
        of("one", mask_file(tmp_path / "1", [[1.0]])),
        of("two", mask_file(tmp_path / "2", [[1.0]], "self_output")),
    ]
    assert agreement.analyse({"masks": files}) == []


DECISIONS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1)


@given(DECISIONS)
def test_agreement_has_no_order_and_its_limits(pairs):
    n, a, b = len(pairs), sum(x for x, _ in pairs), sum(y for _, y in pairs)
    both = sum(x and y for x, y in pairs)
    found = agreement.agreement(n, a, b, both)
    assert found == agreement.agreement(n, b, a, both)
    assert 0 <= found["equal"] <= 1 and (found["jaccard"] is None) == (a + b == 0)
    assert found["kappa"] is None or -1 - 1e-9 <= found["kappa"] <= 1 + 1e-9
    assert agreement.agreement(n, a, a, a)["equal"] == 1


# --- nll --------------------------------------------------------------------------------------------------------------


def test_the_share_of_the_loss_is_that_of_the_highest_tokens():
    # ten tokens whose losses add up to 100
    losses = [50, 20, 10, 5, 5, 4, 3, 2, 1, 0]
    rows = nll.concentration(-np.array(losses[::-1], np.float32))
    by_share = {round(row["token_share"], 2): row for row in rows if row["cut"] == "tokens"}
    assert [by_share[share]["nll_share"] for share in (0.1, 0.2, 0.3, 0.5, 1.0)] == [0.5, 0.7, 0.8, 0.9, 1.0]
    assert by_share[0.2]["perplexity"] == pytest.approx(math.exp(20))
    above = {row["perplexity"]: row for row in rows if row["cut"] == "perplexity"}
    assert above[10]["tokens"] == 7 and above[10]["nll_share"] == pytest.approx(0.97)  # losses above 2.303


def test_tokens_of_no_probability_and_sources_without_loss(tmp_path):
    assert nll.concentration(np.array([-np.inf], np.float32)) == []
    rows = nll.concentration(np.array([0.0, 0.0, -np.inf], np.float32))
    assert {row["nll_share"] for row in rows} == {None} and rows[-1]["tokens"] == 0
    scores = write(tmp_path / "s", contracts.TOKEN_SCORES, [{"logprob": -1.0}, {"logprob": -3.0}])
    found = nll.analyse({"scores": [{"source": "reference", "path": scores}]})
    assert found[0]["source"] == "reference" and found[0]["nll_share"] == 0.75


@given(st.lists(st.floats(-20, 0, width=32), min_size=1))
def test_the_concentration_curve_rises_and_is_above_the_diagonal(logprobs):
    rows = [row for row in nll.concentration(np.array(logprobs, np.float32)) if row["cut"] == "tokens"]
    shares = [row["nll_share"] for row in rows]
    if shares[0] is not None:
        assert shares == sorted(shares) and shares[-1] == pytest.approx(1)
        assert all(row["nll_share"] >= row["token_share"] - 1e-6 for row in rows)


# --- self-BLEU --------------------------------------------------------------------------------------------------------

TEXTS = [
    "The answer is 7, since 3 + 4 = 7.",
    "The answer is 12, since 5 + 7 = 12.",
    "3 + 4 is 7. The answer is 7, 7, 7.",
    "print('no')",
    "The answer is 7, since 3 + 4 = 7.",
    "",
]


def by_sacrebleu(texts: list[str]) -> float:
    scores = [sacrebleu.sentence_bleu(text, texts[:n] + texts[n + 1 :]).score for n, text in enumerate(texts)]
    return sum(scores) / len(scores)


def test_self_bleu_is_sacrebleu_s_against_all_others():
    assert self_bleu.self_bleu(TEXTS) == pytest.approx(by_sacrebleu(TEXTS), abs=1e-9)


@given(st.lists(st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join), min_size=2, max_size=6))
def test_self_bleu_of_any_texts_is_sacrebleu_s(texts):
    assert self_bleu.self_bleu(texts) == pytest.approx(by_sacrebleu(texts), abs=1e-9)


def test_self_bleu_of_copies_and_of_one_text():
    assert self_bleu.self_bleu(["one and the same text"] * 3) == pytest.approx(100)
    assert self_bleu.self_bleu(["one"]) is None


def test_self_bleu_is_that_of_what_is_trained_on(tmp_path):
    texts = ["a b c d e", "a b c d f", "never trained on"]
    rows = [{"example_id": f"e{n}", "sample": 0, "response": text} for n, text in enumerate(texts)]
    responses = [{"source": "reference", "path": write(tmp_path / "r", contracts.RESPONSES, rows)}]
    drawn = mask_file(tmp_path / "m", [[1.0], [0.0]])
    files = {"masks": [of("v", drawn, 0), of("v", drawn, 1), of("w", drawn)], "responses": responses}
    found = self_bleu.analyse(files)
    assert [row["variant"] for row in found] == ["v", "w"]
    assert found[0] == {"variant": "v", "responses": 2, "distinct": 2, "self_bleu": self_bleu.self_bleu(texts[:2])}
