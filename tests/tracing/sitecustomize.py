"""Notes which first-party functions run while a stage computes; loaded by a Python that has this folder in its path.

Where TRACE_TO names a folder, each launcher leaves a JSON file there: its stage, its spec, and file, line and name of
each first-party function that ran between the call of its `main` and the end of that.
"""

import json
import os
import sys
import threading
from pathlib import Path

if target := os.environ.get("TRACE_TO"):
    ran: set = set()
    seen: set = set()
    state = {"root": None}

    def note(frame, event, argument):
        code = frame.f_code
        if state["root"] is None:
            if event == "call" and code.co_qualname == "main" and "/workflow/scripts/" in code.co_filename:
                state["root"] = code.co_filename.partition("/scripts/")[0] + "/"
            else:
                return
        if event == "call" and code not in seen and not importing(frame):
            seen.add(code)
            if code.co_filename.startswith(state["root"]) and code.co_filename.endswith(".py"):
                ran.add((code.co_filename.removeprefix(state["root"]), code.co_firstlineno, code.co_qualname))
        elif event == "return" and code.co_qualname == "main" and "/workflow/scripts/" in code.co_filename:
            leave()
            state["root"] = None
            seen.clear()

    def importing(frame):
        """Whether a module is being imported: what runs then defines what is called later, and counts as that."""
        while frame is not None and frame.f_code.co_qualname != "main":
            if frame.f_code.co_name == "<module>":
                return True
            frame = frame.f_back
        return False

    def leave():
        given = dict(zip(sys.argv, sys.argv[1:], strict=False))
        record = {"stage": Path(sys.argv[0]).stem, "spec": json.loads(given["--spec"]), "ran": sorted(ran)}
        Path(target, f"{os.getpid()}.json").write_text(json.dumps(record), encoding="utf-8")

    threading.setprofile(note)
    sys.setprofile(note)
