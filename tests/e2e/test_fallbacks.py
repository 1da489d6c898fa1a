# SPDX-License-Identifier: Apache-2.0
"""Machines that lack something: each gives the fallback, said once, or an error that names the cure."""

import os
import shutil
import subprocess
import tempfile

import pytest
from harness import IMAGE, Engine


def works(engine, image, **more):
    """Loads and runs; returns all that went to standard error."""
    said = engine.result("load", "-q", "-i", image("busybox"), **more)
    assert said.status == 0, said
    result = engine.result("run", "--rm", IMAGE, "sh", "-c", "id -u; echo changed > /etc/motd; cat /etc/motd", **more)
    assert (result.status, result.out) == (0, "0\nchanged\n"), result
    engine.start("--name", "box")
    assert engine("exec", "box", "cat", "/proc/1/comm") == "sleep"
    engine("stop", "-t", "0", "box")
    engine("rm", "box")
    return said.err + result.err


# Ids.

HIDE_HELPERS = "mount --bind /dev/null /usr/bin/newuidmap; mount --bind /dev/null /usr/bin/newgidmap"


def test_without_the_helpers(machine, image):
    engine = machine.engine(HIDE_HELPERS)
    said = works(engine, image)
    assert "newuidmap" in said and "uidmap" in said
    assert len(engine("run", "--rm", IMAGE, "cat", "/proc/self/uid_map").splitlines()) == 1


def test_without_ranges(machine, image):
    engine = machine.engine("mount --bind /dev/null /etc/subuid; mount --bind /dev/null /etc/subgid")
    # Where the helpers lack their privilege as well, that is said first.
    said = works(engine, image)
    assert ("/etc/subuid" in said and machine.user.pw_name in said) or "newuidmap" in said


def test_what_is_lost_is_said_once(machine, image):
    engine = machine.engine(HIDE_HELPERS)
    engine("load", "-q", "-i", image("busybox"))
    warnings = [engine.result("run", "--rm", IMAGE, "true").err for _ in range(3)]
    assert sum("newuidmap" in text for text in warnings) == 0, "load has said it"


def test_without_a_program_for_the_way_out(machine, image):
    engine = machine.engine("for program in pasta slirp4netns; do [ ! -e /usr/bin/$program ] || mount --bind /dev/null /usr/bin/$program; done")
    engine("load", "-q", "-i", image("busybox"))
    assert "way out" not in engine.result("run", "--rm", "--network", "none", IMAGE, "true").err
    runs = [engine.result("run", "--rm", IMAGE, "ip", "-o", "-4", "address", "show", "eth0") for _ in range(2)]
    assert all("10.88." in result.out for result in runs), runs
    assert "passt" in runs[0].err and "passt" not in runs[1].err, "it is said once"


def test_without_a_device_for_the_way_out(machine, image):
    engine = machine.engine("mount --bind /dev/null /dev/net/tun")
    engine("load", "-q", "-i", image("busybox"))
    result = engine.result("run", "--rm", IMAGE, "ip", "-o", "-4", "address", "show", "eth0")
    assert "10.88." in result.out and "cannot reach the outside" in result.err, result


def test_images_with_many_owners_unpack_with_one_id(machine, image):
    engine = machine.engine(HIDE_HELPERS)
    engine("load", "-q", "-i", image("rich"))
    assert engine("run", "--rm", "localhost/rich", "sh", "-c", "stat -c %u /high-owner; cat /data/kept").split() == ["0", "kept"]


def test_a_user_that_is_not_mapped_is_an_error_that_says_so(machine, image):
    engine = machine.engine(HIDE_HELPERS)
    engine("load", "-q", "-i", image("busybox"))
    assert "1000" in engine.error("run", "--rm", "-u", "1000", IMAGE, "true")


def test_several_ranges(machine, image, scratch):
    user = machine.user.pw_name
    subid = os.path.join(scratch, "subid")
    with open(subid, "w") as file:
        file.write(f"# comment\nother:1:1\n{user}:300000:1000\nbroken line\n{machine.user.pw_uid}:400000:70000\n")
    engine = machine.engine(f"mount --bind {subid} /etc/subuid; mount --bind {subid} /etc/subgid")
    works(engine, image)
    assert engine("run", "--rm", IMAGE, "cat", "/proc/self/uid_map").split()[-1] == "70000"
    assert engine("run", "--rm", "-u", "70500", IMAGE, "id", "-u") == "70500"


def write_subid(path, machine, start):
    with open(path, "w") as file:
        file.write(f"{machine.user.pw_name}:{start}:65536\n")


