"""What must change the fingerprint of code, and what must not: each kind of edit, at every distance from the root."""

import pytest
from code_trees import FILES, KEY, REPORTING_ONLY, checkout, edited

from clearminds.reuse.code import changed, digest, own

SAME = {
    "docstring": [("work", "The root.", "Other words."), ("work", '"""What works."""', "")],
    "comment": [("near", "LIMIT = 10", "# words\nLIMIT = 10  # words")],
    "layout": [("far", "    return CACHE[x]", "\n    return (\n        CACHE[x]\n    )")],
    "annotations": [("work", "x: int) -> int", "x: 'float')"), ("near", "def shift(x,", "def shift(x: int,")],
    "log line edited": [("work", "running %s", "at it: %s")],
    "log line removed": [("work", 'log.info("running %s", x)', "")],
    "log line added": [("work", "    report(x)\n", "    report(x)\n    log.debug('words')\n")],
    "log line added in a module that had none": [
        ("end", "def last(x):\n", "import logging\n\nlog = logging.getLogger()\n\n\ndef last(x):\n    log.info(x)\n")
    ],
    "logger's name": [
        ("work", "log = logging.getLogger", "log2 = logging.getLogger"),
        ("work", "log.info", "log2.info"),
    ],
    "message": [("work", "is too large", "is larger than 10")],
    "order of imports": [("work", "import json\nimport logging\n", "import logging\nimport json\n")],
    "unused import": [("near", "from clearminds import end, far", "import re\n\nfrom clearminds import far")],
    "style of a library's import": [
        ("work", "import numpy as np", "from numpy import abs as a"),
        ("work", "np.abs", "a"),
    ],
    "style of an import": [
        (
            "work",
            "from clearminds import far, near, talk",
            "import clearminds.far as n\nfrom clearminds import near, talk",
        ),
        ("work", "far.store", "n.store"),
    ],
    "import hoisted": [
        ("work", "    from clearminds.end import last\n", ""),
        ("work", "import json\n", "import json\nfrom clearminds.end import last\n"),
    ],
    "re-export taken out": [
        ("work", "from clearminds.passing import twice", "from clearminds.deep.sums import twice"),
        ("passing", "twice", "even"),
        ("passing", "deep.sums", "end"),
    ],
    "function added": [("near", "", "\n\ndef added(x):\n    return shift(x)\n")],
    "constant added": [("end", "", "\nADDED = 1\n")],
    "module added": [("added", "", "from clearminds.near import shift\n")],
    "unused constant edited": [("work", "unused = 3", "unused = 4")],
    "another definition of a module edited": [
        ("near", "def other(x):\n    return x", "def other(x):\n    return x + 1")
    ],
    "what only reports edited": [("talk", "print(x, even(x))", "print(x)"), ("near", "print(x)", "print(x, LIMIT)")],
    "private function renamed": [("work", "_tail", "_end")],
    "constant renamed": [("near", "LIMIT", "MOST"), ("work", "LIMIT", "MOST")],
    "class renamed": [("work", "Worker", "Hand")],
    "functions in another order": [
        ("near", "def other(x):\n    return x\n", ""),
        ("near", "LIMIT = 10", "def other(x):\n    return x\n\n\nLIMIT = 10"),
    ],
    "module renamed": [
        ("far", FILES["far"], ""),
        ("distant", "", FILES["far"]),
        ("work", "far", "distant"),
        ("near", "far", "distant"),
    ],
    "definition moved": [
        ("work", "\n\ndef _tail(x):\n    from clearminds.end import last\n\n    return last(x)\n", ""),
        ("work", "import json\n", "import json\nfrom clearminds.end import _tail\n"),
        ("end", "", "\n\ndef _tail(x):\n    return last(x)\n"),
    ],
    "constant moved": [
        ("near", "LIMIT = 10\n", ""),
        ("end", "", "\nLIMIT = 10\n"),
        ("work", "near import LIMIT, Base", "near import Base"),
        ("work", "import json\n", "import json\nfrom clearminds.end import LIMIT\n"),
    ],
}
DIFFERENT = {
    "the root": [("work", "x > LIMIT", "x >= LIMIT")],
    "an attribute of a library": [("work", "np.abs", "np.sign")],
    "a library": [("work", "import numpy as np", "import cupy as np")],
    "distance 1, a constant": [("near", "LIMIT = 10", "LIMIT = 11")],
    "distance 1, a class": [("work", "* self.factor", "+ self.factor")],
    "distance 1, through a module": [("near", "x + by", "x - by")],
    "distance 1, in the own module": [("work", "return last(x)", "return last(x + 1)")],
    "distance 2, a field's default": [("work", "SCALE = 2", "SCALE = 3")],
    "distance 2, a base": [("near", "return 0", "return 1")],
    "distance 2, a decorator": [("far", "    return f\n", "    return lambda x: f(x)\n")],
    "distance 2, an argument's default": [("far", "STEP = 1", "STEP = 2")],
    "distance 2, a store": [("far", "CACHE = {}", "CACHE = {1: 2}")],
    "distance 2, re-exported": [("deep/sums", "range(2)", "range(3)")],
    "distance 2, imported within": [("end", "if x else 0", "if x else 1")],
    "distance 3": [("end", "True if x == 0", "False if x == 0")],
    "distance 4, in a cycle": [("end", "even(x - 1)", "even(x - 3)")],
    "re-exported from elsewhere": [
        ("passing", "clearminds.deep.sums import twice", "clearminds.near import shift as twice")
    ],
    "what a module does when imported": [("far", 'os.environ["A"] = "1"', 'os.environ["A"] = "2"')],
    "a module does something when imported": [("end", "", "\nimport os\n\nos.umask(0)\n")],
    "a module around it does": [("deep/__init__", "", "import os\n\nos.umask(0)\n")],
    "one of two equal stores": [("far", "SECOND.pop", "CACHE.pop"), ("far", "= f(x)\n", "= f(x)\n        forget(x)\n")],
    "a definition that counts now": [("work", "import LIMIT, Base, report", "import LIMIT, Base, other as report")],
}
# another one of what is reached anyway
REWIRED = {
    "an alias": [("near", "", "\nfrom clearminds.end import odd\n"), ("work", "import last", "import odd as last")],
    "a name where a comprehension's is the same": [("deep/sums", "end.last(x)", "end.odd(x)")],
}


@pytest.mark.parametrize("case", SAME)
def test_what_changes_no_number_changes_no_fingerprint(tmp_path, case):
    old, new = checkout(tmp_path), edited(tmp_path, *SAME[case])
    assert digest(old, KEY, REPORTING_ONLY) == digest(new, KEY, REPORTING_ONLY)
    assert not changed(own(old, [KEY], REPORTING_ONLY), own(new, [KEY], REPORTING_ONLY))


@pytest.mark.parametrize("case", DIFFERENT)
def test_what_can_change_a_number_changes_the_fingerprint(tmp_path, case):
    old, new = checkout(tmp_path), edited(tmp_path, *DIFFERENT[case])
    assert digest(old, KEY, REPORTING_ONLY) != digest(new, KEY, REPORTING_ONLY)
    assert changed(own(old, [KEY], REPORTING_ONLY), own(new, [KEY], REPORTING_ONLY))


@pytest.mark.parametrize("case", REWIRED)
def test_which_of_two_definitions_is_used_changes_the_fingerprint(tmp_path, case):
    assert digest(checkout(tmp_path), KEY, REPORTING_ONLY) != digest(
        edited(tmp_path, *REWIRED[case]), KEY, REPORTING_ONLY
    )
