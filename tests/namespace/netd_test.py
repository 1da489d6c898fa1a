# SPDX-License-Identifier: Apache-2.0
"""knarr-netd: names and the way out, in namespaces made by hand. The test's own network namespace is the "host":
nothing of the machine's network is in it.

Environment: KNARR_TEST_NETD, KNARR_TEST_NETD_CLIENT: the programs.
"""

import fcntl
import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TOP, "tests", "support"), os.path.join(TOP, "tests", "e2e")]

from dns_upstream import Upstream, answer  # noqa: E402
from harness import eventually  # noqa: E402

NETD = os.environ["KNARR_TEST_NETD"]
CLIENT = os.environ["KNARR_TEST_NETD_CLIENT"]
UPSTREAM = "127.0.0.53"
HOST, OUTSIDE = "192.168.77.5", "192.168.77.1"
HOST6, OUTSIDE6 = "fd77::5", "fd77::1"


def run(*words, check=True, **options):
    return subprocess.run(words, check=check, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, **options)


def start_time(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rsplit(")", 1)[1].split()[19]


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


class Namespace:
    """A network namespace with a process in it."""

    def __init__(self):
        self.process = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; exec sleep 600"], stdout=subprocess.PIPE)
        self.process.stdout.readline()
        self.pid = self.process.pid
        self.path = f"/proc/{self.pid}/ns/net"
        self.run("ip", "link", "set", "lo", "up")

    def run(self, *words, **options):
        return run("nsenter", f"--net={self.path}", *words, **options)

    def popen(self, *words, **options):
        return subprocess.Popen(["nsenter", f"--net={self.path}", *words], **options)

    def end(self):
        self.process.kill()
        self.process.wait()


class Container(Namespace):
    def __init__(self, engine, network, number):
        super().__init__()
        self.id = f"{random.getrandbits(256):064x}"
        self.networks = []
        engine.attach(self, network, number)
        first = engine.networks[network]
        self.gateway = first + ".1"
        self.run("ip", "route", "add", "default", "via", self.gateway)

    def dig(self, *words, server=None):
        return self.run("dig", f"@{server or self.gateway}", "+time=6", "+tries=1", *words, check=False).stdout

    def resolve(self, *words, **options):
        return sorted(self.dig("+short", *words, **options).split())

    def status(self, *words, **options):
        text = self.dig(*words, **options)
        return text.split("status: ")[1].split(",")[0] if "status: " in text else text


class Engine:
    """RN and RUN/net, as the engine makes them."""

    def __init__(self, directory):
        self.directory = str(directory)
        self.netns = Namespace()
        self.networks = {}  # name: the first three bytes of its subnet
        self.containers = []
        self.netd_pids = []
        self.netns.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.ipv4.tcp_early_demux=0")

    def add_network(self, name, prefix, **keys):
        self.networks[name] = prefix
        bridge = f"br{len(self.networks)}"
        self.netns.run("ip", "link", "add", bridge, "type", "bridge")
        self.netns.run("ip", "address", "add", f"{prefix}.1/24", "dev", bridge)
        self.netns.run("ip", "link", "set", bridge, "up")
        lines = {"bridge": bridge, "subnet": f"{prefix}.0/24", "gateway": f"{prefix}.1", "dns": "yes", "internal": "no", **keys}
        place = f"{self.directory}/networks/{name}"
        os.makedirs(f"{place}/names", exist_ok=True)
        os.makedirs(f"{place}/leases", exist_ok=True)
        with open(f"{place}/network", "w") as file:
            file.write("".join(f"{key} {value}\n" for key, value in lines.items()))

    def attach(self, container, network, number):
        """A veth pair, the lease and the name of the short id."""
        index = self.networks[network]
        outside, inside = f"v{container.pid}.{len(container.networks)}", f"eth{len(container.networks)}"
        self.netns.run("ip", "link", "add", outside, "type", "veth", "peer", inside)
        bridge = f"br{list(self.networks).index(network) + 1}"
        self.netns.run("ip", "link", "set", outside, "master", bridge, "up")
        self.netns.run("ip", "link", "set", inside, "netns", str(container.pid))
        container.run("ip", "address", "add", f"{index}.{number}/24", "dev", inside)
        container.run("ip", "link", "set", inside, "up")
        container.networks.append(network)
        owner = f"{container.pid} {start_time(container.pid)}"
        with open(f"{self.directory}/networks/{network}/leases/{index}.{number}", "w") as file:
            file.write(f"{owner} {container.id}\n")
        self.name(network, container.id[:12], container, f"{index}.{number}")

    def name(self, network, name, container, *addresses):
        place = f"{self.directory}/networks/{network}/names/{name}"
        os.makedirs(place, exist_ok=True)
        with open(f"{place}/{container.id}", "w") as file:
            file.write("\n".join([f"{container.pid} {start_time(container.pid)}", *addresses, ""]))

    def container(self, network, number):
        container = Container(self, network, number)
        self.containers.append(container)
        return container

    def ensure(self, *networks, way_out=False, environment=None):
        """netd, which serves these; its pid when it was started now."""
        words = [f"{name}={self.networks[name]}.1" for name in networks]
        kind = "way-out" if way_out else "names-only"
        result = run(CLIENT, "ensure", self.directory, NETD, self.netns.path, kind, *words, env=environment)
        if result.stdout.strip() == "there":
            return None
        self.netd_pids.append(int(result.stdout))
        return self.netd_pids[-1]

    def log(self):
        eventually(lambda: os.path.exists(f"{self.directory}/netd.log"), what="a log")
        with open(f"{self.directory}/netd.log") as file:
            return file.read()

    def children(self, pid):
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return [int(word) for word in file.read().split()]

    def end(self):
        for pid in self.netd_pids:
            if is_running(pid):
                os.kill(pid, signal.SIGKILL)
        for namespace in [*self.containers, self.netns]:
            namespace.end()


def make_outside():
    """The host's address, a default route, and somebody at its other end."""
    outside = Namespace()
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "host0", "type", "veth", "peer", "out0")
    run("ip", "link", "set", "out0", "netns", str(outside.pid))
    for family, address in ("-4", f"{HOST}/24"), ("-6", f"{HOST6}/64"):
        run("ip", family, "address", "add", address, "dev", "host0", *(["nodad"] if family == "-6" else []))
    run("ip", "link", "set", "host0", "up")
    outside.run("ip", "address", "add", f"{OUTSIDE}/24", "dev", "out0")
    outside.run("ip", "address", "add", f"{OUTSIDE6}/64", "dev", "out0", "nodad")
    outside.run("ip", "link", "set", "out0", "up")
    run("ip", "route", "add", "default", "via", OUTSIDE)
    run("ip", "-6", "route", "add", "default", "via", OUTSIDE6)
    return outside


