"""The report: whole, without requests, and safe to open whatever a model wrote; and the captions beside the figures."""

import json
import math
import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser
from itertools import pairwise
from types import SimpleNamespace

import jinja2
import polars as pl
import pyarrow as pa
import pytest
from docutils.core import publish_parts
from test_tokens_view import tables

from clearminds.checkout import WORKFLOW
from clearminds.files import contracts
from clearminds.files.summary import COMPARISONS
from clearminds.files.tables import read_provenance, write_table
from clearminds.report import figures, tokens_view
from clearminds.report import page as report
from clearminds.report.advice import Advice
from clearminds.report.analyses import Section, Shown
from clearminds.report.costs import per_variant
from clearminds.report.flip_data import flip_data
from clearminds.report.flips import Flip, Flips
from clearminds.report.frontier import ti_bwt
from clearminds.report.published import published
from clearminds.report.samples import sample_responses
from clearminds.report.token_counts import counts_table
from clearminds.report.turns import Turn
from clearminds.stages import report as gathering
from clearminds.stages.reporting import words
from clearminds.stages.summarise import summarise

HOSTILE = "</pre><script>alert(1)</script><img src=https://evil.example/x onerror=alert(2)>"
DATA = ("token-data", "flip-data", "comparison-data")
SCRIPTS = [*({"type": "application/json", "id": name} for name in DATA), {}]  # the page's data, and its one script
TASKS = {
    "sums": {"evaluate": "accuracy", "metric": "accuracy", "filter": "lenient"},
    "gcd": {"evaluate": "accuracy", "metric": "accuracy", "filter": "lenient"},
    "text": {"evaluate": "likelihood", "metric": None, "filter": None},
}


def evaluation(path, right):
    rows = []
    for task in TASKS:
        for i in range(4):
            item = {
                "eval_task": task,
                "subtask": task,
                "doc_id": str(i),
                "doc_hash": f"{task}{i}",
                "n_tokens": 5,
                "prompt": HOSTILE,
            }
            if task == "text":
                rows.append(item | {"metric": "nll", "filter": "none", "score": 5.0})
            else:
                shown = {"target": "4 & 5", "response": f"{HOSTILE} {i}", "format_ok": i > 0}
                for name in ("strict", "lenient"):
                    rows.append(item | shown | {"metric": "accuracy", "filter": name, "score": float(i < right)})
    write_table(path, rows, contracts.EVALUATION, {})
    return path


@pytest.fixture
def evaluations(tmp_path):
    runs = [("base", None, 2), ("stm", 0, 3), ("stm", 1, 2), ("truth", 0, 1)]
    return [
        {
            "path": evaluation(tmp_path / f"{variant}.{seed}.parquet", right),
            "model": "tiny",
            "target": "sums" if seed is not None else None,
            "variant": variant,
            "seed": seed,
        }
        for variant, seed, right in runs
    ]


