"""Responses to a split's prompts: references as they are, or samples of the model."""

from pathlib import Path

import _setup  # noqa: F401

from clearminds.conversation import Chat
from clearminds.generate_responses import generate, reference_rows
from clearminds.launch import Job, launch
from clearminds.model_identity import fingerprints
from clearminds.models import load_model
from clearminds.tables import read_table, write_table
from clearminds.throughput import throughput


def main(job: Job, *, examples: Path, model: Path, responses: Path) -> None:
    source, chat = job.spec["source"], Chat.from_folder(model.parent)
    rows = read_table(examples, "EXAMPLES").to_pylist()
    if source["kind"] == "reference":
        found = reference_rows(rows, lambda text: len(chat.tokenizer(text, add_special_tokens=False)["input_ids"]))
    else:
        network = load_model(model.parent, dtype=source["dtype"], settings=job.spec["loading"])
        found, progress = generate(network, chat, rows, source, job.runtime["generate_tokens"])
        job.cost |= throughput(progress, network)
    write_table(responses, found, "RESPONSES", job.provenance(**fingerprints(model)))


launch(main)