@pytest.fixture(scope="session")
def host(tmp_path_factory):
    """Mounts and addresses of the test's own namespaces, which end with it."""
    assert not os.listdir("/sys/class/net") == [] and run("ip", "-o", "link").stdout.count("\n") == 1, "not in a network namespace of its own"
    directory = tmp_path_factory.mktemp("host")
    resolv_conf = directory / "resolv.conf"
    resolv_conf.write_text(f"nameserver {UPSTREAM}\n")
    run("mount", "--bind", str(resolv_conf), os.path.realpath("/etc/resolv.conf"))
    outside = make_outside()
    outside.resolv_conf = resolv_conf
    yield outside
    outside.end()


@pytest.fixture(scope="session")
def resolver(host):
    return Upstream(UPSTREAM)


@pytest.fixture
def upstream(resolver, host):
    host.resolv_conf.write_text(f"nameserver {UPSTREAM}\n")
    resolver.behave = lambda query, transport: [answer(query, ["198.51.100.7"])]
    resolver.asked.clear()
    return resolver


@pytest.fixture
def engine(upstream, tmp_path):
    engine = Engine(tmp_path)
    yield engine
    engine.end()


@pytest.fixture
def web(engine):
    """Network "web" with a container that asks and one, "db", that is asked for."""
    engine.add_network("web", "10.89.0")
    asker, db = engine.container("web", 2), engine.container("web", 3)
    engine.name("web", "db", db, "10.89.0.3", "fd00::3")
    engine.ensure("web")
    asker.db = db
    return asker


