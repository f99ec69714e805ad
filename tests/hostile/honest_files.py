# Tries:     nothing: writes a file in /tmp and reads it
# Tests:     assert f("some text") == "some text"
# Verdict:   correct
# Unchanged: files
import os
import tempfile


def f(x):
    with tempfile.NamedTemporaryFile("w+", dir="/tmp", prefix=MARK) as file:
        file.write(x)
        file.seek(0)
        with open(os.path.join("/tmp", f"{MARK}.txt"), "w") as left:
            left.write(x)
        return file.read()
