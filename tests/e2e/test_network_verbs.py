# SPDX-License-Identifier: Apache-2.0
"""Networks as things to make, look at and remove: the network verbs, and what containers say of networks."""

import ipaddress
import json
import os
import re
import shutil
import tempfile

import pytest
from containers_storage import ContainersStorage
from harness import IMAGE

DEFAULT_ID = "2f259bab93aaaaa2542ba43ef33eb990d0999ee1b9924b557b7be53c0b7a1bb9"  # podman's


@pytest.fixture(autouse=True)
def no_networks_left(knarr):
    yield
    # Containers go after this: what they use is removed with them.
    for name in names(knarr):
        if name != "podman":
            knarr("network", "rm", "-f", "-t", "0", name)


def names(knarr, *options):
    return knarr("network", "ls", "-q", *options).split()


def inspect(knarr, name):
    return json.loads(knarr("network", "inspect", name))[0]


def created(knarr, *options, image=IMAGE):
    """A container that never runs; returns its id."""
    return knarr("create", *options, image, "true")


# create

def test_a_network_of_nothing_is_named_after_its_bridge(knarr):
    assert [knarr("network", "create"), knarr("network", "create")] == ["podman1", "podman2"]
    first, second = inspect(knarr, "podman1"), inspect(knarr, "podman2")
    assert first["network_interface"] == "podman1"
    v4, v6 = first["subnets"]
    assert ipaddress.ip_network(v4["subnet"]).prefixlen == 24 and ipaddress.ip_network(v6["subnet"]).prefixlen == 64
    assert ipaddress.ip_network(v6["subnet"]).is_private
    assert ipaddress.ip_address(v4["gateway"]) == ipaddress.ip_network(v4["subnet"])[1]
    assert first["dns_enabled"] and first["ipv6_enabled"] and not first["internal"]
    assert not {subnet["subnet"] for subnet in first["subnets"]} & {subnet["subnet"] for subnet in second["subnets"]}


def test_all_options_are_kept(knarr):
    knarr("network", "create", "--subnet", "10.77.0.0/24", "--gateway", "10.77.0.254", "--ip-range", "10.77.0.128/25", "--subnet", "fd77::/64",
          "--label", "a=b", "--label", "empty", "-o", "mtu=1400", "-o", "isolate=strict", "--dns", "192.0.2.53", "--internal",
          "--route", "10.78.0.0/16,10.77.0.9,7", "--interface-name", "web0", "web")
    web = inspect(knarr, "web")
    assert web["subnets"] == [
        {"subnet": "10.77.0.0/24", "gateway": "10.77.0.254", "lease_range": {"start_ip": "10.77.0.129", "end_ip": "10.77.0.255"}},
        {"subnet": "fd77::/64", "gateway": "fd77::1"}]
    assert (web["labels"], web["options"]) == ({"a": "b", "empty": ""}, {"mtu": "1400", "isolate": "strict"})
    assert web["routes"] == [{"destination": "10.78.0.0/16", "gateway": "10.77.0.9", "metric": 7}]
    assert (web["network_interface"], web["internal"], web["network_dns_servers"]) == ("web0", True, ["192.0.2.53"])


@pytest.mark.parametrize("options, words", [
    (["--gateway", "10.77.0.1"], "cannot set gateway or range without subnet"),
    (["--subnet", "10.77.0.0/24", "--gateway", "10.78.0.1"], "gateway 10.78.0.1 not in subnet 10.77.0.0/24"),
    (["--subnet", "10.88.1.0/24"], "already used by network podman"),
    (["--subnet", "10.77.0.0/33"], "expected a subnet"),
    (["-o", "nosuch=1"], "unsupported bridge network option nosuch"),
    (["-o", "mtu=big"], "network option mtu"),
    (["-o", "vlan=4"], "not supported yet"),
    (["--interface-name", "a-name-of-seventeen"], "at most 15 bytes"),
    (["--disable-dns", "--dns", "192.0.2.1"], "without DNS"),
    (["--ipam-driver", "dhcp"], "dhcp is not supported"),
    (["-d", "nosuch"], "unsupported driver nosuch"),
    (["-d", "macvlan"], "macvlan is not supported"),
    (["--route", "10.1.0.0/16"], "DESTINATION,GATEWAY"),
    (["a/b"], "names must match"),
    (["host"], "network mode"),
    (["podman"], "already used"),
])
def test_what_cannot_be_made_is_refused_in_words(knarr, options, words):
    assert words in knarr.error("network", "create", *options)
    assert names(knarr) == ["podman"]


