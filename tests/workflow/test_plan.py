"""`make plan` on real dry-runs: its jobs are Snakemake's, and runs on the same machine are what it goes by."""

import os
import re
import subprocess
import sys
from collections import Counter

import pytest

from .conftest import PREPARED, ROOT, Workflow, tiny_study
from .plans import planned_jobs

PAPER = "studies/paper-llama-3-8b.yaml"


def command(name: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", f"clearminds.commands.{name}", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "workflow")},
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def jobs_of(plan: str) -> dict[str, int]:
    rows = re.findall(r"^(\w+) +(\d+)  ", plan, flags=re.MULTILINE)
    return {rule: int(count) for rule, count in rows}


@pytest.fixture
def study(tmp_path, tiny_model) -> Workflow:
    return Workflow(tmp_path, tiny_study(tiny_model) | {"runtime": {"shards": 2}})


@pytest.mark.slow
def test_the_jobs_are_those_of_the_dry_run(study):
    given = study._given()[-4:]
    printed = command("plan", *given, "--cores", "2")
    assert "no run on one to go by" in printed
    jobs = jobs_of(printed)
    together = jobs.pop("together")
    expected = Counter(job[0] for job in planned_jobs(study.run("--dry-run").stdout))
    assert jobs == expected and together == sum(expected.values())
    assert expected["score_shard"] == 4
    # shards are explained as jobs of the stage that they share in
    lines = command("explain", *given, "--cores", "2").splitlines()
    title = "score_token_perplexity tiny/tiny/sums/train.reference.shard1of2: new; after "
    assert any(line.startswith(title) for line in lines)


@pytest.mark.slow
def test_after_a_run_its_rates_are_gone_by(tmp_path, finished):
    study = finished.begin(tmp_path, PREPARED)
    study.config["runtime"] = {"shards": 2}
    done = study.run("--until", "score_token_perplexity")
    assert done.returncode == 0, done.stdout[-4000:]
    given = study._given()[-4:]
    rest, whole = (command("plan", *given, "--cores", "2", *more) for more in ([], ["--whole"]))
    assert "score_token_perplexity" not in jobs_of(rest) and jobs_of(whole)["score_shard"] == 4
    assert "by the rates of runs" in rest  # the rest of what is to be generated
    [share] = re.findall(r"cpu at 30% of its peak; (\d+)% of them by the rates of runs on one;", whole)
    assert 0 < int(share) <= 100


@pytest.mark.slow
@pytest.mark.parametrize("name", ["paper-llama-3-8b", "paper-mistral-7b", "paper-olmo-2-7b", "paper-gemma-2-2b"])
def test_the_guide_says_what_each_study_of_the_paper_will_cost(name):
    guide = (ROOT / "docs/cluster.md").read_text(encoding="utf-8")
    printed = command("plan", "--configfile", f"studies/{name}.yaml", "--gpu", "a100", "--cores", "1")
    [together] = re.findall(r"^together .*$", printed, flags=re.MULTILINE)
    hours, disk, memory = re.split(" {2,}", together)[-3:]
    assert f"| [{name}](../studies/{name}.yaml) | {hours} | {disk} | {memory} |" in guide, together


@pytest.mark.slow
def test_the_guide_shows_the_plan_of_the_papers_study():
    guide = (ROOT / "docs/cluster.md").read_text(encoding="utf-8")
    printed = command("plan", "--configfile", PAPER, "--gpu", "a100", "--cores", "1")
    block = "\n".join(f"    {line}".rstrip() for line in printed.rstrip().splitlines())
    assert block in guide, f"docs/cluster.md does not show what `make plan STUDY={PAPER}` prints:\n{printed}"
