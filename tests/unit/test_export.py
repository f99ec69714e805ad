"""`make export`: a variant's training set and adapter in a folder of their own, from stored results alone."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from demo_study import MODEL, study_with
from hypothesis import given
from hypothesis import strategies as st
from peft import PeftModel
from small_training import masks, training
from tiny import tiny_model_folder
from transformers import AutoModelForCausalLM, AutoTokenizer

from clearminds.commands import export
from clearminds.commands.exporting.folder import fresh
from clearminds.commands.exporting.training_set import counts, training_set
from clearminds.config.load import load_study
from clearminds.errors import UserError
from clearminds.files import contracts
from clearminds.files.digests import file_sha256
from clearminds.files.tables import read_table, write_json, write_table
from clearminds.reuse.job_memory import JobMemory, digests, made_by
from clearminds.run.specs import Specs
from clearminds.stages.training.adapter import add_adapter, trained_parameters

PRINTS = {"base": "owner/name", "model": "m", "tokenizer": "t", "chat_template": "c", "scorer": "m"}
SOFT = {"responses": "reference", "weights": {"rule": "soft", "temperature": 1.0}}
NAMES = {"model": MODEL, "target": "sums", "seed": 0, "draw": ""}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A tiny model."""
    return tiny_model_folder(tmp_path_factory.mktemp("weights") / "tiny")


class Made:
    """The results of a study of which a variant was trained; its folder is the working directory."""

    def __init__(self, folder: Path, weights: Path):
        self.file = folder / "study.yaml"
        self.file.write_text(yaml.safe_dump(study_with({"variants/soft": SOFT, "training/dtype": "float32"})))
        self.specs = Specs(load_study([self.file]))
        self.base = Path(self.specs.layout.model.path(**NAMES)).parent
        shutil.copytree(weights, self.base)
        write_json(self.base / "model.json", {**PRINTS, "spec": {"source": {"path": str(weights)}}, "files": {}})

    def masks(self, variant: str, table: pa.Table) -> None:
        spec = json.loads(self.specs.text("build_masks")(SimpleNamespace(**NAMES, variant=variant)))
        counted = {"counts": {"examples": len(table)}, "masks": {}, "scoring": {"dtype": "float32"}, "code": "x"}
        write_table(
            Path(self.specs.layout.masks.path(**NAMES, variant=variant)),
            table,
            contracts.MASKS,
            {**PRINTS, **counted, "spec": spec},
        )

    def adapter(self, variant: str) -> Path:
        spec = json.loads(self.specs.text("train_adapter")(SimpleNamespace(**NAMES, variant=variant)))
        path = Path(self.specs.layout.adapter.path(**NAMES, variant=variant))
        model = add_adapter(AutoModelForCausalLM.from_pretrained(self.base), training(), str(self.base))
        torch.manual_seed(1)
        for parameter in trained_parameters(model).values():
            parameter.data += torch.randn_like(parameter) * 0.1
        model.save_pretrained(path.parent, save_embedding_layers=False)
        files = {file.name: file_sha256(file) for file in path.parent.glob("adapter_*")}
        write_json(path, {"spec": spec, "kind": "lora", "code": "y", "files": files})
        return path.parent

    def export(self, *arguments: str) -> Path:
        export.main(["--configfile", str(self.file), "--out", "out", *arguments])
        return Path("out")


@pytest.fixture
def made(tmp_path, monkeypatch, weights):
    monkeypatch.chdir(tmp_path)
    return Made(tmp_path, weights)


def soft(table: pa.Table) -> pa.Table:
    """The same masks with weights between 0 and 1."""
    halved = pa.array([[weight / 2 for weight in row] for row in table["weights"].to_pylist()], pa.list_(pa.float32()))
    return table.set_column(table.schema.get_field_index("weights"), "weights", halved)


