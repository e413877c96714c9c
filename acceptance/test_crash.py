"""`kill -9` at random instants under load (specs/reliability.md REL-01, REL-75).

Whatever the server acknowledged must survive; whatever it did not may be there or not, but a
re-sent request must give one object; no restart may need a hand.
"""

import http.client
import json
import os
import random
import threading
import time

import pytest

from conftest import signing_caller
from harness.admin import add_webhook_endpoint
from harness.pingpp_http import charge, order_no
from harness.simulator import Simulator
from harness.waiting import eventually

KILLS = int(os.environ.get("SYCEE_KILLS", "50"))
SEED = int(os.environ.get("SYCEE_SEED", str(time.time_ns() % 1_000_000)))
WORKERS = 4
VERIFY_EVERY = 10
# How long the server may live before each kill.
LIFE_SECONDS = (0.02, 0.4)
# Sales of one worker that may wait for an answer at the same time.
SALES_OPEN_MAX = 20
# Long enough for the server to ask the channel what became of a call that a kill cut short.
INSIST_SECONDS = 120
LOST = (OSError, http.client.HTTPException)


class Book:
    """What the server has acknowledged."""

    def __init__(self):
        self.lock = threading.Lock()
        self.charges = {}
        self.paid = set()
        self.refunds = {}
        self.resent = 0

    def write(self, note):
        with self.lock:
            note(self)


