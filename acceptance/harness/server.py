"""One `sycee serve --demo` in a folder of its own, started and stopped by its process id."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from .waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60
STOP_SECONDS = 60


def binary():
    """The binary under test: `SYCEE_BIN`, or the debug build of this checkout."""
    path = Path(os.environ.get("SYCEE_BIN", ROOT / "target" / "debug" / "sycee"))
    if not path.is_file():
        raise FileNotFoundError(f"no binary at {path}: run `cargo build`, or set SYCEE_BIN")
    return str(path)


def free_port():
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(*arguments, timeout=120):
    """Runs the binary to its end and returns the finished process, output as text."""
    return subprocess.run(
        [binary(), *arguments], capture_output=True, text=True, timeout=timeout, check=False
    )


class Server:
    """A demo server. It keeps its port and folder over restarts."""

    def __init__(self, folder, arguments=()):
        self.folder = Path(folder)
        self.data = self.folder / "data"
        self.port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.log = self.folder / "server.log"
        self.arguments = list(arguments)
        self.process = None
        self.demo = None

    def start(self):
        """Starts the server and waits until it is ready."""
        listen = f"127.0.0.1:{self.port}"
        command = [binary(), "serve", "--demo", "--data", str(self.data), "--listen", listen]
        if shutil.which("setpriv"):
            # So that a test run that is itself killed leaves no server behind.
            command = ["setpriv", "--pdeathsig", "KILL", "--", *command]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command + self.arguments, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        eventually(self._is_ready, f"{self.base_url}/ready", START_SECONDS)
        self.demo = json.loads((self.data / "demo.json").read_text())
        return self

    def _is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the server ended with {self.process.returncode}\n{self.tail()}")
        try:
            return self.get("/ready")[0] == 200
        except OSError:
            return False

    def tail(self):
        """The last lines of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-30:])

    def get(self, path):
        """Status and body of a plain GET."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def kill(self):
        """Ends the process at once, as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """Asks the server to finish and checks that it did so cleanly."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"SIGTERM did not stop the server\n{self.tail()}") from None
        assert code == 0, f"the server ended with {code}\n{self.tail()}"

    def verify(self):
        """Runs `sycee verify` on the folder and fails on any finding."""
        result = run("verify", "--data", str(self.data))
        assert result.returncode == 0, f"verify: {result.returncode}\n{result.stdout}{result.stderr}"
        return result.stdout
