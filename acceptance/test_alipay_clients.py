"""Independent Alipay clients against our simulator, and their verifiers against our connector.

The simulator is believed only because libraries that others wrote accept it, and the connector
because they accept its signatures, too (specs/channels.md §6).
"""

import http.client
import uuid
from urllib.parse import urlsplit

import pytest
from alipay.exceptions import AliPayValidationError

from harness import keys
from harness.alipay import fields_of, library, notice_is_genuine, resigned
from harness.node import run_row
from harness.pingpp_http import charge
from harness.waiting import eventually


@pytest.fixture
def alipay_demo(server):
    return server.demo["alipay"]


@pytest.fixture
def client(alipay_demo):
    return library(alipay_demo)


@pytest.fixture
def node_settings(server, alipay_demo):
    """The same keys as the Node library wants them."""
    private = keys.private_key(alipay_demo["app_private_key"])
    return {
        "app_id": alipay_demo["app_id"],
        "app_private_key": keys.pkcs1_pem(private).strip(),
        "key_type": "PKCS1",
        "alipay_public_key": keys.spki_pem(keys.public_key(alipay_demo["alipay_public_key"])).strip(),
        "gateway_url": alipay_demo["gateway_url"],
        "simulator_url": server.demo["simulator_url"],
    }


def number():
    return uuid.uuid4().hex[:20]


def subject():
    """A subject that no other trade has, with characters that trip careless encoders."""
    return f"茶 & <{uuid.uuid4().hex[:8]}> +%"


def precreate(client, out_trade_no, **more):
    answer = client.api_alipay_trade_precreate("龙井 & <茶>", out_trade_no, "19.90", **more)
    assert answer["code"] == "10000", answer
    return answer


def test_python_library_creates_pays_queries_and_refunds(client, simulator):
    out_trade_no = number()
    assert precreate(client, out_trade_no)["qr_code"].startswith("http")
    assert client.api_alipay_trade_query(out_trade_no)["sub_code"] == "ACQ.TRADE_NOT_EXIST"
    simulator.do(out_trade_no, "pay")
    paid = client.api_alipay_trade_query(out_trade_no)
    assert (paid["trade_status"], paid["total_amount"]) == ("TRADE_SUCCESS", "19.90")
    assert client.api_alipay_trade_query(trade_no=paid["trade_no"])["out_trade_no"] == out_trade_no

    part = {"out_trade_no": out_trade_no, "out_request_no": number()}
    first = client.api_alipay_trade_refund("5.00", **part)
    assert (first["fund_change"], first["refund_fee"]) == ("Y", "5.00")
    again = client.api_alipay_trade_refund("5.00", **part)
    assert (again["fund_change"], again["refund_fee"]) == ("N", "5.00")
    other = client.api_alipay_trade_refund("6.00", **part)
    assert other["sub_code"] == "ACQ.DISCORDANT_REPEAT_REQUEST"
    too_much = client.api_alipay_trade_refund(
        "15.00", out_trade_no=out_trade_no, out_request_no=number()
    )
    assert too_much["sub_code"] == "ACQ.REASON_TRADE_REFUND_FEE_ERR"
    found = client.api_alipay_trade_fastpay_refund_query(**part)
    assert (found["refund_status"], found["refund_amount"]) == ("REFUND_SUCCESS", "5.00")
    unknown = client.api_alipay_trade_fastpay_refund_query(number(), out_trade_no=out_trade_no)
    assert unknown["code"] == "10000" and "refund_status" not in unknown


def test_python_library_closes_and_cancels(client, simulator):
    closed, cancelled = number(), number()
    for out_trade_no in (closed, cancelled):
        precreate(client, out_trade_no)
        simulator.do(out_trade_no, "scan")
    assert client.api_alipay_trade_close(closed)["code"] == "10000"
    assert client.api_alipay_trade_query(closed)["trade_status"] == "TRADE_CLOSED"
    simulator.do(cancelled, "pay")
    answer = client.api_alipay_trade_cancel(cancelled)
    assert (answer["action"], answer["retry_flag"]) == ("refund", "N")
    assert client.api_alipay_trade_query(cancelled)["trade_status"] == "TRADE_CLOSED"


@pytest.mark.parametrize("kind", ["page", "wap"])
def test_python_library_opens_a_cashier_page(client, simulator, alipay_demo, kind):
    out_trade_no = number()
    make = getattr(client, f"api_alipay_trade_{kind}_pay")
    query = make("龙井 & <茶>", out_trade_no, "1.00", return_url="http://127.0.0.1:9/back")
    address = urlsplit(alipay_demo["gateway_url"])
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=20)
    connection.request("GET", f"{address.path}?{query}")
    response = connection.getresponse()
    assert response.status == 302 and "/cashier/" in response.headers["Location"]
    connection.close()
    assert simulator.do(out_trade_no, "pay")["status"] == "TRADE_SUCCESS"


def test_python_library_notices_a_wrong_signature(client, alipay_demo, simulator):
    stranger = library(alipay_demo, keys.spki_pem(keys.new_private_key().public_key()))
    with pytest.raises(AliPayValidationError):
        stranger.api_alipay_trade_query(number())
    out_trade_no = number()
    simulator.do(out_trade_no, faults={"answer": {"wrong_sign": 1}})
    with pytest.raises(AliPayValidationError):
        client.api_alipay_trade_query(out_trade_no)


