"""Study files that Snakemake would answer with a traceback: each command refuses them in one line."""

from pathlib import Path

import pytest

from clearminds.commands import explain, plan, prune, resume, store_stats, store_verify
from clearminds.config.load import load_study
from clearminds.errors import UserError
from clearminds.run.given_files import refuse_unreadable

COMMANDS = [explain, plan, prune, resume, store_stats, store_verify]
FILES = {
    "missing": (None, "cannot be read (No such file or directory); give the path of a study's YAML file"),
    "folder": (..., "cannot be read (Is a directory); give the path of a study's YAML file"),
    "latin-1": ("study: café\n".encode("latin-1"), "not UTF-8 text (byte 10); save the file as UTF-8"),
    "empty": (b"", "holds no keys; a study needs at least models, tasks, targets and variants"),
    "list": (b"- a\n- b\n", "holds no keys; a study needs at least models, tasks, targets and variants"),
    "scalar": (b"a\n", "holds no keys; a study needs at least models, tasks, targets and variants"),
    "recursion": (b"a: &a\n  b: *a\n", "not valid YAML: found unconstructable recursive node in"),
    "depth": (b"a: " + b"[" * 5000, "blocks or lists are nested too deeply; a study needs about six levels"),
    "digits": (b"a: " + b"9" * 5000, "a value cannot be read (Exceeds the limit (4300 digits) for integer string"),
    "tag": (b"a: !!bool x\n", "a value cannot be read ('x'); write it as a plain number or text"),
    "no number": (b"a: !!int ''\n", "a value cannot be read (string index out of range); write it as a plain number"),
    "alias": (b"a: {<<: *b}\n", "not valid YAML: found undefined alias 'b' in"),
    "merge": (b"a: {<<: 3}\n", "not valid YAML: while constructing a mapping in"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.__name__.rpartition(".")[2])
def test_a_file_that_is_no_study_is_one_line(command, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content, line = FILES[name]
    file = tmp_path / "study.yaml"
    if content is ...:
        file.mkdir()
    elif content is not None:
        file.write_bytes(content)
    with pytest.raises(UserError) as caught:
        command.main(["--configfile", str(file)])
    assert str(caught.value).startswith(f"{file}: {line}") and "\n" not in str(caught.value)
    assert not (tmp_path / ".snakemake").exists()


@pytest.mark.parametrize("option", ["--configfile", "--configfiles"])
def test_every_file_is_read_wherever_it_is_named(option, tmp_path):
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text("seeds: [0]")
    refuse_unreadable(["-n", option, str(good), "--cores", "1", "--config", "study=x"])
    refuse_unreadable(["--cores", "1"])
    for arguments in ([option, str(good), str(bad)], [option, str(good), "--cores", "1", f"{option}={bad}"]):
        with pytest.raises(UserError, match=r"bad\.yaml: cannot be read"):
            refuse_unreadable(arguments)


def test_a_target_that_was_read_as_a_config_file_is_told_where_it_belongs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("study.yaml").write_text("seeds: [0]")
    Path("model.json").write_text('{"base": 1}')
    where = "write a target before it, or --configfile=STUDY TARGET"
    with pytest.raises(UserError, match=f"^masks: cannot be read.*; all names after --configfile.*: {where}$"):
        refuse_unreadable(["--configfile", "study.yaml", "masks"])
    for second in ("model.json", "masks"):
        with pytest.raises(UserError, match=f"{second}.*; all names after --configfile.*: {where}$"):
            load_study([Path("study.yaml"), Path(second)])
    # nothing of that where one file is given
    for read in (lambda: refuse_unreadable(["--configfile", "masks"]), lambda: load_study([Path("model.json")])):
        with pytest.raises(UserError, match=r"^(?!.*--configfile)"):
            read()
