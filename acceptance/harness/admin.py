"""`sycee admin` as an operator would type it, on the folder of a running or stopped server."""

import json

from .server import run
from .waiting import eventually

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
    merchant = str(server.demo["alipay"]["merchant"])
    where = ("--app", app, "--mode", mode, "--merchant", merchant)
    return admin(server, "endpoint", "add", *where, "--url", url, *wanted)


def add_merchant(server, name):
    """Another merchant with a test app, an enabled channel and a key; it does not sign."""
    merchant = str(admin(server, "merchant", "add", name)["merchant"])

    def its(*arguments):
        return admin(server, *arguments, "--merchant", merchant)

    app = its("app", "add", name)["app"]
    api_key = its("key", "add", "--mode", "test")["api_key"]
    alipay = server.demo["alipay"]
    names = ("app_id", "seller_id", "app_private_key", "alipay_public_key", "gateway_url")
    settings = server.folder / f"{name}.json"
    settings.write_text(json.dumps({field: alipay[field] for field in names}))
    route = its(
        "route", "add", name, "--connector", "alipay", "--settings", str(settings),
        "--mode", "test",
    )["route"]
    its("channel", "enable", "--app", app, "--route", str(route), "--mode", "test", "alipay_qr")
    return {"app_id": app, "api_key": api_key, "private_key": None}


def deliveries(server, event_id):
    """The demo merchant's deliveries of one event, each with its tries."""
    return _of_event(server, "list", event_id)


def resend(server, event_id, *options):
    """Sends an event's messages again: those not taken yet, or with `--all` every one."""
    return _of_event(server, "resend", event_id, *options)["resent"]


def _of_event(server, what, event_id, *options):
    merchant = str(server.demo["alipay"]["merchant"])
    where = ("--mode", "test", "--merchant", merchant)
    return admin(server, "delivery", what, event_id, *where, *options)


def await_tries(server, event_id, count):
    """Waits until the server has written down `count` tries of an event's one delivery.

    The sink has answered a little before that, and the wait for the next try begins only there.
    """

    def written():
        (delivery,) = deliveries(server, event_id)
        return delivery["tries"] >= count and delivery["state"] != "sending"

    eventually(written, f"{count} tries to be written down")