# ---- names ----


def test_a_name_has_its_addresses(web):
    assert web.resolve("db", "A") == ["10.89.0.3"]
    assert web.resolve("db", "AAAA") == ["fd00::3"]
    assert web.resolve("DB.dns.podman", "A") == ["10.89.0.3"]
    assert web.resolve(web.db.id[:12], "A") == ["10.89.0.3"]


def test_a_name_without_the_asked_type_exists(web):
    assert web.status("db", "MX") == "NOERROR"
    assert web.resolve("db", "MX") == []


def test_an_unknown_name_of_our_own_domain_stays_here(web, upstream):
    assert web.status("nobody.dns.podman") == "NXDOMAIN"
    assert upstream.asked == []


def test_an_alias_of_several_containers_is_all_of_them_in_turn(engine, web):
    others = [engine.container("web", number) for number in (10, 11, 12)]
    for number, container in zip((10, 11, 12), others):
        engine.name("web", "pool", container, f"10.89.0.{number}")
    answers = [web.dig("+short", "pool", "A").split() for _ in range(6)]
    assert all(sorted(addresses) == ["10.89.0.10", "10.89.0.11", "10.89.0.12"] for addresses in answers)
    assert {addresses[0] for addresses in answers} == {"10.89.0.10", "10.89.0.11", "10.89.0.12"}


def test_sixty_addresses_fit_by_tcp(engine, web):
    db = web.db
    engine.name("web", "many", db, *[f"10.89.0.{number}" for number in range(100, 160)])
    assert "flags: qr aa tc" in web.dig("+noedns", "+ignore", "many", "A")
    assert len(web.resolve("+noedns", "many", "A")) == 60
    assert len(web.resolve("+tcp", "many", "A")) == 60


def test_a_dead_containers_name_is_gone(engine, web):
    web.db.end()
    assert web.status("db.dns.podman", "A") == "NXDOMAIN"
    assert web.status("-x", "10.89.0.3") == "NXDOMAIN"


def test_a_process_that_got_the_dead_ones_pid_is_not_it(engine, web):
    place = f"{engine.directory}/networks/web/names/late"
    os.makedirs(place)
    with open(f"{place}/{web.db.id}", "w") as file:
        file.write(f"{web.db.pid} {int(start_time(web.db.pid)) - 1}\n10.89.0.3\n")
    assert web.status("late.dns.podman", "A") == "NXDOMAIN"


def test_addresses_have_names(web, upstream):
    assert web.dig("+short", "-x", "10.89.0.3").split() == ["db.", f"{web.db.id[:12]}."]
    assert web.status("-x", "10.89.0.77") == "NXDOMAIN"
    assert web.status("89.10.in-addr.arpa", "SOA") == "NOERROR"  # a part of it is somebody else's
    assert upstream.names() == ["89.10.in-addr.arpa"]
    web.resolve("-x", "192.0.2.1")
    assert upstream.names()[-1] == "1.2.0.192.in-addr.arpa"


def test_networks_do_not_see_each_others_names(engine, web, upstream):
    engine.add_network("back", "10.89.1")
    stranger = engine.container("back", 2)
    engine.name("back", "secret", stranger, "10.89.1.2")
    assert engine.ensure("back") is None
    assert web.status("secret.dns.podman") == "NXDOMAIN"
    assert web.status("-x", "10.89.1.2") == "NXDOMAIN"
    assert stranger.status("db.dns.podman") == "NXDOMAIN"
    assert upstream.asked == []


