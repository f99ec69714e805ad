"""The tiny study on a real scheduler through the shipped profile, judged by the scheduler's own records."""

import json
import re
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pyarrow.parquet as pq
import pytest
import yaml

from clearminds.config.study import Study
from clearminds.run.sizing import resources
from clearminds.run.sizing.workload import RUN_A_MODEL, Workloads
from tests.slurm.conftest import ACCOUNT, SHIPPED, moved
from tests.slurm.scheduler import records
from tests.workflow.conftest import Workflow

pytestmark = pytest.mark.slurm

TRAINED = ("self-output", "stm-200", "random-200")
# every job of the tiny study: wildcards in the order of its rule's output
JOBS = {
    "prepare_task": [
        {"task": task, "split": split}
        for task, split in (("sums", "train"), ("sums", "test"), ("gcd", "test"), ("code", "test"), ("chat", "test"))
    ],
    "fetch_model": [{"model": "tiny"}],
    "rehearse": [{"model": "tiny"}],
    "generate_responses": [
        {"model": "tiny", "task": task, "split": split, "source": source}
        for task, split, source in (
            ("sums", "train", "reference"),
            ("sums", "train", "self_output"),
            ("chat", "test", "everyday"),
        )
    ],
    "verify_responses": [
        {"model": "tiny", "task": "sums", "split": "train", "source": source} for source in ("reference", "self_output")
    ],
    "score_token_perplexity": [
        {"scorer": "tiny", "model": "tiny", "task": "sums", "split": "train", "source": source}
        for source in ("reference", "self_output")
    ],
    "build_masks": [
        {"model": "tiny", "target": "sums", "variant": variant, "draw": ".draw0" if "random" in variant else ""}
        for variant in TRAINED
    ],
    "train_adapter": [{"model": "tiny", "target": "sums", "variant": variant, "seed": "0"} for variant in TRAINED],
    "evaluate_base": [{"model": "tiny", "suite": "all"}],
    "evaluate_adapter": [
        {"model": "tiny", "target": "sums", "variant": variant, "seed": "0", "suite": "all"} for variant in TRAINED
    ],
    "summarise": [{}],
    "report": [{}],
}


@pytest.fixture(scope="module")
def jobs(finished):
    """The scheduler's records of the study's run, by rule and wildcards."""
    [run] = re.findall(r"SLURM run ID: (\S+)", finished.output)
    found = records(run)
    assert {record.state for record in found} == {"COMPLETED"}
    return {record.job: record for record in found}


def named(rule, wildcards):
    return f"rule_{rule}_wildcards_{'_'.join(wildcards.values())}" if wildcards else f"rule_{rule}"


def test_nothing_but_the_placeholders_differs_from_the_shipped_profile(profile):
    ours = (profile / "config.yaml").read_text().splitlines()
    shipped = SHIPPED.read_text().splitlines()
    different = [(a.partition(":")[0], a) for a, b in zip(shipped, ours, strict=True) if a != b]
    assert [key.strip() for key, _ in different] == ["slurm_account", "slurm_partition", "slurm_partition"]
    assert all("SET_ME" in line for _, line in different)


def test_every_job_asked_for_what_the_resource_functions_say(finished, jobs):
    study = Study.model_validate(finished.config)
    unfetched, work = (Workloads(study, str(finished.folder / path)) for path in ("nowhere", "results/tiny"))
    cpus = yaml.safe_load(SHIPPED.read_text())["set-threads"]
    expected = {}
    for rule, several in JOBS.items():
        for wildcards in several:
            # a model's size is guessed until it is fetched
            of_job = (unfetched if rule == "fetch_model" else work).of(rule, SimpleNamespace(**wildcards))
            expected[named(rule, wildcards)] = (
                cpus.get(rule, 1),
                resources.host_memory(of_job),
                resources.minutes(of_job),
                1 if rule in RUN_A_MODEL else 0,
                "gpu" if rule in RUN_A_MODEL else "cpu",
                ACCOUNT,
            )
    assert {
        name: (job.cpus, job.memory, job.minutes, job.gpus, job.partition, job.account) for name, job in jobs.items()
    } == expected


def test_no_two_jobs_were_on_a_device_at_a_time(finished, jobs):
    on: dict[str, list] = {"0": [], "1": []}
    for rule in RUN_A_MODEL:
        for wildcards in JOBS.get(rule, ()):  # of what this study has
            record = jobs[named(rule, wildcards)]
            devices = own_record(finished, rule, wildcards)["devices"]
            on[devices].append((record.start, record.end))
    together = 0
    for spans in on.values():
        assert spans, "a device was never used"
        assert all(before[1] <= after[0] for before, after in pairwise(sorted(spans)))
    for start, end in on["0"]:
        together += any(start < other_end and other_start < end for other_start, other_end in on["1"])
    assert together, "both devices at once would have saved time"


