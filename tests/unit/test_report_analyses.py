"""The analyses in the report: a caption, numbers and a figure of each table; text of others is escaped."""

import xml.etree.ElementTree as ET

import pytest

from clearminds.files import contracts
from clearminds.files.analysed_files import GRADIENTS, READS
from clearminds.files.tables import write_table
from clearminds.report.analyses import SHOWN, sections

HOSTILE = "<script>alert(1)</script>"
CHANGE = {"variant": "stm", "seed": 0, "module": "model.layers.0.q", "layer": 0, "projection": "q", "norm": 3.0}
CHANGE |= {"largest": 2.0, "effective_rank": 1.5, "singular_values": [2.0]}
PAIR = {"variant": "stm", "draw": None, "other": HOSTILE, "other_draw": 1, "tokens": 1000, "masked": 2}
GRADIENT = {"source": "reference", "batch": 0, "examples": 8, "perplexity": 2.5, "tokens": 100, "tokens_above": 20}
TABLES = {
    "weight_change": (
        contracts.WEIGHT_CHANGE,
        [CHANGE, {**CHANGE, "layer": 1, "norm": 4.0}, {**CHANGE, "seed": 1, "norm": 7.0, "effective_rank": None}],
    ),
    "masks": (
        contracts.MASKED_TOKENS,
        [
            {"variant": "stm", "draw": None, "class": "words", "tokens": 60, "masked": 15},
            {"variant": "stm", "draw": None, "class": "numbers", "tokens": 40, "masked": 5},
            {"variant": HOSTILE, "draw": 3, "class": "words", "tokens": 60, "masked": 0},
        ],
    ),
    "agreement": (
        contracts.MASK_AGREEMENT,
        [{**PAIR, "masked_by_other": 3, "masked_by_both": 1, "jaccard": 0.25, "equal": 0.997, "kappa": None}],
    ),
    "nll": (
        contracts.NLL_SHARES,
        [
            {"source": HOSTILE, "cut": cut, "tokens": 5, "token_share": 0.05, "nll_share": 0.5, "perplexity": 10.0}
            for cut in ("tokens", "perplexity")
        ],
    ),
    "convergence": (
        contracts.CONVERGENCE,
        [
            {"variant": "stm", "seed": seed, "step": step, "loss": 2.0 + seed - step / 10, "tokens": 9}
            for seed in (0, 1)
            for step in (0, 5)
        ],
    ),
    "gradients": (
        contracts.GRADIENT_NORMS,
        [{**GRADIENT, "norm": 2.0, "norm_above": 1.5, "norm_rest": 1.0, "cosine": 0.125}],
    ),
    "self_bleu": (contracts.SELF_BLEU, [{"variant": "stm", "responses": 150, "distinct": 149, "self_bleu": 61.25}]),
}
# what the rows of each say, in its first row
FIRST = {
    "weight_change": ("stm", "6", "2", "1.5"),  # seed 0: 5, seed 1: 7
    "masks": ("stm", "words", "60", "25.0 %", "15.0 %"),
    "agreement": ("stm", f"{HOSTILE}, draw 1", "1,000", "0.25", "0.997", "–"),
    "nll": (HOSTILE, "> 10", "5.0 %", "50.0 %"),
    "convergence": ("stm", "5", "2.5", "2", "2"),
    "gradients": ("reference", "> 2.5", "1", "20.0 %", "75.0 %", "0.125"),
    "self_bleu": ("stm", "150", "149", "61.2"),
}


def shown(tmp_path, name: str):
    contract, rows = TABLES[name]
    write_table(tmp_path / name, rows, contract, {})
    table = {"path": tmp_path / name, "model": "tiny", "target": "sums", "analysis": name}
    [section] = sections([table], ["stm", HOSTILE])
    assert (section.model, section.target) == ("tiny", "sums")
    return section.shown[0]


@pytest.mark.parametrize("name", TABLES)
def test_a_table_becomes_numbers_and_a_figure(tmp_path, name):
    one = shown(tmp_path, name)
    assert tuple(one.rows[0]) == FIRST[name]
    assert {len(row) for row in one.rows} == {len(one.columns)}
    if one.svg is not None:
        drawing = ET.fromstring(one.svg)
        assert not [part for part in drawing.iter() if part.tag.endswith("script")]
        assert shown(tmp_path, name).svg == one.svg


def test_every_analysis_is_shown_and_an_empty_table_is_not(tmp_path):
    assert set(SHOWN) == set(TABLES) == {*READS, GRADIENTS}
    write_table(tmp_path / "none", [], contracts.NLL_SHARES, {})
    assert sections([{"path": tmp_path / "none", "model": "m", "target": "t", "analysis": "nll"}], []) == []
