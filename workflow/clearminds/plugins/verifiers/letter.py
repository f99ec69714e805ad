"""Verifier: the response names the right choice of a multiple-choice question by its label (A to E, or 1 to 5)."""

import functools
import json
import re

FILTERS = ("lenient", "strict")

MARKUP = re.compile(r"[*_`#~]+")
AROUND = " \t.,:;!*_`#~$()[]{}<>\"'“”‘’"  # what may stand around a label or a choice's text that is alone
TEX = re.compile(r"\\(?:text|textbf|textit|mathrm|mathbf|mathsf)\s*\{([^{}]*)\}")
BOX = re.compile(r"\\(?:boxed|fbox)\s*\{([^{}]*)\}")
# words of English too, so that a full stop or nothing behind them does not make them a label
WORDS = ("A", "I")
NEGATION = re.compile(r"\b(?:not|wrong|incorrect|false)\b|n't", re.IGNORECASE)

IS = r"(?:(?:is|are|was|would be|should be|must be|will be)\b|[:=>–—-])"
KIND = r"(?:option|choice|letter|label|number)"
LEAD = (
    rf"(?i:\b(?:answers?(?: {KIND})?|(?:correct|best|right) (?:{KIND}|one)|I(?:'d|'ll| would)? (?:choose|pick|select))"
    rf"(?: ?{IS}){{0,2}}\s?(?:(?:therefore|thus|clearly) )?(?:{KIND} )?)"
)
# a line's end, punctuation that no number or abbreviation goes on behind, or the beginning of a reason
AFTER = (
    r"(?=\s?(?:\Z|\n|[)\]$(}<]|[.,;:!?\"'’”](?!\w)|[–—]|-+ )| (?i:because|since|as|due|for|which|where|while|with)\b)"
)


def check(example: dict) -> None:
    """See that the question can be judged.

    Raises:
        ValueError: there is not one label a choice; a label is empty, repeated or has superfluous blanks or line ends;
            or the answer is none of them.
    """
    meta = json.loads(example["meta"])
    if not meta.get("labels") or len(meta["labels"]) != len(meta.get("choices", ())):
        raise ValueError("a question needs choices and as many labels of them")
    labels = meta["labels"]
    if any(not label or label != " ".join(label.split()) for label in labels):
        raise ValueError(f"the labels {labels} must be one line of text each, with single blanks between words")
    if len(set(labels)) < len(labels):
        raise ValueError(f"the labels {labels} must differ")
    if example["answer"] not in labels:
        raise ValueError(f"the answer {example['answer']!r} is none of the labels {', '.join(labels)}")


def verify(response: str, example: dict, *, strict: bool = False) -> tuple[str, str]:
    """Compare the label that the response names with `example["answer"]`.

    Strict: the last line is "Answer: LABEL"; markup and a full stop are allowed. Lenient, in this order: the last line
    is a label, "B) text" or the text of exactly one choice, whatever leads to it ("The answer is"); the last place that
    states an answer ("The answer is B.", "B is correct"); the only label that whole lines name; the last line with a
    label in brackets, in bold or as "option B", where it has one alone and denies nothing. A
    list that repeats the choices names none.
    """
    labels, texts = _choices(example)
    lines = [" ".join(line.split()) for line in response.splitlines() if line.strip()]
    found = (_asked if strict else _named)(lines, labels, texts)
    if found is None:
        return "format_error", 'the last line is not "Answer: LABEL"' if strict else "the response names no label"
    return ("correct" if found == example["answer"] else "incorrect"), f"read {found}, expected {example['answer']}"


def _choices(example: dict) -> tuple[list[str], list[str]]:
    meta = json.loads(example["meta"])
    return meta["labels"], meta["choices"]


def _asked(lines: list[str], labels: list[str], texts: list[str]) -> str | None:
    """The label of a last line that is "Answer: LABEL"."""
    lead, _, rest = lines[-1].partition(":") if lines else ("", "", "")
    return _one_of(rest, labels, " .*_`~$") if MARKUP.sub("", lead).strip().casefold() == "answer" else None