def test_changed_ranges_are_said_once(machine, image, scratch):
    """Each command of this machine sees the file anew."""
    subid = os.path.join(scratch, "subid")
    write_subid(subid, machine, 300000)
    engine = machine.engine(f"mount --bind {subid} /etc/subuid; mount --bind {subid} /etc/subgid")
    engine("load", "-q", "-i", image("busybox"))
    engine.start("--name", "veteran")
    assert "veteran" not in engine.result("run", "--rm", IMAGE, "true").err
    write_subid(subid, machine, 500000)
    said = [engine.result("run", "--rm", IMAGE, "true") for _ in range(2)]
    assert [result.status for result in said] == [0, 0]
    assert "veteran" in said[0].err and "/etc/subuid" in said[0].err and said[1].err == ""
    assert engine("exec", "veteran", "id", "-u") == "0"


def test_ranges_from_another_source_than_the_files(machine, image, scratch):
    conf, program = os.path.join(scratch, "nsswitch.conf"), os.path.join(scratch, "getsubids")
    with open(conf, "w") as file:
        file.write("passwd: files\nsubid: sss\n")
    with open(program, "w") as file:
        file.write(f'#!/bin/sh\n[ "$1" = -g ] && shift\n[ "$1" = {machine.user.pw_name} ] && echo "0: $1 300000 1000"\n')
    os.chmod(program, 0o755)
    # newuidmap itself does not know of it: its files grant the same.
    subid = os.path.join(scratch, "subid")
    with open(subid, "w") as file:
        file.write(f"{machine.user.pw_name}:300000:65536\n")
    engine = machine.engine(f"""mount --bind {conf} /etc/nsswitch.conf; mount --bind {subid} /etc/subuid; mount --bind {subid} /etc/subgid
        touch /usr/bin/getsubids; mount --bind {program} /usr/bin/getsubids""")
    works(engine, image)
    assert engine("run", "--rm", IMAGE, "cat", "/proc/self/uid_map").split()[-1] == "1000"


# User namespaces.

SUPPORT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support")


def test_user_namespaces_switched_off(machine, image):
    engine = machine.engine(before=[os.path.join(SUPPORT, "without_user_namespaces")])
    result = engine.result("load", "-q", "-i", image("busybox"))
    assert result.status == 125 and result.err.startswith("Error: ")
    assert "user namespace" in result.err and "max_user_namespaces" in result.err
    shutil.rmtree(engine.root, ignore_errors=True)


