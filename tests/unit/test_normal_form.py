"""What a definition says, and what in it changes no number and is therefore left out."""

import re
from pathlib import Path

import pytest
from code_trees import tree_of


def text(folder: Path, source: str, name: str = "f") -> str:
    return tree_of(folder, a=source).definition(f"clearminds.a:{name}").text


SAME = {
    "docstring": ("def f(x):\n    return x", 'def f(x):\n    """Words."""\n    return x'),
    "docstring of a class": ("class f:\n    pass", 'class f:\n    """Words."""'),
    "docstring of a method": ("class f:\n    def g(self): pass", "class f:\n    def g(self):\n        'Words.'"),
    "docstring of an attribute": ("class f:\n    x = 1", "class f:\n    x = 1\n    'Words.'"),
    "docstring of the module": ("f = 1", '"""Words."""\nf = 1'),
    "comment": ("f = 1", "# words\nf = 1  # words"),
    "layout": ("f = [1, 2]", "f = (\n    [\n        1,\n        2,\n    ]\n)"),
    "strings beside each other": ("f = 'ab'", "f = 'a' \"b\""),
    "annotation of an argument": ("def f(x, *y, z=1): return x", "def f(x: int, *y: str, z: int = 1): return x"),
    "annotation of a result": ("def f(): return 1", "def f() -> int: return 1"),
    "annotation of a variable": ("def f():\n    x = 1\n    return x", "def f():\n    x: int = 1\n    return x"),
    "annotation alone": ("def f():\n    x = 1\n    return x", "def f():\n    x: int\n    x = 1\n    return x"),
    "annotation of a constant": ("f = 1", "f: int = 1"),
    "annotation of a field": ("class f:\n    x: int", "class f:\n    x: 'str'"),
    "annotation of a field with default": ("class f:\n    x: int = 1", "class f:\n    x: str = 1"),
    "future annotations": ("def f(x: int): return x", "from __future__ import annotations\ndef f(x: int): return x"),
    "log line": (
        "def f(x):\n    return x",
        "import logging\nlog = logging.getLogger()\ndef f(x):\n    log.info(x)\n    return x",
    ),
    "log line of getLogger": (
        "def f(x):\n    return x",
        "from logging import getLogger as get\ndef f(x):\n    get('a').debug('%s', x)\n    return x",
    ),
    "log line alone": ("def f(): pass", "import logging\nlog = logging.getLogger()\ndef f():\n    log.info('words')"),
    "log line in a branch": (
        "def f(x):\n    if x:\n        pass",
        "import logging\nlog = logging.getLogger()\n"
        "def f(x):\n    if x:\n        log.info(x)\n    else:\n        log.debug('')",
    ),
    "import within": (
        "import math\ndef f(x): return math.log(x)",
        "def f(x):\n    from math import log\n    return log(x)",
    ),
    "import of a module or of a name": (
        "import numpy as np\ndef f(): return np.random.rand()",
        "from numpy import random\ndef f(): return random.rand()",
    ),
    "import under another name": ("import math\nf = math.pi", "from math import pi as p\nf = p"),
    "import of a submodule": ("import os.path\nf = os.path.sep", "from os import path as p\nf = p.sep"),
    "order of imports": (
        "import json\nimport math\ndef f(): return math, json",
        "import math\nimport json\ndef f(): return math, json",
    ),
    "names in a block": ("if 1:\n    f = 1\n    g = 2", "if 1:\n    f = 1\n    h = 2"),
    "message": ("def f(): raise ValueError()", "def f(): raise ValueError('words')"),
    "message that is put together": (
        "def f(x): raise ValueError('words')",
        "def f(x): raise ValueError(f'{x} ' 'and' + str(x) + ('a' if x else 'b'))",
    ),
    "message by %": ("def f(x): raise ValueError('a')", "def f(x): raise ValueError('%s' % x)"),
    "message by format": ("def f(x): raise ValueError('a')", "def f(x): raise ValueError('{}'.format(x))"),
    "message with a cause": (
        "def f(x):\n    try: x()\n    except OSError as e: raise ValueError('a') from e",
        "def f(x):\n    try: x()\n    except OSError as e: raise ValueError('b') from e",
    ),
}


@pytest.mark.parametrize("case", SAME)
def test_what_changes_no_number_is_not_said(tmp_path, case):
    first, second = SAME[case]
    assert text(tmp_path / "first", first) == text(tmp_path / "second", second)


