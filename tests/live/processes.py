"""The echo example as a process of the test's own, on a port of its own."""

import base64
import os
import pathlib
import re
import socket
import subprocess
import time


def sealing_key():
    return base64.b64encode(os.urandom(32)).decode()


def free_port():
    with socket.socket() as finder:
        finder.bind(("127.0.0.1", 0))
        return finder.getsockname()[1]


def reachable(port, process):
    """Waits until the process listens."""
    for _ in range(200):
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert process.poll() is None, f"{process.args[0]} ended with status {process.returncode}"
            time.sleep(0.05)
    process.kill()
    raise AssertionError(f"{process.args[0]} does not answer on its port")


class Echo:
    """It can be stopped and started again, on the same port with the same keys."""

    def __init__(self, example, keys=None):
        self.example, self.port = example, free_port()
        self.environment = {name: value for name, value in os.environ.items() if name != "MCP_SEALING_KEYS"}
        if keys:
            self.environment["MCP_SEALING_KEYS"] = keys
        self.url = f"http://127.0.0.1:{self.port}/mcp"
        self.process = None

    def start(self):
        command = [self.example, "--addr", f"127.0.0.1:{self.port}"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(command, env=self.environment, **quiet)
        reachable(self.port, self.process)

    def stop(self):
        self.process.terminate()
        try:
            return self.process.wait(10)
        finally:
            self.process.kill()

    def resident(self):
        """Kibibytes of memory."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1])

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
