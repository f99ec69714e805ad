"""The paths of a study: what is put together is read back, and no path is put together elsewhere."""

import ast
import re
from itertools import combinations
from pathlib import Path
from string import Formatter

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from clearminds.files.layout import (
    Artefact,
    Layout,
    checkpoints_of,
    draw_of,
    earlier_memory_of,
    memory_of,
    outputs_with,
    same_file,
    seed_of,
    shards_of,
    trained_from,
)

ROOT = Path(__file__).parents[2]
KINDS = {name: kind for name, kind in vars(Layout).items() if isinstance(kind, Artefact)}
LAYOUT = Layout.of("s")
# what names may be made of, with what parts a file's name more often than chance would have it
IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,8}", fullmatch=True) | st.lists(
    st.sampled_from(["a", "b", "base", "seed0", "parquet", "sequences", "shard1of2", "draw1", "json"]),
    min_size=1,
    max_size=3,
).map(".".join)
NUMBERS = st.integers(0, 12)


@st.composite
def wildcards(draw, kind: Artefact) -> dict[str, str]:
    """Wildcards of one file as a study may have them."""
    names = [name for _, name, _, _ in Formatter().parse(kind.template) if name]
    special = {
        "seed": NUMBERS.map(str),
        "shard": st.sampled_from(shards_of(3)),
        "draw": (st.none() | NUMBERS).map(draw_of),
        "variant": IDS.filter(lambda name: not re.search(r"\.draw\d+$", name)),  # refused by the config
    }
    return {name: draw(special.get(name, IDS)) for name in names}


# --- paths and their wildcards ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
@given(data=st.data())
def test_a_path_is_read_back(name, data):
    kind = getattr(LAYOUT, name)
    given = data.draw(wildcards(kind))
    known = {key: {given[key], *data.draw(st.sets(IDS, max_size=3))} for key in ("split", "source") if key in given}
    assume(not known or same_file(known["split"], known.get("source", {"reference"})) is None)
    path = kind.path(**given)
    assert path.startswith("results/s/")
    assert kind.parse(path, **known) == given
    assert kind.parse(Path(path), **known) == given


def test_a_path_of_another_kind_or_study_is_not_read():
    path = LAYOUT.masks.path(model="m", target="t", variant="v", draw="")
    assert path == "results/s/masks/m/t/v.parquet"
    assert LAYOUT.adapter.parse(path) is None
    assert Layout.of("other").masks.parse(path) is None
    for other in ("masks/m/t/u/v.parquet", "masks/m/v.parquet", "masks/m/t/.v.parquet", "masks/m/t/v.csv"):
        assert LAYOUT.masks.parse(f"results/s/{other}") is None
    table = LAYOUT.responses.path(model="m", task="t", split="a.b", source="c")
    assert LAYOUT.responses.parse(table, split=["a.b"])["source"] == "c"
    assert LAYOUT.responses.parse(table, split=["a"])["source"] == "b.c"
    assert LAYOUT.responses.parse(table, split=["train"]) is None


def test_the_paths_of_a_study_are_below_its_folders(tmp_path):
    layout = Layout.of("s", tmp_path / "{x}")  # a folder's own braces are not wildcards
    assert layout.report.path() == str(tmp_path / "{x}" / "results" / "s" / "report.html")
    assert layout.report.log_path() == str(tmp_path / "{x}" / "logs" / "s" / "report" / "report.log")
    assert LAYOUT.adapter.log == "logs/s/train_adapter/{model}/{target}/{variant}/seed{seed}.log"
    assert LAYOUT.base_evaluation.log == "logs/s/evaluate_base/{model}/{suite}.log"
    assert LAYOUT.model.log == "logs/s/fetch_model/{model}.log"


