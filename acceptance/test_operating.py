"""What an operator relies on: health, one process per folder, a clean stop, a book that checks."""

from contextlib import closing
import json
import shutil
import sqlite3
import stat
import subprocess
import threading

import pytest

from conftest import signing_caller
from harness.pingpp_http import charge
from harness.server import Server, binary, free_port, run

BENCH_CASES = (
    "http",
    "create",
    "create-signed",
    "confirm-hot",
    "confirm-spread",
    "retrieve",
    "list",
    "webhooks",
)


def test_health_readiness_and_metrics_answer(server):
    assert server.get("/health")[0] == 200
    assert server.get("/ready")[0] == 200
    status, body = server.get("/metrics")
    assert status == 200
    samples = [line for line in body.decode().splitlines() if line and not line.startswith("#")]
    assert samples and all(line.rsplit(" ", 1)[1].replace(".", "").isdigit() for line in samples)


def test_demo_credentials_are_for_the_owner_only_and_never_logged(server):
    path = server.data / "demo.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    demo = server.demo["pingpp"]
    assert demo["api_key"].startswith("sk_test_") and len(demo["api_key"]) == 32
    log = server.log.read_text()
    assert "PRIVATE KEY" not in log
    # The key is shown once to the person who started the demo, never in a request's log line.
    requests = [line for line in log.splitlines() if "/v1/" in line]
    assert not any(demo["api_key"] in line for line in requests)


def test_the_credentials_outlive_a_restart(own_server):
    before = own_server.demo
    own_server.stop()
    own_server.start()
    assert own_server.demo == before
    answer = signing_caller(own_server).post("/v1/charges", charge(before["pingpp"]["app_id"]))
    assert answer.status == 200


def test_a_second_server_on_one_folder_is_refused(own_server):
    command = ["serve", "--demo", "--data", str(own_server.data)]
    second = run(*command, "--listen", f"127.0.0.1:{free_port()}", timeout=30)
    assert second.returncode not in (0, None)
    assert second.stderr.strip(), "it must say why"
    assert own_server.get("/ready")[0] == 200


def test_a_stop_under_load_answers_what_it_accepted(own_server):
    api = signing_caller(own_server)
    app_id = own_server.demo["pingpp"]["app_id"]
    made, unexpected, enough = [], [], threading.Event()

    def sell():
        while True:
            try:
                answer = api.post("/v1/charges", charge(app_id))
            except OSError:
                return
            if answer.status == 200:
                made.append(answer.json()["id"])
            elif answer.status != 503 and b"channel_connection_error" not in answer.body:
                # A demo server takes its channel down with it, so a call to that may break.
                unexpected.append(answer)
            if len(made) > 30:
                enough.set()

    sellers = [threading.Thread(target=sell, daemon=True) for _ in range(4)]
    for seller in sellers:
        seller.start()
    assert enough.wait(60)
    own_server.stop()
    for seller in sellers:
        seller.join(30)
    own_server.verify()
    own_server.start()
    assert unexpected == []
    assert all(api.get(f"/v1/charges/{one}").status == 200 for one in made)


# What a thief with a database tool might try, and hope that the sums still agree.
EDITS = {
    "one entry is larger": "UPDATE entry SET amount = amount + 1 WHERE seq = {last} AND line = 1",
    "a whole journal is larger": "UPDATE entry SET amount = amount + 1 WHERE seq = {last}",
    "entries change places": "UPDATE entry SET line = 9 - line WHERE seq = {last}",
    "a journal is gone": "DELETE FROM journal WHERE seq = {last}",
    "a journal and its entries are gone": (
        "DELETE FROM entry WHERE seq = {last}; DELETE FROM journal WHERE seq = {last}"
    ),
    "a journal is older": "UPDATE journal SET at = at - 1000000 WHERE seq = {last}",
    "an account has more": "UPDATE account SET credits = credits + 1 WHERE credits > 0",
}


@pytest.fixture(scope="module")
def stopped_book(tmp_path_factory):
    """The folder of a stopped server with one paid charge in its book."""
    server = Server(tmp_path_factory.mktemp("book")).start()
    try:
        parameters = charge(server.demo["pingpp"]["app_id"], amount=1000)
        made = signing_caller(server).post("/v1/charges", parameters).json()
        assert server.get(f"/notify/charges/{made['id']}?livemode=false")[0] == 200
    finally:
        server.stop()
    server.verify()
    return server.data


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_verify_finds_every_edit_of_the_ledger(stopped_book, tmp_path, edit):
    folder = tmp_path / "data"
    shutil.copytree(stopped_book, folder, ignore=shutil.ignore_patterns("*.sock"))
    with closing(sqlite3.connect(folder / "sycee.db")) as book:
        names = [n for (n,) in book.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]
        for name in names:
            book.execute(f"DROP TRIGGER {name}")
        (last,) = book.execute("SELECT max(seq) FROM journal").fetchone()
        book.executescript(edit.format(last=last))
        assert book.total_changes > 0, "the edit changed nothing"
    result = run("verify", "--data", str(folder))
    assert result.returncode == 1, result.stdout + result.stderr
    assert result.stdout.strip(), "a finding must be named"


def test_the_book_itself_refuses_edits(stopped_book):
    with closing(sqlite3.connect(stopped_book / "sycee.db")) as book:
        for edit in ("UPDATE entry SET amount = 1", "DELETE FROM entry", "DELETE FROM journal"):
            with pytest.raises(sqlite3.IntegrityError):
                book.execute(edit)


def test_verify_of_no_folder_could_not_finish(tmp_path):
    result = run("verify", "--data", str(tmp_path / "nothing"))
    assert result.returncode == 2
    assert result.stderr.strip()


@pytest.mark.parametrize("case", BENCH_CASES)
def test_bench_prints_one_line_per_case(tmp_path, case):
    command = [binary(), "bench", "--case", case, "--connections", "4", "--seconds", "1", "--json"]
    finished = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert finished.returncode == 0, finished.stderr
    lines = [json.loads(line) for line in finished.stdout.splitlines() if line.startswith("{")]
    ours = [line for line in lines if line["case"] == case]
    assert len(ours) == 1, finished.stdout
    assert ours[0]["errors"] == 0
    assert all(isinstance(ours[0][name], (int, float)) for name in ("per_second", "p50_us", "p99_us"))


def test_bench_refuses_an_unknown_case():
    assert run("bench", "--case", "nothing", "--json").returncode not in (0, None)
