"""Channel `balance`: a wallet user pays from the ledger, at once, and gets it back."""

from conftest import signing_caller
from harness.admin import admin
from harness.pingpp_http import charge

USER = {"user": "demo_user"}


def balances(server):
    merchant = str(server.demo["alipay"]["merchant"])
    accounts = admin(server, "balances", "--mode", "test", "--merchant", merchant)
    return {a["account"].split(":")[0]: int(a["balance"]) for a in accounts}


def test_a_wallet_pays_at_once_and_a_refund_goes_back_to_it(own_server):
    api, app = signing_caller(own_server), own_server.demo["pingpp"]["app_id"]
    before = balances(own_server)["member"]
    made = api.post("/v1/charges", charge(app, "balance", amount=700, extra=USER))
    assert made.status == 200, made.body
    paid = made.json()
    assert paid["paid"] is True and paid["credential"] == {}
    assert balances(own_server)["member"] == before - 700
    back = api.post(f"/v1/charges/{paid['id']}/refunds", {"description": "broken"}).json()
    assert (back["status"], back["amount"]) == ("succeeded", 700)
    assert balances(own_server)["member"] == before


def test_a_wallet_pays_no_more_than_it_holds(own_server):
    api, app = signing_caller(own_server), own_server.demo["pingpp"]["app_id"]
    held = balances(own_server)["member"]
    too_much = api.post("/v1/charges", charge(app, "balance", amount=held + 1, extra=USER))
    assert too_much.status == 402
    assert too_much.json()["error"]["type"] == "channel_error"
    assert balances(own_server)["member"] == held
    whole = api.post("/v1/charges", charge(app, "balance", amount=held, extra=USER))
    assert whole.json()["paid"] is True
    nobody = api.post("/v1/charges", charge(app, "balance", extra={"user": "nobody"}))
    assert nobody.status in (400, 402)
