# SPDX-License-Identifier: Apache-2.0
"""Containers on networks: among each other, from the outside, to the outside. Every address but the containers' own is
of this test's private network, with a remote host at the other end of its wire (tests/support/remote.py)."""

import contextlib
import json
import os
import re
import socket
import subprocess
import time

import pytest
import remote
from harness import IMAGE, PATIENCE

needs_remote = pytest.mark.skipif("KNARR_TEST_REMOTE" not in os.environ, reason="only root can make a network to test with")

ECHO = "while true; do nc -l -p 7 -e cat; done"
# One HTTP response that says who asked.
WHO = r"""while true; do nc -l -p 80 -e sh -c 'while read line && [ ${#line} -gt 1 ]; do :; done; printf "HTTP/1.0 200 OK\r\n\r\n"; echo "here is $(hostname)"'; done"""


@pytest.fixture
def network(knarr):
    """network("name", "--internal") makes one; it is gone after the test."""
    made = []

    def create(name, *options):
        knarr("network", "create", *options, name)
        made.append(name)
        return name

    yield create
    for container in knarr("ps", "-aq").split():
        knarr.result("rm", "-f", "-t", "0", container)
    for name in made:
        knarr.result("network", "rm", "-f", name)


def address_of(knarr, container, network="podman", key="IPAddress"):
    networks = json.loads(knarr("inspect", container))[0]["NetworkSettings"]["Networks"]
    return networks[network][key]


def eventually(act, seconds=PATIENCE):
    """What `act` returns once it is true."""
    deadline = time.monotonic() + seconds
    while True:
        found = act()
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


def serve(knarr, *options, command=WHO, image=IMAGE):
    """A container that serves; returns its id."""
    return knarr("run", "-d", *options, image, "sh", "-c", command).strip()


def fetch(knarr, where, *options):
    """A name is resolved by nslookup: the C library in a static busybox cannot."""
    resolve = "set -- $(nslookup -type=a $1 | awk '/^Name/ {found = 1} /^Address/ && found {print $2}'); "
    script = ("" if re.fullmatch(r"[0-9.]+", where) else resolve) + 'echo | nc -w 3 "$1" 80'
    return knarr.result("run", "--rm", *options, IMAGE, "sh", "-c", script, "sh", where)


# --- every container has a network ---


def test_a_container_has_an_address_and_a_default_route(knarr):
    out = knarr("run", "--rm", IMAGE, "sh", "-c", "ip -o -4 addr show eth0; ip route; cat /sys/class/net/eth0/mtu")
    assert re.search(r"inet 10\.88\.\d+\.\d+/16", out)
    assert "default via 10.88.0.1 dev eth0" in out
    assert knarr("run", "--rm", "--network", "none", IMAGE, "ls", "/sys/class/net").split() == ["lo"]


def test_two_containers_reach_each_other_by_address_and_by_name(knarr):
    serve(knarr, "--name", "web")
    address = address_of(knarr, "web")
    assert eventually(lambda: "here is" in fetch(knarr, address).out)
    result = fetch(knarr, "web")
    assert "here is" in result.out, result


def test_names_are_gone_with_their_container(knarr):
    serve(knarr, "--name", "web")
    assert eventually(lambda: "here is" in fetch(knarr, "web").out)
    knarr("rm", "-f", "-t", "0", "web")
    assert fetch(knarr, "web").status != 0


def test_networks_are_isolated_from_each_other(knarr, network):
    network("one")
    network("two")
    serve(knarr, "--name", "web", "--network", "one")
    address = address_of(knarr, "web", "one")
    assert eventually(lambda: "here is" in fetch(knarr, address, "--network", "one").out)
    assert fetch(knarr, address, "--network", "two").status != 0
    assert fetch(knarr, "web", "--network", "two").status != 0


def test_networks_without_isolation_are_routed(knarr, network):
    network("one", "-o", "isolate=false")
    network("two", "-o", "isolate=false")
    serve(knarr, "--name", "web", "--network", "one")
    address = address_of(knarr, "web", "one")
    assert eventually(lambda: "here is" in fetch(knarr, address, "--network", "two").out)


def test_a_container_on_two_networks_is_in_both(knarr, network):
    network("one")
    network("two")
    serve(knarr, "--name", "web", "--network", "one:alias=first", "--network", "two:alias=second")
    assert eventually(lambda: "here is" in fetch(knarr, "first", "--network", "one").out)
    assert "here is" in fetch(knarr, "second", "--network", "two").out
    assert fetch(knarr, "first", "--network", "two").status != 0


def test_addresses_can_be_chosen(knarr, network):
    network("one", "--subnet", "10.99.0.0/24", "--subnet", "fd00:99::/64")
    out = knarr("run", "--rm", "--network", "one", "--ip", "10.99.0.77", "--ip6", "fd00:99::77", "--mac-address", "02:00:00:00:00:77",
                IMAGE, "ip", "addr", "show", "eth0")
    assert "10.99.0.77/24" in out and "fd00:99::77/64" in out and "02:00:00:00:00:77" in out
    serve(knarr, "--name", "web", "--network", "one", "--ip", "10.99.0.77")
    result = knarr.result("run", "--rm", "--network", "one", "--ip", "10.99.0.77", IMAGE, "true")
    assert result.status == 125 and "10.99.0.77" in result.err and "web" in result.err


