"""The documented shapes, with the types that the strictest client libraries insist on.

specs/pingpp.md §0 says which library breaks on which slip.
"""

import re

NUMBER, TEXT, FLAG, MAP = int, str, bool, dict
NULL = type(None)

CHARGE = {
    "id": TEXT,
    "object": TEXT,
    "created": NUMBER,
    "livemode": FLAG,
    "paid": FLAG,
    "refunded": FLAG,
    "reversed": FLAG,
    "app": (TEXT, MAP),
    "channel": TEXT,
    "order_no": TEXT,
    "client_ip": TEXT,
    "amount": NUMBER,
    "amount_settle": NUMBER,
    "currency": TEXT,
    "subject": TEXT,
    "body": TEXT,
    "extra": MAP,
    "time_paid": (NUMBER, NULL),
    "time_expire": NUMBER,
    "time_settle": NULL,
    "transaction_no": (TEXT, NULL),
    "refunds": MAP,
    "amount_refunded": NUMBER,
    "failure_code": (TEXT, NULL),
    "failure_msg": (TEXT, NULL),
    "metadata": MAP,
    "credential": MAP,
    "description": (TEXT, NULL),
}

REFUND = {
    "id": TEXT,
    "object": TEXT,
    "order_no": TEXT,
    "amount": NUMBER,
    "created": NUMBER,
    "succeed": FLAG,
    "status": TEXT,
    "time_succeed": (NUMBER, NULL),
    "description": TEXT,
    "failure_code": (TEXT, NULL),
    "failure_msg": (TEXT, NULL),
    "metadata": MAP,
    "charge": TEXT,
    "charge_order_no": (TEXT, NULL),
    "transaction_no": (TEXT, NULL),
    "extra": MAP,
}

EVENT = {
    "id": TEXT,
    "object": TEXT,
    "created": NUMBER,
    "livemode": FLAG,
    "type": TEXT,
    "data": MAP,
    "pending_webhooks": NUMBER,
    "request": (TEXT, NULL),
}

BATCH_REFUND = {
    "id": TEXT,
    "object": TEXT,
    "app": TEXT,
    "batch_no": TEXT,
    "created": NUMBER,
    "charges": list,
    "refunds": MAP,
    "refund_url": (TEXT, NULL),
    "status": TEXT,
    "time_succeeded": (NUMBER, NULL),
    "livemode": FLAG,
    "description": TEXT,
    "metadata": MAP,
}

LIST = {"object": TEXT, "url": TEXT, "has_more": FLAG, "data": list}

ERROR_TYPES = ("invalid_request_error", "api_error", "channel_error")


def _check(value, shape):
    for name, kinds in shape.items():
        assert name in value, f"{value.get('object')} lacks {name}"
        kinds = kinds if isinstance(kinds, tuple) else (kinds,)
        # A flag is an int to Python, but not to a typed client.
        assert type(value[name]) in kinds, f"{name} is {value[name]!r}"


def check_charge(charge):
    _check(charge, CHARGE)
    assert charge["object"] == "charge"
    assert re.fullmatch(r"ch_[0-9A-Za-z]{24}", charge["id"]), charge["id"]
    assert 0 < charge["amount"] < 2**31
    check_list(charge["refunds"])
    assert charge["refunds"]["url"] == f"/v1/charges/{charge['id']}/refunds"
    for refund in charge["refunds"]["data"]:
        check_refund(refund)


def check_refund(refund):
    _check(refund, REFUND)
    assert refund["object"] == "refund"
    assert re.fullmatch(r"re_[0-9A-Za-z]{24}", refund["id"]), refund["id"]
    assert refund["status"] in ("pending", "succeeded", "failed")
    assert refund["succeed"] == (refund["status"] == "succeeded")


def check_event(event):
    _check(event, EVENT)
    assert event["object"] == "event"
    assert re.fullmatch(r"evt_[0-9A-Za-z]{24}", event["id"]), event["id"]


def check_batch_refund(batch):
    _check(batch, BATCH_REFUND)
    assert batch["object"] == "batch_refund"
    assert re.fullmatch(r"[0-9]{18,19}", batch["id"]), batch["id"]


def check_list(page):
    _check(page, LIST)
    assert page["object"] == "list"
    assert page["url"].startswith("/v1/")


def check_error(answer):
    """An error body that no library breaks on; returns the error object."""
    assert answer.headers["content-type"].startswith("application/json"), answer
    body = answer.json()
    error = body["error"]
    assert isinstance(error, dict), body
    assert error["type"] in ERROR_TYPES, error
    assert isinstance(error["message"], str) and error["message"], error
    assert set(error) <= {"type", "message", "code", "param"}, error
    for name in ("code", "param"):
        assert isinstance(error.get(name, ""), str), error
    assert answer.status in (400, 401, 402, 403, 404, 500, 503, 504), answer.status
    return error