@pytest.mark.parametrize(
    "source",
    [
        "def f(x): return f(x)",
        "async def f(x): return f(x)",
        "class f:\n    def g(self): return f()",
        "f = 1",
        "f = 1\nf += 2",
        "f, other = 1, 2",
        "if 1:\n    def f(): return 1",
        "try:\n    from json import loads as f\nexcept ImportError:\n    f = None",
        "with open('a') as f: pass",
    ],
)
def test_a_definitions_own_name_is_not_said(tmp_path, source):
    assert text(tmp_path / "first", source) == text(tmp_path / "second", re.sub(r"\bf\b", "new", source), "new")


DIFFERENT = {
    "a string that is not a docstring": ("def f():\n    return 'a'", "def f():\n    return 'b'"),
    "a number's type": ("f = 1", "f = 1.0"),
    "a truth": ("f = 1", "f = True"),
    "a condition": ("def f(x): return x > 1", "def f(x): return x >= 1"),
    "a default": ("def f(x=1): return x", "def f(x=2): return x"),
    "a keyword": ("def f(x): return x(a=1)", "def f(x): return x(b=1)"),
    "an attribute": ("def f(x): return x.a", "def f(x): return x.b"),
    "a decorator": ("import functools\n@functools.cache\ndef f(): return 1", "def f(): return 1"),
    "a base": ("class f(dict): pass", "class f(list): pass"),
    "a field": ("class f:\n    x: int", "class f:\n    y: int"),
    "the order of fields": ("class f:\n    x: int\n    y: int", "class f:\n    y: int\n    x: int"),
    "a field or an attribute": ("class f:\n    x: int = 1", "class f:\n    x = 1"),
    "what is not a field": (
        "from typing import ClassVar\nclass f:\n    x: int = 1",
        "from typing import ClassVar\nclass f:\n    x: ClassVar[int] = 1",
    ),
    "another function of a library": ("from math import log\nf = log", "from math import log2 as log\nf = log"),
    "another library": (
        "import math\ndef f(): return math.log(2)",
        "import cmath as math\ndef f(): return math.log(2)",
    ),
    "a library's name where it is also a local one": (
        "from math import log\ndef f(x): return [log for log in x], log(2)",
        "from math import log2 as log\ndef f(x): return [log for log in x], log(2)",
    ),
    "which error": ("def f(): raise ValueError('a')", "def f(): raise KeyError('a')"),
    "what else an error holds": ("def f(): raise OSError('a', 1)", "def f(): raise OSError('a', 2)"),
    "a string that an error is told by": ("def f(): raise OSError('a', 'b')", "def f(): raise OSError('a', 'c')"),
    "an error's cause": (
        "def f(x):\n    try: x()\n    except OSError as e: raise ValueError('a') from e",
        "def f(x):\n    try: x()\n    except OSError as e: raise ValueError('a') from None",
    ),
    "a method of a local name like the logger's": (
        "import logging\nlog = logging.getLogger()\ndef f(log):\n    log.unlink()",
        "import logging\nlog = logging.getLogger()\ndef f(log):\n    pass",
    ),
    "a log line that binds a name": (
        "import logging\nlog = logging.getLogger()\ndef f(x):\n    log.info(n := x())\n    return n",
        "import logging\nlog = logging.getLogger()\ndef f(x):\n    return n",
    ),
    "which of the names of a block": ("if 1:\n    f = 1\n    g = 2", "if 1:\n    g = 1\n    f = 2"),
    "imports that depend": (
        "try:\n    from json import loads as f\nexcept ImportError:\n    from pickle import loads as f",
        "try:\n    from json import loads as f\nexcept ImportError:\n    from marshal import loads as f",
    ),
    "two imports of a name": (
        "class f:\n    def a(self):\n        from json import loads\n        return loads\n"
        "    def b(self):\n        from pickle import loads\n        return loads",
        "class f:\n    def a(self):\n        from pickle import loads\n        return loads\n"
        "    def b(self):\n        from json import loads\n        return loads",
    ),
    "a second definition": ("f = [1]", "f = [1]\nf += [2]"),
    "a rebound import": ("from json import loads as f\nf = [f]", "from pickle import loads as f\nf = [f]"),
}


@pytest.mark.parametrize("case", DIFFERENT)
def test_what_can_change_a_number_is_said(tmp_path, case):
    first, second = DIFFERENT[case]
    assert text(tmp_path / "first", first) != text(tmp_path / "second", second)
