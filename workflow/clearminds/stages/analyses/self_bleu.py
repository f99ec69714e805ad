"""How alike the training responses of a variant are: self-BLEU, the mean BLEU-4 of each against all others.

Source: Zhu et al., "Texygen: a benchmarking platform for text generation models", arXiv 1802.01886, section 3. BLEU of
a response is sacrebleu's of a sentence (13a tokens, exponential smoothing, orders that it is too short for left out),
with every other response as a reference. 100: each is a copy of another one; 0: no two share a word.
"""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import polars as pl
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.helpers import extract_all_word_ngrams
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

from clearminds.files.contracts import MASKS, RESPONSES, SELF_BLEU
from clearminds.files.reading import readable
from clearminds.files.scan_table import scan_table

TABLE = SELF_BLEU
ORDER = 4
KEY = ("source", "example_id", "sample")


def analyse(files: dict[str, list[dict]]) -> list[dict]:
    """Rows of the contract SELF_BLEU. Args: `masks`, which say what is trained on, and `responses`, with the texts."""
    paths = {row["source"]: Path(row["path"]) for row in files["responses"]}
    known: dict[tuple[str, ...], float | None] = {}
    found = {}
    for row in files["masks"]:
        if row["variant"] in found:
            continue  # another draw trains on the same responses
        texts = tuple(sorted(_texts(Path(row["path"]), paths, row["target"])))
        if texts not in known:
            known[texts] = self_bleu(texts)
        found[row["variant"]] = {"responses": len(texts), "distinct": len(set(texts)), "self_bleu": known[texts]}
    return [{"variant": variant, **counts} for variant, counts in found.items()]


def _texts(masks: Path, responses: dict[str, Path], target: str) -> list[str]:
    with readable(masks, *responses.values()):
        keys = scan_table(masks, MASKS).filter(task=target).select(KEY)
        tables = [
            scan_table(path, RESPONSES).select(pl.lit(source).alias("source"), "example_id", "sample", "response")
            for source, path in responses.items()
        ]
        return pl.concat(tables).join(keys, on=KEY, how="semi").collect()["response"].to_list()


def self_bleu(texts: Sequence[str]) -> float | None:
    """Mean BLEU of each text against all others, 0 to 100; None of fewer than two.

    The references of a text clip the count of an n-gram at its highest count in any other text: so it is enough to know
    the two highest counts of each n-gram, and the work grows with the number of tokens and not with its square.
    """
    if len(texts) < 2:
        return None
    tokenize = Tokenizer13a()
    counted = [extract_all_word_ngrams(tokenize(text.rstrip()), 1, ORDER) for text in texts]
    highest, second = _two_highest([ngrams for ngrams, _ in counted])
    lengths = sorted(length for _, length in counted)
    scores = []
    for ngrams, length in counted:
        correct, total = [0] * ORDER, [0] * ORDER
        for ngram, count in ngrams.items():
            total[len(ngram) - 1] += count
            others = second[ngram] if count == highest[ngram] else highest[ngram]
            correct[len(ngram) - 1] += min(count, others)
        closest = _closest_other(lengths, length)
        bleu = BLEU.compute_bleu(correct, total, length, closest, smooth_method="exp", effective_order=True)
        scores.append(bleu.score)
    return fmean(scores)


def _two_highest(texts: Sequence[Counter]) -> tuple[Counter, Counter]:
    """The highest and the second highest count of each n-gram in a text; equal where two texts have the highest."""
    highest: Counter = Counter()
    second: Counter = Counter()
    for ngrams in texts:
        for ngram, count in ngrams.items():
            if count > highest[ngram]:
                highest[ngram], second[ngram] = count, highest[ngram]
            elif count > second[ngram]:
                second[ngram] = count
    return highest, second


def _closest_other(lengths: list[int], length: int) -> int:
    """The length of another text that is closest to a text's own, the shorter of two. Args: all lengths, sorted."""
    at = bisect_left(lengths, length)
    lengths.pop(at)
    near = lengths[max(at - 1, 0) : at + 1]
    insort(lengths, length)
    return min(near, key=lambda other: (abs(other - length), other))
