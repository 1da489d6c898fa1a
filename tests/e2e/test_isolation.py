# SPDX-License-Identifier: Apache-2.0
"""`run`: namespaces, capabilities, seccomp and what else holds a payload in."""

import json
import os
import re

import pytest
from harness import IMAGE

DEFAULT_CAPABILITIES = 0x800405FB  # the eleven


def status_of(knarr, *options):
    """The fields of /proc/self/status of a payload."""
    text = knarr("run", "--rm", *options, IMAGE, "cat", "/proc/self/status")
    return {name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}


def capabilities(knarr, *options):
    fields = status_of(knarr, *options)
    return {name: int(fields["Cap" + name], 16) for name in ("Inh", "Prm", "Eff", "Bnd", "Amb")}


# Capabilities.

def test_root_has_the_eleven_and_inherits_none(knarr):
    sets = capabilities(knarr)
    assert (sets["Eff"], sets["Prm"], sets["Bnd"]) == (DEFAULT_CAPABILITIES,) * 3
    assert (sets["Inh"], sets["Amb"]) == (0, 0)


@pytest.mark.needs_ids
def test_another_user_has_none(knarr):
    sets = capabilities(knarr, "-u", "1000")
    assert sets == {"Inh": 0, "Prm": 0, "Eff": 0, "Bnd": DEFAULT_CAPABILITIES, "Amb": 0}


@pytest.mark.needs_ids
def test_another_user_has_those_added(knarr):
    sets = capabilities(knarr, "-u", "1000", "--cap-add", "NET_ADMIN")
    assert (sets["Eff"], sets["Prm"], sets["Amb"]) == (1 << 12,) * 3


@pytest.mark.parametrize("options, expected", [
    (["--cap-drop", "all"], 0),
    (["--cap-drop", "ALL", "--cap-add", "chown"], 1),
    (["--cap-add", "CAP_NET_ADMIN"], DEFAULT_CAPABILITIES | 1 << 12),
    (["--cap-add", "net_raw,sys_admin"], DEFAULT_CAPABILITIES | 1 << 13 | 1 << 21),
    (["--cap-drop", "CAP_CHOWN", "--cap-drop", "kill"], DEFAULT_CAPABILITIES & ~1 & ~(1 << 5)),
])
def test_capabilities_can_be_chosen(knarr, options, expected):
    sets = capabilities(knarr, *options)
    assert (sets["Eff"], sets["Prm"], sets["Bnd"], sets["Inh"]) == (expected, expected, expected, 0)


def test_all_capabilities(knarr):
    with open("/proc/sys/kernel/cap_last_cap") as file:
        everything = (2 << int(file.read())) - 1
    if knarr.identity == "root":
        # Without a user namespace nobody gets more than the caller may have.
        with open("/proc/self/status") as file:
            everything &= int(re.search(r"CapBnd:\s+(\w+)", file.read())[1], 16)
    assert capabilities(knarr, "--cap-add", "all")["Eff"] == everything
    assert capabilities(knarr, "--privileged")["Eff"] == everything


@pytest.mark.parametrize("options", [["--cap-add", "nosuch"], ["--cap-drop", "CAP_NOSUCH"]])
def test_unknown_capabilities_are_refused(knarr, options):
    knarr.error("run", "--rm", *options, IMAGE, "true")


# Seccomp and no_new_privs.

def test_a_filter_is_loaded(knarr):
    assert status_of(knarr)["Seccomp"] == "2"
    assert status_of(knarr, "--security-opt", "seccomp=unconfined")["Seccomp"] == "0"
    assert status_of(knarr, "--privileged")["Seccomp"] == "0"


def python(knarr, script, *options):
    """Runs Debian's python over the host's root: the image has only a shell."""
    return knarr("run", "--rm", "-v", "/:/host:ro", *options, IMAGE, "chroot", "/host", "/usr/bin/python3", "-c", script)


PROBE = """
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
def probe(number, *arguments):
    ctypes.set_errno(0)
    libc.syscall(number, *arguments)
    return errno.errorcode.get(ctypes.get_errno(), "OK")
"""


