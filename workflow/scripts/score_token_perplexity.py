"""Log-probability, entropy and rank of every response token under a model, with the token ids they belong to."""

from pathlib import Path

import _setup  # noqa: F401

from clearminds.conversation import Chat
from clearminds.launch import Job, launch, log
from clearminds.model_identity import fingerprints, same_tokenizer
from clearminds.models import load_model
from clearminds.score_token_perplexity import encode_responses, measure_noise, score, score_table, sequence_table
from clearminds.tables import read_table, write_table
from clearminds.throughput import throughput


def main(
    job: Job, *, examples: Path, responses: Path, model: Path, scorer: Path, scores: Path, sequences: Path
) -> None:
    same_tokenizer(model, scorer)
    chat = Chat.from_folder(model.parent)
    network = load_model(scorer.parent, dtype=job.spec["dtype"], settings=job.spec["loading"])
    rows = [
        read_table(path, contract).to_pylist() for path, contract in ((examples, "EXAMPLES"), (responses, "RESPONSES"))
    ]
    found, left_out = encode_responses(chat, *rows, limit=network.config.max_position_embeddings)
    log.info("%d sequences; left out: %s", len(found), left_out)
    encoded = [sequence.encoded for sequence in found]
    statistics, progress = score(network, encoded, job.runtime["batch_tokens"])
    job.cost |= throughput(progress, network)
    noise = None if job.spec["dtype"] == "float32" else measure_noise(network, encoded, statistics)
    facts = job.provenance(**fingerprints(model), scorer=fingerprints(scorer)["model"], left_out=left_out, noise=noise)
    write_table(sequences, sequence_table(found), "SEQUENCES", facts)
    write_table(scores, score_table(found, statistics), "TOKEN_SCORES", facts)


launch(main)