def test_containers_talk_over_ipv6(knarr, network):
    network("one", "--ipv6")
    serve(knarr, "--name", "web", "--network", "one", command="while true; do nc -l -p 80 -e echo six; done")
    address = address_of(knarr, "web", "one", "GlobalIPv6Address")
    out = eventually(lambda: knarr.result("run", "--rm", "--network", "one", IMAGE, "nc", address, "80").out)
    assert out == "six\n"


def test_an_internal_network_has_no_way_out(knarr, network):
    network("inside", "--internal")
    out = knarr("run", "--rm", "--network", "inside", IMAGE, "ip", "route")
    assert "default" not in out


# --- published ports ---


def get(address, port, timeout=5):
    """The lines of an HTTP response's body."""
    with socket.create_connection((address, port), timeout=timeout) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        answer = b""
        while more := connection.recv(65536):
            answer += more
    return answer.decode().partition("\r\n\r\n")[2]


def published(knarr, container, port):
    line = knarr("port", container, port).splitlines()[0]
    return int(line.rpartition(":")[2])


def reachable(address, port):
    def attempt():
        with contextlib.suppress(OSError):
            return "here is" in get(address, port)
    return eventually(attempt)


def test_a_published_port_is_reached_through_the_loopback(knarr):
    serve(knarr, "--name", "web", "-p", "127.0.0.1::80")
    assert reachable("127.0.0.1", published(knarr, "web", "80/tcp"))


@needs_remote
def test_the_server_sees_the_address_of_its_client(knarr):
    serve(knarr, "--name", "web", "-p", "8080:80", command="while true; do nc -l -p 80 -e netstat -tn; done")

    def connections():
        return remote.run("timeout", "5", "socat", "-u", f"TCP:{remote.HOST}:8080", "-")[1]

    assert eventually(lambda: re.search(rf":80 .*{remote.ADDRESS}:\d+ +ESTABLISHED", connections()))


def test_a_port_that_is_taken_names_its_owner(knarr):
    serve(knarr, "--name", "web", "-p", "127.0.0.1:18080:80")
    result = knarr.result("run", "--rm", "-p", "127.0.0.1:18080:80", IMAGE, "true")
    assert result.status == 125
    assert "18080" in result.err and "web" in result.err
    assert knarr("ps", "-aq").split() == knarr("ps", "-q").split()


def test_a_refused_port_stays_refused(knarr):
    knarr("run", "-d", "--name", "idle", "-p", "127.0.0.1:18081:80", IMAGE, "sleep", "1000")
    with pytest.raises(OSError), socket.create_connection(("127.0.0.1", 18081), timeout=5) as connection:
        connection.sendall(b"x")
        assert connection.recv(1) != b"", "closed without a reset"


def test_a_port_is_free_when_its_container_has_stopped(knarr):
    for _ in range(3):
        serve(knarr, "--name", "web", "-p", "127.0.0.1:18082:80")
        knarr("rm", "-f", "-t", "0", "web")


def test_restart_keeps_the_port(knarr):
    serve(knarr, "--name", "web", "-p", "127.0.0.1::80")
    port = published(knarr, "web", "80/tcp")
    knarr("restart", "-t", "0", "web")
    assert published(knarr, "web", "80/tcp") == port
    assert reachable("127.0.0.1", port)


# --- the way out ---


@needs_remote
def test_a_container_reaches_the_outside(knarr):
    with remote.Program("socat", f"TCP-LISTEN:9000,bind={remote.FAR},fork,reuseaddr", "SYSTEM:echo outside"):
        out = eventually(lambda: knarr.result("run", "--rm", IMAGE, "nc", "-w", "5", remote.FAR, "9000").out)
    assert out == "outside\n"


# --- connect, disconnect ---


def test_connect_and_disconnect_a_running_container(knarr, network):
    network("one")
    network("two")
    serve(knarr, "--name", "web", "--network", "one")
    knarr("network", "connect", "--alias", "second", "two", "web")
    assert eventually(lambda: "here is" in fetch(knarr, "second", "--network", "two").out)
    assert "eth1" in knarr("exec", "web", "ls", "/sys/class/net")
    knarr("network", "disconnect", "two", "web")
    assert fetch(knarr, "second", "--network", "two").status != 0
    assert "eth1" not in knarr("exec", "web", "ls", "/sys/class/net")
    assert "here is" in fetch(knarr, "web", "--network", "one").out


# --- crashes ---


def test_a_killed_monitor_leaves_no_lease(knarr, network):
    network("one", "--subnet", "10.98.0.0/29")
    for _ in range(6):  # more than there are addresses
        knarr("run", "-d", "--name", "web", "--network", "one", "--ip", "10.98.0.2", IMAGE, "sleep", "1000")
        with open(f"{knarr.runroot}/containers/{knarr('ps', '-q', '--no-trunc').strip()}/pids") as file:
            monitor = int(file.read().split()[0])
        os.kill(monitor, 9)
        assert eventually(lambda: not knarr("ps", "-q").strip())
        knarr("rm", "web")
        assert not os.listdir(f"{knarr.runroot}/net/networks/one/leases")