def test_a_container_of_two_networks_asks_one_gateway_for_both(engine, web):
    engine.add_network("back", "10.89.1")
    hidden = engine.container("back", 2)
    engine.name("back", "store", hidden, "10.89.1.2")
    engine.attach(web, "back", 3)
    engine.ensure("back")
    assert web.resolve("store", "A") == ["10.89.1.2"]
    assert web.dig("+short", "-x", "10.89.1.2").split() == ["store.", f"{hidden.id[:12]}."]


def test_the_host_has_a_name_where_it_has_an_address(engine, upstream):
    engine.add_network("web", "10.89.0", host="169.254.1.2")
    engine.add_network("inner", "10.89.1", internal="yes")
    one, other = engine.container("web", 2), engine.container("inner", 2)
    engine.ensure("web", "inner")
    assert one.resolve("host.containers.internal", "A") == ["169.254.1.2"]
    assert one.resolve("host.docker.internal", "A") == ["169.254.1.2"]
    assert one.status("host.containers.internal", "AAAA") == "NOERROR"
    assert other.status("host.containers.internal", "A") == "NXDOMAIN"
    assert upstream.asked == []


# ---- servers outside ----


def test_other_names_are_asked_outside(web, upstream):
    assert web.resolve("example.org", "A") == ["198.51.100.7"]
    assert web.resolve("single", "A") == ["198.51.100.7"]
    assert web.resolve("+tcp", "example.net", "A") == ["198.51.100.7"]
    assert upstream.asked == [("example.org", "udp"), ("single", "udp"), ("example.net", "tcp")]


def test_an_internal_network_asks_nobody(engine, upstream):
    engine.add_network("inner", "10.89.1", internal="yes")
    container = engine.container("inner", 2)
    engine.ensure("inner")
    assert container.status("example.org") == "NXDOMAIN"
    assert container.status("+tcp", "example.org") == "NXDOMAIN"
    assert upstream.asked == []


def test_a_networks_own_servers_are_asked_instead(engine, upstream):
    other = Upstream("127.0.0.54")
    other.behave = lambda query, transport: [answer(query, ["203.0.113.9"])]
    engine.add_network("web", "10.89.0", forward="127.0.0.54")
    container = engine.container("web", 2)
    engine.ensure("web")
    assert container.resolve("example.org") == ["203.0.113.9"]
    assert upstream.asked == []


def test_a_changed_resolv_conf_counts_from_the_next_query_on(host, web, upstream):
    other = Upstream("127.0.0.55")
    other.behave = lambda query, transport: [answer(query, ["203.0.113.10"])]
    assert web.resolve("example.org") == ["198.51.100.7"]
    host.resolv_conf.write_text("nameserver 127.0.0.55\n")
    assert web.resolve("example.org") == ["203.0.113.10"]


def test_a_silent_server_is_followed_by_the_next(host, web, upstream):
    silent = Upstream("127.0.0.56")
    silent.behave = lambda query, transport: []
    host.resolv_conf.write_text(f"nameserver 127.0.0.56\nnameserver {UPSTREAM}\n")
    assert web.resolve("example.org") == ["198.51.100.7"]
    assert web.resolve("+tcp", "example.org") == ["198.51.100.7"]


def test_a_server_that_is_not_there_costs_no_wait(host, web, upstream):
    host.resolv_conf.write_text(f"nameserver 127.0.0.99\nnameserver {UPSTREAM}\n")
    begin = time.monotonic()
    assert web.resolve("example.org") == ["198.51.100.7"]
    assert time.monotonic() - begin < 1.4


def test_the_end_of_all_servers_is_a_failure(host, web, upstream):
    upstream.behave = lambda query, transport: []
    assert web.status("example.org") == "SERVFAIL"
    host.resolv_conf.write_text("nameserver 127.0.0.99\n")
    assert web.status("example.org") == "SERVFAIL"


