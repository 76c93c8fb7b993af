"""A git repository behind http and a token, as a forge has it; git's plain file protocol."""

import base64
import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Server(ThreadingHTTPServer):
    """Serves a folder of bare repositories to whoever has the token."""

    expected = ""
    on_request: Callable[[], None] = staticmethod(lambda: None)


class Guarded(SimpleHTTPRequestHandler):
    """A bare repository's files for who has the token."""

    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        self.server.on_request()
        if self.headers.get("Authorization") == self.server.expected:
            super().do_GET()
            return
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="repository"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its parent's name
        """Say nothing."""


@contextlib.contextmanager
def serving(folder: Path, user: str, token: str, port: int = 0) -> Iterator[Server]:
    """A running server; a repository in the folder needs `git update-server-info` after a push."""
    server = Server(("127.0.0.1", port), functools.partial(Guarded, directory=str(folder)))
    server.expected = f"Basic {base64.b64encode(f'{user}:{token}'.encode()).decode()}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
