"""Loading a study from a file, and the one line that refuses it."""

import pytest
import yaml

from clearminds.config.load import load_study
from clearminds.config.study import Study
from clearminds.errors import UserError


@pytest.fixture
def load(tmp_path):
    """Writes a study, text or keys, to a file and loads it."""

    def write_and_load(study: dict | str | bytes) -> Study:
        file = tmp_path / "study.yaml"
        text = yaml.safe_dump(study, sort_keys=False, allow_unicode=True) if isinstance(study, dict) else study
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_study([file])

    return write_and_load


@pytest.fixture
def refusal(load, tmp_path):
    """The error that a study meets, without the file's name, which it must begin with."""

    def load_and_catch(study: dict | str | bytes) -> str:
        with pytest.raises(UserError) as caught:
            load(study)
        message = str(caught.value)
        file = f"{tmp_path / 'study.yaml'}: "
        assert message.startswith(file)
        assert "\n" not in message
        return message.removeprefix(file)

    return load_and_catch
