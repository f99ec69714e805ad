"""Responses to a split's prompts: references as they are, or samples of the model."""

from pathlib import Path

import _setup  # noqa: F401

from clearminds.files.tables import read_table, write_json, write_table
from clearminds.job.launch import Job, Output, launch


def main(job: Job, *, examples: Path, model: Path, responses: Output, shard: str = "") -> dict:
    from clearminds.model.conversation import Chat
    from clearminds.model.fingerprints import fingerprints
    from clearminds.plugins.load import load
    from clearminds.stages.generate_responses import generate, reference_rows, response_store

    cost = {}
    source, facts, chat = job.spec["source"], fingerprints(model), Chat.from_folder(model.parent)
    rows = read_table(examples, "EXAMPLES").to_pylist()
    if source["kind"] == "reference":
        found = reference_rows(rows, lambda text: len(chat.tokenizer(text, add_special_tokens=False)["input_ids"]))
    else:
        store = response_store(job.runtime["store"], facts["model"], chat, job.spec)
        settings = {"dtype": source["dtype"], "loading": job.spec["loading"], "runtime": job.runtime}
        with load("backends", source.get("backend") or "transformers").Sampler(model.parent, **settings) as draw:
            found, progress, counts = generate(store, draw, chat, rows, source, job.runtime, shard)
        cost = {"store": counts, **(draw.cost(progress) if counts["computed"] else {})}
    if shard:
        write_json(responses, {"shard": shard, **cost})
    else:
        write_table(responses, found, "RESPONSES", job.provenance(**facts))
    return cost


launch(main)
