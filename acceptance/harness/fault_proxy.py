"""A proxy that does its work and then lies about it: the request goes through, the answer is 500."""

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


class FaultProxy:
    """Forwards to `base_url`; the next `spoil` POST answers are replaced by a 500."""

    def __init__(self, base_url, spoil):
        self.target = urlsplit(base_url)
        self.spoil = spoil
        self.forwarded = []
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"proxy": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.base_url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def forward(self, method, path, headers, body):
        connection = http.client.HTTPConnection(self.target.hostname, self.target.port, timeout=20)
        try:
            connection.request(method, path, body=body or None, headers=headers)
            response = connection.getresponse()
            answer = response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()
        with self._lock:
            self.forwarded.append((method, path, answer[0]))
            spoilt = method == "POST" and self.spoil > 0
            self.spoil -= spoilt
        if spoilt:
            error = b'{"error":{"type":"api_error","message":"something broke on the way back"}}'
            return 500, {"Content-Type": "application/json"}, error
        return answer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy = None

    def _forward(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        skipped = {"host", "connection", "content-length"}
        headers = {k: v for k, v in self.headers.items() if k.lower() not in skipped}
        status, names, answer = self.proxy.forward(self.command, self.path, headers, body)
        self.send_response(status)
        for name, value in names.items():
            if name.lower() not in {"connection", "content-length", "transfer-encoding"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = _forward

    def log_message(self, *_):
        pass