def test_nesting_refused(work, engine, identity, image):
    """Root of a namespace that may hold no other: the error names the limit, and nothing is left."""
    if identity != "unshare":
        pytest.skip("about `unshare -r`; the tests with that identity do it")
    path = tempfile.mkdtemp(prefix="flat-", dir=work)
    # One user namespace below this one may exist, so that the sysctl of this one is not touched.
    inside = ["unshare", "--user", "--map-root-user", "sh", "-ec", 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"', "sh"]
    flat = Engine([*inside, *engine.program], path, identity)
    try:
        flat("load", "-q", "-i", image("busybox"))
        result = flat.result("run", "--rm", IMAGE, "true")
        assert result.status == 125 and "/proc/sys/user/max_" in result.err
    finally:
        flat.remove_all()
        leaks = flat.leaks()
        flat.destroy()
    assert not leaks


def test_a_seccomp_filter_that_forbids_user_namespaces(machine, image, deny):
    engine = machine.engine(before=deny("unshare=EPERM,clone3=EPERM,clone=EPERM"))
    result = engine.result("load", "-q", "-i", image("busybox"))
    assert result.status == 125 and result.err.startswith("Error: "), result
    shutil.rmtree(engine.root, ignore_errors=True)


# Overlay.

@pytest.mark.parametrize("driver", ["overlay", "fuse-overlayfs", "vfs"])
def test_drivers_by_name(fresh, image, driver):
    if driver == "fuse-overlayfs" and (shutil.which("fuse-overlayfs") is None or not os.access("/dev/fuse", os.W_OK)):
        pytest.skip("this machine has no fuse-overlayfs, or /dev/fuse is closed")
    fresh.program = [*fresh.program, "--storage-driver", driver]
    works(fresh, image)
    assert fresh("info", "--format", "{{.Store.GraphDriverName}}") == driver
    fresh("load", "-q", "-i", image("rich"))
    assert fresh("run", "--rm", "localhost/rich", "sh", "-c", "ls /data /opaque; cat /replaced").split() == ["/data:", "kept", "tree", "/opaque:", "new", "a", "file", "now"]
    fresh("run", "--name", "box", "localhost/rich", "sh", "-c", "rm -r /data; echo mine > /data; chmod 700 /etc")
    fresh("cp", "box:/data", os.path.join(fresh.work, "out"))
    with open(os.path.join(fresh.work, "out")) as file:
        assert file.read() == "mine\n"


def test_an_unknown_driver(fresh):
    assert "nosuch" in fresh.error("--storage-driver", "nosuch", "info")


OVER_OVERLAY = """
mkdir -p {0}/lower {0}/upper {0}/work {0}/store
mount -t overlay overlay -o lowerdir={0}/lower,upperdir={0}/upper,workdir={0}/work {0}/store
chown {1} {0}/store
"""


@pytest.fixture
def store_on_overlay(machine):
    base = tempfile.mkdtemp(prefix="over-", dir=machine.work)
    os.chmod(base, 0o755)
    subprocess.run(["sh", "-ec", OVER_OVERLAY.format(base, machine.user.pw_uid)], check=True)
    yield base + "/store"
    for engine in machine.engines:
        engine.remove_all()
        engine.destroy()
    machine.engines.clear()
    subprocess.run(["umount", "--lazy", base + "/store"], check=True)  # netd stays for a while


def test_a_store_where_the_kernels_overlay_cannot_write(machine, image, store_on_overlay):
    engine = machine.engine(place=store_on_overlay)
    works(engine, image)
    assert engine("info", "--format", "{{.Store.GraphDriverName}}") != "overlay"
    assert "overlay" in engine("info")


def test_a_store_where_no_overlay_works(machine, image, store_on_overlay):
    engine = machine.engine("for p in /usr/bin/fuse-overlayfs /dev/fuse; do test ! -e $p || mount --bind /dev/null $p; done", place=store_on_overlay)
    works(engine, image)
    assert engine("info", "--format", "{{.Store.GraphDriverName}}") == "vfs"


# System calls that the kernel, or a sandbox around, does not have.

@pytest.mark.parametrize("calls", ["openat2", "clone3", "mount_setattr", "openat2=EPERM", "clone3=EPERM", "mount_setattr=EPERM", "openat2,clone3,mount_setattr",
                                   "fsopen,fsconfig,fsmount", "open_tree,move_mount,fsopen,fsconfig,fsmount,mount_setattr", "close_range", "keyctl",
                                   "keyctl=EPERM", "memfd_create", "copy_file_range", "statx", "fchmodat2"])
def test_without_system_calls(machine, image, deny, calls):
    """Either everything works, or the first command says which call is missing."""
    engine = machine.engine(before=deny(calls))
    first = engine.result("load", "-q", "-i", image("rich"))
    if first.status == 0:
        works(engine, image)
        out = engine("run", "--rm", "--read-only", "-w", "/data", "-v", f"{engine.home}:/src:ro", "localhost/rich", "sh", "-c",
                     "cat kept; touch /src/x 2>&1; touch /x 2>&1; cat /proc/kcore | wc -c")
        assert out.splitlines()[0] == "kept" and out.count("Read-only") == 2 and out.splitlines()[-1] == "0"
    else:
        assert first.status == 125 and any(call.split("=")[0] in first.err for call in calls.split(",")), first


def test_the_newest_calls_have_fallbacks(machine, image, deny):
    for calls in ("openat2", "clone3", "mount_setattr"):
        works(machine.engine(before=deny(calls)), image)


# Other things a machine may lack.

def test_without_a_user_name(machine, image, scratch):
    """A uid without an entry in /etc/passwd, as `docker run -u 12345` or an LDAP outage makes them."""
    passwd = os.path.join(scratch, "passwd")
    with open("/etc/passwd") as source, open(passwd, "w") as target:
        target.writelines(line for line in source if not line.startswith(machine.user.pw_name + ":"))
    machine.become[machine.become.index("--init-groups")] = "--clear-groups"
    engine = machine.engine(f"mount --bind {passwd} /etc/passwd")
    works(engine, image)


def test_without_shared_memory_and_runtime_directories(machine, image):
    works(machine.engine("mount -t tmpfs -o ro x /dev/shm; mount -t tmpfs -o mode=755 x /run"), image)


def test_a_proc_that_is_partly_covered(machine, image):
    """Inside another container /proc is masked, and the kernel then refuses a fresh one."""
    engine = machine.engine("mount -t tmpfs -o ro x /proc/scsi 2>/dev/null || mount -t tmpfs -o ro x /proc/bus; mount --bind /dev/null /proc/kcore 2>/dev/null || true")
    result = engine.result("load", "-q", "-i", image("busybox"))
    assert result.status == 0, result
    result = engine.result("run", "--rm", IMAGE, "true")
    assert result.status == 0 or ("/proc" in result.err and result.err.startswith("Error: ")), result


def test_a_store_on_a_file_system_without_room_for_sockets(machine, image):
    """Path names of sockets end at 107 bytes: a deep run directory must work all the same."""
    deep = os.path.join(tempfile.mkdtemp(dir=machine.work), "d" * 60, "e" * 60)
    os.makedirs(deep)
    path = deep
    while path != machine.work:
        os.chmod(path, 0o755)
        path = os.path.dirname(path)
    works(machine.engine(place=deep), image)
