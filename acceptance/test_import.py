"""A merchant leaves the vendor: keys, charges and refunds come along with their own ids."""

import json
import re

from harness.admin import admin
from harness.pingpp_http import PingppHttp, charge
from harness.server import run

KEY = "sk_test_" + "K" * 24
APP = "app_1Gqj58ynP0mHeX1q"
PAID = "ch_Ti1eD0WP08eDPSSqnTOmLWHK"
OPEN = "ch_Py5SC89OyT00W5K4uHPmLCSC"
REFUND = "re_8avPmLWrPaH8TKmXDK5KubrL"


def history(**changes):
    paid = {
        "id": PAID,
        "object": "charge",
        "created": 1_762_128_000,
        "livemode": False,
        "paid": True,
        "refunded": True,
        "reversed": False,
        "app": APP,
        "channel": "wx_pub",
        "order_no": "old1",
        "client_ip": "203.0.113.7",
        "amount": 3990,
        "amount_settle": 3966,
        "currency": "cny",
        "subject": "绿茶",
        "body": "100 g",
        "extra": {"open_id": "oDemo"},
        "time_paid": 1_762_128_300,
        "time_expire": 1_762_135_200,
        "transaction_no": "4200001",
        "metadata": {"cart": "77"},
        "description": None,
        "refunds": {
            "object": "list",
            "data": [
                {
                    "id": REFUND,
                    "amount": 990,
                    "created": 1_762_130_000,
                    "status": "succeeded",
                    "time_succeed": 1_762_130_001,
                    "description": "one box broken",
                    "metadata": {},
                }
            ],
        },
    }
    unpaid = paid | {
        "id": OPEN,
        "paid": False,
        "order_no": "old2",
        "time_paid": None,
        "transaction_no": None,
        "refunds": [],
    }
    merchant = {
        "name": "Tea shop",
        "api_keys": [KEY],
        "apps": [{"id": APP, "name": "Web"}],
        "charges": [paid, unpaid],
        "opening_balances": [{"mode": "test", "currency": "cny", "balance": 0}],
    }
    return {"version": 1, "merchants": [merchant | changes]}


def imported(server, value):
    path = server.folder / "history.json"
    path.write_text(json.dumps(value))
    return admin(server, "import", str(path))


def test_history_keeps_its_ids_and_a_second_import_changes_nothing(own_server):
    first = imported(own_server, history())
    assert first["charges"] == {"created": 2, "unchanged": 0}
    assert first["refunds"] == {"created": 1, "unchanged": 0}
    api = PingppHttp(own_server.base_url, KEY)
    answer = api.get(f"/v1/charges/{PAID}")
    assert answer.status == 200, answer.body
    paid = answer.json()
    assert (paid["paid"], paid["amount_refunded"], paid["transaction_no"]) == (True, 990, "4200001")
    assert (paid["extra"], paid["metadata"]) == ({"open_id": "oDemo"}, {"cart": "77"})
    assert paid["refunds"]["data"][0]["id"] == REFUND
    assert api.get(f"/v1/charges/{PAID}/refunds/{REFUND}").json()["status"] == "succeeded"
    closed = api.get(f"/v1/charges/{OPEN}").json()
    assert (closed["paid"], closed["time_paid"]) == (False, None)
    own_server.verify()

    again = imported(own_server, history())
    assert again["charges"] == {"created": 0, "unchanged": 2}
    assert again["settings"]["created"] == 0
    assert api.get(f"/v1/charges/{PAID}").body == answer.body

    merchants = admin(own_server, "merchant", "list")
    number = next(m["merchant"] for m in merchants if m["name"] == "Tea shop")
    accounts = admin(own_server, "balances", "--mode", "test", "--merchant", str(number))
    balances = {a["account"]: a["balance"] for a in accounts}
    assert balances["merchant/available/CNY"] == "0", "the stated opening balance"
    # An order number that history used is used.
    used = api.post("/v1/charges", charge(APP, "wx_pub", order_no="old1"))
    assert used.status in (400, 402)


def test_a_wrong_file_is_refused_whole_and_names_the_place(own_server):
    broken = history()
    broken["merchants"][0]["charges"][1]["currency"] = "rmb"
    path = own_server.folder / "broken.json"
    path.write_text(json.dumps(broken))
    result = run("admin", "import", str(path), "--data", str(own_server.data))
    assert result.returncode != 0
    assert "merchants[0].charges[1].currency" in result.stderr
    names = [m["name"] for m in admin(own_server, "merchant", "list")]
    assert "Tea shop" not in names


def test_a_key_is_shown_once_and_stored_as_a_hash(own_server):
    merchant = str(own_server.demo["alipay"]["merchant"])
    made = admin(own_server, "key", "add", "--mode", "test", "--merchant", merchant)
    key = made["api_key"]
    assert re.fullmatch(r"sk_test_[0-9A-Za-z]{24}", key)
    assert PingppHttp(own_server.base_url, key).get("/v1/charges").status == 200
    listed = admin(own_server, "key", "list", "--merchant", merchant)
    hint = next(k["hint"] for k in listed if k["hint"].endswith(key[-4:]))
    own_server.stop()
    for path in own_server.data.glob("sycee.db*"):
        assert key.encode() not in path.read_bytes(), path
    # The stopped folder takes operators' commands too.
    admin(own_server, "key", "revoke", hint, "--merchant", merchant)
    own_server.start()
    assert PingppHttp(own_server.base_url, key).get("/v1/charges").status == 401
