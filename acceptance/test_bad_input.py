"""Bad input: nothing but the documented shapes comes back, and nothing changes.

One server for the whole file. Every create goes through `Desk`, which writes down what was
accepted; the last test compares that with what the server kept.
"""

import json
import re
import time

import pytest

from conftest import signing_caller
from harness import keys, shapes
from harness.admin import add_merchant
from harness.pingpp_http import PingppHttp, charge, order_no
from harness.server import Server

ABSENT = object()
NOWHERE = "ch_" + "0" * 24
DAY = 86_400


class Desk:
    """The merchant under test, who keeps a list of what was accepted."""

    def __init__(self, server):
        self.server = server
        self.app_id = server.demo["pingpp"]["app_id"]
        self.api = signing_caller(server)
        self.charges = set()
        self.refunds = set()

    def post(self, target, value):
        return self.keep(self.api.post(target, value))

    def send(self, method, target, body=b"", headers=None):
        return self.keep(self.api.send(method, target, body, headers))

    def keep(self, answer):
        if answer.status == 200:
            value = answer.json()
            if value.get("object") == "charge":
                self.charges.add(value["id"])
            if value.get("object") == "refund":
                self.refunds.add(value["id"])
        return answer

    def parameters(self, channel="alipay_qr", **changes):
        changed = charge(self.app_id, channel, **changes)
        return {name: value for name, value in changed.items() if value is not ABSENT}

    def create(self, channel="alipay_qr", **changes):
        answer = self.post("/v1/charges", self.parameters(channel, **changes))
        assert answer.status == 200, answer.body
        return answer.json()

    def paid(self, **changes):
        made = self.create(**changes)
        assert self.server.get(f"/notify/charges/{made['id']}?livemode=false")[0] == 200
        return made


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("bad-input")).start()
    try:
        yield Desk(server)
    finally:
        server.stop()
    server.verify()


@pytest.fixture(scope="module")
def paid(desk):
    """A paid charge that no refusal may touch."""
    return desk.paid(amount=1_000_000)


@pytest.fixture(scope="module")
def stranger(desk):
    """Another merchant of the same server, with a charge of its own: (caller, app, charge)."""
    merchant = add_merchant(desk.server, "stranger")
    key = keys.private_key(merchant["private_key"]) if merchant["private_key"] else None
    caller = PingppHttp(desk.server.base_url, merchant["api_key"], key)
    made = caller.post("/v1/charges", charge(merchant["app_id"]))
    return caller, merchant["app_id"], made


def refused(answer, status=400, param=None):
    """The answer is the documented refusal; `param` is one name or several that will do."""
    error = shapes.check_error(answer)
    statuses = status if isinstance(status, tuple) else (status,)
    assert answer.status in statuses, (answer.status, answer.body)
    if param is not None:
        params = param if isinstance(param, tuple) else (param,)
        assert error.get("param") in params, error
    return error


def label(value):
    return "absent" if value is ABSENT else repr(value)[:24]


WRONG_TEXT = [ABSENT, "", None, [], {}, True]
WRONG_CREATES = {
    "order_no": [*WRONG_TEXT, "x" * 65, "a b", "ab\n", "a\u0000b", "订单一二三四", "１２３４５６７８", "a/b"],
    "channel": [*WRONG_TEXT, "alipay ", "ALIPAY", "nothing", "wx", "upacp", "cb_alipay"],
    "client_ip": [*WRONG_TEXT, 7, "999.1.1.1", "1.2.3", "localhost", "1.2.3.4 ", "::g"],
    "currency": [*WRONG_TEXT, "cn", "cnyy", "CNY", "xxx", "usd", "ｃｎｙ"],
    "subject": [*WRONG_TEXT, 7, "x" * 33, "茶" * 33, "🍵" * 33, "a\u0000b", "a\nb", "a\u202eb"],
    "body": [*WRONG_TEXT, 7, "x" * 129, "茶" * 129, "a\u0000b"],
    "amount": [
        *[ABSENT, "", None, [], {}, True, False, 0, -1, 1.5, "abc", "1.0", "0x10", "-5", " 7"],
        *["+7", "１", "1e2", 1_000_000_001, 2**31, 2**63, 10**30, "9" * 400],
    ],
    "extra": ["", "{}", 7, True, [1], "x"],
    "metadata": [
        *["", "{}", 7, True, [1], {"a": {"b": 1}}, {"a": [1]}],
        *[{f"k{n}": "v" for n in range(21)}, {"k": "x" * 1000}, {"键": "值" * 1000}],
    ],
    "description": [7, True, [], {}, "x" * 256, "茶" * 256],
    "time_expire": [True, [], {}, "soon", 1.5, -1, 0, 1, 10**12],
}


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in WRONG_CREATES.items() for value in values],
    ids=label,
)
def test_a_wrong_parameter_of_create_is_named(desk, name, value):
    answer = desk.post("/v1/charges", desk.parameters(**{name: value}))
    refused(answer, param=name)