def test_a_name_is_taken_once(knarr):
    knarr("network", "create", "web")
    assert "network name web already used" in knarr.error("network", "create", "web")
    assert knarr("network", "create", "--ignore", "web") == "web"


def test_many_at_once_get_different_subnets(knarr):
    commands = [knarr.popen("network", "create") for _ in range(12)]
    for command in commands:
        assert command.communicate(timeout=60)[1] == b"" and command.returncode == 0
    subnets = [subnet["subnet"] for network in json.loads(knarr("network", "ls", "--format", "json")) for subnet in network["subnets"]]
    assert len(subnets) == len(set(subnets)) == 1 + 12 * 2


# ls, inspect, exists

def test_ls_shows_a_table(knarr):
    knarr("network", "create", "web")
    rows = [line.split() for line in knarr("network", "ls").splitlines()]
    assert rows[0] == ["NETWORK", "ID", "NAME", "DRIVER"]
    assert rows[1] == [DEFAULT_ID[:12], "podman", "bridge"] and rows[2][1:] == ["web", "bridge"]
    assert knarr("network", "ls", "--no-trunc", "--noheading", "-f", "name=podman").split()[0] == DEFAULT_ID


def test_ls_takes_filters(knarr):
    knarr("network", "create", "--label", "tier=front", "web")
    knarr("network", "create", "--label", "tier=back", "data")
    created(knarr, "--network", "web")
    assert names(knarr, "-f", "name=^w") == ["web"]
    assert names(knarr, "-f", "name=web", "-f", "name=data") == ["data", "web"]
    assert names(knarr, "-f", "label=tier") == ["data", "web"]
    assert names(knarr, "-f", "label=tier=back") == ["data"]
    assert names(knarr, "-f", "label!=tier=back") == ["podman", "web"]
    assert names(knarr, "-f", "dangling=true") == ["data", "podman"]
    assert names(knarr, "-f", "dangling=false") == ["web"]
    assert names(knarr, "-f", f"id={DEFAULT_ID[:6]}") == ["podman"]
    assert names(knarr, "-f", "driver=macvlan") == []
    assert names(knarr, "-f", "until=2022-01-01") == ["podman"]
    assert "invalid filter" in knarr.error("network", "ls", "-f", "nosuch=1")


def test_formats(knarr):
    knarr("network", "create", "--subnet", "10.77.0.0/24", "--label", "a=b", "--label", "c=d", "web")
    assert knarr("network", "ls", "--format", "{{.Name}} {{.Labels}} {{len .ID}}", "-f", "name=web") == "web a=b,c=d 12"
    assert knarr("network", "inspect", "-f", "{{range .Subnets}}{{.Subnet}} {{.Gateway}}{{end}} {{.Labels.a}} {{.DNSEnabled}}", "web") == \
        "10.77.0.0/24 10.77.0.1 b true"
    listed = json.loads(knarr("network", "ls", "--format", "json", "-f", "name=web"))
    assert listed[0]["name"] == "web" and listed[0]["subnets"][0]["subnet"] == "10.77.0.0/24"


def test_names_and_the_beginnings_of_ids_mean_a_network(knarr):
    knarr("network", "create", "web")
    network_id = inspect(knarr, "web")["id"]
    assert inspect(knarr, network_id[:10])["name"] == "web"
    assert knarr.result("network", "exists", network_id[:10]).status == 0
    assert knarr.result("network", "exists", "nosuch").status == 1
    assert json.loads(knarr("inspect", "--type", "network", "web"))[0]["id"] == network_id
    assert json.loads(knarr("inspect", "web"))[0]["id"] == network_id


