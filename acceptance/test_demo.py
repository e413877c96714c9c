"""The first thing that a newcomer types."""

from harness.server import free_port, run


def test_the_tour_ends_well_and_says_what_it_did(tmp_path):
    listen = f"127.0.0.1:{free_port()}"
    tour = run("demo", "--exit", "--data", str(tmp_path / "data"), "--listen", listen)
    said = tour.stdout + tour.stderr
    assert tour.returncode == 0, said
    for word in ("charge", "paid", "webhook", "refund", "verify"):
        lines = [line for line in said.splitlines() if word in line.lower()]
        assert lines, f"no line of the tour speaks of {word}:\n{said}"
    assert run("verify", "--data", str(tmp_path / "data")).returncode == 0
