"""Loading a model: what of its settings cannot be used here is named."""

from pathlib import Path

import pytest
from tiny import tiny_model_folder

from clearminds.errors import UserError
from clearminds.model.load import load_model
from clearminds.model.loading import Loading


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return tiny_model_folder(tmp_path_factory.mktemp("models") / "tiny")


def load(folder: Path, attention: str | None):
    return load_model(folder, dtype="float32", loading=Loading(attn_implementation=attention))


@pytest.mark.parametrize("attention", ["sdpa", "eager", None])
def test_an_attention_that_transformers_knows_is_used(tiny, attention):
    assert load(tiny, attention).config._attn_implementation == (attention or "sdpa")


@pytest.mark.parametrize(
    ("attention", "reason"),
    [
        ("eagr", 'Specified `attn_implementation="eagr"` is not supported'),
        ("none/such-kernel", "`kernels` is either not"),
    ],
)
def test_an_attention_that_cannot_be_used_is_refused(tiny, attention, reason):
    with pytest.raises(UserError) as caught:
        load(tiny, attention)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"models: tiny: attn_implementation: {attention} cannot be used here ({reason}")
    assert message.endswith("); take sdpa or eager, install what it needs, or unset it")


def test_an_attention_whose_package_is_missing_is_refused(tiny, monkeypatch):
    import transformers

    monkeypatch.setattr(transformers.utils.import_utils, "is_flash_attn_2_available", lambda: False)
    with pytest.raises(UserError, match="attn_implementation: flash_attention_2 cannot be used here"):
        load(tiny, "flash_attention_2")


def test_another_error_is_not_laid_on_the_attention(tiny, tmp_path):
    for file in tiny.iterdir():
        text = file.read_bytes()
        (tmp_path / file.name).write_bytes(text.replace(b'"llama"', b'"nope"') if file.name == "config.json" else text)
    with pytest.raises(ValueError, match="nope"):
        load(tmp_path, "sdpa")
