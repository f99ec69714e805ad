"""The columns of the result table, of comparisons and overlaps, and what they call the model before any training."""

import polars as pl

SUMMARY = pl.Schema(
    {
        "variant": pl.String,  # "base" is the model before fine-tuning
        "seed": pl.Int64,  # null for the base
        "eval_task": pl.String,
        "role": pl.String,  # target, ood, likelihood or drift
        "metric": pl.String,
        "score": pl.Float64,
        "relative_change": pl.Float64,  # percent of the base's score; null where that is 0
        "ti": pl.Float64,  # percent, of the run, repeated on its rows
        "bwt": pl.Float64,
        "model": pl.String,
        "target": pl.String,  # the task that was trained on
        "n_items": pl.Int64,
        "format_ok": pl.Float64,  # share of items in the asked format; null where none was asked
        # 95 % intervals of this run, over items only
        "score_low": pl.Float64,
        "score_high": pl.Float64,
        "change_low": pl.Float64,  # of relative_change
        "change_high": pl.Float64,
        # of the variant, over its seeds, repeated on all their rows; null for the base
        "ti_low": pl.Float64,
        "ti_high": pl.Float64,
        "bwt_low": pl.Float64,
        "bwt_high": pl.Float64,
        "interval": pl.String,  # what those of TI and BWT are over: "items and seeds" or "items only, this seed"
        "ti_detectable": pl.Float64,  # minimal detectable difference from the base, as in COMPARISONS
        "bwt_detectable": pl.Float64,
        # where the base scores 0 on some of the other tasks
        "bwt_remaining": pl.Float64,  # of the run, over the tasks that are left; null where none is left out
        "bwt_left_out": pl.String,  # the tasks that are not, with commas between them
        # items of this run against the base's, where each is right or wrong
        "lost": pl.Int64,  # 1 -> 0
        "gained": pl.Int64,  # 0 -> 1
        # what is missing of a score of 1, apart; null where no format was asked
        "wrong_answer": pl.Float64,  # share of items that are wrong, in the asked format
        "format_failure": pl.Float64,  # share of items that are wrong, in another format
        # without the items that are in the training data too, also of what a variant replays or its start was trained
        # on; of the base: in those of any variant of the target; null where none is
        "n_overlap": pl.Int64,  # how many items these are; null where nothing was compared
        "score_without_overlap": pl.Float64,
        "ti_without_overlap": pl.Float64,
        "bwt_without_overlap": pl.Float64,
    }
)
BASE = "base"

COMPARISONS = pl.Schema(
    {
        "model": pl.String,
        "target": pl.String,
        "variant": pl.String,
        "other": pl.String,  # what it is compared with: the base, or a variant that the study names before it
        "measure": pl.String,  # "TI", "BWT", "BWT without TASK, ...", or a task
        "role": pl.String,  # ti, bwt, target, ood, likelihood or drift
        "difference": pl.Float64,  # variant less other, mean over seeds; null where it is undefined
        "low": pl.Float64,  # 95 % interval
        "high": pl.Float64,
        "unit": pl.String,  # "points" of a score times 100, or "% of base"
        "interval": pl.String,  # what it is over: "items and seeds" or "items only, this seed"
        "seeds": pl.Int64,  # that both have
        "n_items": pl.Int64,
        "lost": pl.Int64,  # items that only the other has right, over all seeds; null where none is right or wrong
        "gained": pl.Int64,  # that only the variant has right
        "test": pl.String,  # what p is of; "none": drift from the base, which has none by definition
        "p": pl.Float64,  # two-sided
        "p_holm": pl.Float64,  # corrected for all comparisons of the study: of TI and BWT, and apart of tasks
        "detectable": pl.Float64,  # minimal detectable difference at this size, with a chance of 80 %, uncorrected
        "verdict": pl.String,  # better, worse, no difference shown, or too few items to tell
        "note": pl.String,  # why something is undefined, or what to keep in mind; null: nothing
        "detectable_holm": pl.Float64,  # the same after the correction, which verdicts go by
        # of one task that asks for a format, in points: how many more items the variant has wrong than the other
        "wrong_answer": pl.Float64,  # in the asked format
        "format_failure": pl.Float64,  # in another
    }
)

OVERLAPS = pl.Schema(
    {
        "target": pl.String,  # the task whose training data it is: a target, or one that is replayed
        "eval_task": pl.String,
        "subtask": pl.String,
        "doc_id": pl.String,
        "doc_hash": pl.String,
        "exact": pl.Boolean,  # the whole prompt is a training prompt, but for case, blanks and Unicode
        "shared": pl.Float64,  # share of the item's rows of 13 words that are in the training data
        "example_id": pl.String,  # a training example that has the prompt, or else the first of those words
    }
)
