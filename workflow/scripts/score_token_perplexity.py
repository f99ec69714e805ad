"""Log-probability, entropy and rank of every response token under a model, with the token ids they belong to."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import _setup  # noqa: F401

from clearminds.files import contracts
from clearminds.files.row_groups import write_pieces
from clearminds.files.rows import Keyed, Rows
from clearminds.files.tables import write_json
from clearminds.job.launch import Job, Output, launch, log
from clearminds.stages.score_token_perplexity import (
    Runtime,
    Settings,
    measure_noise,
    score_store,
    score_through,
)
from clearminds.stages.scoring.spool import spooled


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
    from clearminds.model.encode_responses import encoding
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
    prompts = Rows(examples, contracts.EXAMPLES, ["example_id", "messages"])
    answers = Rows(responses, contracts.RESPONSES, ["example_id", "sample", "response", "finish_reason"])
    check_responses(chat, examples.parent.name, prompts, answers)
    limit = longest_input(scorer.parent, loading)
    left_out: dict[str, int] = {}
    found = encoding(chat, Keyed(prompts, "example_id", "messages"), answers, limit, left_out)
    store = score_store(Path(job.runtime.store), weights, job.settings)
    with spooled(found, scores.parent, texts=not shard) as spool:
        log.info("%d sequences; left out: %s", len(spool.encoded), left_out)
        statistics, progress, counts = score_through(store, network, spool.encoded, job.runtime, shard)
        cost = {"store": counts, **(throughput(progress, network()) if counts["computed"] else {})}
        if shard or sequences is None:  # it fills the store only
            write_json(scores, {"shard": shard, **cost})
            return cost
        noise = None if dtype == "float32" else measure_noise(network(), spool.encoded, statistics)
        facts = job.provenance(**fingerprints(model), scorer=weights, left_out=left_out, noise=noise)
        write_pieces(sequences, spool.sequence_rows(), contracts.SEQUENCES, facts)
        facts |= {"computed_with": store.computed_with()}
        write_pieces(scores, spool.score_rows(statistics), contracts.TOKEN_SCORES, facts)
    return cost


launch(main, Settings, Runtime, unused=("pandas", "scipy"))
