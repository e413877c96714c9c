"""A merchant's webhook receiver that writes down every request as it came."""

import json
import threading
from collections import defaultdict, deque
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from .waiting import DEADLINE_SECONDS

# An answer that does not come before `release`.
HANG = "hang"
HANG_SECONDS_MAX = 60


@dataclass
class Received:
    """One request: exact bytes, and the status that it got if it got one at once."""

    path: str
    headers: dict
    body: bytes
    answered: int | None

    def json(self):
        return json.loads(self.body)


class Sink:
    """Listens on a loopback port. What it answers can be told per path, one answer per request."""

    def __init__(self):
        self._changed = threading.Condition()
        self._received = []
        self._plans = defaultdict(deque)
        self._free = threading.Event()
        handler = type("Handler", (_Handler,), {"sink": self})
        self._server = _Listener(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.base_url = f"http://127.0.0.1:{self._server.server_port}"

    def url(self, path):
        return self.base_url + path

    def plan(self, path, *answers):
        """The next answers on `path`: a status, `("redirect", url)`, or `HANG`. After them, 200."""
        with self._changed:
            self._plans[path].extend(answers)

    def release(self):
        """Lets the requests that hang be answered."""
        self._free.set()

    def received(self, path=None):
        """All requests so far, oldest first."""
        with self._changed:
            return [r for r in self._received if path is None or r.path == path]

    def wait(self, accepts, count=1, deadline=DEADLINE_SECONDS, path=None):
        """Waits until `count` requests satisfy `accepts` and returns them, oldest first."""

        def found():
            matching = [r for r in self._received if path in (None, r.path) and accepts(r)]
            return matching if len(matching) >= count else None

        with self._changed:
            matching = self._changed.wait_for(found, deadline)
        if not matching:
            seen = [(r.path, r.answered, r.body[:200]) for r in self.received(path)][-10:]
            raise AssertionError(f"{count} such requests did not come in {deadline} s; last: {seen}")
        return matching

    def close(self):
        self._free.set()
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, path, headers, body):
        with self._changed:
            answer = self._plans[path].popleft() if self._plans[path] else 200
            status = answer if isinstance(answer, int) else None
            self._received.append(Received(path, headers, body, status))
            self._changed.notify_all()
        if answer == HANG:
            self._free.wait(HANG_SECONDS_MAX)
            return 200
        return answer


class _Listener(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """A sender that is killed in the middle of a request is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    sink = None

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.sink._answer(self.path, headers, body)
        if isinstance(answer, int):
            self._reply(answer, b"" if answer == 204 else b"success")
        else:
            self.send_response(302)
            self.send_header("Location", answer[1])
            self.send_header("Content-Length", "0")
            self.end_headers()

    def do_GET(self):
        """A page for browsers that are sent back to the merchant."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.sink._answer(self.path, headers, b"")
        self._reply(200, b"<!doctype html><title>shop</title><h1>Back at the shop</h1>", "text/html")

    def _reply(self, status, body, kind="text/plain"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass
