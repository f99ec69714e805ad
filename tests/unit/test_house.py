"""The READMEs of the package's wings: every module is named in its wing's, and every file that one lists exists."""

import re

import pytest

from clearminds.checkout import PACKAGE, ROOT

WINGS = sorted(folder.parent.name for folder in PACKAGE.glob("*/__init__.py"))
ITEM = re.compile(r"- ((?:`[\w.]+/?`(?:, )?)+): (.+)")  # one place, or several that belong together


def listed(wing: str) -> dict[str, str]:
    """What a wing's README lists: path below the wing to the text of its line; of a folder's files, the folder's."""
    found = {}
    for item in ITEM.finditer((PACKAGE / wing / "README.md").read_text(encoding="utf-8")):
        places, text = item.groups()
        for place in re.findall(r"`([\w.]+/?)`", places):
            found[place] = text
            if place.endswith("/"):
                found |= {f"{place}{name}": text for name in re.findall(r"`([\w.]+\.\w+)`", text)}
    return found


@pytest.mark.parametrize("wing", WINGS)
def test_every_module_of_a_wing_is_in_its_readme(wing):
    modules = {str(file.relative_to(PACKAGE / wing)) for file in (PACKAGE / wing).rglob("*.py")}
    assert {module for module in modules if not module.endswith("__init__.py")} <= listed(wing).keys()


@pytest.mark.parametrize("wing", WINGS)
def test_every_file_that_a_wings_readme_lists_exists(wing):
    missing = [place for place in listed(wing) if not (PACKAGE / wing / place).exists()]
    assert not missing, f"{wing}/README.md lists {', '.join(missing)}"


@pytest.mark.parametrize("wing", WINGS)
def test_a_wings_readme_is_one_screen(wing):
    assert len((PACKAGE / wing / "README.md").read_text(encoding="utf-8").splitlines()) <= 30


def test_the_readme_s_tree_has_every_wing_and_only_folders_that_exist():
    [tree] = re.findall(r"<!-- tree:start -->\n(.*?)<!-- tree:end -->", (ROOT / "README.md").read_text(), re.DOTALL)
    folders = {line.split()[0].rstrip("/") for line in tree.splitlines() if line.startswith("    ")}
    assert not [folder for folder in folders if not (ROOT / folder).exists()]
    assert {f"workflow/clearminds/{wing}" for wing in WINGS} <= folders
