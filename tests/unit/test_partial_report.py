"""What a failed run's report leaves out, and what is said of it."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from clearminds.files.digests import canonical, file_sha256
from clearminds.files.layout import Layout, memory_of
from clearminds.reuse.job_memory import RECORD
from clearminds.run import partial_report
from clearminds.run.failures import Failure

BASE = "results/s/evaluations/m/base/all.parquet"
TRAINED = "results/s/evaluations/m/sums/stm/seed0/all.parquet"
MASKS = "results/s/masks/m/sums/stm.parquet"
ADAPTER = "results/s/adapters/m/sums/stm/seed0/adapter.json"
FAILED = Failure("train_adapter m/sums/stm/seed0", "no such layer", "logs/s/train_adapter/m/sums/stm/seed0.log")
NOT_RUN = "not run: the run ended before"
STAGES = {MASKS: "build_masks", ADAPTER: "train_adapter", TRAINED: "evaluate_adapter", BASE: "evaluate_base"}


def made(path: str, *inputs: str) -> None:
    """Make a result and its job's record."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(path)
    record = {
        "spec": canonical({}),
        "code": "c",
        "inputs": {name: file_sha256(Path(name)) for name in inputs},
        "outputs": {path: file_sha256(Path(path))},
    }
    file = memory_of("results/s/.jobs", path) / RECORD
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(record))


@pytest.fixture
def specs(tmp_path, monkeypatch):
    """Of a study whose results are there."""
    monkeypatch.chdir(tmp_path)
    names = {"results": "results/s", "models": ["m"], "targets": ["sums"], "suites": ["all"], "seeds": [0]}
    stages = dict.fromkeys(STAGES.values(), lambda wildcards: {})
    specs = SimpleNamespace(
        layout=Layout.of("s"),
        draws=lambda *of: "",
        names={**names, "variants": [["stm", False]]},
        text=lambda stage: lambda wildcards: canonical({}),
        code=lambda stage: lambda wildcards: "c",
        **stages,
    )
    made(MASKS)
    made(ADAPTER, MASKS)
    made(TRAINED, ADAPTER)
    made(BASE)
    return specs


@pytest.fixture
def say(specs):
    """Says what is missing, given the failures on the way to it."""

    def write(asked=(BASE, TRAINED), **failures):
        return partial_report.write(specs, lambda paths: failures, asked.__contains__).splitlines()

    return write


def test_nothing_is_said_where_no_evaluation_is_missing(say):
    assert say() == []


def test_what_no_failed_job_leads_to_has_not_been_run(say):
    Path(BASE).unlink()
    assert say() == [f"missing: {BASE}: {NOT_RUN}"]


def test_what_the_run_was_not_asked_for_is_not_said_to_be_missing(say):
    Path(BASE).unlink()
    Path(TRAINED).unlink()
    assert say(asked=[ADAPTER], **{ADAPTER: FAILED}) == []
    assert say(asked=[BASE], **{ADAPTER: FAILED}) == [f"missing: {BASE}: {NOT_RUN}"]


@pytest.mark.parametrize("waits", [TRAINED, ADAPTER])
def test_what_waits_for_a_failed_job_names_it(say, waits):
    Path(BASE).unlink()
    Path(TRAINED).unlink()
    assert say(**{waits: FAILED}) == [
        f"missing: {BASE}: {NOT_RUN}",
        f"missing: {TRAINED}: train_adapter m/sums/stm/seed0 failed",
    ]


@pytest.mark.parametrize("damaged", [MASKS, ADAPTER, TRAINED])
def test_a_damaged_table_is_named_and_left_out(say, damaged):
    Path(BASE).unlink()
    Path(damaged).write_text("cut off")
    assert say() == [
        f"missing: {BASE}: {NOT_RUN}",
        f"missing: {TRAINED}: {damaged} is damaged; delete it, then run again",
    ]


@pytest.mark.parametrize(("kind", "path"), [("masks", MASKS), ("adapters", ADAPTER)])
def test_what_earlier_settings_made_is_not_shown(specs, kind, path):
    row = {"model": "m", "target": "sums", "variant": "stm", "draw": None, "seed": 0, "path": path}
    assert partial_report.Soundness(specs).shows(kind, row)
    specs.text = lambda stage: lambda wildcards: canonical({"tau": 4})
    later = partial_report.Soundness(specs)
    assert not later.shows(kind, row) and later.shows("scores", row), "of other kinds only that they are whole is known"


def test_what_stops_the_report_is_a_line_and_no_error(say, monkeypatch):
    def broken(*given):
        raise ValueError("not a\nParquet file")

    monkeypatch.setattr(partial_report, "_with_their_base", lambda rows, missing: [{"variant": "stm"}])
    monkeypatch.setattr(partial_report, "_write", broken)
    Path(BASE).unlink()
    missing, unreadable = f"missing: {BASE}: {NOT_RUN}", "no report of what is there: "
    assert say() == [missing, f"{unreadable}not a Parquet file: cannot be read; delete it, then run again"]
    record = Path("logs/s/train_adapter/seed0.run.json")
    record.parent.mkdir(parents=True)
    record.write_text("{")
    assert say() == [missing, f"{unreadable}{record}: cannot be read; delete it, then run again"]