@pytest.mark.parametrize("name, number, arguments, expected", [
    ("io_uring_setup", 425, "1, 0", "ENOSYS"),
    ("add_key", 248, "0, 0, 0, 0, 0", "ENOSYS"),
    ("kexec_load", 246, "0, 0, 0, 0", "EPERM"),
    ("userfaultfd", 323, "0", "EPERM"),
    ("bpf", 321, "0, 0, 0", "EPERM"),
    ("a number nobody has", 4095, "", "ENOSYS"),
    ("socket AF_ALG", 41, "38, 5, 0", "EPERM ENOSYS EAFNOSUPPORT"),
    ("socket AF_VSOCK", 41, "40, 1, 0", "EPERM"),
    ("getpid", 39, "", "OK"),
])
def test_the_default_filter(knarr, name, number, arguments, expected):
    got = python(knarr, PROBE + f"print(probe({number}{', ' + arguments if arguments else ''}))")
    assert got in expected.split(), name


def test_the_filter_follows_the_capabilities(knarr):
    assert python(knarr, PROBE + "print(probe(321, 0, 0, 0))", "--cap-add", "sys_admin") != "ENOSYS"
    assert python(knarr, PROBE + "print(probe(170, b'x', 1))") == "EPERM"  # sethostname
    assert python(knarr, PROBE + "print(probe(170, b'x', 1))", "--cap-add", "sys_admin") == "OK"


def profile(scratch, document):
    path = os.path.join(scratch, "profile.json")
    with open(path, "w") as file:
        file.write(document if isinstance(document, str) else json.dumps(document))
    return path


