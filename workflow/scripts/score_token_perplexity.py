"""Log-probability, entropy and rank of every response token under a model, with the token ids they belong to."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import _setup  # noqa: F401

from clearminds.files import contracts
from clearminds.files.tables import read_table, write_json, write_table
from clearminds.job.launch import Job, Output, launch, log
from clearminds.stages.score_token_perplexity import (
    Runtime,
    Settings,
    measure_noise,
    score_store,
    score_table,
    score_through,
    sequence_table,
)


def main(
    job: Job[Settings, Runtime],
    *,
    examples: Path,
    responses: Path,
    model: Path,
    scorer: Path,
    adapter: list[Path],
    scores: Output,
    sequences: Output | None = None,
    shard: str = "",
) -> dict:
    from clearminds.model.conversation import Chat
    from clearminds.model.encode_responses import encode_responses
    from clearminds.model.fingerprints import fingerprints, same_tokenizer, scorer_fingerprint
    from clearminds.model.full_weights import load_trained
    from clearminds.model.load import longest_input
    from clearminds.model.special_tokens import check_responses
    from clearminds.model.throughput import throughput

    same_tokenizer(model, scorer)
    chat = replace(Chat.from_folder(model.parent), special_tokens=job.settings.special_tokens)
    tuned = adapter[0] if adapter else None  # a rule has no or one
    weights = scorer_fingerprint(scorer, tuned)
    loading, dtype = job.settings.loading, job.settings.dtype
    network = cache(lambda: load_trained(scorer.parent, dtype=dtype, loading=loading, adapter=tuned and tuned.parent))
    prompts = read_table(examples, contracts.EXAMPLES).to_pylist()
    answers = read_table(responses, contracts.RESPONSES).to_pylist()
    check_responses(chat, examples.parent.name, prompts, answers)
    found, left_out = encode_responses(chat, prompts, answers, limit=longest_input(scorer.parent, loading))
    log.info("%d sequences; left out: %s", len(found), left_out)
    encoded = [sequence.encoded for sequence in found]
    store = score_store(Path(job.runtime.store), weights, job.settings)
    statistics, progress, counts = score_through(store, network, encoded, job.runtime, shard)
    cost = {"store": counts, **(throughput(progress, network()) if counts["computed"] else {})}
    if shard or sequences is None:  # it fills the store only
        write_json(scores, {"shard": shard, **cost})
        return cost
    noise = None if dtype == "float32" else measure_noise(network(), encoded, statistics)
    facts = job.provenance(**fingerprints(model), scorer=weights, left_out=left_out, noise=noise)
    write_table(sequences, sequence_table(found), contracts.SEQUENCES, facts)
    facts |= {"computed_with": store.computed_with()}
    write_table(scores, score_table(found, statistics), contracts.TOKEN_SCORES, facts)
    return cost


launch(main, Settings, Runtime, unused=("pandas", "scipy"))
