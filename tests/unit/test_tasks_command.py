"""`make tasks`: presets with their examples."""

import json

import pytest
from real_rows import FOLDER, shared_rows

from clearminds.commands.tasks import LINES, WIDTH, main
from clearminds.config.presets import load_preset, preset_names
from clearminds.errors import UserError


def test_every_preset_has_a_line_and_the_beginning_of_an_example(capsys):
    main([])
    blocks = capsys.readouterr().out.strip().split("\n\n")
    assert [block.partition(":")[0] for block in blocks] == preset_names()
    for block in blocks:
        _, *example = block.splitlines()
        assert 1 <= len(example) <= LINES + 3
        assert all(line.startswith("    ") and len(line) <= WIDTH + 4 for line in example)


def test_one_preset_is_shown_with_its_facts_in_each_of_its_ways(capsys):
    main(["arc_easy"])
    shown = capsys.readouterr().out
    preset = load_preset("arc_easy")
    for fact in (preset.about, preset.licence, preset.source, preset.task["revision"], "verifier: letter"):
        assert fact in shown
    assert shown.count("Which of these melts at room temperature?") == 2
    assert "--- example with evaluate: accuracy" in shown and "B) ice" in shown


def test_a_local_copy_is_shown_by_its_first_row(tmp_path, capsys):
    row = {"question": "How many?", "answer": "One <<1=1>>1.\n#### 1"}
    (tmp_path / "test.jsonl").write_text(json.dumps(row) + "\n")
    main(["gsm8k", "--local", str(tmp_path)])
    assert "How many?" in (shown := capsys.readouterr().out)
    assert "One 1.\n#### 1" in shown
    with pytest.raises(UserError, match=r"no file of split train; .*found: test\.jsonl"):
        main(["gsm8k", "--local", str(tmp_path), "--split", "train"])


@pytest.mark.parametrize(
    ("name", "split"), [("mbpp", "validation"), ("gsm8k", "train"), ("math", "validation"), ("arc_challenge", "test")]
)
def test_real_files_are_shown_as_they_lie(name, split, capsys):
    shared_rows(f"{name}-{split}")
    main([name, "--local", str(FOLDER), "--split", split])
    assert ">>> reference\n" in capsys.readouterr().out


def test_an_unknown_preset_is_named_with_the_nearest():
    with pytest.raises(UserError, match=r"preset 'gms8k' is not one of arc_challenge, .*; did you mean gsm8k\?"):
        main(["gms8k"])


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match=r"^there is no folder .*/nowhere; name the one that holds"):
        main(["gsm8k", "--local", str(tmp_path / "nowhere")])