def test_a_profile_of_the_user(knarr, scratch):
    path = profile(scratch, {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
                             "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]})
    out = knarr.sh("mkdir /x 2>&1; touch /y && echo touched", "--security-opt", f"seccomp={path}")
    assert "No space left on device" in out and "touched" in out


def test_a_profile_for_every_architecture_of_debian(knarr):
    path = "/usr/share/containers/seccomp.json"
    if not os.path.exists(path):
        pytest.skip("this machine has no /usr/share/containers/seccomp.json (golang-github-containers-common)")
    assert status_of(knarr, "--security-opt", f"seccomp={path}")["Seccomp"] == "2"


@pytest.mark.parametrize("document", ["", "{", "[]", '{"defaultAction": "SCMP_ACT_NOSUCH"}', '{"defaultAction": 1}',
                                      '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": {}}'])
def test_a_bad_profile_is_an_error_that_names_it(knarr, scratch, document):
    path = profile(scratch, document)
    assert path in knarr.error("run", "--rm", "--security-opt", f"seccomp={path}", IMAGE, "true")


def test_a_missing_profile_is_an_error(knarr):
    assert "/no/such.json" in knarr.error("run", "--rm", "--security-opt", "seccomp=/no/such.json", IMAGE, "true")


def test_no_new_privileges(knarr):
    assert status_of(knarr)["NoNewPrivs"] == "0"
    assert status_of(knarr, "--security-opt", "no-new-privileges")["NoNewPrivs"] == "1"
    assert status_of(knarr, "--security-opt", "no-new-privileges:true")["NoNewPrivs"] == "1"
    assert status_of(knarr, "--security-opt", "no-new-privileges=false")["NoNewPrivs"] == "0"


@pytest.mark.parametrize("option", ["nosuch", "nosuch=x", "seccomp", "no-new-privileges=maybe"])
def test_unknown_security_options_are_refused(knarr, option):
    knarr.error("run", "--rm", "--security-opt", option, IMAGE, "true")


@pytest.mark.needs_ids
def test_set_uid_programs_work_unless_privileges_are_closed(knarr):
    # Not busybox: it gives such privilege up by itself.
    script = "cp /usr/bin/python3 /bin/probe && chmod 4755 /bin/probe && /bin/su app -c '/bin/probe -c \"import os; print(os.getuid(), os.geteuid())\"'"
    host = ["-v", "/usr:/usr:ro", "-v", "/lib:/lib:ro", "-v", "/lib64:/lib64:ro"]
    assert knarr.sh(script, *host) == "1000 0"
    assert knarr.sh(script, "--security-opt", "no-new-privileges", *host) == "1000 1000"


# Namespaces.

KINDS = ["user", "mnt", "pid", "ipc", "uts", "cgroup", "net"]


def namespaces(knarr, *options):
    lines = knarr.sh("for n in %s; do readlink /proc/self/ns/$n; done" % " ".join(KINDS), *options).split()
    return dict(zip(KINDS, lines))


def own(kind):
    return os.readlink(f"/proc/self/ns/{kind}")


def test_everything_is_private(knarr):
    inside = namespaces(knarr)
    kinds = [kind for kind in KINDS if not (kind == "user" and knarr.identity == "root")]
    assert not [kind for kind in kinds if inside[kind] == own(kind)]


@pytest.mark.rootless_only
def test_containers_have_user_namespaces_of_their_own(knarr):
    knarr.start("--name", "one")
    assert knarr("exec", "one", "readlink", "/proc/self/ns/user") != namespaces(knarr)["user"]


@pytest.mark.parametrize("option, kind", [("--pid", "pid"), ("--ipc", "ipc"), ("--uts", "uts"), ("--cgroupns", "cgroup"), ("--network", "net")])
def test_the_hosts_namespace(knarr, option, kind):
    inside = namespaces(knarr, f"{option}=host")
    assert inside[kind] == own(kind)
    assert inside["mnt"] != own("mnt")


@pytest.mark.parametrize("option, kind", [("--pid", "pid"), ("--ipc", "ipc"), ("--uts", "uts"), ("--network", "net"), ("--cgroupns", "cgroup")])
def test_the_namespace_of_another_container(knarr, option, kind):
    knarr.start("--name", "other", *(["--ipc=shareable"] if option == "--ipc" else []))
    expected = knarr("exec", "other", "readlink", f"/proc/self/ns/{kind}")
    assert namespaces(knarr, f"{option}=container:other")[kind] == expected


@pytest.mark.parametrize("option", ["--pid", "--ipc", "--uts", "--network", "--cgroupns"])
def test_the_namespace_of_no_container(knarr, option):
    assert "nosuch" in knarr.error("run", "--rm", f"{option}=container:nosuch", IMAGE, "true")


@pytest.mark.parametrize("option", ["--pid", "--ipc", "--uts", "--network"])
def test_the_namespace_of_a_container_that_does_not_run(knarr, option):
    knarr("create", "--name", "other", IMAGE, "true")
    assert "running" in knarr.error("run", "--rm", f"{option}=container:other", IMAGE, "true")


@pytest.mark.parametrize("option", ["--pid", "--ipc", "--uts", "--network", "--cgroupns", "--userns"])
def test_a_mode_that_is_none_is_refused(knarr, option):
    knarr.error("run", "--rm", f"{option}=nosuchmode:x", IMAGE, "true")


def test_a_namespace_by_path(knarr):
    knarr.start("--name", "other")
    pid = knarr.state("other")["Pid"]
    expected = knarr("exec", "other", "readlink", "/proc/self/ns/net")
    assert namespaces(knarr, f"--network=ns:/proc/{pid}/ns/net")["net"] == expected


def test_processes_of_the_host_are_not_seen(knarr):
    assert knarr("run", "--rm", IMAGE, "sh", "-c", "ls -d /proc/[0-9]* | wc -l; true") in ("1", "2", "3")


def test_processes_of_the_host_are_seen_with_its_pid_namespace(knarr):
    assert knarr.sh(f"test -d /proc/{os.getpid()} && echo seen", "--pid=host") == "seen"


def test_the_host_name_of_the_host(knarr):
    assert knarr.sh("hostname", "--uts=host") == os.uname().nodename


def test_only_the_loopback_interface(knarr):
    out = knarr("run", "--rm", "--network", "none", IMAGE, "ip", "-o", "link")
    assert len(out.splitlines()) == 1 and re.search(r"lo: <LOOPBACK,UP", out)


def test_ping_needs_no_capability(knarr):
    """Sockets of the kernel's own ping are open to the root of the container."""
    assert knarr("run", "--rm", IMAGE, "cat", "/proc/sys/net/ipv4/ping_group_range").split() == ["0", "0"]
    probe = "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP); s.settimeout(5); " \
            "s.sendto(bytes([8, 0, 0, 0, 0, 0, 0, 1]), ('127.0.0.1', 0)); print(s.recv(100)[0])"
    assert python(knarr, probe) == "0"  # an echo reply


def test_the_network_of_the_host(knarr):
    with open("/proc/net/dev") as file:
        expected = sorted(line.split(":")[0].strip() for line in file if ":" in line)
    out = knarr("run", "--rm", "--network", "host", IMAGE, "cat", "/proc/net/dev")
    assert sorted(line.split(":")[0].strip() for line in out.splitlines() if ":" in line) == expected


# User namespaces.

def uid_map(knarr, *options):
    text = knarr("run", "--rm", *options, IMAGE, "cat", "/proc/self/uid_map")
    return [tuple(map(int, line.split())) for line in text.splitlines()]


@pytest.mark.rootless_only
@pytest.mark.needs_ids
def test_root_in_a_container_is_the_user_outside(knarr, scratch):
    path = os.path.join(scratch, "made")
    os.chmod(scratch, 0o777)
    knarr("run", "--rm", "-v", f"{scratch}:/out", IMAGE, "sh", "-c", "touch /out/made; touch /out/theirs; chown 1000 /out/theirs")
    assert os.stat(path).st_uid == os.getuid()
    assert os.stat(os.path.join(scratch, "theirs")).st_uid >= 1000 and os.stat(os.path.join(scratch, "theirs")).st_uid != os.getuid()
    knarr("unshare", "rm", "-f", os.path.join(scratch, "theirs"))


@pytest.mark.rootless_only
@pytest.mark.needs_ids
def test_keep_id(knarr, scratch):
    me = str(os.getuid())
    out = knarr.sh("id -u; id -g; id -un; echo $HOME; touch /out/made; grep -c ^root: /etc/passwd", "--userns=keep-id", "-v", f"{scratch}:/out")
    uid, gid, name, home, root = out.splitlines()
    assert (uid, gid, root) == (me, str(os.getgid()), "1")
    assert name
    assert os.stat(os.path.join(scratch, "made")).st_uid == os.getuid()


@pytest.mark.rootless_only
@pytest.mark.needs_ids
def test_keep_id_with_other_ids(knarr, scratch):
    out = knarr.sh("id -u; id -g; touch /out/made", "--userns=keep-id:uid=123,gid=456", "-v", f"{scratch}:/out")
    assert out.split() == ["123", "456"]
    assert os.stat(os.path.join(scratch, "made")).st_uid == os.getuid()


@pytest.mark.rootless_only
@pytest.mark.needs_ids
def test_keep_id_as_root(knarr):
    assert knarr.sh("id -u", "--userns=keep-id", "-u", "0") == "0"


@pytest.mark.rootless_only
@pytest.mark.needs_ids
def test_nomap(knarr, scratch):
    os.chmod(scratch, 0o777)
    out = knarr.sh("id -u; cat /proc/self/uid_map; touch /out/made; cat /etc/hostname", "--userns=nomap", "-v", f"{scratch}:/out", "-v", "data:/v")
    uid, extent, _ = out.splitlines()
    assert uid == "0" and extent.split()[:2] == ["0", "1"]
    assert os.stat(os.path.join(scratch, "made")).st_uid not in (0, os.getuid())
    knarr("unshare", "rm", "-f", os.path.join(scratch, "made"))


def extents(knarr, name, kind="uid"):
    return [tuple(map(int, line.split())) for line in knarr("exec", name, "cat", f"/proc/1/{kind}_map").splitlines()]


@pytest.mark.rootless_only
@pytest.mark.needs_ids
def test_auto_gives_every_container_ids_of_its_own(knarr):
    knarr.start("--name", "one", "--userns=auto:size=2000")
    knarr.start("--name", "two", "--userns=auto")
    first, second = extents(knarr, "one"), extents(knarr, "two")
    assert sum(count for _, _, count in first) == 2000 and sum(count for _, _, count in second) >= 1024
    ids = [set(range(outside, outside + count)) for extent in (first, second) for _, outside, count in extent]
    assert sum(map(len, ids)) == len(set.union(*ids)) and 0 not in set.union(*ids)
    assert knarr("exec", "two", "sh", "-c", "id -u; touch /tmp/x; stat -c %u /tmp/x /etc/passwd; chown 1000 /tmp/x && echo done").split() == ["0", "0", "0", "done"]


@pytest.mark.rootless_only
@pytest.mark.needs_ids
def test_ids_of_auto_stay_until_the_container_goes(knarr):
    knarr.start("--name", "one", "--userns=auto")
    knarr("exec", "one", "touch", "/kept")
    before = extents(knarr, "one")
    knarr("stop", "-t", "0", "one")
    knarr.start("--name", "two", "--userns=auto")
    knarr("start", "one")
    assert extents(knarr, "one") == before != extents(knarr, "two")
    assert knarr("exec", "one", "stat", "-c", "%u", "/kept") == "0"
    knarr("rm", "-f", "-t", "0", "one")
    knarr.start("--name", "three", "--userns=auto")
    assert extents(knarr, "three") == before


@pytest.mark.rootless_only
@pytest.mark.needs_ids
def test_auto_with_mappings(knarr):
    knarr.start("--name", "one", "--userns=auto:size=2000,uidmapping=0:1:10,gidmapping=5:7:1")
    assert extents(knarr, "one")[0] == (0, 1, 10) and (5, 7, 1) in extents(knarr, "one", "gid")
    assert sum(count for _, _, count in extents(knarr, "one")) == 2000


@pytest.mark.rootless_only
@pytest.mark.needs_ids
def test_auto_without_enough_ids(knarr):
    assert "not enough" in knarr.error("run", "--rm", "--userns=auto:size=4000000000", IMAGE, "true")
    assert knarr("ps", "-aq") == ""


@pytest.mark.rootless_only
@pytest.mark.needs_ids
def test_auto_is_as_large_as_the_user_needs(knarr):
    assert knarr.sh("id -u", "--userns=auto", "-u", "5000") == "5000"


def test_the_map_covers_every_id_there_is(knarr):
    total = sum(count for _, _, count in uid_map(knarr))
    if knarr.identity == "root":
        assert total == 4294967295
    elif knarr.single_id:
        assert total == 1
    else:
        assert total >= 65537


# sysctl, time, hosts' own things.

def test_sysctl(knarr):
    assert knarr.sh("cat /proc/sys/net/ipv4/ip_forward", "--sysctl", "net.ipv4.ip_forward=1") == "1"
    assert knarr.sh("cat /proc/sys/kernel/msgmax", "--sysctl", "kernel.msgmax=4321") == "4321"


@pytest.mark.parametrize("setting", ["kernel.core_pattern=|/x", "vm.swappiness=1", "nosuch.key=1", "net.ipv4.ip_forward", "=1", "kernel/../vm/x=1"])
def test_sysctls_of_the_host_are_refused(knarr, setting):
    before = open("/proc/sys/kernel/core_pattern").read()
    knarr.error("run", "--rm", "--sysctl", setting, IMAGE, "true")
    assert open("/proc/sys/kernel/core_pattern").read() == before


def test_sysctls_of_a_shared_namespace_are_refused(knarr):
    knarr.error("run", "--rm", "--network", "host", "--sysctl", "net.ipv4.ip_forward=1", IMAGE, "true")
    knarr.error("run", "--rm", "--ipc", "host", "--sysctl", "kernel.msgmax=4321", IMAGE, "true")


def test_the_cgroup_tree_cannot_be_written(knarr):
    assert knarr.result("run", "--rm", IMAGE, "mkdir", "/sys/fs/cgroup/x").status != 0
    assert knarr.result("run", "--rm", "--cgroupns=host", IMAGE, "mkdir", "/sys/fs/cgroup/x").status != 0


def test_privileged_sees_and_writes_more(knarr):
    assert knarr.sh("mount | grep -c ' on /proc/sys ' ; true", "--privileged") == "0"
    knarr.sh("mkdir -p /m && mount -t tmpfs x /m && touch /m/f", "--privileged")


def test_a_nested_mount_needs_the_capability(knarr):
    assert knarr.result("run", "--rm", IMAGE, "mount", "-t", "tmpfs", "x", "/mnt").status != 0


# What is not there yet is refused, never ignored.

@pytest.mark.parametrize("options", [
    ["--memory", "100m"], ["-m", "100m"], ["--cpus", "1"], ["--cpu-shares", "100"], ["--pids-limit", "10"],
    ["--cpuset-cpus", "0"], ["--memory-swap", "1g"], ["--restart", "always"], ["--restart", "on-failure:3"], ["--health-cmd", "true"],
    ["--pod", "x"], ["--network", "pasta"], ["--secret", "x"],
    ["--gpus", "all"], ["--cgroup-parent", "x"], ["--log-driver", "journald"], ["--device-cgroup-rule", "c 1:3 rwm"],
], ids=lambda options: options[0])
def test_options_of_later_are_refused_by_name(knarr, options):
    error = knarr.error("run", "--rm", *options, IMAGE, "true")
    assert re.search("not supported|only .* supported|unknown flag", error), error
    assert options[0].lstrip("-").split("=")[0] in error or options[-1] in error or options[0] == "-m", error


@pytest.mark.parametrize("options", [["--restart", "no"], ["--network", "none"], ["--pull", "missing"], ["--no-healthcheck"], ["--quiet"],
                                     ["--cgroups", "disabled"]], ids=lambda options: options[0])
def test_options_that_ask_for_what_is_are_taken(knarr, options):
    knarr("run", "--rm", *options, IMAGE, "true")
