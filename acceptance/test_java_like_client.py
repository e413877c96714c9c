"""Rows 14 and 16 of specs/pingpp.md §10.4 with a client that behaves like the Java SDK."""

import pytest

from harness import keys
from harness.fault_proxy import FaultProxy
from harness.java_like import JavaLikeClient, UnsignedAnswer
from harness.pingpp_http import charge, order_no


@pytest.fixture
def java(server):
    """Makes a client at a base address, the server's own by default."""
    demo = server.demo["pingpp"]
    signing_key = keys.private_key(demo["merchant_private_key_pem"])
    platform_key = keys.public_key(demo["platform_public_key_pem"])

    def java(base_url=server.base_url, platform_key=platform_key):
        return JavaLikeClient(base_url, demo["api_key"], signing_key, platform_key)

    return java


@pytest.fixture
def broken_once(server):
    """The server behind a proxy whose first POST is answered 500 after it has been forwarded."""
    proxy = FaultProxy(server.base_url, spoil=1)
    yield proxy
    proxy.close()


def test_row_14_a_create_answered_500_once_ends_with_one_charge(java, broken_once, app_id):
    client = java(broken_once.base_url)
    wanted = charge(app_id, subject="茶 <250> & more", order_no=order_no())
    answer = client.post("/v1/charges", wanted)
    assert answer.status == 200 and client.sent == 2
    assert [status for _, _, status in broken_once.forwarded] == [200, 200]
    created = answer.json()
    assert created["subject"] == wanted["subject"]
    listed = java().get(f"/v1/charges?app[id]={app_id}&limit=100").json()["data"]
    same = [one["id"] for one in listed if one["order_no"] == wanted["order_no"]]
    assert same == [created["id"]]


def test_row_14_a_refund_answered_500_once_is_made_once(server, java, broken_once, app_id):
    client = java()
    paid = client.post("/v1/charges", charge(app_id, amount=1000)).json()
    server.get(f"/notify/charges/{paid['id']}?livemode=false")
    target = f"/v1/charges/{paid['id']}/refunds"
    answer = java(broken_once.base_url).post(target, {"description": "one box", "amount": 300})
    assert answer.status == 200
    refunds = client.get(target).json()["data"]
    assert [refund["id"] for refund in refunds] == [answer.json()["id"]]
    assert client.get(f"/v1/charges/{paid['id']}").json()["amount_refunded"] == 300


def test_row_16_every_success_is_signed_by_the_platform(server, java, app_id):
    client = java()
    created = client.post("/v1/charges", charge(app_id)).json()
    server.get(f"/notify/charges/{created['id']}?livemode=false")
    refund = client.post(f"/v1/charges/{created['id']}/refunds", {"description": "all"}).json()
    for target in (
        f"/v1/charges/{created['id']}",
        f"/v1/charges/{created['id']}?expand%5B0%5D=app",
        f"/v1/charges?app%5Bid%5D={app_id}&limit=3",
        f"/v1/charges/{created['id']}/refunds",
        f"/v1/charges/{created['id']}/refunds/{refund['id']}",
        "/v1/batch_refunds?per_page=3",
        "/v1/events?limit=3",
    ):
        assert client.get(target).status == 200, target
    client.post(f"/v1/charges/{client.post('/v1/charges', charge(app_id)).json()['id']}/reverse", {})


def test_row_16_a_client_with_another_platform_key_refuses_the_answer(java, app_id):
    stranger = java(platform_key=keys.new_private_key().public_key())
    with pytest.raises(UnsignedAnswer):
        stranger.get(f"/v1/charges?app%5Bid%5D={app_id}&limit=1")
