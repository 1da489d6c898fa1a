# SPDX-License-Identifier: Apache-2.0
"""A resolver that answers as it is told, over UDP and TCP, and remembers what it was asked."""

import socket
import struct
import threading


def question_end(query):
    at = 12
    while query[at]:
        at += 1 + query[at]
    return at + 5


def question_name(query):
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode("latin-1"))
        at += 1 + query[at]
    return ".".join(labels).lower()


def answer(query, addresses=(), rcode=0, flags=0x8180, texts=()):
    """A whole message: A records and TXT records about the question's name."""
    end = question_end(query)
    records = b"".join(struct.pack("!HHHIH", 0xC00C, 1, 1, 60, 4) + socket.inet_aton(a) for a in addresses)
    for text in texts:
        data = bytes([len(text)]) + text.encode()
        records += struct.pack("!HHHIH", 0xC00C, 16, 1, 60, len(data)) + data
    header = query[:2] + struct.pack("!HHHHH", flags | rcode, 1, len(addresses) + len(texts), 0, 0)
    return header + query[12:end] + records


class Upstream:
    """`behave(query, transport)` gives the list of messages to send back; it may be replaced at any time."""

    def __init__(self, address):
        self.behave = lambda query, transport: [answer(query, ["198.51.100.7"])]
        self.asked = []  # (name, transport)
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((address, 53))
        self.tcp = socket.create_server((address, 53))
        for serve in (self.serve_udp, self.serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    def names(self):
        return [name for name, _ in self.asked]

    def serve_udp(self):
        while True:
            query, sender = self.udp.recvfrom(65535)
            self.asked.append((question_name(query), "udp"))
            for message in self.behave(query, "udp"):
                self.udp.sendto(message, sender)

    def serve_tcp(self):
        while True:
            connection, _ = self.tcp.accept()
            with connection:
                size = struct.unpack("!H", connection.recv(2, socket.MSG_WAITALL))[0]
                query = connection.recv(size, socket.MSG_WAITALL)
                self.asked.append((question_name(query), "tcp"))
                for message in self.behave(query, "tcp"):
                    connection.sendall(struct.pack("!H", len(message)) + message)