@pytest.fixture
def data(evaluations, tmp_path):
    logprobs = pa.array([-math.log(p) for p in (1, 2, 3, 4)], pa.float32())
    columns = {field.name: pa.nulls(4, field.type) for field in contracts.TOKEN_SCORES.schema} | {"logprob": logprobs}
    write_table(
        tmp_path / "scores.parquet", pa.table(columns, schema=contracts.TOKEN_SCORES.schema), contracts.TOKEN_SCORES, {}
    )
    mask = [{"task": "sums", "example_id": "a", "n_kept": 30, "n_response": 40}]
    write_table(tmp_path / "masks.parquet", mask, contracts.MASKS, {})
    scores = [("reference", tmp_path / "scores.parquet")]
    summary = summarise(evaluations, TASKS)
    return report.ReportData(
        study="a <b>bold</b> study",
        models={"tiny": "path:models/tiny"},
        variants={
            "stm": {"responses": "reference", "weights": {"rule": "perplexity", "tau": "2.5"}},
            "truth": {"responses": "reference"},
        },
        training={"adapter": "lora", "learning_rate": 0.0005, "target_modules": ["q", "v"]},
        summary=summary,
        counts=counts_table(
            [{"path": tmp_path / "masks.parquet", "model": "tiny", "target": "sums", "variant": "stm"}]
        ),
        matching=[
            report.Matching("tiny", "sums", 160, 151, {"self_output": {"dropped": 9, "too_long": 1}, "reference": {}})
        ],
        frontier=[figures.svg(chart) for chart in ti_bwt(summary, COMPARISONS.to_frame())],
        perplexity=[
            report.PerplexityFigure(
                "tiny",
                "sums",
                figures.svg(figures.perplexity_distribution(scores, {"τ = 2.5": 2.5}, "tiny, trained on sums")),
                {"τ = 2.5": figures.perplexity_counts(scores, 2.5)},
                figures.perplexity_counts(scores, None),
            )
        ],
        samples=sample_responses(evaluations, TASKS),
        runs=[
            {
                "stage": "train_adapter",
                "seconds": 100.0,
                "tokens": 500,
                "tokens_per_second": 10.0,
                "peak_memory_bytes": 2_000_000_000,
            },
            {
                "stage": "train_adapter",
                "seconds": 3600.0,
                "tokens": 500,
                "tokens_per_second": 30.0,
                "peak_memory_bytes": 1_000_000_000,
            },
            {"stage": "build_masks", "seconds": 0.4, "peak_memory_bytes": 1},
        ],
        versions={"torch": "2.13.0"},
        config={"study": HOSTILE},
    )