def test_inspect_of_what_is_missing_shows_the_rest(knarr):
    result = knarr.result("network", "inspect", "podman", "nosuch")
    assert result.status == 125 and json.loads(result.out)[0]["name"] == "podman" and "nosuch" in result.err


# rm, prune

def test_rm_of_what_is_missing_exits_with_1(knarr):
    knarr("network", "create", "web")
    result = knarr.result("network", "rm", "nosuch", "web")
    assert (result.status, result.out) == (1, "web\n") and "unable to find network with name or ID nosuch" in result.err
    assert knarr("network", "rm", "-f", "nosuch") == ""


def test_rm_of_what_is_used_exits_with_2(knarr):
    knarr("network", "create", "web")
    created(knarr, "--name", "box", "--network", "web")
    error = knarr.error("network", "rm", "web", status=2)
    assert '"web" has associated containers with it (box)' in error
    assert "web" in names(knarr)
    assert knarr("network", "rm", "-f", "web") == "web"
    assert knarr("ps", "-aq") == "" and names(knarr) == ["podman"]


def test_the_default_network_stays(knarr):
    assert "default network podman cannot be removed" in knarr.error("network", "rm", "podman")


def test_prune_takes_what_no_container_uses(knarr):
    for name in ("web", "data", "kept"):
        knarr("network", "create", *(["--label", "keep"] if name == "kept" else []), name)
    created(knarr, "--network", "web")
    assert knarr("network", "prune", "-f", "--filter", "label!=keep") == "data"
    assert names(knarr) == ["kept", "podman", "web"]
    assert "Are you sure" in knarr("network", "prune", input="n\n") and "kept" in names(knarr)


# update

def test_update_changes_the_name_servers(knarr):
    knarr("network", "create", "--dns", "192.0.2.1", "web")
    knarr("network", "update", "--dns-add", "192.0.2.2,192.0.2.3", "--dns-drop", "192.0.2.1", "web")
    assert inspect(knarr, "web")["network_dns_servers"] == ["192.0.2.2", "192.0.2.3"]
    assert "has no DNS server" in knarr.error("network", "update", "--dns-drop", "192.0.2.9", "web")
    assert "choose --dns-add" in knarr.error("network", "update", "web")


# connect, disconnect of containers that rest

def test_connect_and_disconnect_change_the_record(knarr):
    knarr("network", "create", "--subnet", "10.77.0.0/24", "web")
    box = created(knarr, "--name", "box")
    knarr("network", "connect", "--ip", "10.77.0.9", "--alias", "db", "web", "box")
    networks = knarr.inspect("box")["NetworkSettings"]["Networks"]
    assert set(networks) == {"podman", "web"} and networks["web"]["Aliases"] == ["db"]
    assert knarr("ps", "-aq", "--no-trunc", "-f", "network=web") == box
    assert "already connected" in knarr.error("network", "connect", "web", "box")
    knarr("network", "disconnect", "podman", "box")
    assert set(knarr.inspect("box")["NetworkSettings"]["Networks"]) == {"web"}
    assert "not connected to network podman" in knarr.error("network", "disconnect", "podman", "box")
    assert knarr.result("network", "disconnect", "-f", "podman", "box").status == 0
    assert knarr.result("network", "disconnect", "-f", "podman", "nosuch").status == 0


@pytest.mark.parametrize("options, words", [
    (["--ip", "10.78.0.9"], "not in any subnet on network web"), (["--ip", "10.77.0.1"], "is the gateway"), (["--ip", "x"], "not an IP address"),
    (["--mac-address", "01:00:00:00:00:01"], "not an address that an interface can have"), (["--alias", "a b"], "not a host name")])
def test_connect_checks_what_is_wished_for(knarr, options, words):
    knarr("network", "create", "--subnet", "10.77.0.0/24", "web")
    created(knarr, "--name", "box")
    assert words in knarr.error("network", "connect", *options, "web", "box")


def test_only_containers_with_networks_can_be_connected(knarr):
    created(knarr, "--name", "box", "--network", "host")
    assert "invalid network mode" in knarr.error("network", "connect", "podman", "box")


