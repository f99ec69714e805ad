"""The study whose report the browser opens: tiny, with something in every section, and with texts that mean harm.

Two tasks of choices, of which even a random model has some right: training makes items flip both ways. Its labels are
the choices themselves, so that hostile text stands in the base's and the variants' answers too.
"""

import json
from pathlib import Path

SCRIPT = "<script>alert(1)</script>"
HOSTILE = (
    SCRIPT,
    "</script><script>alert(2)</script>",
    "\u202eright to left \u2067and back\u2069 שלום",
    "<img src=https://evil.example/x onerror=alert(3)>",
    "<!-- <script> {{ 7 * 7 }} {% raw %}",
    '"onmouseover="alert(4)" x="',
    "&lt;b&gt; & 𝔘𝔫𝔦 <b>bold</b> 👩‍💻",
)
STUDY = "browser"
# the template of both tasks; a row has q, texts and place, which of these is right
TEMPLATE = {
    "prompt": "Which is right?\n{{ q }}",
    "response": "{{ right.text }}",
    "answer": "{{ right.text }}",
    "choices": "texts",
    "labels": "texts",
    "gold": "place",
}


def rows(task: str, split: str, number: int) -> list[dict]:
    """Rows of one split, no two alike; every third is made of hostile text."""
    found = []
    for n in range(number):
        plain = [f"{task} {word} {n}" for word in ("red", "green", "blue")]
        odd = [f"{HOSTILE[(n // 3 + k) % len(HOSTILE)]} {n}" for k in range(3)]
        asked = f"{split} {n} of {task}" + (f" {HOSTILE[n // 3 % len(HOSTILE)]} <|im_end|>" if n % 3 == 0 else "")
        found.append({"q": asked, "texts": odd if n % 3 == 0 else plain, "place": n * 7 % 3})
    return found


def _task(folder: Path, name: str, **numbers: int) -> dict:
    splits = {}
    for split, number in numbers.items():
        path = folder / f"{name}-{split}.jsonl"
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows(name, split, number)), encoding="utf-8")
        splits[split] = str(path)
    return {
        "kind": "file",
        "splits": splits,
        "template": TEMPLATE,
        "evaluate": "choice",
        "verifier": "exact",
        "special_tokens": "as_text",
    }


def study(folder: Path, model: Path) -> dict:
    """The study. Args: where its data are written; a folder with a tiny model."""
    return {
        "study": STUDY,
        "models": {"tiny": {"path": str(model)}},
        "tasks": {
            "colours": _task(folder, "colours", train=21, test=24),
            "riddles": _task(folder, "riddles", test=24),
            "code": {"kind": "human_eval", "splits": {"test": 1}, "evaluate": "likelihood"},
        },
        "targets": ["colours"],
        "suites": {"all": ["colours", "riddles", "code"]},
        "sources": {
            "self_output": {"samples": 1, "max_new_tokens": 8, "when_none_accepted": "reference", "dtype": "float32"}
        },
        "match": {"sources": ["reference", "self_output"]},
        "variants": {
            "truth": {"responses": "reference"},
            "stm": {
                "responses": "reference",
                "weights": {"rule": "perplexity"},
                "sweep": {"weights.tau": ["50", "300"]},
            },
        },
        "analyses": ["masks", "agreement", "nll"],
        "training": {"rank": 4, "epochs": 3, "batch_examples": 5, "learning_rate": 0.02, "dtype": "float32"},
        "evaluation": {"max_new_tokens": 6, "dtype": "float32"},
        "seeds": [0, 1],
    }