class Page(HTMLParser):
    """Collects the tags, attributes and text of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag):
        self.text += " " * (tag in ("td", "th", "dt", "dd"))
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.text += data


def test_hostile_text_is_shown_and_not_run(data):
    page = Page(report.render(data))
    names = [tag for tag, _ in page.tags]
    assert not {"img", "b", "iframe", "object", "link"} & set(names)
    assert [attributes for tag, attributes in page.tags if tag == "script"] == SCRIPTS
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert page.text.count("<script>alert(1)</script>") >= 8  # prompts, responses and the config are all there to read
    assert "a <b>bold</b> study" in page.text


def test_nothing_is_fetched(data):
    html = report.render(data)
    page = Page(html)
    for tag, attributes in page.tags:
        for name in ("src", "href", "xlink:href", "srcset", "data", "action", "poster"):
            assert (attributes.get(name) or "#").startswith("#"), (tag, attributes)
    style = html[html.index("<style>") : html.index("</style>")]
    assert "url(" not in style and "@import" not in style
    policies = [
        a["content"] for tag, a in page.tags if tag == "meta" and a.get("http-equiv") == "Content-Security-Policy"
    ]
    script = (report.TEMPLATES / "page.js").read_bytes()
    allowed = b64encode(sha256(script).digest()).decode()
    assert policies == [report.POLICY.format(allowed)] and script.decode() in html
    assert not re.search(
        r"\b(eval|innerHTML|outerHTML|insertAdjacentHTML|fetch|XMLHttpRequest|Function)\b", script.decode()
    )


def test_the_numbers_are_there(data):
    text = " ".join(Page(report.render(data)).text.split())
    for expected in (
        "151 of 160 examples were matched; 9 were dropped",
        "self_output: dropped 9, too long 1",
        "reference: nothing dropped",
        "responses reference; weights: rule perplexity; tau 2.5",
        "learning_rate 0.0005; target_modules q, v",
        "+25.0 %",  # TI of stm: (3/4 + 2/4) / 2 of 2/4
        "-50.0 %",
        "leave tokens of a higher perplexity out of the loss: above τ = 2.5: 50.0 % of reference.",
        "25.0 %",  # format failures and masked share
        "train_adapter 2 1 h 01 min 1,000 20 2.00 GB",
        "build_masks 1 0.4 s – – 0.00 GB",
        "Numbers of variants with several seeds are means over these.",
        "over items only, this seed (truth). Where they are over items only, another seed can give other numbers",
        "its 95 % intervals as lines (over items and seeds (stm); over items only, this seed (truth)), a faint",
        "torch 2.13.0",
    ):
        assert expected in text, expected


def test_training_items_that_are_evaluated_too_stand_by_the_results(data):
    assert "Training items are evaluated too" not in report.render(data)
    one = {"target": "sums", "task": "gcd", "split": "test", "trained": 1600, "prompts": 12, "with_reference": 7}
    shown = report.ReportData(**{**vars(data), "overlaps": [{**one, "examples": [HOSTILE, "b"]}]})
    page = Page(report.render(shown))
    assert [attributes for tag, attributes in page.tags if tag == "script"] == SCRIPTS
    text = " ".join(page.text.split())
    assert "12 of 1,600 training prompts of sums are in split test of gcd, 7 of them with the same reference (" in text
    assert f"{HOSTILE}, b, ...)." in text


def test_analyses_have_a_section_where_there_are_any_and_their_text_is_escaped(data):
    assert 'id="analyses"' not in report.render(data) and 'href="#analyses"' not in report.render(data)
    one = Shown(HOSTILE, HOSTILE, ("variant", "number"), [(HOSTILE, "7.5 %")], svg=data.frontier[0])
    page = report.render(replace(data, analyses=[Section("tiny", "sums", [one])]))
    assert HOSTILE not in page and "7.5 %" in page and page.count(data.frontier[0]) == 2
    assert page.count('id="analyses"') == page.count('href="#analyses"') == 1


def test_what_trainings_saw_and_where_they_differ_is_shown(data):
    assert "Trained on" not in report.render(data)
    seen = {"examples": 10, "replayed": 0, "steps": 6, "examples_seen": 20, "seen_tokens": 5000, "kept_tokens": 3000}
    rows = [
        {"model": "tiny", "target": "sums", "variant": HOSTILE, "seed": None, **seen},
        {"model": "tiny", "target": "sums", "variant": "truth", "seed": 1, **seen, "kept_tokens": 2000, "replayed": 1},
    ]
    page = Page(report.render(report.ReportData(**{**vars(data), "trained": rows, "matched_by": "tokens"})))
    assert [attributes for tag, attributes in page.tags if tag == "script"] == SCRIPTS
    text = " ".join(page.text.split())
    assert "until they have seen equally many kept tokens" in text
    assert "truth, seed 1 tiny, sums 10 1 6 20 5,000 2,000" in text
    assert f"tiny, sums: kept tokens seen differ between variants: from 2,000 (truth) to 3,000 ({HOSTILE})" in text
    alike = report.render(report.ReportData(**{**vars(data), "trained": rows[:1]}))
    assert "Trained on" in alike and "Compared variants differ" not in alike


def test_equal_input_gives_equal_bytes(data):
    assert report.render(data) == report.render(data)


def test_the_figures_are_inlined_and_so_is_the_graph_of_stages(data):
    assert [tag for tag, _ in Page(report.render(data)).tags].count("svg") == 3


def test_every_variant_answers_the_same_items(evaluations):
    samples = sample_responses(evaluations, TASKS, per_task=2)
    assert [sample.eval_task for sample in samples] == ["sums", "sums", "gcd", "gcd"]
    for sample in samples:
        assert [(r["variant"], r["seed"]) for r in sample.responses] == [("base", None), ("stm", 0), ("truth", 0)]
        assert len({r["response"] for r in sample.responses}) == 1  # all were written alike per item


def test_a_study_without_samples_masks_or_runs_still_renders(data, evaluations):
    assert sample_responses(evaluations, {"text": TASKS["text"]}) == []
    bare = report.ReportData(
        **{**vars(data), "samples": [], "runs": [], "counts": counts_table([]), "matching": [], "perplexity": []}
    )
    assert "No task that this project judges itself generates responses here" in report.render(bare)


@pytest.mark.parametrize("name", sorted(file.stem for file in (WORKFLOW / "report").glob("*.rst")))
@pytest.mark.parametrize("params", [{}, {"tau": "2.5", "seeds": [0, 1]}])
def test_captions_are_valid_with_and_without_params(name, params):
    source = (WORKFLOW / "report" / f"{name}.rst").read_text(encoding="utf-8")
    text = jinja2.Template(source).render(
        snakemake=SimpleNamespace(params=SimpleNamespace(get=params.get, **params), wildcards=[])
    )
    html = publish_parts(text, writer="html", settings_overrides={"halt_level": 2})["body"]
    assert "<p>" in html
    if name == "perplexity":
        assert ("τ = 2.5" in html and "0.4" in html) == bool(params)


def test_programs_that_ran_without_isolation_are_told(data, tmp_path):
    assert "without isolation" not in report.render(data)
    assert "In 2 evaluations programs" in report.render(replace(data, unprotected=2))
    rows = []
    for name, facts in (("a", {"sandbox": "rlimits"}), ("b", {"sandbox": "bubblewrap"}), ("c", {})):
        write_table(path := tmp_path / f"{name}.parquet", [], contracts.EVALUATION, facts)
        rows.append({"path": path})
    assert gathering._unprotected(rows) == 1


def masked(path, rule, fitted=None):
    counts = {"kept": 1, "tokens": 2} | ({"fitted": fitted} if fitted else {})
    write_table(path, [], contracts.MASKS, {"spec": {"weights": rule}, "masks": counts})
    return str(path)


def test_the_rules_are_said_in_words_with_what_they_took_from_the_scores(data, tmp_path):
    auto, stm = {"rule": "perplexity", "tau": "auto"}, {"rule": "perplexity", "tau": "2.5"}
    masks = [
        {"variant": variant, "model": "tiny", "target": target, "path": masked(tmp_path / f"{n}.parquet", *rule)}
        for n, (variant, target, *rule) in enumerate(
            [
                ("stm", "sums", stm),
                ("stm", "code", stm),
                ("auto", "sums", auto, {**auto, "tau": "3.7"}),
                ("auto", "code", auto, {**auto, "tau": "41"}),
            ]
        )
    ]
    rules = words.rules(masks, [read_provenance(mask["path"]) for mask in masks])
    text = Page(report.render(replace(data, rules=rules))).text
    said = " ".join(text.split())
    assert "stm: tokens of perplexity up to 2.5 auto (tiny, sums): tokens of perplexity up to 3.7" in said
    assert "auto (tiny, code): tokens of perplexity up to 41" in said


def test_rules_that_hold_others_are_shown_among_the_settings(data):
    rule = {"rule": "combine", "how": "and", "of": [{"rule": "rank", "top": 5}, {"rule": "all"}]}
    text = Page(report.render(replace(data, variants={"mine": {"responses": "reference", "weights": rule}}))).text
    assert "weights: rule combine; how and; of (rule rank; top 5), (rule all)" in " ".join(text.split())


@pytest.mark.parametrize(("tau", "line"), [("auto", None), ("2.5", 2.5)])
def test_a_threshold_that_a_rule_takes_from_the_scores_is_drawn_nowhere(tau, line):
    assert gathering._first_tau({"a": {"weights": {"rule": "all"}}, "b": {"weights": {"tau": tau}}}) == line


def test_tokens_and_flips_are_shown_whatever_they_say(data, tmp_path):
    files = tables(tmp_path, {HOSTILE: [1, 9]}, {"stm": {HOSTILE: [1.0, 0.0]}})
    taus = tokens_view.thresholds()
    answers = [[(True, HOSTILE)], [(False, HOSTILE)]]
    flip = Flip("tiny", "sums", HOSTILE, 0, HOSTILE, HOSTILE, True, [Turn("user", HOSTILE)], HOSTILE, *answers)
    count = {"model": "tiny", "target": "sums", "variant": HOSTILE, "seed": 0, "eval_task": HOSTILE}
    flips = Flips([flip], [{**count, "lost": 1, "gained": 0, "shown": 1}])
    shown = replace(data, tokens=tokens_view.views(*files, taus), taus=taus, flips=flips)
    html = report.render(shown)
    page = Page(html)
    assert [attributes for tag, attributes in page.tags if tag == "script"] == SCRIPTS
    assert not {"img", "b"} & {tag for tag, _ in page.tags}
    [article] = [attributes for tag, attributes in page.tags if tag == "article"]
    assert article["data-variant"] == article["data-task"] == HOSTILE and article["data-way"] == "lost"
    for name, wanted in (("token-data", report.token_data(shown)), ("flip-data", flip_data(flips))):
        written = html.partition(f'id="{name}">')[2].partition("</script>")[0]
        assert json.loads(written) == json.loads(json.dumps(wanted))
    # at the threshold of 2.5 the first example is there without a script
    spans = [a for tag, a in page.tags if tag == "span" and a.get("data-ppl")]
    assert [("masked" in a["class"], a["data-ppl"]) for a in spans] == [(False, "1.0"), (True, "9.0")]
    text = " ".join(page.text.split())
    assert "This response: 1 kept, 1 left out. All responses of reference: 1 kept, 1 left out." in text
    assert page.text.count(HOSTILE) >= 12


def test_the_choice_has_its_cost_beside_the_runner_up_s(data):
    assert "Nothing is recommended" in report.render(data)
    names = {"model": "tiny", "target": "sums"}
    run = {"stage": "train_adapter", "seconds": 90.0, **names}
    costs = per_variant([{**run, "variant": name} for name in ("truth", "stm", "other")])
    advice = [Advice(**names, variant="stm", why="It is the one.", runner_up="Next is truth.", other="truth", loss=5.0)]
    text = " ".join(Page(report.render(replace(data, advice=advice, costs=costs))).text.split())
    assert "It is the one. Next is truth." in text and "interval stays above -5 %" in text
    assert "stm – – 1 min 30 s – – truth, runner-up – – 1 min 30 s – –" in text
    assert "other 1 min 30 s – – – 1 min 30 s – – –" in text


def test_what_is_published_of_the_same_model_is_a_table_with_its_source(data):
    assert "arXiv" not in report.render(data)
    shown = published({"tiny": "google/gemma-2-2b-it@0123"}, ["mbpp"])
    text = " ".join(Page(report.render(replace(data, published=shown))).text.split())
    assert "arXiv 2501.14315" in text and "ground truth tiny, mbpp -21.8 % -38.2 %" in text


@pytest.mark.parametrize(("target", "words"), [("sums", "Hollow marks are"), ("mbpp", "which no figure here draws")])
def test_published_values_are_called_hollow_marks_where_they_are_drawn(data, target, words):
    shown = published({"tiny": "google/gemma-2-2b-it@0123"}, ["mbpp"]).with_columns(target=pl.lit(target))
    page = report.render(replace(data, published=shown))
    assert words in page and page.count("Hollow marks are") == (target == "sums")


def test_what_is_said_of_all_variants_leaves_out_those_that_are_trained_elsewhere(data):
    shown = replace(data, variants={**data.variants, "truth": {"adapter": {"path": "x"}}})
    for one, those in ((data, "All variants"), (shown, "All that are trained here")):
        text = " ".join(Page(report.render(one)).text.split())
        assert f"{those} adapter lora" in text and "2 variants, 1 model, seeds 0, 1." in text
        assert ("All variants of a target that are trained here train on the same examples" in text) == (one is shown)
        assert "where a variant names a value of its own" not in text
        assert ("1 more, trained elsewhere, is measured beside" in text) == (one is shown)
    own = replace(data, variants={**data.variants, "stm": {**data.variants["stm"], "training": {"rank": 2}}})
    assert "where a variant names a value of its own, that one" in report.render(own)


def test_what_was_not_compared_with_the_training_data_is_named(data):
    said = "Not looked at: whether items of sums, gcd and text are in the training data too."
    assert said in report.render(data)
    looked = replace(data, summary=data.summary.with_columns(n_overlap=pl.lit(0, pl.Int64)))
    assert "Not looked at" not in report.render(looked)


def test_there_are_no_parts_of_a_template_s_code_and_no_blank_ids(data):
    page = Page(report.render(data))
    assert not re.search(r"{%|%}|{{|}}", page.text)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids)) and all(ids)
    sections = [attributes["id"] for tag, attributes in page.tags if tag == "section"]
    assert sections == [
        "summary",
        "choice",
        "frontier",
        "comparisons",
        "surprise",
        "tokens",
        "flips",
        "cost",
        "provenance",
    ]
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert all(after <= before + 1 for before, after in pairwise(levels)) and levels.count(1) == 1
    links = {attributes["href"][1:].partition("?")[0] for tag, attributes in page.tags if tag == "a"}
    assert links <= {*ids}
