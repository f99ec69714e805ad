"""Responses to a split's prompts: references as they are, or samples of the model."""

from dataclasses import replace
from pathlib import Path

import _setup  # noqa: F401

from clearminds.files import contracts
from clearminds.files.tables import read_table, write_json, write_table
from clearminds.job.launch import Job, Output, launch
from clearminds.stages.generate_responses import (
    Runtime,
    Settings,
    generate,
    reference_rows,
    response_store,
    texts_used,
)


def main(job: Job[Settings, Runtime], *, examples: Path, model: Path, responses: Output, shard: str = "") -> dict:
    from clearminds.model.conversation import Chat
    from clearminds.model.fingerprints import fingerprints, model_type
    from clearminds.model.special_tokens import check_special_tokens
    from clearminds.plugins.load import load

    cost, computed = {}, {}
    source, loading = job.settings.source, job.settings.loading
    facts = fingerprints(model)
    chat = replace(Chat.from_folder(model.parent), special_tokens=job.settings.special_tokens)
    rows = read_table(examples, contracts.EXAMPLES).to_pylist()
    check_special_tokens(chat, examples.parent.name, texts_used(rows, source))
    if source.kind == "reference" or loading is None:
        found = reference_rows(rows, lambda text: len(chat.text_ids(text)))
    else:
        store = response_store(Path(job.runtime.store), facts["model"], chat, source, loading, model_type(model.parent))
        backend = load("backends", source.backend or "transformers")
        how = {"gpus": job.gpus, "vllm_python": job.runtime.vllm_python}
        with backend.Sampler(model.parent, dtype=source.dtype, loading=loading, **how) as sampler:
            found, progress, counts = generate(store, sampler, chat, rows, source, job.runtime, shard)
        computed = {"computed_with": store.computed_with()}
        cost = {"store": counts, **(sampler.cost(progress) if counts["computed"] else {})}
    if shard:
        write_json(responses, {"shard": shard, **cost})
    else:
        write_table(responses, found, contracts.RESPONSES, job.provenance(**facts, **computed))
    return cost


launch(main, Settings, Runtime, unused=("pandas", "scipy"))
