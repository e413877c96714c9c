"""The Ping++ API by hand: exact bytes out, exact bytes in, nothing retried."""

import http.client
import json
import time
import uuid
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from . import keys


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict = field(repr=False)
    body: bytes

    def json(self):
        return json.loads(self.body)


class PingppHttp:
    """A caller with one API key, who signs when it has a private key."""

    def __init__(self, base_url, api_key, signing_key=None, timeout=20):
        address = urlsplit(base_url)
        self.host, self.port = address.hostname, address.port
        self.api_key = api_key
        self.signing_key = signing_key
        self.timeout = timeout
        #: How far the server's clock has been moved, so that signatures stay fresh.
        self.clock_offset = 0

    def headers(self, method, target, body):
        """Key, time and signature of one request."""
        headers = {"Content-Type": "application/json; charset=UTF-8"}
        if self.api_key is not None:
            headers["Authorization"] = f"Bearer {self.api_key}"
        timestamp = str(int(time.time()) + self.clock_offset)
        headers["Pingplusplus-Request-Timestamp"] = timestamp
        if self.signing_key is not None:
            message = body + target.encode() + timestamp.encode()
            headers["Pingplusplus-Signature"] = keys.sign(self.signing_key, message)
        return headers

    def send(self, method, target, body=b"", headers=None):
        """Sends exactly this; `headers` replaces what would be sent otherwise."""
        if headers is None:
            headers = self.headers(method, target, body)
        connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)
        try:
            connection.request(method, target, body=body or None, headers=headers)
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, response.read())
        finally:
            connection.close()

    def get(self, target):
        return self.send("GET", target)

    def post(self, target, value):
        return self.send("POST", target, json.dumps(value).encode())


def order_no():
    """A fresh order number that every channel accepts."""
    return uuid.uuid4().hex[:18]


def charge(app_id, channel="alipay_qr", **changes):
    """The parameters of a charge that is accepted, with `changes` on top."""
    parameters = {
        "order_no": order_no(),
        "app": {"id": app_id},
        "channel": channel,
        "amount": 1990,
        "client_ip": "203.0.113.7",
        "currency": "cny",
        "subject": "Green tea",
        "body": "Spring harvest 100 g",
        "extra": {},
    }
    if channel in ("alipay_wap", "alipay_pc_direct"):
        parameters["extra"] = {"success_url": "http://127.0.0.1:9/paid"}
    if channel == "alipay_scan":
        parameters["extra"] = {"scan_code": "280000000000000000", "terminal_id": "T0001"}
    parameters.update(changes)
    return parameters