# A JSON number is judged by its text, so these are sent as they stand.
@pytest.mark.parametrize("text", ["1.0", "1e2", "-0", "0.1e2", "1E0", "01", "+1", ".5", "NaN", "0x1"])
def test_an_amount_that_is_not_plain_digits_is_refused(desk, text):
    body = json.dumps(desk.parameters(amount=12345)).replace("12345", text).encode()
    refused(desk.send("POST", "/v1/charges", body), param=("amount", None))


@pytest.mark.parametrize(
    "app",
    [ABSENT, "", None, [], {}, True, 7, {"id": ""}, {"id": None}, {"id": 7}, {"id": {}}],
    ids=label,
)
def test_a_wrong_app_is_refused(desk, app):
    answer = desk.post("/v1/charges", desk.parameters(app=app))
    refused(answer, status=(400, 404), param=("app", "app[id]"))


def test_an_unknown_app_is_not_found(desk):
    answer = desk.post("/v1/charges", desk.parameters(app={"id": "app_0000000000000000"}))
    refused(answer, status=404, param="app[id]")


@pytest.mark.parametrize(
    "changes",
    [
        {"order_no": "x"},
        {"order_no": lambda: order_no() + "y" * 46},
        {"order_no": lambda: "a-b_c" + order_no()},
        {"subject": "x" * 32},
        {"subject": "🍵" * 32},
        {"subject": "e\u0301" * 16},
        {"body": "茶" * 128},
        {"description": "🍵" * 255},
        {"description": None},
        {"metadata": {f"k{n}": "v" for n in range(20)}},
        {"metadata": {"k": "x" * 999}},
        {"metadata": {"键": "值" * 999}},
        {"metadata": {"n": 7, "yes": True, "none": None, "s": "茶"}},
        {"amount": 1},
        {"amount": "100"},
        {"amount": 1_000_000_000},
        {"client_ip": "2001:db8::7"},
        {"extra": []},
        {"metadata": []},
        {"extra": ABSENT},
        {"unknown_parameter": "ignored"},
        {"paid": True, "livemode": True, "id": "ch_mine", "amount_refunded": 5},
    ],
    ids=label,
)
def test_a_value_at_its_limit_is_accepted(desk, changes):
    values = {k: v() if callable(v) else v for k, v in changes.items()}
    answer = desk.post("/v1/charges", desk.parameters(**values))
    assert answer.status == 200, answer.body
    made = answer.json()
    shapes.check_charge(made)
    assert (made["paid"], made["livemode"], made["amount_refunded"]) == (False, False, 0)
    assert made["id"] != "ch_mine"


@pytest.mark.parametrize(
    ("seconds", "accepted"),
    [(70, True), (50, False), (15 * DAY - 10, True), (15 * DAY + 10, False)],
)
def test_expiry_lies_between_a_minute_and_fifteen_days(desk, seconds, accepted):
    wanted = desk.parameters(time_expire=int(time.time()) + seconds)
    answer = desk.post("/v1/charges", wanted)
    if accepted:
        assert answer.status == 200 and answer.json()["time_expire"] == wanted["time_expire"]
    else:
        refused(answer, param="time_expire")


@pytest.mark.parametrize(
    ("channel", "extra"),
    [
        ("alipay_wap", {}),
        ("alipay_wap", {"success_url": ""}),
        ("alipay_wap", {"success_url": 7}),
        ("alipay_pc_direct", {}),
        ("alipay_scan", {"terminal_id": "T1"}),
        ("alipay_scan", {"scan_code": "280000000000000000"}),
    ],
    ids=label,
)
def test_a_missing_extra_key_is_named(desk, channel, extra):
    answer = desk.post("/v1/charges", desk.parameters(channel, extra=extra))
    error = refused(answer)
    assert re.fullmatch(r"extra(\[\w+\])?", error.get("param", "")), error


