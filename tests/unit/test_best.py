"""Which variant is named, by a rule that looks at intervals, and what is exported."""

import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
from demo_study import DEMO, demo

from clearminds.commands.best import main
from clearminds.errors import UserError
from clearminds.files.digests import file_sha256
from clearminds.files.layout import Layout, memory_of
from clearminds.files.study_files import evaluation_rows
from clearminds.files.summary import COMPARISONS, SUMMARY
from clearminds.files.tables import content_sha256, write_json
from clearminds.run.specs import Specs
from clearminds.stages.statistics.choice import choose

LAYOUT = Layout.of("demo")
MODEL, TARGET = "smollm2-135m-q4", "sums"


def summary(**variants):
    """Variants by their ti, bwt and half the width of BWT's interval."""
    rows = [{"variant": "base", "eval_task": "sums", "role": "target", "score": 0.5, "model": MODEL, "target": TARGET}]
    for name, (ti, bwt, half) in variants.items():
        limits = {} if bwt is None else {"bwt_low": bwt - half, "bwt_high": bwt + half, "interval": "items and seeds"}
        for seed in (1, 0):
            row = {"seed": seed, "ti": ti, "bwt": bwt, "ti_low": ti - 10, "ti_high": ti + 10, "n_items": 48, **limits}
            rows.append({**rows[0], "variant": name, "relative_change": ti, **row})
    return pl.DataFrame(rows, schema=SUMMARY)


def comparisons(*pairs, detectable=4.0):
    rows = [
        {
            **{"variant": one, "other": other, "measure": measure, "role": measure.lower(), "verdict": "better"},
            **{
                "difference": 3.0,
                "low": 1.0,
                "high": 5.0,
                "p": 0.01,
                "p_holm": 0.02,
                "detectable": 0.1,
                "detectable_holm": detectable,
            },
            **{"unit": "% of base", "interval": "items and seeds", "model": MODEL, "target": TARGET},
        }
        for one, other in pairs
        for measure in ("TI", "BWT")
    ]
    return pl.DataFrame(rows, schema=COMPARISONS)


def test_the_largest_ti_of_those_that_keep_bwt_is_named():
    table = summary(greedy=(90, -30, 3), good=(40, -1, 3), timid=(5, 0, 1), wide=(60, 0, 9))
    found = choose(table, comparisons(("timid", "good")))
    assert (found.variant, found.seed) == ("good", 0)
    assert "TI +40.00 % (+30.0 to +50.0), BWT -1.00 % (-4.0 to +2.0); 95 % intervals over items and seeds" in found.why
    assert "Next is timid" in found.runner_up and "TI of timid against good, item by item: better" in found.runner_up
    assert "BWT +0.00 % (-1.0 to +1.0); 95 % intervals over items and seeds." in found.runner_up
    assert choose(table, comparisons(), loss=40).variant == "greedy"
    assert choose(table, comparisons(), loss=10).variant == "wide"


@pytest.mark.parametrize(
    ("equal", "said"),
    [
        (("b",), ", as has b; of equals the first named is taken. TI"),
        (("b", "c", "d", "e"), ", as have b, c, d and 1 other; of equals the first named is taken. TI"),
        ((), "the largest TI. TI"),
    ],
)
def test_of_equal_variants_the_first_named_is_taken_and_it_is_said(equal, said):
    table = summary(low=(5, 0, 1), a=(40, 0, 3), **dict.fromkeys(equal, (40 + 1e-13, 0, 3)))
    found = choose(table, comparisons())
    assert found.variant == "a" and said in found.why


def test_a_target_that_is_shown_to_be_worse_is_told():
    table = summary(timid=(-5, 0, 1)).with_columns(ti_low=pl.lit(-9.0), ti_high=pl.lit(-2.0))
    why = choose(table, comparisons()).why
    assert "It is shown to make the target worse." in why and "holds 0" not in why


def test_an_improvement_that_is_not_shown_is_told():
    assert "the interval of TI holds 0" in choose(summary(timid=(5, 0, 1)), comparisons()).why


@pytest.mark.parametrize(
    ("variants", "said"),
    [
        ({"wide": (60, 0, 9), "lost": (90, -30, 3)}, "too small to tell.* it can find is 4 %"),
        ({"lost": (90, -30, 3)}, "every one is shown to lose more than 5 %"),
        ({"odd": (90, None, 0)}, "undefined"),
    ],
)
def test_where_no_variant_can_be_named_the_reason_is(variants, said):
    found = choose(summary(**variants), comparisons(("wide", "base")))
    assert found.variant is None
    assert re.search(said, found.why)