# --network and its companions

def test_without_a_word_a_container_is_on_the_default_network(knarr):
    created(knarr, "--name", "box")
    box = knarr.inspect("box")
    assert box["HostConfig"]["NetworkMode"] == "bridge" and list(box["NetworkSettings"]["Networks"]) == ["podman"]
    assert json.loads(knarr("ps", "-a", "--format", "json"))[0]["Networks"] == ["podman"]
    assert knarr("ps", "-a", "--format", "{{.Networks}}") == "podman"


def test_a_network_by_its_id_is_kept_by_name(knarr):
    knarr("network", "create", "web")
    created(knarr, "--name", "box", "--network", inspect(knarr, "web")["id"][:12], "--network", "podman")
    assert set(knarr.inspect("box")["NetworkSettings"]["Networks"]) == {"podman", "web"}
    assert knarr("ps", "-aq", "-f", f"network={inspect(knarr, 'web')['id']}") != ""


@pytest.mark.parametrize("options, words", [
    (["--network", "nosuch"], "unable to find network with name or ID nosuch"),
    (["--network", "none", "--network", "host"], "selected mode none"),
    (["--network", "bridge", "--network", "host"], "conflicts with bridge"),
    (["--network", "podman", "--network", "bridge"], "network podman is given twice"),
    (["--network", "host", "--ip", "10.88.0.9"], "--ip can only be set when the network mode is bridge"),
    (["--network", "none", "--network-alias", "x"], "--network-alias can only be set"),
    (["--ip", "10.99.0.9"], "not in any subnet on network podman"),
    (["--network", "podman:nosuch=1"], "unknown bridge network option: nosuch"),
    (["--network", "pasta"], "not supported yet"),
    (["--network", "slirp4netns:mtu=1500"], "not supported yet"),
    (["-p", "8000-8002:80"], "different lengths: 3 vs 1"),
    (["-p", "0:80"], "between 1 and 65535"),
    (["-p", "80/sctp"], "SCTP"),
    (["-p", "8080:80", "-p", "127.0.0.1:8080:81"], "conflicting port mappings"),
    (["--expose", "90-80"], "before it starts"),
    (["--network", "none", "--add-host", "x:host-gateway"], "host-gateway needs a network"),
])
def test_wishes_that_cannot_be_are_refused_and_leave_nothing(knarr, options, words):
    assert words in knarr.error("create", *options, IMAGE, "true")
    assert knarr("ps", "-aq") == ""


def test_lines_of_a_file_are_added_to_hosts(knarr, scratch):
    base = os.path.join(scratch, "hosts")
    with open(base, "w") as file:
        file.write("192.0.2.7 corp\n")
    assert "192.0.2.7 corp" in knarr.sh("cat /etc/hosts", "--network", "none", "--hosts-file", base).splitlines()
    assert "--hosts-file" in knarr.error("run", "--rm", "--network", "none", "--hosts-file", base + ".missing", IMAGE, "true")


def test_ports_that_a_mode_cannot_publish_are_dropped_with_a_word(knarr):
    result = knarr.result("create", "--network", "host", "-p", "8080:80", IMAGE, "true")
    assert result.status == 0 and "port mappings have been discarded" in result.err


def test_ports_are_shown_where_they_are_known(knarr):
    box = created(knarr, "--name", "box", "-p", "127.0.0.1:8080-8081:80-81", "-p", "53/udp", "--expose", "9000")
    config = knarr.inspect("box")
    assert config["HostConfig"]["PortBindings"] == {
        "80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}], "81/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8081"}],
        "53/udp": [{"HostIp": "", "HostPort": ""}]}
    assert config["Config"]["ExposedPorts"] == {"9000/tcp": {}} and config["NetworkSettings"]["Ports"]["9000/tcp"] is None
    assert knarr("port", "box").splitlines() == ["80/tcp -> 127.0.0.1:8080", "81/tcp -> 127.0.0.1:8081"]
    assert knarr("port", "box", "81") == "127.0.0.1:8081"
    assert 'failed to find published port "53/udp"' in knarr.error("port", "box", "53/udp")
    ports = lambda *filters: knarr("ps", "-aq", "--no-trunc", *filters)  # noqa: E731
    assert ports("-f", "publish=80") == ports("-f", "publish=8081") == ports("-f", "expose=9000") == box
    assert ports("-f", "publish=9000") == ports("-f", "publish=80/udp") == ""