@pytest.mark.parametrize("value", [*WRONG_TEXT, 7, "x" * 256], ids=label)
def test_a_wrong_description_of_a_refund_is_named(desk, paid, value):
    body = {} if value is ABSENT else {"description": value}
    refused(desk.post(f"/v1/charges/{paid['id']}/refunds", body), param="description")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("amount", v) for v in (0, -1, 1.5, "x", True, [], {}, 1_000_001, 2**63, "1e2")],
        *[("metadata", v) for v in ("", 7, [1], {"a": {}}, {f"k{n}": 1 for n in range(21)})],
        *[("funding_source", v) for v in ("gold", 7, [], {})],
        *[("extra", v) for v in ("x", 7, True)],
    ],
    ids=label,
)
def test_a_wrong_parameter_of_a_refund_is_named(desk, paid, name, value):
    body = {"description": "no", name: value}
    refused(desk.post(f"/v1/charges/{paid['id']}/refunds", body), param=name)


def test_a_refund_at_its_limit_is_accepted(desk):
    made = desk.paid(amount=500)
    target = f"/v1/charges/{made['id']}/refunds"
    assert desk.post(target, {"description": "茶" * 255, "amount": "1"}).status == 200
    refused(desk.post(target, {"description": "no", "amount": 500}), param="amount")
    assert desk.post(target, {"description": "x", "amount": 499, "metadata": {}}).status == 200


@pytest.mark.parametrize(
    "query",
    [
        *["limit=0", "limit=101", "limit=-1", "limit=x", "limit=", "limit=1.5", "limit=1e1"],
        *["paid=maybe", "refunded=2", "reversed=", "created=x", "created[gt]=x", "created[lte]="],
        *["limit=1&limit=2", "channel=nothing"],
    ],
)
def test_a_wrong_filter_of_the_list_is_named(desk, query):
    name = query.split("=")[0]
    answer = desk.send("GET", f"/v1/charges?app[id]={desk.app_id}&{query}")
    refused(answer, param=(name, name.split("[")[0]))


@pytest.mark.parametrize("query", ["starting_after=" + NOWHERE, "ending_before=" + NOWHERE])
def test_an_unknown_cursor_is_not_found(desk, query):
    answer = desk.send("GET", f"/v1/charges?app[id]={desk.app_id}&{query}")
    refused(answer, status=404, param=query.split("=")[0])


@pytest.mark.parametrize(
    "query",
    ["limit=1", "limit=100", "paid=TRUE", "paid=False", "created[gte]=0", "expand[]=nothing", "x=y"],
)
def test_a_filter_at_its_limit_is_accepted(desk, query):
    answer = desk.send("GET", f"/v1/charges?app[id]={desk.app_id}&{query}")
    assert answer.status == 200, answer.body
    shapes.check_list(answer.json())


def batch(desk, paid, **changes):
    wanted = {
        "app": desk.app_id,
        "batch_no": order_no(),
        "charges": [{"charge": paid["id"], "amount": 1}],
        "description": "no",
    }
    return {name: value for name, value in (wanted | changes).items() if value is not ABSENT}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("app", v) for v in (ABSENT, "", None, [], {}, 7)],
        *[("batch_no", v) for v in (*WRONG_TEXT, "ab", "x" * 25, "a b c", "批次一二")],
        *[("charges", v) for v in (ABSENT, "", None, [], {}, "x", [7], [{}], [None], [""])],
        *[("description", v) for v in (*WRONG_TEXT, "x" * 256)],
        *[("metadata", v) for v in (7, "x", {"a": {}})],
    ],
    ids=label,
)
def test_a_wrong_parameter_of_a_batch_refund_is_refused(desk, paid, name, value):
    refused(desk.post("/v1/batch_refunds", batch(desk, paid, **{name: value})), status=(400, 404))


def test_a_batch_with_too_many_or_double_charges_is_refused(desk, paid):
    for charges in ([paid["id"]] * 2, [f"ch_{n:024}" for n in range(101)]):
        refused(desk.post("/v1/batch_refunds", batch(desk, paid, charges=charges)))