@pytest.fixture
def run(tmp_path):
    """The folder of a run of the demo's study, with tables and one adapter."""
    tables = {
        LAYOUT.summary.path(): summary(**{"stm-2.5": (40, -1, 3), "rephrase": (5, 0, 1)}),
        LAYOUT.comparisons.path(): comparisons(("stm-2.5", "base"), ("stm-2.5", "rephrase")),
    }
    for path, table in tables.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        table.write_parquet(tmp_path / path)
    specs = Specs(demo())
    evaluated = evaluation_rows(specs.names)[0]["path"]
    (tmp_path / evaluated).parent.mkdir(parents=True)
    (tmp_path / evaluated).write_bytes(b"an evaluation")
    record = {
        "spec": specs.text("summarise")(SimpleNamespace()),
        "outputs": {path: file_sha256(tmp_path / path) for path in tables},
        "contents": {evaluated: content_sha256(tmp_path / evaluated)},
    }
    write_json(memory_of(tmp_path / LAYOUT.jobs, tmp_path / LAYOUT.summary.path()) / "record.json", record)
    names = {"model": MODEL, "target": TARGET, "variant": "stm-2.5", "seed": 0}
    adapter = tmp_path / LAYOUT.adapter.path(**names)
    adapter.parent.mkdir(parents=True)
    (adapter.parent / "README.md").write_text("# the adapter's own card\n", encoding="utf-8")
    (weights := adapter.parent / "adapter_model.safetensors").write_bytes(b"weights")
    spec = json.loads(specs.text("train_adapter")(SimpleNamespace(**names)))
    write_json(adapter, {"spec": spec, "files": {weights.name: file_sha256(weights)}})
    return tmp_path


def test_the_adapter_is_exported_with_a_card_of_the_study(run, monkeypatch, capsys):
    monkeypatch.chdir(run)
    main(["--directory", str(run)])
    assert capsys.readouterr().out.startswith("stm-2.5: of the variants whose BWT interval stays above -5 %")
    folder = run / LAYOUT.best.path(model=MODEL, target=TARGET)
    assert (folder / "adapter_model.safetensors").read_bytes() == b"weights"
    card = (folder / "README.md").read_text(encoding="utf-8")
    for said in (
        "# the adapter's own card",
        "## Why this variant\n\nstm-2.5: of the variants",
        "| stm-2.5 ",
        "TI of `stm-2.5` against `rephrase`: +3.00 (+1.00 to +5.00, % of base, over items and seeds), after Holm p",
        "after Holm p 0.02, detectable 4.0: better",
        "- `sums` (target",
        '"learning_rate": 0.0005',
        "## Limits",
    ):
        assert said in card, said
    blocks = [block.partition("```")[0] for block in card.split("```json\n")[1:]]
    assert json.loads(blocks[0]).keys() == DEMO["tasks"].keys()
    assert "runtime" not in json.loads(blocks[1])

    with pytest.raises(UserError, match="something is there already"):
        main(["--directory", str(run)])
    main(["--directory", str(run), "--out", "elsewhere"])
    assert (run / "elsewhere" / "README.md").is_file()


def test_what_is_missing_is_named(run, monkeypatch):
    monkeypatch.chdir(run)
    with pytest.raises(UserError, match="--loss: 0 is not above 0"):
        main(["--loss", "0"])
    with pytest.raises(UserError, match="--model: other is not one of smollm2-135m-q4"):
        main(["--model", "other"])
    adapter = run / LAYOUT.adapter.path(model=MODEL, target=TARGET, variant="stm-2.5", seed=0)
    adapter.unlink()
    with pytest.raises(UserError, match=r"adapter\.json: not there yet; make it: .*snakemake"):
        main([])
    (run / LAYOUT.comparisons.path()).unlink()
    with pytest.raises(UserError, match=r"comparisons.parquet: not there yet; make it"):
        main([])


def edited_table(run):
    table = pl.read_parquet(run / LAYOUT.summary.path())
    table.with_columns(ti=pl.col("ti") + 1).write_parquet(run / LAYOUT.summary.path())


def other_evaluation(run):
    Path(run, evaluation_rows(Specs(demo()).names)[0]["path"]).write_bytes(b"another")


def edited_weights(run):
    next(run.rglob("adapter_model.safetensors")).write_bytes(b"others")


def other_settings(run):
    path = next(run.rglob("adapter.json"))
    facts = json.loads(path.read_text(encoding="utf-8"))
    write_json(path, {**facts, "spec": {**facts["spec"], "seed": 7}})


def no_record(run):
    shutil.rmtree(run / LAYOUT.jobs)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (edited_table, "summary.parquet: is not what its job made"),
        (other_evaluation, "summary.parquet: made of another results/demo/evaluations/.* than is there now"),
        (edited_weights, "adapter_model.safetensors: is not what was made"),
        (other_settings, "adapter.json: made by other settings than the study has now"),
        (no_record, "summary.parquet: no job has it on record"),
    ],
)
def test_what_is_not_as_recorded_is_not_exported(run, change, said, monkeypatch):
    monkeypatch.chdir(run)
    change(run)
    with pytest.raises(UserError, match=said):
        main([])
    assert not (run / "results" / "demo" / "best").exists()


def test_without_a_choice_nothing_is_exported(run, monkeypatch, capsys):
    monkeypatch.chdir(run)
    with pytest.raises(SystemExit):
        main(["--loss", "0.5"])
    assert "too small to tell" in capsys.readouterr().out
    assert not (run / "results" / "demo" / "best").exists()
