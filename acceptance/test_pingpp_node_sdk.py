"""The conformance rows of specs/pingpp.md §10.4 with the unmodified `pingpp` SDK for Node."""

import re

import pytest

from harness.node import ACCEPTANCE, run_row

ROWS = re.findall(r"^  async (row_\w+)\(\)", (ACCEPTANCE / "pingpp_node/rows.js").read_text(), re.M)


@pytest.fixture(params=["signed", "unsigned"])
def settings(request, server):
    demo = server.demo["pingpp"]
    settings = {
        "base_url": server.base_url,
        "api_key": demo["api_key"],
        "app_id": demo["app_id"],
    }
    if request.param == "signed":
        settings["private_key"] = demo["merchant_private_key_pem"]
    return settings


@pytest.mark.parametrize("row", [row for row in ROWS if not row.startswith("row_10")])
def test_node_row(settings, row):
    run_row("pingpp_node/rows.js", row, settings)


def test_node_row_10_a_retrieved_event_equals_the_delivered_one(settings, sink):
    charge_id = run_row("pingpp_node/rows.js", "row_10_pay_for_an_event", settings)

    def accepts(request):
        return request.json()["data"]["object"]["id"] == charge_id

    delivered = sink.wait(accepts, path="/hook")[0].json()
    event = run_row("pingpp_node/rows.js", "row_10_event", settings | {"event_id": delivered["id"]})
    event.pop("pending_webhooks"), delivered.pop("pending_webhooks")
    assert event == delivered