def test_a_refusing_server_is_followed_by_the_next_and_believed_at_the_end(host, web, upstream):
    refusing = Upstream("127.0.0.57")
    refusing.behave = lambda query, transport: [answer(query, rcode=5)]
    host.resolv_conf.write_text(f"nameserver 127.0.0.57\nnameserver {UPSTREAM}\n")
    assert web.resolve("example.org") == ["198.51.100.7"]
    host.resolv_conf.write_text("nameserver 127.0.0.57\n")
    assert web.status("example.org") == "REFUSED"


def test_lies_and_garbage_are_not_passed_on(web, upstream):
    def lie(query, transport):
        wrong_id = bytes([query[0] ^ 1]) + query[1:]
        wrong_name = query[:13] + b"X" + query[14:]
        return [b"", b"\xff" * 7, os.urandom(300), query, answer(wrong_id, ["203.0.113.66"]), answer(wrong_name, ["203.0.113.66"]), answer(query, ["198.51.100.8"])]

    upstream.behave = lie
    assert web.resolve("example.org") == ["198.51.100.8"]


def test_large_answers_pass_and_too_large_ones_are_cut(web, upstream):
    texts = [f"{number:03}" + "x" * 200 for number in range(20)]
    upstream.behave = lambda query, transport: [answer(query, texts=texts)]
    assert len(web.resolve("+bufsize=8192", "big.example", "TXT")) == 20
    assert " tc " in web.dig("+ignore", "+bufsize=1232", "big.example", "TXT").split("flags:")[1].split(";")[0].replace(" ", "  ")
    assert len(web.resolve("+bufsize=1232", "big.example", "TXT")) == 20  # dig asks again by TCP
    assert upstream.asked[-1] == ("big.example", "tcp")


def test_garbage_from_a_container_hurts_nobody(web):
    program = (
        "import os,socket\n"
        "udp=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\n"
        "for size in range(0,600,3): udp.sendto(os.urandom(size),('10.89.0.1',53))\n"
        "for size in range(0,60):\n"
        " tcp=socket.create_connection(('10.89.0.1',53)); tcp.sendall(os.urandom(size)); tcp.close()\n"
    )
    web.run("/usr/bin/python3", "-c", program)
    assert web.resolve("db", "A") == ["10.89.0.3"]
    assert web.resolve("+tcp", "db", "A") == ["10.89.0.3"]


def test_several_queries_on_one_connection(web):
    program = (
        "import socket,struct\n"
        "def query(i,name): return struct.pack('!HHHHHH',i,0x100,1,0,0,0)+b''.join(bytes([len(l)])+l.encode() for l in name.split('.'))+b'\\0\\0\\1\\0\\1'\n"
        "tcp=socket.create_connection(('10.89.0.1',53))\n"
        "all=[query(i,'example.org' if i%2 else 'db') for i in range(100)]\n"
        "tcp.sendall(b''.join(struct.pack('!H',len(q))+q for q in all)); tcp.shutdown(socket.SHUT_WR)\n"
        "seen=set()\n"
        "while True:\n"
        " size=tcp.recv(2,socket.MSG_WAITALL)\n"
        " if not size: break\n"
        " seen.add(struct.unpack('!H',tcp.recv(struct.unpack('!H',size)[0],socket.MSG_WAITALL)[:2])[0])\n"
        "print(len(seen))\n"
    )
    assert web.run("/usr/bin/python3", "-c", program).stdout.strip() == "100"


def test_strangers_get_no_answer(engine, web):
    """Who comes to the gateway's address from elsewhere (rootful: a neighbour of the host)."""
    engine.netns.run("ip", "address", "add", "172.31.0.1/24", "dev", "lo")
    text = engine.netns.run("dig", "-b", "172.31.0.1", "@10.89.0.1", "+time=1", "+tries=1", "db", check=False).stdout
    assert "timed out" in text or "no servers" in text


# ---- life ----