def _named(lines: list[str], labels: list[str], texts: list[str]) -> str | None:
    """The label that some lines name, read leniently."""
    if found := _asked(lines, labels, texts):
        return found
    patterns = _patterns(tuple(labels))
    lines = [BOX.sub(r"answer: \1 ", TEX.sub(r"\1", line)) for line in _without_lists(lines, patterns["item"])]
    if not lines:
        return None
    plain = [MARKUP.sub("", line).strip() for line in lines]
    found = _alone(plain[-1], labels, texts, patterns)
    if found is None:
        stated = [*patterns["stated"].finditer("\n".join(plain))]
        found = stated[-1]["before"] or stated[-1]["behind"] if stated else None
    if found is None:
        whole = {_alone(line, labels, texts, patterns) for line in plain} - {None}
        mentions = [
            {match["label"] for match in patterns["mention"].finditer(line)}
            for line in lines
            if not NEGATION.search(line)
        ]
        last = whole or next((found for found in reversed(mentions) if found), set())
        found = last.pop() if len(last) == 1 else None
    return found


def _without_lists(lines: list[str], item: re.Pattern) -> list[str]:
    """The lines that are not one of several choices in a row."""
    heads = [match["label"] if (match := item.match(MARKUP.sub("", line).strip())) else None for line in lines]
    around = [None, *heads, None]
    return [
        line
        for line, before, head, behind in zip(lines, around, heads, around[2:], strict=False)
        if head is None or all(other in (None, head) for other in (before, behind))
    ]


def _alone(line: str, labels: list[str], texts: list[str], patterns: dict[str, re.Pattern]) -> str | None:
    """The label that a whole line names, by itself, with its choice's text, or by the text alone."""
    rest = patterns["lead"].sub("", line)
    if found := _one_of(rest, labels, AROUND):
        return found
    if item := patterns["item"].match(rest):
        text = dict(zip(labels, texts, strict=True))[item["label"]]
        sure = not item["label"].isdigit() and (item["label"] not in WORDS or item["end"] == ")")
        if sure or _bare(item["text"]).casefold() == _bare(text).casefold():
            return item["label"]
    for form in (str, str.casefold):
        read = {form(_bare(line)), form(_bare(rest))} - {""}
        same = [label for label, text in zip(labels, texts, strict=True) if form(_bare(text)) in read]
        if len(same) == 1:
            return same[0]
    return None


def _bare(text: str) -> str:
    """A choice's text without markup and what may stand around it."""
    return " ".join(MARKUP.sub("", text).split()).strip(AROUND)


def _one_of(text: str, labels: list[str], around: str) -> str | None:
    """The label that `text` is: as it is written, without what stands around it, or but for its case."""
    for form in (str, str.casefold):
        for read in (text.strip(), text.strip(around)):
            found = [label for label in labels if form(label) == form(read)]
            if len(found) == 1:
                return found[0]
    return None


@functools.lru_cache(maxsize=64)
def _patterns(labels: tuple[str, ...]) -> dict[str, re.Pattern]:
    """What names one of some labels, as regular expressions for text of single blanks and line ends."""
    one = "|".join(re.escape(label) for label in sorted(labels, key=len, reverse=True))
    bracketed = "|".join(re.escape(label) for label in labels if not label.isdigit()) or "(?!)"
    others = rf"(?!\)? ?(?:[,/&]|or\b|and\b) ?(?:or |and )?\(?(?:{one})(?!\w))"
    right = r"(?:the )?(?:most )?(?:correct|right|best)\b"
    return {
        "lead": re.compile(rf"^(?:.*{LEAD}|(?i:{KIND}) )"),
        "item": re.compile(rf"\(?(?P<label>{one})(?P<end>[).:]) ?(?P<text>\S.*)"),
        "stated": re.compile(
            rf"{LEAD}[(\[\"'“‘$ ]*(?P<before>{one})(?!\w){others}{AFTER}"
            rf"|(?<![\w,/&(])\(?(?<!and )(?<!or )(?P<behind>{one})\)? is {right}"
        ),
        "mention": re.compile(
            rf"(?:\((?=(?:{bracketed})\))|\*\*\(?(?=(?:{one})[).:]*\*\*)|\b(?i:option|choice) \(?)"
            rf"(?P<label>{one})(?!\w)"
        ),
    }
