"""Scores every response token of a file under a model, without a study: `make score DATA=my.jsonl MODEL=FOLDER`.

    python -m clearminds.commands.score DATA --model MODEL [--revision HASH] [--columns prompt=question,response=answer]
        [--out FOLDER]

The table has a row per token: its log-probability, the entropy at its place, its rank. What the store of scores holds
is not computed again, whichever study or command has put it there.
"""

import shutil
from pathlib import Path

import pyarrow.parquet as pq

from clearminds.commands.exporting.folder import fresh, refuse_filled
from clearminds.commands.own_data.run import own_study, parser
from clearminds.commands.own_data.study import TASK
from clearminds.commands.run_command import run_command


def main(arguments: list[str] | None = None) -> None:
    """Write the table, and print where it is.

    Args:
        arguments: of the command line; default: this process's.

    Raises:
        UserError: the file or the model is not there, a setting is wrong, or something is in the folder already.
    """
    options = parser("score", __doc__)
    options.add_argument("--out", type=Path, help="a new folder for scores.parquet and sequences.parquet")
    given = options.parse_args(arguments)
    out = given.out and Path.cwd() / given.out  # meant from here
    if out:
        refuse_filled(out)
    own = own_study(given, {"rule": "all"})
    layout = own.specs.layout
    names = {"scorer": own.model, "model": own.model, "task": TASK, "split": "train", "source": "reference"}
    scores, sequences = Path(layout.scores.path(**names)), Path(layout.sequences.path(**names))
    own.make(str(scores), given.cores)
    tokens, responses = (pq.read_metadata(path).num_rows for path in (scores, sequences))
    if out:
        with fresh(out) as folder:
            for path, name in ((scores, "scores.parquet"), (sequences, "sequences.parquet")):
                shutil.copyfile(path, folder / name)
        scores = out / "scores.parquet"
    print(f"{scores}: {tokens:,} tokens of {responses:,} responses")


if __name__ == "__main__":
    run_command(main)
