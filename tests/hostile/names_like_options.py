# Tries:     leaves files whose names read like options, patterns and commands
# Tests:     assert f() == 1
# Verdict:   correct
# Unchanged: files
import os


def f():
    for folder in ("/tmp", os.getcwd(), "/dev/shm"):
        for name in (
            "-rf",
            "--help",
            "-c",
            "*",
            "..a",
            "$(touch x)",
            "`id`",
            ";id",
            "a\nb",
            "\udcff",
            " ",
            "x" * 255,
            "~",
        ):
            try:
                with open(f"{folder}/{name}", "w") as file:
                    file.write(MARK)
                os.makedirs(f"{folder}/{MARK}/{name}/" + "d/" * 200, exist_ok=True)
            except (OSError, ValueError):
                pass
    return 1
