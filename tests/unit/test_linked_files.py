"""A model that was fetched by links, and then moved away."""

import pytest

from clearminds.errors import UserError
from clearminds.job.linked_files import refuse_dangling


def test_a_model_that_was_moved_away_is_named_with_its_key(tmp_path):
    model, users = tmp_path / "models" / "small" / "model.json", tmp_path / "users"
    model.parent.mkdir(parents=True)
    users.mkdir()
    for name in ("config.json", "model.safetensors"):
        (users / name).write_text("{}")
        (model.parent / name).symlink_to(users / name)
    model.write_text("{}")
    refuse_dangling([model, tmp_path / "examples.parquet"])
    users.rename(tmp_path / "moved")
    with pytest.raises(UserError, match=rf"{users}/config.json, which is gone: .* models: small: path, then run again"):
        refuse_dangling([model])