def test_one_that_is_there_takes_a_second_network(engine, web):
    engine.add_network("back", "10.89.1")
    container = engine.container("back", 2)
    engine.name("back", "me", container, "10.89.1.2")
    assert engine.ensure("back") is None
    assert container.resolve("me", "A") == ["10.89.1.2"]
    assert web.resolve("db", "A") == ["10.89.0.3"]


def test_killed_and_brought_back_it_serves_all_networks(engine, web):
    engine.add_network("back", "10.89.1")
    container = engine.container("back", 2)
    engine.name("back", "me", container, "10.89.1.2")
    engine.ensure("back")
    os.kill(engine.netd_pids[-1], signal.SIGKILL)
    eventually(lambda: not is_running(engine.netd_pids[-1]), what="the end of netd")
    assert engine.ensure("back") is not None
    assert container.resolve("me", "A") == ["10.89.1.2"]
    assert web.resolve("db", "A") == ["10.89.0.3"]


def test_the_last_container_takes_it_along(engine, web):
    for container in engine.containers:
        container.end()
    begin = time.monotonic()
    eventually(lambda: not is_running(engine.netd_pids[-1]), what="the end of netd")
    assert 1.5 < time.monotonic() - begin < 6
    engine.container("web", 9)
    assert engine.ensure("web") is not None


