"""The conformance rows of specs/pingpp.md §10.4 with the unmodified `pingpp` SDK for Python."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
import http.client
import json
import socket

import pingpp
import pytest

from conftest import signing_caller
from harness import keys, shapes
from harness.admin import add_webhook_endpoint, await_tries
from harness.pingpp_http import charge as charge_parameters
from harness.pingpp_http import order_no
from harness.simulator import Simulator
from harness.waiting import eventually

# How many calls of one key are served at one time.
CALLS_PER_KEY_MAX = 512


@pytest.fixture(params=["signed", "unsigned"])
def sdk(request, server, monkeypatch):
    """The SDK, pointed at the server by its settings alone, with and without a private key."""
    pingpp_demo = server.demo["pingpp"]
    signs = request.param == "signed"
    monkeypatch.setattr(pingpp, "api_base", server.base_url)
    monkeypatch.setattr(pingpp, "api_key", pingpp_demo["api_key"])
    monkeypatch.setattr(pingpp, "app_id", pingpp_demo["app_id"])
    monkeypatch.setattr(
        pingpp, "private_key", pingpp_demo["merchant_private_key_pem"] if signs else None
    )
    return pingpp


@pytest.fixture
def create(sdk, app_id):
    """Creates a charge through the SDK."""

    def create(channel="alipay_qr", **changes):
        return sdk.Charge.create(**charge_parameters(app_id, channel, **changes))

    return create


@pytest.fixture
def create_paid(create, pay):
    def create_paid(**changes):
        charge = create(**changes)
        pay(charge.id)
        return charge

    return create_paid


@pytest.fixture
def pay(server):
    """Pays a test charge as the browser library does it."""

    def pay(charge_id):
        answer = server.get(f"/notify/charges/{charge_id}?livemode=false")
        assert answer == (200, b"success")

    return pay


def test_row_01_a_created_charge_echoes_everything_and_the_answer_is_signed(server, app_id, create):
    wanted = charge_parameters(
        app_id,
        subject="明前龙井 <250克> & 茶具",
        body="给“老张”的礼物 =\\/ 🍵",
        metadata={"cart": "77", "备注": "<b>&amp;"},
        description="第一单",
    )
    charge = create(**{k: v for k, v in wanted.items() if k not in ("app", "channel")})
    shapes.check_charge(json.loads(json.dumps(charge)))
    for name in ("order_no", "channel", "amount", "client_ip", "currency", "subject", "body"):
        assert charge[name] == wanted[name]
    assert charge.app == app_id
    assert charge.metadata == wanted["metadata"]
    assert charge.description == "第一单"
    assert charge.extra == {}
    assert (charge.livemode, charge.paid, charge.refunded, charge.reversed) == (False,) * 4
    assert charge.amount_settle == charge.amount
    assert charge.amount_refunded == 0
    assert charge.time_paid is charge.transaction_no is charge.failure_code is None
    assert charge.time_expire - charge.created == 86_400
    assert charge.credential["object"] == "credential"
    assert charge.credential["alipay_qr"].startswith(server.base_url)
    platform_key = keys.public_key(server.demo["pingpp"]["platform_public_key_pem"])
    answer = charge.last_response
    assert keys.is_signed(platform_key, answer.body.encode(), answer.pingplusplus_signature)


@pytest.mark.parametrize("empty", [{}, []])
def test_row_02_an_empty_map_may_be_a_list(create, empty):
    charge = create(extra=empty, metadata=empty)
    assert charge.extra == {} and charge.metadata == {}


def test_row_03_the_same_create_twice_gives_the_same_charge(create):
    number = order_no()
    first, second = create(order_no=number), create(order_no=number)
    assert first.id == second.id
    assert first.created == second.created


def test_row_03_creates_at_once_wait_for_a_slow_channel_and_can_all_be_paid(
    server, api, app_id, simulator
):
    wanted = charge_parameters(app_id)
    # The channel knows the charge by the merchant's own number.
    simulator.do(wanted["order_no"], faults={"answer": {"delay_ms": 400}})
    with ThreadPoolExecutor(4) as callers:
        answers = list(callers.map(lambda _: api.post("/v1/charges", wanted), range(4)))
    made = [answer.json() for answer in answers if answer.status == 200]
    assert made and len({charge["id"] for charge in made}) == 1
    assert all(charge["credential"]["alipay_qr"] for charge in made), "nobody could pay this"
    for answer in answers:
        assert answer.status in (200, 402, 503), answer.body


def test_row_03_the_same_number_in_another_channel_is_another_charge(create):
    number = order_no()
    assert create(order_no=number).id != create("alipay_wap", order_no=number).id


def test_row_04_a_retrieved_charge_is_the_created_one(sdk, app_id, create):
    created = create()
    retrieved = sdk.Charge.retrieve(created.id)
    assert retrieved == created
    assert retrieved.app == app_id


@pytest.mark.parametrize("expand", [["app"], "app"])
def test_row_04_the_app_is_expanded_when_asked_for(sdk, app_id, create, expand):
    charge = sdk.Charge.retrieve(create().id, expand=expand)
    app = charge.app
    assert app["id"] == app_id and app["object"] == "app"
    assert isinstance(app["created"], int)
    assert "alipay_qr" in app["channels_supported"]
    assert isinstance(app["display_name"], str)


def test_row_05_a_list_is_newest_first_and_pages_without_gaps(sdk, app_id, create, pay):
    made = [create() for _ in range(5)]
    for charge in made:
        pay(charge.id)
    unpaid = create()
    since = made[0].created - 1
    wanted = {"app": {"id": app_id}, "paid": True, "created": {"gt": since}, "limit": 2}
    pages, cursor = [], {}
    while True:
        page = sdk.Charge.list(**wanted, **cursor)
        shapes.check_list(page)
        assert page.url == "/v1/charges"
        assert len(page.data) <= 2
        pages.append([charge.id for charge in page.data])
        if not page.has_more:
            break
        assert len(page.data) == 2
        cursor = {"starting_after": page.data[-1].id}
    listed = [charge_id for page in pages for charge_id in page]
    assert len(listed) == len(set(listed)), "a charge came twice"
    ours = {charge.id for charge in made}
    assert [i for i in listed if i in ours] == [charge.id for charge in reversed(made)]
    assert unpaid.id not in listed
    before = sdk.Charge.list(**wanted, ending_before=listed[2])
    assert [charge.id for charge in before.data] == listed[:2]


def test_row_05_filters_combine(sdk, app_id, create_paid, create):
    refunded = create_paid()
    refunded.refunds.create(description="one of three", amount=100)
    reversed_charge = create("alipay_wap")
    sdk.Charge.reverse(create().id)
    since = {"app": {"id": app_id}, "created": {"gte": refunded.created}, "limit": 100}

    def ids(**more):
        return [charge.id for charge in sdk.Charge.list(**since, **more).data]

    assert refunded.id in ids(refunded=True) and refunded.id not in ids(refunded=False)
    assert ids(channel="alipay_wap")[0] == reversed_charge.id
    assert refunded.id not in ids(channel="alipay_wap")
    assert ids(reversed=True) and refunded.id not in ids(reversed=True)
    assert ids(paid=True, reversed=True) == []


def test_row_06_a_reversed_charge_cannot_be_paid(sdk, server, create):
    charge = create()
    reversed_charge = sdk.Charge.reverse(charge.id)
    assert reversed_charge.id == charge.id
    assert reversed_charge.reversed is True and reversed_charge.paid is False
    assert sdk.Charge.reverse(charge.id) == reversed_charge
    server.get(f"/notify/charges/{charge.id}?livemode=false")
    assert sdk.Charge.retrieve(charge.id).paid is False


@pytest.mark.parametrize("body", [b"{}", b"[]", b""], ids=["object", "list", "nothing"])
def test_row_06_every_body_that_an_sdk_sends_reverses(api, create, body):
    answer = api.send("POST", f"/v1/charges/{create().id}/reverse", body)
    assert answer.status == 200 and answer.json()["reversed"] is True


def test_row_06_an_empty_chunked_body_reverses(server, create):
    api = signing_caller(server)
    target = f"/v1/charges/{create().id}/reverse"
    headers = api.headers("POST", target, b"")
    headers["Transfer-Encoding"] = "chunked"
    connection = http.client.HTTPConnection(api.host, api.port, timeout=20)
    connection.request("POST", target, body=iter([]), headers=headers, encode_chunked=True)
    response = connection.getresponse()
    assert response.status == 200 and json.load(response)["reversed"] is True
    connection.close()


def test_row_07_a_paid_charge_says_so(sdk, create, pay):
    charge = create()
    pay(charge.id)
    pay(charge.id)
    paid = sdk.Charge.retrieve(charge.id)
    shapes.check_charge(json.loads(json.dumps(paid)))
    assert paid.paid is True
    assert paid.credential == {}
    assert paid.time_paid >= paid.created
    assert paid.transaction_no
    assert paid.extra["buyer_user_id"]


def test_row_08_refunds_end_when_the_money_does(sdk, create_paid):
    charge = create_paid(amount=1000)
    first = sdk.Charge.refund(charge.id, description="part", amount=400, metadata={"why": "破损"})
    shapes.check_refund(json.loads(json.dumps(first)))
    assert (first.amount, first.status, first.charge) == (400, "succeeded", charge.id)
    assert first.metadata == {"why": "破损"}
    with pytest.raises(sdk.error.InvalidRequestError) as refused:
        sdk.Charge.refund(charge.id, description="too much", amount=601)
    assert refused.value.http_status == 400 and refused.value.param == "amount"
    rest = sdk.Charge.refund(charge.id, description="rest")
    assert rest.amount == 600 and rest.id != first.id
    with pytest.raises(sdk.error.InvalidRequestError) as refused:
        sdk.Charge.refund(charge.id, description="once more")
    assert refused.value.http_status == 400
    assert refused.value.code is None
    assert charge.id in str(refused.value) and charge.order_no in str(refused.value)
    after = sdk.Charge.retrieve(charge.id)
    assert after.refunded is True and after.amount_refunded == 1000
    assert [refund.id for refund in after.refunds.data] == [rest.id, first.id]


def test_row_08_an_unpaid_charge_is_not_refunded(sdk, create):
    with pytest.raises(sdk.error.InvalidRequestError) as refused:
        sdk.Charge.refund(create().id, description="nothing there")
    assert refused.value.http_status == 400


def test_row_09_refunds_are_listed_and_found_by_the_url_in_the_charge(sdk, create_paid):
    charge = sdk.Charge.retrieve(create_paid(amount=900).id)
    made = [charge.refunds.create(description=f"part {n}", amount=300) for n in (1, 2, 3)]
    listed = charge.refunds.list(limit=2)
    shapes.check_list(listed)
    assert [refund.id for refund in listed.data] == [made[2].id, made[1].id]
    assert listed.has_more is True
    rest = sdk.Charge.list_refunds(charge.id, limit=2, starting_after=made[1].id)
    assert [refund.id for refund in rest.data] == [made[0].id] and rest.has_more is False
    assert charge.refunds.retrieve(made[0].id) == sdk.Charge.retrieve_refund(charge.id, made[0].id)
    assert sdk.Charge.retrieve_refund(charge.id, made[0].id) == made[0]


def event_of(sink, object_id, kind):
    def accepts(request):
        event = request.json()
        return event["type"] == kind and event["data"]["object"]["id"] == object_id

    return sink.wait(accepts, path="/hook")[0]


def test_row_10_a_retrieved_event_equals_the_delivered_one(sdk, sink, create_paid):
    charge = create_paid(metadata={"cart": "88"})
    delivered = event_of(sink, charge.id, "charge.succeeded").json()
    shapes.check_event(delivered)
    shapes.check_charge(delivered["data"]["object"])
    assert delivered["data"]["object"]["paid"] is True
    assert delivered["data"]["object"]["metadata"] == {"cart": "88"}
    retrieved = json.loads(json.dumps(sdk.Event.retrieve(delivered["id"])))
    # The one figure that moves by itself: it counts the endpoints that have not said yes yet.
    retrieved.pop("pending_webhooks"), delivered.pop("pending_webhooks")
    assert retrieved == delivered


def test_row_10_a_refund_has_an_event_of_its_own(sdk, sink, create_paid):
    charge = create_paid()
    refund = sdk.Charge.refund(charge.id, description="all")
    delivered = event_of(sink, refund.id, "refund.succeeded").json()
    assert delivered["data"]["object"]["charge"] == charge.id
    assert delivered["data"]["object"]["status"] == "succeeded"


def test_row_11_a_batch_refund_echoes_its_charges(sdk, sink, app_id, create_paid):
    charges = [create_paid(amount=500).id for _ in range(2)]
    number = order_no()
    batch = sdk.BatchRefund.create(
        app=app_id, batch_no=number, charges=charges, description="season's end", metadata={"a": "1"}
    )
    shapes.check_batch_refund(json.loads(json.dumps(batch)))
    assert batch.charges == charges
    assert batch.batch_no == number and batch.app == app_id
    event_of(sink, batch.id, "batch_refund.succeeded")
    done = sdk.BatchRefund.retrieve(batch.id)
    assert done.status == "succeeded" and done.charges == charges
    assert {refund.charge for refund in done.refunds.data} == set(charges)
    listed = sdk.BatchRefund.list(per_page=3)
    shapes.check_list(listed)
    assert listed.url == "/v1/batch_refunds"
    assert batch.id in [one.id for one in listed.data]
    for charge_id in charges:
        assert sdk.Charge.retrieve(charge_id).amount_refunded == 500


def test_row_11_one_bad_charge_refuses_the_whole_batch(sdk, app_id, create_paid, create):
    paid, unpaid = create_paid().id, create().id
    for bad in (unpaid, "ch_" + "0" * 24, paid):
        with pytest.raises(sdk.error.InvalidRequestError):
            sdk.BatchRefund.create(
                app=app_id, batch_no=order_no(), charges=[paid, bad], description="no"
            )
    assert sdk.Charge.retrieve(paid).refunded is False


def test_row_12_a_wrong_key_is_an_authentication_error(sdk):
    wrong = "sk_test_" + "0" * 24
    with pytest.raises(sdk.error.AuthenticationError) as refused:
        sdk.Charge.retrieve("ch_" + "0" * 24, api_key=wrong)
    assert refused.value.http_status == 401
    assert wrong not in str(refused.value) and "*" in str(refused.value)
    assert "X-Pingplusplus-Signature" not in refused.value.headers


def test_row_12_an_unknown_id_is_an_invalid_request(sdk):
    with pytest.raises(sdk.error.InvalidRequestError) as refused:
        sdk.Charge.retrieve("ch_" + "0" * 24)
    assert (refused.value.http_status, refused.value.param) == (404, "id")


def test_row_12_a_bad_parameter_is_an_invalid_request(create):
    with pytest.raises(pingpp.error.InvalidRequestError) as refused:
        create(currency="gold")
    assert (refused.value.http_status, refused.value.param) == (400, "currency")


def test_row_12_a_used_number_is_a_channel_error(create):
    number = order_no()
    create(order_no=number, amount=100)
    with pytest.raises(pingpp.error.ChannelError) as refused:
        create(order_no=number, amount=101)
    assert (refused.value.http_status, refused.value.code) == (402, "charge_order_no_used")


def test_row_12_a_channel_that_refuses_is_a_channel_error(create):
    no_money = {"scan_code": "280000000000000002", "terminal_id": "T0001"}
    with pytest.raises(pingpp.error.ChannelError) as refused:
        create("alipay_scan", extra=no_money)
    assert refused.value.http_status == 402


def test_row_12_too_many_calls_at_once_are_a_rate_limit(own_server, monkeypatch):
    demo = own_server.demo["pingpp"]
    monkeypatch.setattr(pingpp, "api_base", own_server.base_url)
    monkeypatch.setattr(pingpp, "private_key", None)
    wanted = charge_parameters(demo["app_id"])
    # The channel keeps them all waiting: one calls it, the others wait for that one's answer.
    slow = {"answer": {"delay_ms": 8_000}}
    Simulator(own_server.demo["simulator_url"]).do(wanted["order_no"], faults=slow)
    api = signing_caller(own_server)
    body = json.dumps(wanted).encode()
    fields = api.headers("POST", "/v1/charges", body) | {
        "Host": "127.0.0.1",
        "Content-Length": str(len(body)),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    request = f"POST /v1/charges HTTP/1.1\r\n{head}\r\n".encode() + body

    def limited():
        try:
            pingpp.Charge.retrieve("ch_" + "0" * 24, api_key=demo["api_key"])
        except pingpp.error.RateLimitError as refused:
            return refused
        except pingpp.error.InvalidRequestError:
            return None

    with ExitStack() as calls:
        for _ in range(CALLS_PER_KEY_MAX):
            call = socket.create_connection((api.host, api.port))
            calls.enter_context(call)
            call.sendall(request)
        assert eventually(limited, "the limit of one key's calls", 6).http_status == 403


def test_row_15_a_webhook_is_signed_over_its_raw_bytes(server, sink, create_paid):
    received = event_of(sink, create_paid(subject="茶").id, "charge.succeeded")
    platform_key = keys.public_key(server.demo["pingpp"]["platform_public_key_pem"])
    signature = received.headers["x-pingplusplus-signature"]
    assert keys.is_signed(platform_key, received.body, signature)
    assert not keys.is_signed(platform_key, received.body + b" ", signature)
    assert received.headers["content-type"].startswith("application/json")


def test_row_15_a_refused_webhook_comes_again_after_5_and_10_seconds(own_server, sink):
    path = "/refuses-twice"
    sink.plan(path, 500, 500)
    add_webhook_endpoint(own_server, sink.url(path))
    api = signing_caller(own_server)
    clock = Simulator(own_server.demo["simulator_url"])
    parameters = charge_parameters(own_server.demo["pingpp"]["app_id"])
    charge = api.post("/v1/charges", parameters).json()
    own_server.get(f"/notify/charges/{charge['id']}?livemode=false")

    event_id = sink.wait(lambda _: True, count=1, path=path)[0].json()["id"]
    for count, wait in ((2, 5), (3, 10)):
        await_tries(own_server, event_id, count - 1)
        clock.advance(wait)
        sink.wait(lambda _: True, count=count, path=path)
    tries = sink.received(path)
    assert [received.answered for received in tries] == [500, 500, 200]
    assert len({received.body for received in tries}) == 1, "a retry sent another body"
    # Once a later charge has been told, an unwanted fourth try would have come, too.
    clock.advance(86_400)
    api.clock_offset = 86_400
    later = api.post("/v1/charges", parameters | {"order_no": order_no()}).json()
    own_server.get(f"/notify/charges/{later['id']}?livemode=false")
    news = sink.wait(lambda _: True, count=4, path=path)
    assert news[3].json()["data"]["object"]["id"] == later["id"]