def own_record(study, rule, wildcards):
    """What a job wrote of itself, beside its log."""
    place = wildcards.copy()
    for key, before in (("seed", "seed"), ("split", "")):
        if key in place:
            place[key] = before + place[key]
    if "source" in place:
        place["split"] = f"{place['split']}.{place.pop('source')}"
    path = study.folder / "logs/tiny" / rule / Path(*place.values())
    return json.loads(path.with_name(f"{path.name}.run.json").read_text())


def test_jobs_have_the_threads_that_they_asked_for(finished, jobs):
    import os

    threads = own_record(finished, "train_adapter", JOBS["train_adapter"][0])["threads"]
    assert int(threads) == min(4, os.cpu_count())


def test_logs_are_where_the_guide_says(finished, jobs):
    for name, record in jobs.items():
        rule = re.match(r"rule_([a-z_]+?)(_wildcards_|$)", name)[1]
        assert record.output.relative_to(finished.folder).parts[:3] == ("logs", "slurm", f"rule_{rule}")
        assert record.output.name == f"{record.id}.log" and "1 of 1 steps (100%) done" in record.output.read_text()
    assert (finished.folder / "logs/tiny/train_adapter/tiny/sums/stm-200/seed0.log").is_file()


def test_tables_equal_those_of_a_local_run(finished, model, tmp_path):
    local = Workflow(tmp_path / "local", {**finished.config, "runtime": {}})
    done = local.run()
    assert done.returncode == 0, done.stdout[-3000:]
    ours, theirs = (study.folder / "results/tiny" for study in (finished, local))
    assert (ours / "tables/summary.csv").read_text() == (theirs / "tables/summary.csv").read_text()
    tables = sorted(path.relative_to(theirs) for path in theirs.glob("*/**/*.parquet") if ".jobs" not in path.parts)
    assert len(tables) > 20
    for path in tables:
        if path.name == "history.parquet":  # has times
            continue
        a, b = pq.read_table(ours / path), pq.read_table(theirs / path)
        assert pl.from_arrow(a).equals(pl.from_arrow(b)), path


def test_a_training_on_two_gpus_has_both_and_the_curve_of_one(finished, profile, tmp_path):
    study = moved(finished, tmp_path / "study", profile=profile)
    study.config["runtime"] |= {"gpus": 2, "reuse": False}
    done = study.run("results/tiny/adapters/tiny/sums/stm-200/seed0/adapter.json", "--forcerun", "train_adapter")
    assert done.returncode == 0, done.stdout[-4000:]
    [run] = re.findall(r"SLURM run ID: (\S+)", done.stdout)
    [record] = records(run)
    assert (record.gpus, record.partition, record.state) == (2, "gpu", "COMPLETED")
    assert own_record(study, "train_adapter", JOBS["train_adapter"][1])["devices"] == "0,1"
    curves = [pl.read_parquet(of.adapter("stm-200") / "history.parquet")["loss"].to_list() for of in (study, finished)]
    assert curves[0] == pytest.approx(curves[1], abs=1e-5)


def test_a_site_that_wants_gres_gets_it(finished, profile, tmp_path):
    settings = yaml.safe_load((profile / "config.yaml").read_text())
    settings["set-resources"]["train_adapter"] = {"slurm_partition": "gpu", "gpu": 0, "gres": "gpu:1"}
    (tmp_path / "gres").mkdir()
    (tmp_path / "gres/config.yaml").write_text(yaml.safe_dump(settings))
    study = moved(finished, tmp_path / "study", profile=tmp_path / "gres")
    study.config["runtime"]["reuse"] = False
    done = study.run("results/tiny/adapters/tiny/sums/stm-200/seed0/adapter.json", "--forcerun", "train_adapter")
    assert done.returncode == 0, done.stdout[-4000:]
    [run] = re.findall(r"SLURM run ID: (\S+)", done.stdout)
    [record] = records(run)
    assert (record.gpus, record.partition, record.state) == (1, "gpu", "COMPLETED")
    assert own_record(study, "train_adapter", JOBS["train_adapter"][1])["devices"] in ("0", "1")


def test_a_second_run_has_nothing_to_do(finished):
    done = finished.run()
    assert done.returncode == 0 and "Nothing to be done" in done.stdout


def test_the_shipped_profile_submits_nothing_before_its_values_are_set(finished):
    before = {record.id for record in records()}
    finished.profile, profile = SHIPPED.parent, finished.profile
    try:
        done = finished.run("--forceall")
    finally:
        finished.profile = profile
    assert done.returncode == 1
    [line] = [line for line in done.stdout.splitlines() if line.startswith("error: ")]
    assert "default-resources: slurm_account, default-resources: slurm_partition, set-resources: " in line
    assert "SET_ME" in line and "Traceback" not in done.stdout
    assert {record.id for record in records()} <= before
