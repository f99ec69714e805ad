"""The table of token scores: bytes a token on disk, and reading three columns of it."""

import tempfile
from pathlib import Path

import corpus
import pyarrow.parquet as pq
from mask_rows import made_up
from measured import Measured, Places, measure

from clearminds.files import contracts
from clearminds.files.row_groups import write_pieces
from clearminds.model.encode_responses import Sequence
from clearminds.model.loading import Loading
from clearminds.stages.score_token_perplexity import Runtime, Settings, score_store, score_through
from clearminds.stages.scoring.spool import spooled


def reading(tokens: int, places: Places) -> Measured:
    """Reads three columns of so many tokens; the amount is one table."""
    tables = made_up(tokens, places)

    def work() -> float:
        pq.read_table(tables.scores, columns=["logprob", "entropy", "rank"])
        return 1.0

    return measure(work)


def made_up_size(tokens: int, places: Places) -> Measured:
    """So many made-up tokens, and in place of seconds the bytes of their table."""
    path = made_up(tokens, places).scores
    taken = float(path.stat().st_size)
    return Measured(float(pq.read_metadata(path).num_rows), taken, taken, 0.0)


def size(items: int, places: Places) -> Measured:
    """Tokens of the word problems' scores, and in place of seconds the bytes of their table."""
    conversations = corpus.single(places.model, items)
    sequences = [Sequence(f"gsm-symbolic-train-{n:06d}", 0, one) for n, one in enumerate(conversations)]
    with tempfile.TemporaryDirectory() as folder:
        store = score_store(Path(folder), "bench", Settings("float32", Loading()))
        runtime = Runtime(folder, 1024, 60)
        found, _, _ = score_through(store, lambda: corpus.model(places.model), conversations, runtime)
        path = Path(folder, "scores.parquet")
        with spooled(sequences, Path(folder), texts=True) as spool:
            write_pieces(path, spool.score_rows(found), contracts.TOKEN_SCORES, {})
        taken = float(path.stat().st_size)
    return Measured(sum(one.n_response for one in conversations), taken, taken, 0.0)
