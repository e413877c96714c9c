"""The test clock moves everything that waits: expiries, retries, delayed webhooks."""

import pytest

from conftest import signing_caller
from harness.admin import add_webhook_endpoint, await_tries
from harness.pingpp_http import charge
from harness.shapes import check_error
from harness.simulator import Simulator

# specs/pingpp.md §6.3: ten tries after the first, counted from the failure before.
RETRY_SECONDS = (5, 10, 120, 300, 600, 1_800, 3_600, 7_200, 21_600, 54_000)


class Shop:
    """A merchant on a demo server of its own, with a webhook path of its own."""

    def __init__(self, server, sink, path):
        self.server, self.sink, self.path = server, sink, path
        self.api = signing_caller(server)
        self.clock = Simulator(server.demo["simulator_url"])
        add_webhook_endpoint(server, sink.url(path))

    def advance(self, seconds):
        self.clock.advance(seconds)
        self.api.clock_offset += seconds

    def create(self, channel="alipay_qr", **changes):
        parameters = charge(self.server.demo["pingpp"]["app_id"], channel, **changes)
        answer = self.api.post("/v1/charges", parameters)
        assert answer.status == 200, answer.body
        return answer.json()

    def pay(self, made):
        return self.server.get(f"/notify/charges/{made['id']}?livemode=false")

    def kept(self, made):
        return self.api.get(f"/v1/charges/{made['id']}").json()

    def told(self, made, count=1):
        def accepts(received):
            return received.json()["data"]["object"]["id"] == made["id"]

        return self.sink.wait(accepts, count, path=self.path)

    def after_failures(self, made, count):
        await_tries(self.server, self.told(made)[0].json()["id"], count)

    def times_told(self, made):
        requests = self.sink.received(self.path)
        return sum(one.json()["data"]["object"]["id"] == made["id"] for one in requests)


@pytest.fixture
def shop(own_server, sink, request):
    return Shop(own_server, sink, f"/{request.node.name}")


def test_an_expired_charge_is_closed_for_ever(shop):
    made = shop.create(time_expire=shop.create()["created"] + 120)
    assert shop.kept(made)["time_expire"] == made["time_expire"]
    shop.advance(150)
    shop.pay(made)
    assert shop.kept(made)["paid"] is False
    again = shop.api.post("/v1/charges", charge(made["app"], order_no=made["order_no"]))
    assert again.status == 402 and check_error(again)["code"] == "charge_order_no_used"
    refused = shop.api.post(f"/v1/charges/{made['id']}/reverse", {})
    assert refused.status == 402 and check_error(refused)["code"] == "charge_closed"


def test_new_charges_carry_the_moved_time(shop):
    before = shop.create()["created"]
    shop.advance(3_600)
    assert shop.create()["created"] >= before + 3_600


def test_a_webhook_is_tried_ten_more_times_over_a_day(shop):
    shop.sink.plan(shop.path, *[500] * (1 + len(RETRY_SECONDS)))
    made = shop.create()
    shop.pay(made)
    shop.told(made)
    for tries, wait in enumerate(RETRY_SECONDS, start=2):
        shop.after_failures(made, tries - 1)
        shop.advance(wait)
        shop.told(made, count=tries)
    shop.after_failures(made, 1 + len(RETRY_SECONDS))
    shop.advance(30 * 86_400)
    later = shop.create()
    shop.pay(later)
    shop.told(later)
    assert shop.times_told(made) == 1 + len(RETRY_SECONDS)
    bodies = {one.body for one in shop.told(made)}
    assert len(bodies) == 1, "a retry sent another body"


def test_pingpp_tc_001_tells_twice(shop):
    made = shop.create(metadata={"pingpp_tc": "001"})
    shop.pay(made)
    first, second = shop.told(made, count=2)[:2]
    assert first.json()["id"] == second.json()["id"]
    assert first.body == second.body


def test_pingpp_tc_002_tells_five_minutes_later(shop):
    late = shop.create(metadata={"pingpp_tc": "002"})
    shop.pay(late)
    assert shop.kept(late)["paid"] is True
    for part_of_the_way in (0, 240):
        shop.advance(part_of_the_way)
        prompt = shop.create()
        shop.pay(prompt)
        shop.told(prompt)
        assert shop.times_told(late) == 0
    shop.advance(60)
    shop.told(late)
