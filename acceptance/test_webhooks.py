"""Receivers that misbehave, and events that go where they were asked for (REL-70 to REL-75)."""

import uuid

import pytest

from conftest import signing_caller
from harness.admin import add_webhook_endpoint, await_tries, resend
from harness.pingpp_http import charge
from harness.simulator import Simulator
from harness.sink import HANG


@pytest.fixture
def path():
    """A path of the sink that no other test uses; others are made by adding to it."""
    return f"/{uuid.uuid4().hex}"


def sell(server):
    """One paid charge."""
    answer = signing_caller(server).post("/v1/charges", charge(server.demo["pingpp"]["app_id"]))
    made = answer.json()
    assert server.get(f"/notify/charges/{made['id']}?livemode=false")[0] == 200
    return made


def of(made):
    """Whether a request tells of this charge."""
    return lambda received: received.json()["data"]["object"]["id"] == made["id"]


def test_a_redirect_is_a_failure_and_is_not_followed(own_server, sink, path):
    trap = path + "/trap"
    sink.plan(path, ("redirect", sink.url(trap)))
    add_webhook_endpoint(own_server, sink.url(path))
    made = sell(own_server)
    event = sink.wait(of(made), path=path)[0].json()["id"]
    await_tries(own_server, event, 1)
    Simulator(own_server.demo["simulator_url"]).advance(5)
    assert sink.wait(of(made), count=2, path=path)[1].answered == 200
    assert sink.received(trap) == []


def test_a_receiver_that_hangs_holds_up_nobody_else(own_server, sink, path):
    hanging, quick = path + "/hangs", path + "/quick"
    sink.plan(hanging, *[HANG] * 3)
    for each in (hanging, quick):
        add_webhook_endpoint(own_server, sink.url(each))
    for made in [sell(own_server) for _ in range(3)]:
        sink.wait(of(made), path=quick)
    assert sink.received(hanging)
    sink.release()


@pytest.mark.parametrize("status", [400, 404, 410, 500, 503])
def test_any_refusal_is_tried_again(own_server, sink, path, status):
    sink.plan(path, status)
    add_webhook_endpoint(own_server, sink.url(path))
    made = sell(own_server)
    event = sink.wait(of(made), path=path)[0].json()["id"]
    await_tries(own_server, event, 1)
    Simulator(own_server.demo["simulator_url"]).advance(5)
    assert sink.wait(of(made), count=2, path=path)[1].answered == 200


@pytest.mark.parametrize("status", [201, 204])
def test_any_2xx_is_a_success(own_server, sink, path, status):
    sink.plan(path, status)
    add_webhook_endpoint(own_server, sink.url(path))
    first = sell(own_server)
    sink.wait(of(first), path=path)
    Simulator(own_server.demo["simulator_url"]).advance(3_600)
    api = signing_caller(own_server)
    api.clock_offset = 3_600
    later = api.post("/v1/charges", charge(first["app"])).json()
    own_server.get(f"/notify/charges/{later['id']}?livemode=false")
    sink.wait(of(later), path=path)
    assert [of(first)(one) for one in sink.received(path)].count(True) == 1


def test_an_endpoint_gets_only_what_it_asked_for(own_server, sink, path):
    refunds, everything = path + "/refunds", path + "/everything"
    add_webhook_endpoint(own_server, sink.url(refunds), events=["refund.succeeded"])
    add_webhook_endpoint(own_server, sink.url(everything), events=[])
    made = sell(own_server)
    api = signing_caller(own_server)
    refund = api.post(f"/v1/charges/{made['id']}/refunds", {"description": "all"}).json()
    sink.wait(of(made), path=everything)
    sink.wait(of(refund), path=everything)
    sink.wait(of(refund), path=refunds)
    assert [one.json()["type"] for one in sink.received(refunds)] == ["refund.succeeded"]


def test_an_operator_can_send_again_what_was_not_taken(own_server, sink, path):
    sink.plan(path, 500)
    add_webhook_endpoint(own_server, sink.url(path))
    made = sell(own_server)
    event = sink.wait(of(made), path=path)[0].json()["id"]
    await_tries(own_server, event, 1)
    assert resend(own_server, event) == 1
    first, second = sink.wait(of(made), count=2, path=path)
    assert second.body == first.body
    await_tries(own_server, event, 2)
    assert resend(own_server, event) == 0
    assert resend(own_server, event, "--all") == 1
    assert sink.wait(of(made), count=3, path=path)[2].body == first.body