# --- the training set -------------------------------------------------------------------------------------------------


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 2**31 - 1), st.sampled_from([0.0, 0.25, 1.0, 3.0])), max_size=6), max_size=5
    ),
    st.integers(1, 3),
)
def test_a_token_has_a_label_where_it_has_a_weight(rows, chunk):
    columns = {
        "input_ids": pa.array([[token for token, _ in row] for row in rows], pa.list_(pa.int32())),
        "weights": pa.array([[weight for _, weight in row] for row in rows], pa.list_(pa.float32())),
    }
    table = pa.table(columns)
    pieces = [table.slice(start, chunk) for start in range(0, len(table), chunk)]  # as a file's groups of rows
    found = training_set(pa.concat_tables(pieces) if pieces else table).to_pylist()
    assert len(found) == len(rows)
    for row, made in zip(rows, found, strict=True):
        assert made["input_ids"] == [token for token, _ in row]
        assert made["attention_mask"] == [1] * len(row)
        assert made["labels"] == [token if weight > 0 else -100 for token, weight in row]
        assert made["weights"] == [weight for _, weight in row]


def test_counts_tell_labels_and_whether_they_say_all():
    table = masks(8, all_masked=4)
    found, ids = counts(table), table["input_ids"].to_pylist()
    kept = sum(sum(row) for row in table["weights"].to_pylist())
    assert found["examples"] == 8 and found["unlabelled"] == 2
    assert (found["tokens"], found["labelled"]) == (sum(map(len, ids)), kept)
    assert found["binary"] and not counts(soft(table))["binary"]


# --- the folder -------------------------------------------------------------------------------------------------------


def test_an_export_has_the_training_set_the_adapter_and_a_card(made, capsys):
    made.masks("stm-2.5", table := masks())
    adapter = made.adapter("stm-2.5")
    out = made.export("--variant", "stm-2.5")
    rows = datasets.load_from_disk(str(out / "dataset"))
    assert rows.column_names == ["input_ids", "attention_mask", "labels", "weights"]
    assert rows[:]["labels"] == training_set(table)["labels"].to_pylist()
    assert pq.read_schema(out / "labels.parquet").names == ["input_ids", "attention_mask", "labels"]
    assert pq.read_table(out / "labels.parquet")["labels"].to_pylist() == rows[:]["labels"]
    for file in adapter.iterdir():
        assert (out / "adapter" / file.name).read_bytes() == file.read_bytes()
    ids = AutoTokenizer.from_pretrained(out / "tokenizer")("What is 12 + 34?")["input_ids"]
    assert ids == AutoTokenizer.from_pretrained(made.base)("What is 12 + 34?")["input_ids"]
    card = (out / "README.md").read_text()
    assert "tokens of perplexity up to 2.5" in card and "so `labels` say all" in card and "licence" in card
    found = json.loads((out / "export.json").read_text())
    assert found["made_by"]["masks"]["spec"]["weights"] == {"rule": "perplexity", "tau": "2.5"}
    assert found["files"]["labels.parquet"] == file_sha256(out / "labels.parquet")
    assert "out: 10 examples" in capsys.readouterr().out


def test_equal_results_give_equal_bytes(made):
    made.masks("stm-2.5", masks())
    for name in ("one", "two"):
        shutil.move(made.export("--variant", "stm-2.5", "--data-only"), name)
    files = [sorted(path.relative_to(top) for path in Path(top).rglob("*")) for top in ("one", "two")]
    assert files[0] == files[1] and not Path("one/adapter").exists()
    for file in files[0]:
        assert Path("one", file).is_dir() or Path("one", file).read_bytes() == Path("two", file).read_bytes(), file


def test_a_soft_rule_keeps_its_numbers_and_the_card_says_so(made):
    made.masks("soft", table := soft(masks()))
    out = made.export("--variant", "soft", "--data-only")
    rows = datasets.load_from_disk(str(out / "dataset"))
    assert rows[:]["weights"] == table["weights"].to_pylist()
    assert rows.features["weights"].feature.dtype == "float32"
    assert "**The weights are not only 0 and 1:**" in (out / "README.md").read_text()