@pytest.mark.parametrize("query", ["page=0", "page=x", "per_page=0", "per_page=101", "per_page=x"])
def test_a_wrong_page_of_batch_refunds_is_named(desk, query):
    refused(desk.send("GET", f"/v1/batch_refunds?{query}"), param=query.split("=")[0])


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "created[gt]=x"])
def test_a_wrong_filter_of_events_is_refused(desk, query):
    refused(desk.send("GET", f"/v1/events?{query}"))


def test_the_refusals_left_the_paid_charge_alone(desk, paid):
    kept = desk.send("GET", f"/v1/charges/{paid['id']}").json()
    assert (kept["paid"], kept["refunded"], kept["amount_refunded"]) == (True, False, 0)


BODIES = {
    "empty": b"",
    "brace": b"{",
    "cut": b'{"amount":1',
    "list": b"[1]",
    "text": b'"x"',
    "null": b"null",
    "number": b"7",
    "trailing": b'{"amount":1} {}',
    "twice": b'{"amount":1,"amount":2}',
    "deep": b'{"metadata":' + b"[" * 200 + b"]" * 200 + b"}",
    "mark": b"\xef\xbb\xbf{}",
    "utf16": '{"amount":1}'.encode("utf-16"),
    "latin": b'{"subject":"\xe9"}',
    "surrogate": b'{"subject":"\\ud800"}',
    "single quotes": b"{'amount':1}",
    "comment": b'{/* */"amount":1}',
    "nul": b"\x00",
    "not json": b"amount",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
@pytest.mark.parametrize("target", ["/v1/charges", "refunds", "/v1/batch_refunds"])
def test_a_malformed_body_is_refused(desk, paid, target, body):
    target = f"/v1/charges/{paid['id']}/refunds" if target == "refunds" else target
    refused(desk.send("POST", target, body))


@pytest.mark.parametrize("position", ["top", "inside"])
def test_a_doubled_name_is_refused_though_all_else_is_right(desk, position):
    text = json.dumps(desk.parameters(metadata={"k": "v"}))
    twice = {"top": ('"amount": 1990', '"amount": 1990, "amount": 1'), "inside": ('"k"', '"k":1,"k"')}
    assert twice[position][0] in text
    refused(desk.send("POST", "/v1/charges", text.replace(*twice[position], 1).encode()))


def test_a_body_too_large_is_refused(desk):
    body = json.dumps(desk.parameters(padding="x" * 70_000)).encode()
    answer = desk.send("POST", "/v1/charges", body)
    assert answer.status in (400, 413)
    assert isinstance(answer.json()["error"]["message"], str)


def form(desk, body):
    headers = desk.api.headers("POST", "/v1/charges", body)
    headers["Content-Type"] = "application/x-www-form-urlencoded; charset=UTF-8"
    return desk.send("POST", "/v1/charges", body, headers)


def form_body(desk):
    return (
        f"order_no={order_no()}&app%5Bid%5D={desk.app_id}&channel=alipay_wap&amount=100"
        "&client_ip=127.0.0.1&currency=cny&subject=%E8%8C%B6+x&body=b"
        "&extra[success_url]=http%3A%2F%2F127.0.0.1%3A9%2F&metadata%5Bk%5D=v"
    )


def test_a_form_is_as_good_as_json(desk):
    answer = form(desk, form_body(desk).encode())
    assert answer.status == 200, answer.body
    made = answer.json()
    assert (made["amount"], made["subject"], made["metadata"]) == (100, "茶 x", {"k": "v"})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("amount=100", "amount=%ZZ"),
        ("amount=100", "amount=100&amount=1"),
        ("amount=100", "amount[x]=1"),
        ("app%5Bid%5D=", "app[id="),
        ("app%5Bid%5D=", "app[][id]="),
        ("subject=%E8%8C%B6+x", "subject=%E8%8C"),
        ("metadata%5Bk%5D=v", "metadata[k][l][m]=v"),
        ("extra[success_url]", "extra]success_url["),
    ],
)
def test_a_malformed_form_is_refused(desk, old, new):
    body = form_body(desk)
    assert old in body
    refused(form(desk, body.replace(old, new).encode()), status=(400, 404))


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/v1"),
        ("GET", "/v1/"),
        ("GET", "/v1/nothing"),
        ("POST", "/v1/nothing"),
        ("GET", "/v2/charges"),
        ("PUT", "/v1/charges"),
        ("DELETE", "/v1/charges/" + NOWHERE),
        ("POST", "/v1/charges/" + NOWHERE),
        ("GET", "/v1/charges/" + NOWHERE + "/nothing"),
        ("GET", "/v1/charges/" + NOWHERE + "/refunds/re_0/x"),
        ("POST", "/v1/charges/undefined/refunds"),
        ("GET", "/v1/charges/%00"),
        ("GET", "/v1/charges/..%2F..%2Fetc"),
        ("GET", "/v1/charges/" + "x" * 65),
        ("GET", "/v1/charges/" + "x" * 4000),
        ("GET", "/v1/charges/%E8%8C%B6"),
        ("PATCH", "/v1/charges/" + NOWHERE),
        ("POST", "/v1/events"),
        ("GET", "/v1/transfers"),
    ],
)
def test_an_unknown_route_is_not_found(desk, method, target):
    body = b"{}" if method in ("POST", "PUT", "PATCH") else b""
    refused(desk.send(method, target, body), status=(400, 404))


