"""Runs a Node program of this folder and reads the one line of JSON that it prints."""

import json
import os
import subprocess
from pathlib import Path

ACCEPTANCE = Path(__file__).resolve().parents[1]


def run_row(program, row, settings, timeout=30):
    """Runs `node PROGRAM ROW SETTINGS`; a row that hangs or breaks fails here."""
    path = ACCEPTANCE / program
    finished = subprocess.run(
        ["node", path.name, row, json.dumps(settings)],
        cwd=path.parent,
        env=os.environ | {"TZ": "Asia/Shanghai"},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert finished.returncode == 0, f"{row}: {finished.stdout}{finished.stderr}"
    lines = finished.stdout.strip().splitlines()
    assert lines, f"{row} ended without an answer, as a call that never came back does"
    return json.loads(lines[-1])["result"]
