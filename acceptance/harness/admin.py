"""`sycee admin` as an operator would type it, on the folder of a running or stopped server."""

import json

from .server import run

ALL_EVENTS = (
    "charge.succeeded",
    "charge.failed",
    "refund.succeeded",
    "refund.failed",
    "batch_refund.succeeded",
)


def admin(server, *arguments):
    """Runs one admin command and returns what it printed as JSON."""
    result = run("admin", *arguments, "--data", str(server.data), "--json")
    assert result.returncode == 0, f"admin {arguments}: {result.stdout}{result.stderr}"
    return json.loads(result.stdout)


def add_webhook_endpoint(server, url, app=None, events=ALL_EVENTS, mode="test"):
    """Has the events of an app (the demo's, if none is named) sent to `url`."""
    app = app or server.demo["pingpp"]["app_id"]
    wanted = [word for event in events for word in ("--event", event)]
    return admin(server, "endpoint", "add", "--app", app, "--mode", mode, "--url", url, *wanted)


def add_merchant(server, name):
    """Another merchant with a test app, an enabled channel and a key."""
    raise NotImplementedError
