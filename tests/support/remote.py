# SPDX-License-Identifier: Apache-2.0
"""Programs on the host at the other end of the wire (tests/support/remote_host)."""

import json
import os
import socket

ADDRESS, ADDRESS6 = "192.0.2.1", "2001:db8::1"
FAR, FAR6 = "198.51.100.1", "2001:db8:1::1"
HOST, HOST6 = "192.0.2.2", "2001:db8::2"  # ours, as the remote host sees us


class Program:
    """A program that runs over there until it ends or close() is called."""

    def __init__(self, *argv):
        self.connection = socket.socket(socket.AF_UNIX)
        self.connection.connect(os.environ["KNARR_TEST_REMOTE"])
        self.connection.sendall(json.dumps(argv).encode() + b"\n")
        self.seen = b""

    def read_until(self, text, timeout=20):
        """What it has printed up to this text."""
        self.connection.settimeout(timeout)
        while text.encode() not in self.seen:
            more = self.connection.recv(65536)
            assert more, f"{text!r} did not come: {self.seen!r}"
            self.seen += more
        return self.seen.decode(errors="replace")

    def wait(self, timeout=60):
        """(exit status, output)"""
        self.connection.settimeout(timeout)
        while more := self.connection.recv(65536):
            self.seen += more
        output, _, status = self.seen.rpartition(b"\0")
        self.close()
        return int(status), output.decode(errors="replace")

    def close(self):
        self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def run(*argv, timeout=60):
    """(exit status, output) of a program over there."""
    return Program(*argv).wait(timeout)
