"""Wrong studies, each with the one line that refuses it: key, what was found, what is allowed."""

import re

import pytest
from demo_study import CONFIG

from clearminds.config.load import load_study
from clearminds.errors import UserError
from clearminds.run.specs import Specs

LONG = "x" * 200
TEXTS = [  # what the demo's file has, what is written instead, and how the line begins
    ("  batch_examples: 8", "  batch_examples: true", "training: batch_examples: a whole number is needed, not True"),
    ("  batch_examples: 8", "  batch_examples: 8.0", "training: batch_examples: a whole number is needed, not 8.0; "),
    ("  batch_examples: 8", "  batch_examples: '8'", "training: batch_examples: a whole number is needed, not '8'; w"),
    ("  batch_examples: 8", "  batch_examples: 1e1", "training: batch_examples: a whole number is needed, not '1e1'"),
    ("  batch_examples: 8", "  batch_examples: 08", "training: batch_examples: a whole number is needed, not '08'; "),
    ("  batch_examples: 8", "  batch_examples:", "training: batch_examples: a whole number belongs here, not None; "),
    ("  batch_examples: 8", "  batch_examples: -8", "training: batch_examples: input should be greater than 0, not -"),
    ("  rank: 16", "  rank: 99999999999", "training: rank: input should be less than 2147483648, not 99999999999"),
    ("  epochs: 3", "  epochs: .inf", "training: epochs: a finite number is needed, not inf"),
    ("  epochs: 3", "  epochs: -.inf", "training: epochs: a finite number is needed, not -inf"),
    ("  epochs: 3", "  epochs: .nan", "training: epochs: a finite number is needed, not nan"),
    ("  epochs: 3", "  epochs: 1e400", "training: epochs: a finite number is needed, not inf"),
    ("  epochs: 3", "  epochs: 1.0e9", "training: epochs: input should be less than or equal to 1000000, not 10000000"),
    ("  epochs: 3", "  epochs: three", "training: epochs: a number is needed, not 'three'"),
    ("  epochs: 3", "  epochs: yes", "training: epochs: a number is needed, not True"),
    ("  epochs: 3", "  epochs: '3'", "training: epochs: a number is needed, not '3'; write it without quotes"),
    ("  epochs: 3", "  epochs: 1:30", "line N: YAML reads 1:30 as 90; write a text in quotes, a number with neither "),
    ("  epochs: 3", "  epochs: 03", "line N: YAML reads 03 as 3; write a text in quotes, a number with neither a colo"),
    ("learning_rate: 0.0005", "learning_rate: .inf", "training: learning_rate: a finite number is needed, not inf"),
    ("learning_rate: 0.0005", "learning_rate: 0", "training: learning_rate: input should be greater than 0, not 0"),
    ("weight_decay: 0.0", "weight_decay: .nan", "training: weight_decay: a finite number is needed, not nan"),
    ("weight_decay: 0.0", "weight_decay: '0.1'", "training: weight_decay: a number is needed, not '0.1'; write it wit"),
    ("max_grad_norm: 1.0", "max_grad_norm: .inf", "training: max_grad_norm: a finite number is needed, not inf"),
    ("scheduler: cosine", "scheduler: cosin", "training: scheduler: 'cosin' is not one of linear, cosine, cosine_with"),
    ("scheduler: cosine", "scheduler: warmup_stable_decay", "training: scheduler: 'warmup_stable_decay' is not one of"),
    ("scheduler: cosine", "scheduler: 3", "training: scheduler: 3 is not one of linear, cosine, cosine_with_restarts,"),
    ("target_modules: all-linear", "target_modules: []", "training: target_modules: at least one entry is needed, no"),
    ("target_modules: all-linear", "target_modules: ''", "training: target_modules: is empty; fill it in or take the"),
    ("target_modules: all-linear", "target_modules: [off]", "training: target_modules: 0: a text is needed, not False"),
    ("seeds: [0]", "seeds: [4294967296]", "seeds: 0: input should be less than 4294967296, not 4294967296"),
    ("seeds: [0]", "seeds: [-1]", "seeds: 0: input should be greater than or equal to 0, not -1"),
    ("seeds: [0]", "seeds: [1, 2, 1]", "seeds: 1 appears twice; take one out"),
    ("seeds: [0]", "seeds: [true]", "seeds: 0: a whole number is needed, not True"),
    ("seeds: [0]", "seeds: [0.0]", "seeds: 0: a whole number is needed, not 0.0; write 0"),
    ("seeds: [0]", "seeds: [010]", "line N: YAML reads 010 as 8; write a text in quotes, a number with neither a colo"),
    ("seeds: [0]", "seeds: [1:5]", "line N: YAML reads 1:5 as 65; write a text in quotes, a number with neither a col"),
    ("seeds: [0]", "seeds: 3", "seeds: a list is needed, not 3"),
    ("study: demo", "study: 2024-01-01", "line N: YAML reads 2024-01-01 as a date; write a text in quotes, a number "),
    ("study: demo", "study: .hidden", "study: '.hidden' is not an id; use letters, digits, '.', '_' and '-', a letter"),
    ("study: demo", "study: 7", "study: 7 is not an id; use letters, digits, '.', '_' and '-', a letter or digit firs"),
    ("study: demo", "study: no", "study: False is not an id; use letters, digits, '.', '_' and '-', a letter or digit"),
    ("study: demo", "study: store", "study: store: its folder results/store is where stores of responses and scores a"),
    ("study: demo", "study: Store", "study: Store: its folder results/Store is where stores of responses and scores a"),
    ("study: demo", "studdy: demo", "study: missing; found 'studdy': did you mean study?"),
    ("study: demo", f"study: {LONG}{LONG}", f"study: {LONG[:80]}... is too long: names of files of its results would"),
    ("  rephrase: {resp", "  no: {resp", "line N: YAML reads the key no as false; write it in quotes"),
    ("  rephrase: {responses", "  rephrase: {respnses", "variants: rephrase: responses: missing; found 'respnses': di"),
    ("  rephrase: {responses", "  rephrase: {zzz", "variants: rephrase: responses: missing; found instead: zzz"),
    ("  rephrase: {responses", "  1:30: {responses", "line N: YAML reads 1:30 as 90; write a text in quotes, a numbe"),
    ("  rephrase: {responses", "  Self-Output: {responses", "variants: Self-Output and self-output differ in capitals"),
    ("  rephrase: {responses", "  x.DRAW1: {responses", "variants: x.DRAW1: .draw and a number end the masks of rules"),
    ("  rephrase: {responses", f"  {LONG}{LONG}: {{responses", f"variants: {LONG[:80]}... is too long: names of files"),
    ("kind: human_eval", "knd: human_eval", "tasks: humaneval-text: kind: missing; found 'knd': did you mean kind?; g"),
    ("generator: gcd", "generatr: gcd", "tasks: gcd: generator: missing; found 'generatr': did you mean generator?"),
    ("generator: gcd", "generator: gdc", "tasks: gcd: generator: 'gdc' is not one of ab, acre, advanced_geometry, "),
    ("generator: gcd", "generator: ''", "tasks: gcd: generator: is empty; fill it in or take the key out"),
    ("max_digits: 2", "max_digits: .nan", "tasks: sums: parameters: max_digits: a finite number is needed, not nan"),
    ("max_digits: 2", "9: 2", "tasks: sums: parameters: 9: a key must be a text; write it in quotes"),
    ("generator: gcd", "9: gcd", "tasks: gcd: generator: missing; found instead: 9"),
    ("generator: gcd", "generator: gcd\n    9: 1", "tasks: gcd: 9: unknown key; known here: preset, normalise, "),
    ("max_digits: 2", "max_digits: 2024-01-01", "line N: YAML reads 2024-01-01 as a date; write a text in quotes"),
    (
        "max_digits: 2",
        "max_digits: !!set {a}",
        "tasks: sums: parameters: max_digits: a number, a text, a list or a blo",
    ),
    ("    answers: everyday", "    answers: []", "tasks: chat-drift: answers: a text is needed, not []"),
    ("    answers: everyday", "    prompt: 3", "tasks: chat-drift: prompt: unknown key; known here: "),
    ("    answers: everyday", "", "tasks: chat-drift: answers: missing; evaluate: drift needs one of the sources, whi"),
    ("    evaluate: drift", "    evaluate: drifts", "tasks: chat-drift: evaluate: 'drifts' is not one of accuracy, ch"),
    ("  small: [", "  all: []\n  small: [", "suites: all: at least one entry is needed, not []"),
    ("  small: [", "  SMALL: ['lm_eval:arc_easy']\n  small: [", "suites: small and SMALL differ in capitals only, "),
    ("  small: [", "  more: ['lm_eval: arc']\n  small: [", "suites: more: 'lm_eval: arc' names no task; write one beh"),
    ("  small: [", "  more: [arc_easy]\n  small: [", "suites: more: 'arc_easy' is not one of sums, products, gcd, "),
    ("temperature: 1.0", "temperature: .inf", "sources: everyday: temperature: a finite number is needed, not inf"),
    ("temperature: 1.0", "temperature: -1", "sources: everyday: temperature: input should be greater than or equal "),
    ("samples: 1", "samples: 40000", "sources: everyday: samples: input should be less than 32768, not 40000"),
    ("samples: 1", "seed: -1", "sources: everyday: seed: input should be greater than or equal to 0, not -1"),
    ("samples: 1", "seed: 4294967296", "sources: everyday: seed: input should be less than 4294967296, not 42949672"),
    ("samples: 1", "backend: vlm", "sources: everyday: backend: 'vlm' is not one of transformers, vllm; did you mean"),
    ("  everyday: {", "  Rephrase: {kind: rephrase}\n  everyday: {", "sources: Rephrase and rephrase differ in capita"),
    ("  everyday: {", "  Reference: {kind: rephrase}\n  everyday: {", "sources: Reference and reference differ in cap"),
    ("batch_rows: 48", "checkpoint_seconds: .inf", "runtime: checkpoint_seconds: a finite number is needed, not inf"),
    ("batch_rows: 48", "part_seconds: .nan", "runtime: part_seconds: a finite number is needed, not nan"),
    ("batch_rows: 48", "gpus: true", "runtime: gpus: a whole number or auto is needed, not True"),
    ("batch_rows: 48", "gpus: Auto", "runtime: gpus: a whole number or auto is needed, not 'Auto'; did you mean auto?"),
    ("batch_rows: 48", "gpus: '2'", "runtime: gpus: a whole number or auto is needed, not '2'; write it without quot"),
    ("batch_rows: 48", "fsdp: true", "runtime: fsdp: true spreads the weights over GPUs and needs gpus: 2 or more, no"),
    ("batch_rows: 48", "reuse: 'yes'", "runtime: reuse: true or false is needed, not 'yes'; write one of these two wo"),
    ("batch_rows: 48", "reuse: 1", "runtime: reuse: true or false is needed, not 1; write one of these two words"),
    ("batch_rows: 48", "store: ''", "runtime: store: is empty; fill it in or take the key out"),
    ("batch_rows: 48", "store:", "runtime: store: a text belongs here, not None; fill it in or take the key out"),
    ("batch_rows: 48", "store: results/demo", "runtime: store: results/demo is inside the study's own folder results/"),
    ("batch_rows: 48", "store: ./results/../results/demo/x", "runtime: store: ./results/../results/demo/x is inside "),
    ("batch_rows: 48", "store: $NO_SUCH/x", "runtime: store: '$NO_SUCH/x': the environment has no $NO_SUCH; set it be"),
    ("batch_rows: 48", "store: '${NO_SUCH}/x'", "runtime: store: '${NO_SUCH}/x': the environment has no ${NO_SUCH}; "),
    ("batch_rows: 48", "store: $EMPTY", "runtime: store: '$EMPTY' is empty once its variables are filled in; write th"),
    ("batch_rows: 48", "store: ~nobody-here/x", "runtime: store: '~nobody-here/x': there is no user nobody-here with"),
    ("batch_rows: 48", 'store: "a\\nb"', "runtime: store: 'a\\nb' has line ends or other characters that cannot be sh"),
    ("batch_rows: 48", "vllm_python: $NO_SUCH/python", "runtime: vllm_python: '$NO_SUCH/python': the environment ha"),
    ("batch_rows: 48", "report_to: tensorbord", "runtime: report_to: 'tensorbord' is not one of none, all, azure_ml, "),
    ("batch_rows: 48", "report_to: [wandb, none]", "runtime: report_to: 1: 'none' is not one of azure_ml, clearml"),
]


@pytest.mark.parametrize(("there", "instead", "line"), TEXTS, ids=[instead[:40] for _, instead, _ in TEXTS])
def test_a_wrong_study_is_refused_in_one_line(there, instead, line, tmp_path, monkeypatch):
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.delenv("NO_SUCH", raising=False)
    text = CONFIG.read_text(encoding="utf-8")
    assert there in text
    file = tmp_path / "study.yaml"
    head, _, tail = text.rpartition(there)
    file.write_text(f"{head}{instead}{tail}", encoding="utf-8")
    with pytest.raises(UserError) as caught:
        Specs(load_study([file]))
    found = re.sub(r"^line \d+", "line N", str(caught.value).removeprefix(f"{file}: "))
    assert found.startswith(line) and "\n" not in found
