"""The demo server's pretend channel and its clock, through their control API."""

import http.client
import json
from urllib.parse import quote, urlencode, urlsplit


class Simulator:
    def __init__(self, simulator_url):
        address = urlsplit(simulator_url)
        self.host, self.port, self.path = address.hostname, address.port, address.path.rstrip("/")

    def call(self, method, path, value=None):
        """One call; returns the JSON answer and fails on any other status than 200."""
        body = None if value is None else json.dumps(value)
        connection = http.client.HTTPConnection(self.host, self.port, timeout=20)
        try:
            headers = {"Content-Type": "application/json"}
            connection.request(method, self.path + path, body=body, headers=headers)
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        assert response.status == 200, (method, path, response.status, text[:500])
        return json.loads(text)

    def advance(self, seconds):
        """Moves the server's time forward."""
        return self.call("POST", "/control/clock", {"advance_seconds": seconds})

    def clock(self):
        return self.call("GET", "/control/clock")

    def trade(self, out_trade_no):
        return self.call("GET", f"/control/trades/{quote(out_trade_no)}")

    def trades(self):
        return self.call("GET", "/control/trades")["trades"]

    def do(self, out_trade_no, act=None, faults=None):
        """Plays the payer or the channel for one trade, or sets its faults."""
        order = {}
        if act is not None:
            order["do"] = act
        if faults is not None:
            order["faults"] = faults
        return self.call("POST", f"/control/trades/{quote(out_trade_no)}", order)

    def journal(self, since=0, out_trade_no=None):
        """What crossed the wire, oldest first."""
        query = {"since": since}
        if out_trade_no is not None:
            query["out_trade_no"] = out_trade_no
        return self.call("GET", "/control/journal?" + urlencode(query))["entries"]

    def trade_with_subject(self, subject):
        """The newest trade with this subject: tests give each charge a subject of its own."""
        found = [trade for trade in self.trades() if trade["subject"] == subject]
        assert found, f"the channel has no trade with subject {subject!r}"
        return found[-1]