def test_publish_all_publishes_what_is_exposed(knarr):
    created(knarr, "--name", "box", "-P", "--expose", "80", "--expose", "81/udp", "-p", "8080:80")
    config = knarr.inspect("box")["HostConfig"]
    assert config["PublishAllPorts"] and set(config["PortBindings"]) == {"80/tcp", "81/udp"}
    assert config["PortBindings"]["80/tcp"] == [{"HostIp": "", "HostPort": "8080"}]


# The files

def test_a_damaged_file_is_named_and_hides_no_other(knarr):
    knarr("network", "create", "web")
    path = os.path.join(knarr.root, "networks", "torn.json")
    with open(path, "w") as file:
        file.write("{")
    try:
        result = knarr.result("network", "ls", "-q")
        assert result.status == 0 and result.out.split() == ["podman", "web"] and "torn" in result.err
        assert "reading network torn" in knarr.error("create", "--network", "torn", IMAGE, "true")
        created(knarr, "--network", "web")
    finally:
        os.unlink(path)


def test_the_directory_can_be_chosen(knarr, scratch):
    place = os.path.join(scratch, "networks")
    knarr("--network-config-dir", place, "network", "create", "web")
    assert os.path.exists(os.path.join(place, "web.json"))
    assert names(knarr) == ["podman"]
    assert knarr("--network-config-dir", place, "network", "rm", "web") == "web"


@pytest.fixture
def podman(scratch, identity, monkeypatch):
    """podman with its networks of netavark's kind in `place`; only the files matter, so netavark does nothing."""
    if shutil.which("podman") is None or shutil.which("buildah") is None:
        pytest.skip("podman or buildah is not installed")
    if identity == "unshare":
        pytest.skip("podman needs more than one id")
    helpers = os.path.join(scratch, "helpers")
    os.mkdir(helpers)
    with open(os.path.join(helpers, "netavark"), "w", opener=lambda path, flags: os.open(path, flags, 0o755)) as file:
        file.write("#!/bin/sh\nexit 1\n")
    conf = os.path.join(scratch, "containers.conf")
    with open(conf, "w") as file:
        file.write(f'[network]\nnetwork_backend = "netavark"\n[engine]\ncgroup_manager = "cgroupfs"\nhelper_binaries_dir = ["{helpers}"]\n')
    monkeypatch.setenv("CONTAINERS_CONF", conf)
    store = ContainersStorage(tempfile.mkdtemp(prefix="net-", dir="/var/tmp"))  # podman wants a short one

    def run(*arguments):
        return store.program("podman", "--network-config-dir", run.place, *arguments)
    run.place = os.path.join(scratch, "networks")
    yield run
    store.destroy()


def test_podman_reads_our_networks_and_we_read_podmans(knarr, podman):
    ours = lambda *arguments: knarr("--network-config-dir", podman.place, *arguments)  # noqa: E731
    podman("network", "create", "--subnet", "10.77.0.0/24", "--ip-range", "10.77.0.128/25", "--ipv6", "--label", "a=b", "-o", "mtu=1400", "theirs")
    ours("network", "create", "--subnet", "10.78.0.0/24", "--ip-range", "10.78.0.128/25", "--label", "c=d", "-o", "mtu=1400", "ours")
    without_containers = lambda text: {key: value for key, value in json.loads(text)[0].items() if key != "containers"}  # noqa: E731
    for name in ("ours", "theirs"):
        assert without_containers(ours("network", "inspect", name)) == without_containers(podman("network", "inspect", name))
    assert "10.78.0.0/24" not in ours("network", "create") and re.search("^ours$", podman("network", "ls", "-q"), re.M)
    podman("network", "rm", "ours")
    ours("network", "rm", "theirs")