def test_two_pairs_of_split_and_source_that_share_a_file_are_found():
    assert same_file(["train", "test"], ["reference", "a.b", "x.sequences", "y.shard1of2"]) is None
    assert same_file(["a", "a.b"], ["b.c", "c"]) == (("a", "b.c"), ("a.b", "c"), "a.b.c")
    assert same_file(["a"], ["x", "x.sequences"]) == (("a", "x"), ("a", "x.sequences"), "a.x.sequences")
    assert same_file(["a"], ["x.shard1of2", "x"]) == (("a", "x"), ("a", "x.shard1of2"), "a.x.shard1of2")
    assert same_file(["a", "a.x"], ["x", "sequences"]) == (("a", "x"), ("a.x", "sequences"), "a.x.sequences")


@given(st.sets(IDS, min_size=1, max_size=4), st.sets(IDS, min_size=1, max_size=4))
def test_files_of_one_study_have_one_reading(splits, sources):
    assume(same_file(splits, sources) is None)
    found = [LAYOUT.scores, LAYOUT.sequences, LAYOUT.scores_shard]
    above = {"scorer": "m", "model": "m", "task": "t", "shard": "1of2"}
    names = [dict(above, split=split, source=source) for split in splits for source in sources]
    paths = [kind.path(**name) for kind in found for name in names]
    logs = [kind.log_path(**name) for kind in (LAYOUT.scores, LAYOUT.scores_shard) for name in names]
    assert len(set(paths)) == len(paths)
    assert len(set(logs)) == len(logs)


@given(st.none() | NUMBERS)
def test_a_draw_is_read_back(seed):
    assert seed_of(draw_of(seed)) == seed


def test_checkpoints_belong_to_their_adapter():
    adapter = Path(LAYOUT.adapter.path(model="m", target="t", variant="v", seed=3))
    assert trained_from(checkpoints_of(adapter)) == adapter.parent
    assert trained_from(adapter.parent) is None


# --- memories of jobs -------------------------------------------------------------------------------------------------


@given(data=st.data())
def test_no_job_s_memory_is_another_s_or_in_it(data):
    names = data.draw(st.lists(st.sampled_from(sorted(Layout.outputs())), min_size=2, max_size=6))
    kinds = [getattr(LAYOUT, name) for name in names]
    outputs = {kind.path(**data.draw(wildcards(kind))) for kind in kinds}
    outputs |= {"results/s/a", "results/s/a.parquet.b", "results/s/a/record.json", "results/s/a/kept/0.a"}
    folders = [memory_of(LAYOUT.jobs, output) for output in outputs]
    assert len(set(folders)) == len(outputs)
    for one, other in combinations(folders, 2):
        assert one not in other.parents and other not in one.parents
    for kind in kinds:  # nor is one that an earlier version left
        earlier = earlier_memory_of(LAYOUT.jobs, kind.stage, kind.name.format(**data.draw(wildcards(kind))))
        assert not any(earlier in folder.parents or folder in (earlier, *earlier.parents) for folder in folders)


def test_a_memory_does_not_depend_on_how_its_paths_are_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    output = LAYOUT.report.path()
    assert memory_of(LAYOUT.jobs, output) == Path("results/s/.jobs/.report.html")
    assert memory_of(tmp_path / LAYOUT.jobs, output) == tmp_path / memory_of(LAYOUT.jobs, tmp_path / output)
    assert Path(LAYOUT.jobs) in memory_of(LAYOUT.jobs, tmp_path / "elsewhere.parquet").parents


# --- the rules and the table ------------------------------------------------------------------------------------------


def test_every_output_of_a_rule_is_in_the_table_and_every_log_is_its_own():
    used: set[str] = set()
    for file in sorted((ROOT / "workflow" / "rules").glob("*.smk")):
        text = file.read_text(encoding="utf-8")
        outputs = re.findall(r"LAYOUT\.(\w+)\.pattern", text.partition("    output:")[2].partition("    log:")[0])
        assert outputs and not used & set(outputs), file
        used |= set(outputs)
        # the launcher keys its memory by its first output, as the plan does
        assert re.findall(r"LAYOUT\.(\w+)\.log", text) == outputs[:1], file
        assert f'SPECS.launch("{KINDS[outputs[0]].stage}")' in text, file
    assert used == Layout.outputs().keys()