class Worker(threading.Thread):
    """A merchant that creates, pays and refunds, and re-sends whatever got no answer.

    Its sales are generators: one that waits for an answer yields, and the others go on, as the
    other customers of a shop do.
    """

    def __init__(self, server, book, seed):
        super().__init__(daemon=True)
        self.server, self.book = server, book
        self.random = random.Random(seed)
        self.api = signing_caller(server)
        self.stopping = threading.Event()
        self.broken = None

    def run(self):
        sales = []
        try:
            while sales or not self.stopping.is_set():
                if len(sales) < SALES_OPEN_MAX and not self.stopping.is_set():
                    sales.append(self.one_sale())
                sales = [sale for sale in sales if next(sale, "done") != "done"]
        except Exception as broken:  # the test reports it
            self.broken = broken

    def one_sale(self):
        app_id = self.server.demo["pingpp"]["app_id"]
        parameters = charge(app_id, order_no=order_no(), amount=self.random.randint(2, 9999))
        made = yield from self.insist("/v1/charges", parameters)
        assert made["credential"].get("alipay_qr"), f"nobody could pay {made['id']}"
        self.book.write(lambda book: book.charges.update({made["id"]: made}))
        if self.random.random() < 0.2:
            again = yield from self.insist("/v1/charges", parameters)
            assert again["id"] == made["id"], "a re-sent create gave another charge"
        if self.random.random() < 0.3:
            return
        yield from self.insist_on_paying(made["id"])
        self.book.write(lambda book: book.paid.add(made["id"]))
        if self.random.random() < 0.5:
            return
        target = f"/v1/charges/{made['id']}/refunds"
        body = {"description": "crash", "amount": made["amount"] // 2}
        refund = yield from self.insist(target, body)
        assert refund["charge"] == made["id"]
        self.book.write(lambda book: book.refunds.update({refund["id"]: refund}))

    def insist(self, target, value):
        """Sends until an answer comes, each time the same bytes, as SDKs re-send."""
        body = json.dumps(value).encode()
        headers = self.api.headers("POST", target, body)
        until = time.monotonic() + INSIST_SECONDS
        while time.monotonic() < until:
            try:
                answer = self.api.send("POST", target, body, headers)
            except LOST:
                self.lost()
            else:
                if answer.status != 503 and not is_not_known_yet(answer):
                    assert answer.status == 200, (target, answer.status, answer.body)
                    return answer.json()
            yield
        raise AssertionError(f"no answer to POST {target} in {INSIST_SECONDS} s")

    def insist_on_paying(self, charge_id):
        until = time.monotonic() + INSIST_SECONDS
        while time.monotonic() < until:
            try:
                status, body = self.server.get(f"/notify/charges/{charge_id}?livemode=false")
            except LOST:
                self.lost()
            else:
                assert status in (200, 503), (charge_id, status, body)
                if status == 200:
                    return
            yield
        raise AssertionError(f"{charge_id} could not be paid in {INSIST_SECONDS} s")

    def lost(self):
        self.book.write(lambda book: setattr(book, "resent", book.resent + 1))
        # The server is down; another try at once would only burn a core that it needs to start.
        self.stopping.wait(0.02)


def is_not_known_yet(answer):
    """Whether the kill came between the call to the channel and its answer.

    Nobody knows then what the channel did, and the server must find out before it says more.
    """
    return answer.status == 402 and answer.json()["error"].get("code") == "channel_connection_error"


def run_with_kills(server, book, chance):
    workers = [Worker(server, book, chance.random()) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    try:
        for number in range(1, KILLS + 1):
            # The length of a life is the chance that this test is about, not a wait for something.
            time.sleep(chance.uniform(*LIFE_SECONDS))
            server.kill()
            if number % VERIFY_EVERY == 0:
                server.verify()
            server.start()
            for worker in workers:
                assert worker.broken is None, f"after kill {number}: {worker.broken!r}"
    finally:
        for worker in workers:
            worker.stopping.set()
        drain(server, workers)
    assert [worker.broken for worker in workers] == [None] * WORKERS
    assert not any(worker.is_alive() for worker in workers)


def drain(server, workers):
    """Lets the open sales end; what waits for a later try of the server gets its time at once."""
    clock = Simulator(server.demo["simulator_url"])
    for _ in range(INSIST_SECONDS):
        if not any(worker.is_alive() for worker in workers):
            return
        clock.advance(5)
        for worker in workers:
            worker.join(0.25)


@pytest.mark.timeout(3_000)
def test_nothing_acknowledged_is_lost(own_server, sink):
    print(f"SYCEE_SEED={SEED} SYCEE_KILLS={KILLS}")
    server, book, path = own_server, Book(), f"/crash-{SEED}"
    add_webhook_endpoint(server, sink.url(path))
    run_with_kills(server, book, random.Random(SEED))
    print(f"{len(book.charges)} charges, {len(book.paid)} paid, {len(book.refunds)} refunds, "
          f"{book.resent} requests re-sent")
    assert book.charges and book.paid and book.refunds, "there was no load"
    server.stop()
    server.verify()
    server.start()
    everything_is_there(signing_caller(server), book)
    everything_was_told(server, sink, path, book)


def everything_is_there(api, book):
    for charge_id, made in book.charges.items():
        kept = api.get(f"/v1/charges/{charge_id}").json()
        for name in ("order_no", "amount", "created", "subject", "livemode"):
            assert kept[name] == made[name], (charge_id, name)
        assert kept["paid"] or charge_id not in book.paid, f"{charge_id} was paid"
        refunds = [one["id"] for one in kept["refunds"]["data"]]
        assert len(refunds) <= 1, f"{charge_id} was refunded {len(refunds)} times"
    for refund_id, refund in book.refunds.items():
        kept = api.get(f"/v1/charges/{refund['charge']}/refunds/{refund_id}")
        assert kept.status == 200 and kept.json()["amount"] == refund["amount"], refund_id


def everything_was_told(server, sink, path, book):
    """Every paid charge and every refund has reached the merchant, under one event id each."""
    api, clock = signing_caller(server), Simulator(server.demo["simulator_url"])
    wanted = book.paid | set(book.refunds)

    def told():
        events = [received.json() for received in sink.received(path)]
        return {event["data"]["object"]["id"]: event["id"] for event in events}

    def all_told():
        missing = wanted - set(told())
        if missing:
            # Tries that the kills cut short wait for their next turn: let the time come.
            clock.advance(30)
            api.clock_offset += 30
        return not missing

    eventually(all_told, "the webhooks of all acknowledged payments and refunds", 60)
    ids = {}
    for received in sink.received(path):
        event = received.json()
        first = ids.setdefault((event["type"], event["data"]["object"]["id"]), event["id"])
        assert first == event["id"], "one thing that happened was told as two events"
    for event_id in ids.values():
        assert api.get(f"/v1/events/{event_id}").status == 200, event_id
