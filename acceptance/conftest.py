"""Servers, clients and sinks for the tests. Everything that a test starts, its fixture stops."""

import os
import time

import pytest

from harness import keys
from harness.admin import add_webhook_endpoint
from harness.pingpp_http import PingppHttp
from harness.server import Server
from harness.simulator import Simulator
from harness.sink import Sink

# The channel's documents and client libraries speak China time.
os.environ["TZ"] = "Asia/Shanghai"
time.tzset()


@pytest.fixture(scope="session")
def sink():
    sink = Sink()
    yield sink
    sink.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory, sink):
    """A demo server shared by tests that do not move its clock, with all events sent to `/hook`."""
    server = Server(tmp_path_factory.mktemp("shared")).start()
    try:
        add_webhook_endpoint(server, sink.url("/hook"))
        yield server
    finally:
        server.stop()
    server.verify()


@pytest.fixture
def own_server(tmp_path):
    """A demo server for one test."""
    server = Server(tmp_path).start()
    try:
        yield server
    finally:
        server.stop()
    server.verify()


def signing_caller(server):
    """The demo merchant, signing."""
    pingpp = server.demo["pingpp"]
    key = keys.private_key(pingpp["merchant_private_key_pem"])
    return PingppHttp(server.base_url, pingpp["api_key"], key)


@pytest.fixture
def api(server):
    return signing_caller(server)


@pytest.fixture
def app_id(server):
    return server.demo["pingpp"]["app_id"]


@pytest.fixture
def simulator(server):
    return Simulator(server.demo["simulator_url"])