# what only a path of a study has in it: the texts between a template's wildcards, and other names that belong to paths
PIECES = {
    text
    for kind in KINDS.values()
    for text, _, _, _ in Formatter().parse(kind.template)
    if text and text not in (".", "/", ".parquet", ".json")
} | {".jobs", ".checkpoints", ".run.json"}
PARTS = {part for kind in KINDS.values() for part in kind.template.split("/") if "{" not in part} - {"base"}
NUMBERED = r"\.(draw|rank)($|\{|d\+)"
TEMPLATE = re.compile(
    "|".join([NUMBERED, *(rf"(?<![\w.]){re.escape(p)}" if p[0].isalnum() else re.escape(p) for p in PIECES)])
)
STORES = {  # a store has a folder of the same name
    "clearminds/stages/generate_responses.py": ["responses"],
    "clearminds/stages/score_token_perplexity.py": ["scores"],
}
JOINS = ("Path", "joinpath", "with_name", "glob", "rglob", "join")


def templates_in(tree: ast.AST) -> list[str]:
    """The strings of a module, docstrings apart, that hold a path of a study or are a part that a path is joined of."""
    statements = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings
    joined: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            joined |= {id(node.left), id(node.right)}
        elif isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            joined |= {id(argument) for argument in node.args if name in JOINS}
    texts = [n for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    return [
        text.value
        for text in texts
        if id(text) not in statements
        and (TEMPLATE.search(text.value.replace("\\", "")) or (id(text) in joined and text.value in PARTS))
    ]


@pytest.mark.parametrize(
    "line",
    [
        'f"{results}/masks/{model}/{target}.parquet"',
        '"scores/{scorer}/x"',
        'results / "models" / model',
        'Path(results, "tables", name)',
        'folder / "adapter.json"',
        'f"{split}.{source}.sequences.parquet"',
        'f"seed{n}/adapter.json"',
        'results / ".jobs"',
        'log.with_suffix(f".rank{n}.log")',
        'r"\\.draw\\d+$"',
    ],
)
def test_a_template_is_recognised(line):
    assert templates_in(ast.parse(f"found = {line}"))


def test_no_path_is_put_together_but_in_the_layout():
    workflow = ROOT / "workflow"
    found = {}
    for file in sorted(workflow.rglob("*.py")):
        if file != workflow / "clearminds" / "files" / "layout.py" and (
            texts := templates_in(ast.parse(file.read_text(encoding="utf-8")))
        ):
            found[str(file.relative_to(workflow))] = texts
    for file in [ROOT / "Snakefile", *sorted((workflow / "rules").glob("*.smk"))]:
        text = re.sub(r"(?m)^\s*include:.*$|#.*$", "", file.read_text(encoding="utf-8"))
        texts = [re.sub(r"\{[\w.]+\}", "", string) for string in re.findall(r'"([^"\n]*)"', text)]
        if texts := [text for text in texts if TEMPLATE.search(text)]:
            found[file.name] = texts
    assert found == STORES


def test_the_outputs_of_a_job_follow_from_any_of_them():
    names = {"scorer": "m", "model": "m", "task": "t.x", "split": "train", "source": "a.b"}
    both = [LAYOUT.scores.path(**names), LAYOUT.sequences.path(**names)]
    assert all(outputs_with(LAYOUT, path) == both for path in both)
    for stage, first in {"summarise": LAYOUT.summary, "report": LAYOUT.report}.items():
        declared = {getattr(LAYOUT, name).path() for name, kind in Layout.outputs().items() if kind.stage == stage}
        assert len(declared) == 9
        for path in declared:
            assert outputs_with(LAYOUT, path)[0] == first.path() and set(outputs_with(LAYOUT, path)) == declared
    assert outputs_with(LAYOUT, LAYOUT.model.path(model="m")) == [LAYOUT.model.path(model="m")]
