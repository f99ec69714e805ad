"""A stand-in for the hub on a local port, for what fetches from it in a process of its own."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

WORKFLOW = Path(__file__).parents[1] / "workflow"
COMMIT, OTHER = "a" * 40, "b" * 40  # the one that every repository has, and one that none has


class _Hub(BaseHTTPRequestHandler):
    """A public repository, and with the same files me/gated, which wants a token; me/broken answers with an error.

    The token "expired" opens nothing.
    """

    public: str
    files: dict[str, bytes]

    def do_GET(self):
        path = self.path.partition("?")[0]
        repository = next(iter(re.findall(r"/(me/[a-z]+)", path)), None)
        if self.headers["Authorization"] == "Bearer expired":
            self.answer(401, message="Invalid credentials in Authorization header")
        elif repository == "me/broken":
            self.answer(403)
        elif repository == "me/gated" and self.headers["Authorization"] != "Bearer secret":
            self.answer(401, error="GatedRepo")
        elif repository not in (self.public, "me/gated"):
            self.answer(404, error="RepoNotFound")
        elif OTHER in path:
            self.answer(404, error="RevisionNotFound")
        elif "/revision/" in path:
            # the last one is listed only: who downloads it finds nothing
            siblings = [{"rfilename": name} for name in [*sorted(self.files), "weights.bin"]]
            self.answer(200, json.dumps({"id": repository, "sha": COMMIT, "siblings": siblings}).encode())
        elif path.endswith(f"/tree/{COMMIT}"):
            files = [
                {"type": "file", "path": name, "size": len(data), "oid": name} for name, data in self.files.items()
            ]
            self.answer(200, json.dumps(files).encode())
        elif f"/resolve/{COMMIT}/" in path and (name := path.rpartition("/")[2]) in self.files:
            self.answer(200, self.files[name], tag=name)
        else:
            self.answer(404, error="EntryNotFound")

    do_HEAD = do_GET

    def answer(self, status: int, body: bytes = b"", error: str = "", message: str = "", tag: str = "1"):
        self.send_response(status)
        headers = {"Content-Length": str(len(body)), "ETag": f'"{tag}"', "X-Repo-Commit": COMMIT, "X-Error-Code": error}
        headers |= {"X-Error-Message": message} if message else {}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextmanager
def local_hub(public: str, files: dict[str, bytes], cache: Path) -> Iterator[Callable[..., list]]:
    """Serve a repository while the block runs.

    Args:
        public: its name, me/NAME.
        files: its files and those of me/gated.
        cache: the HF_HOME of whoever fetches.

    Returns:
        runs a script with this hub: the code, what it gets as JSON in its first argument, and variables of its
        environment to the values that it prints, one line of JSON each. In a process of its own, since the address of
        the hub is read at import.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Hub", (_Hub,), {"public": public, "files": files}))
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def run(script: str, given: object, **environment: str) -> list:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        ours = {
            "PYTHONPATH": str(WORKFLOW),
            "HF_HOME": str(cache),
            "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        }
        # most of its time goes into imports, which leave nothing to be searched for garbage
        command = [sys.executable, "-c", f"import gc\ngc.disable()\n{script}", json.dumps(given)]
        done = subprocess.run(command, env=kept | ours | environment, check=True, stdout=subprocess.PIPE, text=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    try:
        yield run
    finally:
        server.shutdown()
        server.server_close()