@pytest.mark.parametrize(
    "authorization",
    [
        *[None, "", "Basic", "Bearer", "Basic !!!", "Basic Og==", "Bearer  ", "Token x", "Bearer x"],
        *["Bearer sk_test_" + "0" * 24, "Bearer sk_live_" + "0" * 24, "Bearer " + "x" * 5000],
        *["Basic c2tfdGVzdF8wOg==", "bearer", "Digest username=x"],
    ],
    ids=label,
)
def test_a_missing_or_wrong_key_is_refused(desk, authorization):
    headers = {} if authorization is None else {"Authorization": authorization}
    for method, target in (("GET", "/v1/charges/" + NOWHERE), ("POST", "/v1/charges")):
        answer = desk.send(method, target, b"{}" if method == "POST" else b"", headers)
        refused(answer, status=401)
        assert "x-pingplusplus-signature" not in answer.headers


def test_a_key_works_in_every_accepted_scheme(desk):
    import base64

    key = desk.api.api_key
    basic = base64.b64encode(f"{key}:".encode()).decode()
    for scheme in (f"Bearer {key}", f"Basic {basic}", f"bearer {key}", f"basic {basic}"):
        answer = desk.send("GET", "/v1/charges/" + NOWHERE, headers={"Authorization": scheme})
        refused(answer, status=404, param="id")


def spoil(headers, name):
    signature = headers["Pingplusplus-Signature"]
    now = int(headers["Pingplusplus-Request-Timestamp"])
    return headers | {
        "empty": {"Pingplusplus-Signature": ""},
        "not base64": {"Pingplusplus-Signature": "!!!"},
        "other bytes": {"Pingplusplus-Signature": signature[:-8] + "AAAAAA=="},
        "cut": {"Pingplusplus-Signature": signature[:100]},
        "other time": {"Pingplusplus-Request-Timestamp": str(now + 1)},
        "old": {"Pingplusplus-Request-Timestamp": str(now - DAY)},
        "no time": {"Pingplusplus-Request-Timestamp": "soon"},
    }[name]


@pytest.mark.parametrize(
    "name", ["empty", "not base64", "other bytes", "cut", "other time", "old", "no time"]
)
def test_a_spoilt_signature_is_refused(desk, name):
    body = json.dumps(desk.parameters()).encode()
    headers = spoil(desk.api.headers("POST", "/v1/charges", body), name)
    refused(desk.send("POST", "/v1/charges", body, headers))


def test_a_signature_covers_body_and_target(desk):
    body = json.dumps(desk.parameters()).encode()
    headers = desk.api.headers("POST", "/v1/charges", body)
    refused(desk.send("POST", "/v1/charges", body.replace(b"1990", b"1991"), headers))
    refused(desk.send("POST", "/v1/charges", body + b"\n", headers))
    refused(desk.send("POST", "/v1/charges?x=1", body, headers))


def test_another_merchants_signature_is_refused(desk):
    body = json.dumps(desk.parameters()).encode()
    other = PingppHttp(desk.server.base_url, desk.api.api_key, keys.new_private_key())
    refused(desk.send("POST", "/v1/charges", body, other.headers("POST", "/v1/charges", body)))


# What may differ between two answers that say the same.
MOVING_HEADERS = {"date", "x-pingplusplus-signature", "x-request-id", "content-length"}


