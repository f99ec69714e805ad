"""Paths of a model and of its template: ~ and variables, and how one that is not there is named."""

import os

import pytest
from tiny import CHAT_TEMPLATE, tiny_model_folder

from clearminds.errors import UserError
from clearminds.files.settings import parse
from clearminds.stages.fetch_model import Origin, fetch


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The working directory and the home of this user, with a folder `models` in it."""
    (tmp_path / "models").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("NONE", raising=False)
    return tmp_path


def refusal(here, path: str, **template) -> str:
    with pytest.raises(UserError) as caught:
        fetch(parse(Origin, {"path": path, "chat_template": template}, "source"), here / "m")
    assert "\n" not in str(caught.value)
    return str(caught.value)


GIVE = "give a folder saved by save_pretrained"


def test_a_relative_path_says_where_it_was_looked_for(here):
    seen = f"none/it (that is {here / 'none/it'}, seen from the working directory {here})"
    assert refusal(here, "none/it") == f"models: path: {seen} does not exist; {GIVE}"


def test_home_and_variables_are_replaced(here, monkeypatch):
    tiny_model_folder(here / "models" / "tiny")
    (here / "own.jinja").write_text("{# own #}" + CHAT_TEMPLATE)
    monkeypatch.setenv("MODELS", str(here / "models"))
    for path in ("~/models/tiny", "$MODELS/tiny", "${MODELS}/tiny"):
        source = {"path": path, "chat_template": {"file": "~/own.jinja"}}
        found = fetch(parse(Origin, source, "source"), here / "m")
        assert found["base"] == str(here / "models" / "tiny")
        assert (here / "m" / "chat_template.jinja").read_text().startswith("{# own #}")


def test_a_replaced_path_is_named_with_what_it_was_made_of(here):
    assert refusal(here, "~/none") == f"models: path: {here / 'none'} (of ~/none) does not exist; {GIVE}"
    assert refusal(here, "/$NONE/it") == (
        f"models: path: /$NONE/it (of /$NONE/it, in which no such variable is set) does not exist; {GIVE}"
    )


def test_a_file_is_no_folder(here):
    (here / "it.gguf").write_text("")
    assert refusal(here, str(here / "it.gguf")) == f"models: path: {here / 'it.gguf'} is a file, not a folder; {GIVE}"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
@pytest.mark.parametrize("closed", ["models", "models/tiny", "models/tiny/model.safetensors"])
def test_what_cannot_be_read_is_named(here, closed):
    tiny_model_folder(here / "models" / "tiny")
    (here / closed).chmod(0)
    try:
        message = refusal(here, str(here / "models" / "tiny"))
    finally:
        (here / closed).chmod(0o755)
    assert message.endswith(" cannot be read by this user; ask its owner for read access (chmod -R a+rX)")


def test_a_link_to_nothing_is_named(here):
    folder = tiny_model_folder(here / "models" / "tiny")
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to(here / "gone")
    assert refusal(here, str(folder)) == (
        f"models: path: {folder}: model.safetensors: a link to a file that is gone; fetch the model again"
    )


@pytest.mark.parametrize("file", ["none.jinja", "models"])
def test_a_template_that_is_no_file_says_where_it_was_looked_for(here, file):
    tiny_model_folder(here / "tiny")
    seen = f"{file} (that is {here / file}, seen from the working directory {here})"
    assert refusal(here, "tiny", file=file).startswith(f"models: chat_template: file: {seen} is not a text file (")