def test_the_simulator_refuses_a_stranger(alipay_demo):
    stranger = library(
        alipay_demo | {"app_private_key": keys.pkcs1_pem(keys.new_private_key())}
    )
    answer = stranger.api_alipay_trade_query(number())
    assert (answer["code"], answer["sub_code"]) == ("40002", "isv.invalid-signature")


def test_libraries_accept_the_simulators_notifications(client, simulator, sink, node_settings):
    out_trade_no, path = number(), f"/alipay/{number()}"
    precreate(client, out_trade_no, notify_url=sink.url(path))
    simulator.do(out_trade_no, "pay")
    client.api_alipay_trade_refund("5.00", out_trade_no=out_trade_no, out_request_no=number())
    client.api_alipay_trade_refund("14.90", out_trade_no=out_trade_no, out_request_no=number())
    notices = [fields_of(one.body.decode()) for one in sink.wait(lambda _: True, 3, path=path)]
    assert [one["trade_status"] for one in notices] == [
        "TRADE_SUCCESS",
        "TRADE_SUCCESS",
        "TRADE_CLOSED",
    ]
    assert [one.get("refund_fee") for one in notices] == [None, "5.00", "19.90"]
    assert all(notice_is_genuine(client, one) for one in notices)
    forged = [one | {"total_amount": "1990.00"} for one in notices]
    assert not any(notice_is_genuine(client, one) for one in forged)
    verdicts = run_row("alipay_node/calls.js", "verify", node_settings | {"signed": notices + forged})
    assert verdicts == [True] * 3 + [False] * 3


@pytest.mark.parametrize(
    "row", ["create_query_refund", "close", "page_pay", "a_wrong_key_is_noticed"]
)
def test_node_library(node_settings, sink, row):
    run_row("alipay_node/calls.js", row, node_settings | {"notify_url": sink.url("/alipay/node")})


def signed_credential(api, app_id, channel, text):
    """Creates a charge and returns it with the signed fields in its credential."""
    answer = api.post("/v1/charges", charge(app_id, channel, subject=text))
    assert answer.status == 200, answer.body
    value = answer.json()["credential"][channel]
    if channel == "alipay":
        return answer.json(), fields_of(value["orderInfo"])
    return answer.json(), {name: text for name, text in value.items() if name != "channel_url"}


def app_key_verdicts(node_settings, alipay_demo, signed):
    """The Node library's verdict, with the merchant's public key in place of the channel's."""
    app_key = keys.private_key(alipay_demo["app_private_key"]).public_key()
    settings = {"alipay_public_key": keys.spki_pem(app_key).strip(), "signed": signed}
    return run_row("alipay_node/calls.js", "verify", node_settings | settings)


@pytest.mark.parametrize("channel", ["alipay", "alipay_wap", "alipay_pc_direct"])
def test_our_signed_pages_are_what_the_libraries_would_sign(
    api, app_id, client, node_settings, alipay_demo, channel
):
    _, fields = signed_credential(api, app_id, channel, subject())
    assert fields["sign_type"] == "RSA2" and fields["charset"].lower() == "utf-8"
    assert fields["sign"] == resigned(client, fields)
    spoilt = fields | {"timestamp": "2020-01-01 00:00:00"}
    assert app_key_verdicts(node_settings, alipay_demo, [fields, spoilt]) == [True, False]


def test_our_calls_and_the_notices_to_us_pass_the_libraries(
    api, app_id, server, client, simulator, node_settings, alipay_demo
):
    text = subject()
    made = api.post("/v1/charges", charge(app_id, "alipay_qr", subject=text, amount=1000)).json()
    trade = simulator.trade_with_subject(text)
    simulator.do(trade["out_trade_no"], "pay")
    target = f"/v1/charges/{made['id']}"
    eventually(lambda: api.get(target).json()["paid"], "the notification to arrive")
    assert api.post(target + "/refunds", {"description": "part", "amount": 300}).status == 200
    closed = subject()
    unpaid = api.post("/v1/charges", charge(app_id, "alipay_qr", subject=closed)).json()
    assert api.post(f"/v1/charges/{unpaid['id']}/reverse", {}).status == 200

    def refund_was_told():
        entries = simulator.journal(out_trade_no=trade["out_trade_no"])
        told = [one for one in entries if one["direction"] == "notification"]
        return entries if len(told) >= 2 else None

    entries = eventually(refund_was_told, "the refund's notification")
    notices = [one for one in entries if one["direction"] == "notification"]
    assert {one["result"] for one in notices} == {"acknowledged"}, notices
    assert {one["body"] for one in notices} == {"success"}
    assert all(notice_is_genuine(client, one["parameters"]) for one in notices)

    out_trade_no = simulator.trade_with_subject(closed)["out_trade_no"]
    entries += simulator.journal(out_trade_no=out_trade_no)
    calls = [one for one in entries if one["direction"] == "request"]
    methods = {one["method"] for one in calls}
    assert {"alipay.trade.precreate", "alipay.trade.refund"} <= methods, methods
    assert methods & {"alipay.trade.close", "alipay.trade.cancel"}, methods
    for one in calls:
        assert one["parameters"]["sign"] == resigned(client, one["parameters"]), one["method"]
    signed = [one["parameters"] for one in calls]
    assert all(app_key_verdicts(node_settings, alipay_demo, signed))
