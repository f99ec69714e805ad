"""How a study grows: its plan and its run over variants, and a job of scoring over the shards of a table. Whole
processes, which begin and import; memory is that of the largest, whole."""

import copy
import json
import random
import re
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import start_up
import tiny_run
import yaml
from measured import Measured

from clearminds.files import contracts
from clearminds.files.tables import write_table

SCORING = "score_token_perplexity"
JOBS = re.compile(r"^(?:total +(\d+)$|([\d,]+) jobs? to do)", re.MULTILINE)
PROMPT, RESPONSE = 32, 48  # digits, of which the tiny model has a token each


def planned(variants: int, work: Path) -> Measured:
    """The dry run of a study of which nothing is there yet. The amount is jobs."""
    folder = work / "variants-study"
    tiny_run.study(folder, of_variants(tiny_run.finished(work), variants))
    return _with_jobs(folder, "--dry-run", "--quiet", "rules")


def finished_with(variants: int, work: Path) -> Measured:
    """The run of so many variants where what they share is there: responses, scores, the base's evaluation. The amount
    is jobs."""
    before = tiny_run.finished(work)
    tiny_run.timed(tiny_run.snakemake(before), before)  # by the code of now
    with tempfile.TemporaryDirectory() as place:
        folder = shutil.copytree(before, Path(place, "study"))
        tiny_run.study(folder, of_variants(before, variants))
        return _with_jobs(folder)


def of_variants(folder: Path, variants: int) -> dict:
    """The study of a folder with other variants: a threshold each."""
    study = copy.deepcopy(yaml.safe_load((folder / "study.yaml").read_text(encoding="utf-8")))
    rules = {f"stm-{n}": {"rule": "perplexity", "tau": str(n)} for n in range(300, 300 + variants)}
    study["variants"] = {name: {"responses": "reference", "weights": rule} for name, rule in rules.items()}
    return study


def _with_jobs(folder: Path, *arguments: str) -> Measured:
    measured, said = tiny_run.run(tiny_run.snakemake(folder, *arguments), folder)
    return replace(measured, amount=float(jobs_of(said)))


def jobs_of(said: str) -> int:
    """How many jobs a run or a dry run has. Args: said: by it."""
    found = JOBS.search(said)
    assert found, said[-3000:]
    planned, to_do = found.groups()
    return int(planned) - 1 if planned else int(to_do.replace(",", ""))  # a plan counts `all`


def shard(mark: str, conversations: int, work: Path) -> Measured:
    """One of the jobs that score a table together, by the tiny model. The amount is conversations that it scored.

    Args:
        mark: the job, such as "2of8". The last of more jobs than there are batches scores none: what it takes is what
            each spends on the whole table.
        conversations: of the table.
        work: where the study and tables are kept.
    """
    folder, tables = tiny_run.finished(work), made_up(work / f"conversations-{conversations}", conversations)
    command = tiny_run.job(folder, SCORING, start_up.JOBS[SCORING])
    with tempfile.TemporaryDirectory() as place:
        done = Path(place, "shard.json")
        runtime = json.loads(_value(command, "--runtime"))
        given = {"--runtime": json.dumps({**runtime, "store": str(Path(place, "store"))}), "--scores": str(done)}
        for option, value in {**given, **{f"--{name}": str(path) for name, path in tables.items()}}.items():
            command[command.index(option) + 1] = value
        at = command.index("--sequences")
        command[at : at + 2] = ["--shard", mark]
        measured = tiny_run.timed(command, folder)
        return replace(measured, amount=float(json.loads(done.read_text(encoding="utf-8"))["store"]["computed"]))


def made_up(folder: Path, conversations: int) -> dict[str, Path]:
    """Tables of examples and their references, made when they are not there yet."""
    found = {name: folder / "digits" / f"{name}.parquet" for name in ("examples", "responses")}
    if not found["responses"].exists():
        found["responses"].parent.mkdir(parents=True, exist_ok=True)
        chance, examples, responses = random.Random(0), [], []
        for n in range(conversations):
            name, question, answer = f"digits-train-{n:06d}", _digits(chance, PROMPT), _digits(chance, RESPONSE)
            messages = [{"role": "user", "content": question}]
            examples.append({"example_id": name, "messages": messages, "reference": answer, "answer": "", "meta": "{}"})
            responses.append({"example_id": name, "sample": 0, "response": answer, "n_tokens": 0, "seed": 0})
        write_table(found["examples"], examples, contracts.EXAMPLES, {})
        write_table(found["responses"], responses, contracts.RESPONSES, {})
    return found


def _digits(chance: random.Random, count: int) -> str:
    return "".join(chance.choices("0123456789", k=count))


def _value(command: list[str], option: str) -> str:
    return command[command.index(option) + 1]