def masked(answer, object_id):
    headers = {k: v for k, v in answer.headers.items() if k not in MOVING_HEADERS}
    return answer.status, headers, answer.body.replace(object_id.encode(), b"<id>")


def test_a_foreign_id_looks_like_an_unknown_one(desk, stranger, paid):
    caller, _, _ = stranger
    refund = desk.post(f"/v1/charges/{paid['id']}/refunds", {"description": "x", "amount": 1}).json()
    event = desk.send("GET", "/v1/events?limit=1").json()["data"][0]["id"]
    made = desk.post("/v1/batch_refunds", batch(desk, paid)).json()["id"]
    cases = [
        ("GET", "/v1/charges/{}", paid["id"], NOWHERE),
        ("POST", "/v1/charges/{}/reverse", paid["id"], NOWHERE),
        ("GET", "/v1/charges/{}/refunds", paid["id"], NOWHERE),
        ("POST", "/v1/charges/{}/refunds", paid["id"], NOWHERE),
        ("GET", "/v1/charges/{}/refunds/" + refund["id"], paid["id"], NOWHERE),
        ("GET", "/v1/events/{}", event, "evt_" + "0" * 24),
        ("GET", "/v1/batch_refunds/{}", made, "1" * len(made)),
    ]
    for method, target, foreign, unknown in cases:
        answers = []
        for object_id in (foreign, unknown):
            body = b'{"description":"mine"}' if method == "POST" else b""
            answer = caller.send(method, target.format(object_id), body)
            refused(answer, status=404)
            answers.append(masked(answer, object_id))
        assert answers[0] == answers[1], target


def test_a_foreign_refund_or_app_looks_unknown(desk, stranger, paid):
    caller, own_app, made = stranger
    assert made.status == 200, made.body
    own = made.json()["id"]
    refund = desk.send("GET", f"/v1/charges/{paid['id']}/refunds").json()["data"][0]["id"]
    foreign = caller.send("GET", f"/v1/charges/{own}/refunds/{refund}")
    unknown = caller.send("GET", f"/v1/charges/{own}/refunds/re_{'0' * 24}")
    assert masked(foreign, refund) == masked(unknown, "re_" + "0" * 24)
    for app in (desk.app_id, "app_0000000000000000"):
        refused(caller.post("/v1/charges", charge(app)), status=404, param="app[id]")
    for cursor in ("starting_after", "ending_before"):
        answer = caller.get(f"/v1/charges?app[id]={own_app}&{cursor}={paid['id']}")
        refused(answer, status=404, param=cursor)
    listed = caller.get(f"/v1/charges?app[id]={own_app}&limit=100").json()["data"]
    assert [one["id"] for one in listed] == [own]
    wanted = {"app": own_app, "batch_no": order_no(), "charges": [paid["id"]], "description": "no"}
    refused(caller.post("/v1/batch_refunds", wanted), status=(400, 404))


@pytest.mark.parametrize("charge_id", [NOWHERE, "x", "ch_", "%20"])
def test_the_payers_pages_know_no_unknown_charge(desk, charge_id):
    for path in (f"/notify/charges/{charge_id}?livemode=false", f"/mock.php?ch_id={charge_id}"):
        assert desk.server.get(path)[0] in (400, 404), path


def test_a_test_charge_is_not_paid_in_live_mode(desk):
    made = desk.create()
    for query in ("?livemode=true", ""):
        assert desk.server.get(f"/notify/charges/{made['id']}{query}")[0] in (400, 404)
    assert desk.send("GET", f"/v1/charges/{made['id']}").json()["paid"] is False


def test_nothing_but_the_accepted_was_kept(desk):
    listed, cursor = [], ""
    while True:
        target = f"/v1/charges?app[id]={desk.app_id}&limit=100{cursor}"
        page = desk.api.get(target).json()
        listed += page["data"]
        if not page["has_more"]:
            break
        cursor = "&starting_after=" + page["data"][-1]["id"]
    assert {one["id"] for one in listed} == desk.charges
    assert len(listed) == len(desk.charges)
    refunds = [refund["id"] for one in listed for refund in one["refunds"]["data"]]
    in_batches = desk.api.get("/v1/batch_refunds?per_page=100").json()["data"]
    accepted = desk.refunds | {r["id"] for one in in_batches for r in one["refunds"]["data"]}
    assert set(refunds) == accepted and len(refunds) == len(accepted)
