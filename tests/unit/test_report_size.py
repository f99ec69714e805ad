"""The page's size: samples keep a study of many variants, long texts and much markup in them, below 20 MB."""

from dataclasses import replace

import pytest
from test_flips import TASKS, evaluation
from test_report import data, evaluations  # noqa: F401  # fixtures
from test_tokens_view import tables

from clearminds.report import page, tokens_view
from clearminds.report.flips import flips
from clearminds.report.samples import sample_responses

VARIANTS, ITEMS, EXAMPLES, TOKENS = 50, 20, 60, 150
MOST = 20_000_000
WORDY = "</p>&'" * 300  # each of its signs takes five bytes or six in a page


@pytest.mark.slow
def test_fifty_variants_stay_below_20_mb(tmp_path, data):  # noqa: F811
    names = [f"variant-{n}" for n in range(VARIANTS)]
    runs = [evaluation(tmp_path, "base", None, [1.0, 0.0] * (ITEMS // 2), WORDY)]
    runs += [evaluation(tmp_path, name, 0, [0.0, 1.0] * (ITEMS // 2), WORDY + name) for name in names]
    examples = {f"e{n}": [3.0] * TOKENS for n in range(EXAMPLES)}
    weights = {name: {example: [0.5] * TOKENS for example in examples} for name in names}
    taus = tokens_view.thresholds()
    views = tokens_view.views(*tables(tmp_path, examples, weights), taus)
    found = flips(runs, TASKS)
    samples = sample_responses(runs, TASKS)
    html = page.render(replace(data, tokens=views, taus=taus, flips=found, samples=samples))
    assert len(html.encode()) < MOST
    assert 1 < len(views[0].shown) < EXAMPLES and 1 < len(found.shown) < sum(row["lost"] for row in found.counts)
    assert f"{len(views[0].shown)} of {EXAMPLES} examples of tiny, trained on sums" in html
    assert {row["variant"] for row in found.counts if row["shown"]} == set(names), "each variant has its share"
