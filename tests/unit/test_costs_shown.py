"""What the page says of costs, and its drawing of the stages."""

import re
import xml.etree.ElementTree as ET

import pytest

from clearminds.checkout import WORKFLOW
from clearminds.files.layout import Layout
from clearminds.report import dag
from clearminds.report.costs import per_stage, per_variant
from clearminds.report.numbers import duration
from clearminds.reuse.stage_code import STAGES
from clearminds.stages.reporting.costs import all_records, of_variants
from clearminds.stages.reporting.made import made_with

RUN = {"stage": "train_adapter", "seconds": 100.0, "tokens": 500, "tokens_per_second": 10.0, "peak_memory_bytes": 2}
NAMES = {"model": "m", "target": "t", "variant": "stm"}


def test_stages_sum_their_jobs():
    [row] = per_stage([RUN, {**RUN, "seconds": 50.0, "tokens_per_second": 30.0, "peak_share": 0.5}]).to_dicts()
    assert (row["jobs"], row["seconds"], row["tokens"], row["tokens_per_second"]) == (2, 150.0, 1000, 20.0)
    assert row["peak_share"] == 0.5


def test_a_variant_costs_what_its_jobs_did():
    scored = {"stage": "score_token_perplexity", "seconds": 7.0}
    [row] = per_variant([{**RUN, **NAMES}, {**RUN, **NAMES, "seconds": 1.0}, {**scored, **NAMES}])
    assert (row["training"], row["scores"], row["responses"], row["seconds"]) == (101.0, 7.0, None, 108.0)
    assert row["peak_memory_bytes"] == 2 and duration(row["responses"]) == "–"


def test_records_are_found_by_the_logs_of_the_jobs(tmp_path):
    layout = Layout("results/s", str(tmp_path))
    given = {"model": "m", "scorer": "m", "task": "t", "split": "train", "source": "own"}
    adapter = {**NAMES, "seed": 0, "path": ""}
    made = {
        layout.responses.log_path(**given): "generate_responses",
        layout.scores.log_path(**given): "score_token_perplexity",
        layout.masks.log_path(**NAMES, draw=""): "build_masks",
        layout.adapter.log_path(**adapter): "train_adapter",
        layout.evaluation.log_path(**adapter, suite="all"): "evaluate_adapter",
    }
    for log, stage in made.items():
        file = tmp_path / log.removeprefix(f"{tmp_path}/").replace(".log", ".run.json")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f'{{"stage": "{stage}", "seconds": 1.0}}')
    (tmp_path / "report.run.json").write_text('{"stage": "report", "seconds": 1.0}')
    assert sorted(record["stage"] for record in all_records(tmp_path)) == sorted(made.values())
    files = {"masks": [{**NAMES, "draw": None, "path": ""}], "adapters": [adapter]}
    found = of_variants({"stm": {"responses": "own"}}, ["all"], "results/s", tmp_path, files)
    assert sorted(record["stage"] for record in found) == sorted(made.values())
    assert {tuple(record[key] for key in NAMES) for record in found} == {tuple(NAMES.values())}


def test_every_stage_is_drawn_below_what_it_reads():
    drawing = ET.fromstring(dag.drawing([{"stage": s, "jobs": 1, "seconds": 1.0} for s in STAGES if s != "report"]))
    names = [text for text in drawing.iter("{http://www.w3.org/2000/svg}text") if text.get("class") == "name"]
    height = {text.text: float(text.get("y")) for text in names}
    assert set(height) == set(STAGES) == set(dag.READS)
    for below, above in ((below, name) for below, read in dag.READS.items() for name in read):
        assert height[above] < height[below], (above, below)
    assert float(drawing.get("viewBox").split()[2]) < 620


@pytest.mark.parametrize("stage", STAGES)
def test_its_arrows_are_those_of_the_rules(stage):
    """Each stage that a drawn one reads makes a file that one of its inputs names."""
    text = (WORKFLOW / "rules" / f"{stage}.smk").read_text(encoding="utf-8")
    inputs = text.partition("input:")[2].partition("output:")[0]
    makes = {
        "prepare_task": "examples",
        "fetch_model": "model|scorer",
        "rehearse": "rehears|waits",
        "generate_responses": "responses|answers",
        "verify_responses": "verdicts|mask_inputs",
        "score_token_perplexity": "scores",
        "build_masks": "mask",
        "train_adapter": "adapter|analysed|evaluations",
        "take_adapter": "adapter|evaluations",
        "evaluate_base": "evaluations",
        "evaluate_adapter": "evaluations",
        "analyse": "analyses",
        "measure_gradients": "analyses",
        "summarise": "summary",
    }
    for above in dag.READS[stage]:
        assert re.search(makes[above] + "|analysed", inputs), (above, stage)


def test_stages_that_a_study_does_not_have_are_left_out():
    few = [{"stage": name, "jobs": 2, "seconds": 60.0} for name in ("fetch_model", "evaluate_base")]
    drawing = dag.drawing(few)
    assert drawing.count("<rect") == 3 and "2 jobs, 1 min 00 s" in drawing
    assert dag.drawing([]).count("<rect") == 1


def test_no_line_runs_through_a_box():
    drawing = ET.fromstring(dag.drawing([{"stage": s, "jobs": 1, "seconds": 1.0} for s in STAGES if s != "report"]))
    boxes = [[float(one.get(key)) for key in ("x", "y")] for one in drawing.iter("{http://www.w3.org/2000/svg}rect")]
    long = [path.get("d") for path in drawing.iter("{http://www.w3.org/2000/svg}path") if "L" in path.get("d")]
    assert long, "one that passes a row"
    for path in long:
        x, bottom = map(float, path.partition("L")[2].partition("C")[0].split(","))
        assert not any(
            left < x < left + dag.BOX_WIDTH and top < bottom - 1 < top + dag.BOX_HEIGHT for left, top in boxes
        )
        assert 0 < x < float(drawing.get("width"))


def test_what_made_the_page_is_told():
    found = made_with()
    assert found["Python"].count(".") == 2 and "cores" in found["machine of this page's job"]
    assert found["clearminds"].startswith("0.") and all(found.values())