def test_it_stays_while_a_container_is_being_started(engine, web):
    with open(f"{engine.directory}/lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for container in engine.containers:
            container.end()
        # Two looks of its own later it is still there.
        with pytest.raises(AssertionError):
            eventually(lambda: not is_running(engine.netd_pids[-1]), seconds=5)
    eventually(lambda: not is_running(engine.netd_pids[-1]), what="the end of netd")


def test_forty_networks_at_once(engine):
    """More sockets than a new one inherits."""
    names = [f"n{number}" for number in range(40)]
    for number, name in enumerate(names):
        engine.add_network(name, f"10.90.{number}")
    first, last = engine.container(names[0], 2), engine.container(names[-1], 2)
    engine.ensure(*names)
    assert first.resolve(first.id[:12], "A") == ["10.90.0.2"]
    assert last.resolve(last.id[:12], "A") == ["10.90.39.2"]


def test_it_ends_when_told(engine, web):
    run(CLIENT, "stop", engine.directory)
    eventually(lambda: not is_running(engine.netd_pids[-1]), what="the end of netd")
    run(CLIENT, "stop", engine.directory)


def test_many_at_once_start_one(engine):
    engine.add_network("web", "10.89.0")
    container = engine.container("web", 2)
    threads = [threading.Thread(target=engine.ensure, args=("web",)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(engine.netd_pids) == 1
    assert container.resolve(container.id[:12], "A") == ["10.89.0.2"]


def test_it_keeps_nothing_of_the_user(engine, web):
    pid = engine.netd_pids[-1]
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    assert {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in (0, 1)} == {"/dev/null"}
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    assert fields[3] == str(os.getsid(pid)) != str(os.getsid(0)) and fields[4] == "0"
    kinds = ("socket:", "anon_inode:", "net:", "/dev/null", engine.directory)

    def foreign():
        targets = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        return [target for target in targets if not target.startswith(kinds)]

    # Until it executes netd it has the pipe by which its maker hears of it.
    eventually(lambda: not foreign(), what=f"the end of {foreign()}")


# ---- the way out ----

CONNECT = "import socket,sys; print(socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=9).recv(9).decode())"


class Hidden:
    """A program that is not installed meanwhile."""

    def __init__(self, *paths):
        self.paths = paths

    def __enter__(self):
        for path in self.paths:
            run("mount", "--bind", "/dev/null", path)

    def __exit__(self, *error):
        for path in self.paths:
            run("umount", path)


PASTA, SLIRP = "/usr/bin/pasta", "/usr/bin/slirp4netns"
needs_pasta = pytest.mark.skipif(not os.access(PASTA, os.X_OK), reason="pasta is not installed (package passt)")
needs_slirp = pytest.mark.skipif(not os.access(SLIRP, os.X_OK), reason="slirp4netns is not installed")
needs_tun = pytest.mark.skipif(not os.access("/dev/net/tun", os.R_OK | os.W_OK), reason="no /dev/net/tun here")


@pytest.fixture(scope="session")
def servers(host):
    """Outside: "out" on TCP port 8000 of both families. On the host itself: "host" on 8001, its loopback included."""
    program = (
        "import socket\n"
        "server=socket.create_server(('::',int(__import__('sys').argv[1])),family=socket.AF_INET6,dualstack_ipv6=True)\n"
        "print(flush=True)\n"
        "while True: c=server.accept()[0]; c.sendall(__import__('sys').argv[2].encode()); c.close()\n"
    )
    there = host.popen("/usr/bin/python3", "-c", program, "8000", "out", stdout=subprocess.PIPE)
    here = subprocess.Popen(["/usr/bin/python3", "-c", program, "8001", "host"], stdout=subprocess.PIPE)
    there.stdout.readline()
    here.stdout.readline()
    yield
    for process in (there, here):
        process.kill()
        process.wait()


@pytest.fixture
def outward(engine, servers):
    """A network with the device of the way out and what the packet filter does for it. Pasta is the only program, however
    old it is."""
    with Hidden(*filter(os.path.exists, [SLIRP])):
        engine.add_network("web", "10.89.0")
        run(CLIENT, "device", engine.netns.path)
        engine.netns.run("nft", "add table inet t; add chain inet t p { type nat hook postrouting priority 100; }; add rule inet t p oifname out0 masquerade")
        yield engine.container("web", 2)


def connect(namespace, address, port, check=True):
    return namespace.run("/usr/bin/python3", "-IS", "-c", CONNECT, address, str(port), check=check).stdout.strip()


def way_out_pids(engine):
    """The keeper of the way out and its program."""
    keepers = engine.children(engine.netd_pids[-1])
    return keepers, [pid for keeper in keepers for pid in engine.children(keeper)]


@needs_pasta
@needs_tun
def test_containers_reach_the_outside_by_pasta(engine, outward):
    engine.ensure("web", way_out=True)
    assert connect(outward, OUTSIDE, 8000) == "out"
    assert connect(engine.netns, OUTSIDE6, 8000) == "out"
    assert connect(outward, HOST, 8001) == "host"
    with open(f"{engine.directory}/way-out") as file:
        assert file.read() == "pasta\n"


@needs_pasta
@needs_tun
def test_the_hosts_loopback_is_not_reached(engine, outward):
    engine.ensure("web", way_out=True)
    assert connect(outward, OUTSIDE, 8000) == "out"
    assert "host" not in connect(outward, "10.0.2.2", 8001, check=False)


@needs_pasta
@needs_tun
@pytest.mark.parametrize("address", [OUTSIDE, OUTSIDE6])
def test_the_first_connection_waits_for_pasta_and_no_longer(engine, outward, address):
    program = "import socket,sys,time; print(flush=True); t=time.time(); socket.create_connection((sys.argv[1],8000),timeout=9); print(time.time()-t)"
    begun = engine.netns.popen("/usr/bin/python3", "-IS", "-c", program, address, stdout=subprocess.PIPE, text=True)
    begun.stdout.readline()
    # Its first packet is on the way when the gateway is being asked for.
    eventually(lambda: "INCOMPLETE" in engine.netns.run("ip", "neigh").stdout)
    engine.ensure("web", way_out=True)
    # A second attempt of TCP would come after a second only.
    assert float(begun.communicate()[0]) < 0.95


@needs_pasta
@needs_tun
def test_a_killed_pasta_comes_back(engine, outward):
    engine.ensure("web", way_out=True)
    assert connect(outward, OUTSIDE, 8000) == "out"
    keepers, programs = way_out_pids(engine)
    assert len(programs) == 1
    os.kill(programs[0], signal.SIGKILL)
    eventually(lambda: way_out_pids(engine)[1] not in ([], programs), what="another pasta")
    assert connect(outward, OUTSIDE, 8000) == "out"


@needs_pasta
@needs_tun
def test_the_way_out_dies_with_netd_and_comes_back_with_the_next(engine, outward):
    engine.ensure("web", way_out=True)
    assert connect(outward, OUTSIDE, 8000) == "out"
    keepers, programs = way_out_pids(engine)
    os.kill(engine.netd_pids[-1], signal.SIGKILL)
    eventually(lambda: not any(map(is_running, keepers + programs)), what="the end of pasta")
    assert engine.ensure("web", way_out=True) is not None
    assert connect(outward, OUTSIDE, 8000) == "out"


@needs_pasta
@needs_tun
def test_a_killed_keeper_of_the_way_out_ends_netd(engine, outward):
    engine.ensure("web", way_out=True)
    assert connect(outward, OUTSIDE, 8000) == "out"
    keepers, programs = way_out_pids(engine)
    os.kill(keepers[0], signal.SIGKILL)
    eventually(lambda: not any(map(is_running, programs + [engine.netd_pids[-1]])), what="the end of netd and pasta")


@needs_pasta
@needs_tun
def test_a_route_that_comes_later_is_used(engine, outward):
    run("ip", "route", "del", "default")
    run("ip", "-6", "route", "del", "default")
    try:
        engine.ensure("web", way_out=True)
        eventually(lambda: "no route" in engine.log(), what="a word in the log")
    finally:
        run("ip", "route", "add", "default", "via", OUTSIDE)
        run("ip", "-6", "route", "add", "default", "via", OUTSIDE6)
    eventually(lambda: way_out_pids(engine)[1], what="pasta")
    assert connect(outward, OUTSIDE, 8000) == "out"


@needs_pasta
@needs_tun
def test_the_hosts_address_for_containers_follows_the_hosts_own(engine, outward):
    engine.ensure("web", way_out=True)
    eventually(lambda: HOST in engine.netns.run("nft", "list", "table", "inet", "knarr-host", check=False).stdout)
    assert connect(outward, "169.254.1.2", 8001) == "host"
    moved = "192.168.77.6"
    run("ip", "address", "add", f"{moved}/24", "dev", "host0")
    run("ip", "route", "replace", "default", "via", OUTSIDE, "src", moved)
    try:
        eventually(lambda: f"dnat ip to {moved}" in engine.netns.run("nft", "list", "table", "inet", "knarr-host").stdout)
        assert connect(outward, "169.254.1.2", 8001) == "host"
    finally:
        run("ip", "route", "replace", "default", "via", OUTSIDE)
        run("ip", "address", "del", f"{moved}/24", "dev", "host0")


@needs_slirp
@needs_tun
def test_slirp4netns_does_where_pasta_is_missing(engine, servers):
    with Hidden(PASTA):
        engine.add_network("web", "10.89.0")
        run(CLIENT, "device", engine.netns.path)
        engine.container("web", 2)
        engine.ensure("web", way_out=True)
        assert connect(engine.netns, OUTSIDE, 8000) == "out"
        with open(f"{engine.directory}/way-out") as file:
            assert file.read() == "slirp4netns\n"
        assert "host" not in connect(engine.netns, "10.0.2.2", 8001, check=False)


def test_without_a_program_the_log_says_what_to_install(engine, web):
    with Hidden(*filter(os.path.exists, (PASTA, SLIRP))):
        run(CLIENT, "stop", engine.directory)
        eventually(lambda: not is_running(engine.netd_pids[-1]))
        engine.ensure("web", way_out=True)
        assert web.resolve("db", "A") == ["10.89.0.3"]
        eventually(lambda: os.path.exists(f"{engine.directory}/way-out"))
        with open(f"{engine.directory}/way-out") as file:
            assert file.read() == "none: install passt\n"
        eventually(lambda: "package passt" in engine.log(), what="a word in the log")
