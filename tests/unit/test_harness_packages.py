"""Tasks of lm-evaluation-harness whose packages or data are missing are refused before anything runs."""

import pytest
from demo_study import demo

from clearminds.errors import UserError
from clearminds.run.refusals import harness_packages
from clearminds.run.refusals.harness_packages import PACKAGES, refuse_missing_packages


@pytest.fixture
def there(monkeypatch):
    """Which packages there are, and whether NLTK's data are."""

    def set_to(packages: tuple[str, ...], sentences: bool) -> None:
        monkeypatch.setattr(harness_packages, "find_spec", lambda name: name if name in packages else None)
        monkeypatch.setattr(harness_packages, "_has_sentences", lambda: sentences)

    return set_to


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"tasks/rules": {"preset": "ifeval"}, "suites/x": ["rules"]}, "tasks: rules"),
        ({"suites/x": ["lm_eval:ifeval"]}, "suites: x"),
    ],
)
def test_missing_packages_are_named_with_what_installs_them(there, changes, key):
    study = demo(changes)
    there(("nltk",), False)
    with pytest.raises(UserError) as caught:
        refuse_missing_packages(study)
    assert str(caught.value) == (
        f"{key}: ifeval of lm-evaluation-harness needs the packages langdetect, immutabledict, which this environment "
        "lacks; run .venv/bin/pip install langdetect immutabledict and .venv/bin/python -m nltk.downloader punkt_tab, "
        "or take the task out"
    )
    there(PACKAGES["ifeval"], False)
    with pytest.raises(UserError, match=r"needs NLTK's data punkt_tab, .* run .venv/bin/python -m nltk.downloader"):
        refuse_missing_packages(study)
    there(PACKAGES["ifeval"], True)
    refuse_missing_packages(study)


def test_tasks_that_need_nothing_more_and_those_not_evaluated_are_not_refused(there):
    there((), False)
    refuse_missing_packages(demo({"tasks/x": {"preset": "mmlu"}, "suites/x": ["x", "lm_eval:arc_easy"]}))
    refuse_missing_packages(demo({"tasks/x": {"preset": "ifeval"}}))


def test_data_of_nltk_are_looked_for_where_it_keeps_them(tmp_path, monkeypatch):
    import nltk

    monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])
    assert not harness_packages._has_sentences()
    (tmp_path / "tokenizers" / "punkt_tab").mkdir(parents=True)
    assert harness_packages._has_sentences()