def test_a_merged_export_is_a_model_that_answers_as_base_and_adapter_do(made):
    made.masks("stm-2.5", masks())
    adapter = made.adapter("stm-2.5")
    out = made.export("--variant", "stm-2.5", "--merged")
    tuned = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(made.base, dtype="float32"), adapter)
    ids = torch.arange(3, 20)[None]
    with torch.no_grad():
        expected = tuned.eval()(input_ids=ids).logits
        found = AutoModelForCausalLM.from_pretrained(out / "model", dtype="float32").eval()(input_ids=ids).logits
        base = AutoModelForCausalLM.from_pretrained(made.base, dtype="float32")(input_ids=ids).logits
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)
    assert float((found - base).abs().max()) > 0.1
    assert (out / "model" / "tokenizer.json").exists() and not (out / "adapter").exists()


# --- what is refused --------------------------------------------------------------------------------------------------


def refused(made, match, *arguments):
    with pytest.raises(UserError, match=match):
        made.export(*arguments)
    assert not [path for path in Path().iterdir() if path.name.startswith((".out", "out"))]


def test_what_is_not_there_is_named_with_the_command_that_makes_it(made):
    command = r"snakemake --cores all --configfile .*study\.yaml results/demo"
    refused(made, rf"masks/.*/stm-2\.5\.parquet: not there yet; make it: .*{command}/masks", "--variant", "stm-2.5")
    made.masks("stm-2.5", masks())
    refused(made, rf"adapter\.json: not there yet; make it: .*{command}/adapters", "--variant", "stm-2.5")


def test_what_other_settings_made_is_refused(made):
    made.masks("soft", masks())
    place = made.specs.layout.masks
    stale = Path(place.path(**NAMES, variant="stm-2.5"))
    shutil.copyfile(place.path(**NAMES, variant="soft"), stale)
    assert read_table(stale, contracts.MASKS).num_rows
    refused(made, "other settings than the study has now; make it again", "--variant", "stm-2.5", "--data-only")


def test_an_adapter_of_other_masks_than_there_are_is_refused(made):
    made.masks("soft", masks())
    adapter = made.adapter("soft") / "adapter.json"
    file = Path(made.specs.layout.masks.path(**NAMES, variant="soft"))
    memory = JobMemory.of(Path(made.specs.layout.jobs), [adapter], "train_adapter", "soft")
    memory.keep(made_by("train_adapter", {}, "y", {}, digests([file])), to_take_back=False)
    shutil.rmtree(made.export("--variant", "soft"))
    made.masks("soft", soft(masks()))
    refused(made, "adapter.json: made of another .*soft.parquet than is there now; make it again", "--variant", "soft")


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["--variant", "stm-25"], r"--variant: 'stm-25' is not one of .*; did you mean stm-2\.5\?"),
        (["--variant", "soft", "--target", "sum"], "--target: 'sum' is not one of sums; did you mean sums?"),
        (["--variant", "soft", "--model", "x"], "--model: 'x' is not one of smollm2"),
        (["--variant", "soft", "--seed", "99"], "--seed: 99 is not one of 0"),
        (["--variant", "soft", "--merged", "--data-only"], "take one of them out"),
        (["--variant", "soft", "--directory", "none"], "--directory: none is not a folder"),
    ],
)
def test_names_that_a_study_has_not_are_refused(made, arguments, match):
    refused(made, match, *arguments)


def test_a_folder_with_something_in_it_is_refused_and_stays(made):
    made.masks("soft", masks())
    Path("out").mkdir()
    Path("out/mine").write_text("mine")
    with pytest.raises(UserError, match="out: something is there already"):
        made.export("--variant", "soft", "--data-only")
    assert [path.name for path in Path("out").iterdir()] == ["mine"]
    Path("out/mine").unlink()
    assert (made.export("--variant", "soft", "--data-only") / "dataset").is_dir()


def test_nothing_is_left_of_an_export_that_fails(tmp_path):
    with pytest.raises(RuntimeError), fresh(tmp_path / "out") as folder:
        (folder / "half").touch()
        raise RuntimeError
    assert not list(tmp_path.iterdir())
