# SPDX-License-Identifier: Apache-2.0
"""Past holes of container engines, each with a sentinel on the host that must stay untouched."""

import hashlib
import io
import os
import re
import resource
import subprocess
import tarfile

import oci
import pytest
from harness import IMAGE, eventually, read_line

PYTHON = ["-v", "/usr:/usr:ro", "-v", "/lib:/lib:ro", "-v", "/lib64:/lib64:ro"]  # Debian's, over an image without one


@pytest.fixture
def sentinel(scratch):
    """A directory of the host with a file nobody may change; checked after the test."""
    path = os.path.join(scratch, "sentinel")
    os.mkdir(path)
    with open(os.path.join(path, "file"), "w") as file:
        file.write("untouched\n")
    yield path
    assert os.listdir(path) == ["file"]
    with open(os.path.join(path, "file")) as file:
        assert file.read() == "untouched\n"


@pytest.fixture
def load(knarr, scratch):
    """load(layer, ...) loads an image of busybox and these layers; its name comes back."""
    def load(*layers, name="localhost/hostile:latest", config=None):
        image = oci.Image([oci.busybox_layer(), *layers], name=name, config={**oci.BUSYBOX_CONFIG, **(config or {})})
        knarr("load", "-q", "-i", oci.write_oci_layout(os.path.join(scratch, "image"), [image]))
        return name
    yield load
    knarr.remove_all()
    knarr.result("rmi", "-f", "localhost/hostile:latest")


# 1: a process of the container must not trace or look into the program that enters it.

SPY = """
import os
known, caught = set(os.listdir('/proc')), set()
print('watching', flush=True)
while not os.path.exists('/tmp/stop'):
    for name in set(os.listdir('/proc')) - known:
        if name.isdigit() and int(name) != os.getpid():
            try:
                caught.add(os.readlink(f'/proc/{name}/exe'))
                for fd in os.listdir(f'/proc/{name}/fd'):
                    caught.add(os.readlink(f'/proc/{name}/fd/{fd}'))
            except OSError:
                pass
print(sorted(caught))
"""


def seen_during_exec(knarr, *options):
    """What a process of the container sees of those that enter it: programs and open files."""
    knarr.start("--name", "box", *options, *PYTHON)
    spy = knarr.popen("exec", "box", "/usr/bin/python3", "-c", SPY, bufsize=0)
    assert read_line(spy.stdout) == "watching"
    for _ in range(100):
        knarr("exec", "box", "/bin/true")
    knarr("exec", "box", "touch", "/tmp/stop")
    out, err = spy.communicate(timeout=60)
    assert spy.returncode == 0, err
    return out.decode()


def test_who_enters_a_container_cannot_be_looked_into(knarr):
    seen = seen_during_exec(knarr)
    assert "knarr" not in seen and "memfd" not in seen


def test_no_directory_of_the_host_is_open_in_who_enters(knarr):
    # With this capability real root may look into every process of its namespace; what it finds must lead nowhere.
    seen = seen_during_exec(knarr, "--cap-add", "SYS_PTRACE")
    assert knarr.work not in seen


# 2: the engine's own binary cannot be reached through /proc.

def test_the_engines_binary_cannot_be_overwritten(knarr):
    path = os.path.realpath(knarr.program[0])
    before = hashlib.sha256(open(path, "rb").read()).hexdigest()
    result = knarr.result("run", "--rm", IMAGE, "/proc/self/exe")
    assert result.status != 0
    attack = """
import os
for name in os.listdir('/proc'):
    if name.isdigit():
        try:
            fd = os.open(f'/proc/{name}/exe', os.O_PATH)
            if 'knarr' in os.readlink(f'/proc/{name}/exe'):
                print('seen', name)
                os.open(f'/proc/self/fd/{fd}', os.O_WRONLY)
                print('opened')
        except OSError:
            pass
"""
    knarr.start("--name", "box", "--init", *PYTHON)
    for _ in range(20):
        assert "opened" not in knarr("exec", "box", "/usr/bin/python3", "-c", attack)
    assert hashlib.sha256(open(path, "rb").read()).hexdigest() == before


# 5: /proc, /sys or /dev of the image is a symbolic link.

@pytest.mark.parametrize("name", ["proc", "sys", "dev", "dev/pts", "dev/shm", "run", "etc", "tmp"])
def test_a_mount_point_that_is_a_link(knarr, load, sentinel, name):
    layer = oci.Layer()
    if "/" in name:
        layer.directory("dev/")
    elif name in ("etc", "tmp"):
        layer.whiteout(name)
    layer.symlink(name, sentinel)
    result = knarr.result("run", "--rm", load(layer), "sh", "-c", "ls /proc/1/ns >/dev/null && echo real")
    assert result.status != 0 or result.out == "real\n"


@pytest.mark.parametrize("target", ["/proc/self/cwd", "/proc/1/root", "../../../../..", "/proc/self/fd/5"])
def test_links_into_proc_lead_nowhere(knarr, load, sentinel, target):
    name = load(oci.Layer().symlink("trap", target))
    knarr.result("run", "--rm", "-v", f"{sentinel}:/trap{sentinel}/file:ro", name, "true")
    knarr.result("run", "--rm", "-w", f"/trap{sentinel}/made", name, "true")


# 6: two containers share a volume; one swaps a directory for a link while the other mounts below it.

def test_a_mount_target_swapped_for_a_link(knarr, sentinel):
    knarr("volume", "create", "shared")
    knarr.sh("mkdir /v/dir", "-v", "shared:/v")
    knarr.start("--name", "swapper", "-v", "shared:/v", command=(
        "sh", "-c", f"cd /v; ln -s {sentinel} link; while :; do mv dir real; mv link dir; mv dir link; mv real dir; done 2>/dev/null"))
    for _ in range(30):
        result = knarr.result("run", "--rm", "-v", "shared:/v", "-v", f"{sentinel}:/v/dir:ro", IMAGE, "grep", " /v", "/proc/self/mountinfo")
        assert not re.search(r" / /v/dir ", result.out), result.out
    knarr("kill", "swapper")


# 8: descriptors leaked into the payload, and a working directory through them.

@pytest.mark.parametrize("number", range(3, 21))
def test_a_working_directory_through_a_descriptor(knarr, number):
    for verb in (["run", "--rm", "-w", f"/proc/self/fd/{number}", IMAGE], ["run", "--rm", "-w", f"/proc/self/fd/{number}/../../..", IMAGE]):
        result = knarr.result(*verb, "sh", "-c", "pwd -P; cat /etc/hostname; ls /")
        if result.status == 0:
            assert "vmlinuz" not in result.out and os.uname().nodename not in result.out
            assert "(unreachable)" not in result.out


def test_exec_with_a_working_directory_through_a_descriptor(knarr):
    knarr.start("--name", "box")
    for number in range(3, 15):
        result = knarr.result("exec", "-w", f"/proc/self/fd/{number}", "box", "pwd", "-P")
        assert result.status != 0 or (result.out.startswith("/") and "unreachable" not in result.out)


# 9, 10: masked files and the console are bound from the host's own nodes.

@pytest.mark.needs_ids
def test_a_dev_null_of_the_image_is_not_used_for_masking(knarr, load):
    layer = oci.Layer().directory("dev/").symlink("dev/null", "/proc/sys/kernel/core_pattern").symlink("dev/console", "/proc/sysrq-trigger")
    name = load(layer)
    before = open("/proc/sys/kernel/core_pattern").read()
    out = knarr("run", "--rm", "-t", name, "sh", "-c", "stat -L -c '%t:%T' /dev/null; cat /proc/kcore /proc/keys 2>/dev/null | wc -c; stat -L -c %t /dev/console")
    assert out.split()[:2] == ["1:3", "0"] and out.split()[2] in ("88", "5")
    assert open("/proc/sys/kernel/core_pattern").read() == before


# 14: files the engine drops into a root file system.

@pytest.mark.parametrize("name", ["etc/hosts", "etc/hostname", "etc/resolv.conf", "run/.containerenv", "etc/mtab", "etc/localtime"])
def test_files_of_the_engine_follow_no_link(knarr, load, sentinel, name):
    layer = oci.Layer().directory("run/").symlink(name, sentinel + "/file")
    knarr.result("run", "--rm", "--tz", "UTC", load(layer), "true")


@pytest.mark.needs_ids
def test_passwd_is_not_edited_through_a_link(knarr, load, sentinel):
    layer = oci.Layer().whiteout("etc/passwd").symlink("etc/passwd", sentinel + "/file")
    knarr.result("run", "--rm", "--userns=keep-id", load(layer), "true")
    knarr.result("run", "--rm", "-u", "4242", load(layer), "true")


# 16: inheritable capabilities: see test_isolation.py and test_exec.py.


# 20 and 21: values that become paths or several writes.

@pytest.mark.parametrize("setting", ["kernel.shm_rmid_forced=1+kernel.core_pattern=x", "kernel.shm_rmid_forced=1\nx", "net/../kernel/core_pattern=x",
                                     "net.ipv4.ip_forward =1"])
def test_sysctls_make_one_write_to_one_place(knarr, setting):
    before = open("/proc/sys/kernel/core_pattern").read()
    knarr.fails(125, "run", "--rm", "--sysctl", setting, IMAGE, "true")
    assert open("/proc/sys/kernel/core_pattern").read() == before


# 22: what an image sets reaches no program of the host.

def test_the_environment_of_an_image_reaches_no_helper(knarr, load, scratch):
    name = load(config={"Env": ["LD_PRELOAD=/evil.so", f"LD_LIBRARY_PATH={scratch}", "LD_DEBUG=files", f"LD_DEBUG_OUTPUT={scratch}/loader", "PATH=/bin"]})
    knarr("run", "--rm", name, "true")
    assert not [entry for entry in os.listdir(scratch) if entry.startswith("loader")]


# 24: others cannot look into the store.

def test_the_store_is_closed_to_other_users(knarr):
    knarr.start("--name", "box")
    for top in (knarr.root, knarr.runroot):
        assert os.stat(top).st_mode & 0o077 == 0
    if os.geteuid() == 0 and knarr.identity == "root":
        listing = subprocess.run(["setpriv", "--reuid", "65534", "--clear-groups", "ls", knarr.root], stderr=subprocess.PIPE, stdout=subprocess.PIPE)
        assert listing.returncode != 0


# 25: a VOLUME of the image with `..` or a link.

@pytest.mark.parametrize("volume", ["/../../etc", "/a/../../../etc", "relative", "/link", "/link/sub"])
def test_volumes_of_an_image_stay_inside(knarr, load, sentinel, volume):
    name = load(oci.Layer().symlink("link", sentinel), config={"Volumes": {volume: {}}})
    result = knarr.result("run", "--rm", name, "sh", "-c", "find / -xdev -name file -exec cat {} \\; 2>/dev/null; cat /etc/hostname")
    assert "untouched" not in result.out and os.uname().nodename not in result.out.splitlines()


# 28: a group file without end.

def little_memory():
    resource.setrlimit(resource.RLIMIT_DATA, (100 << 20, 100 << 20))


@pytest.mark.parametrize("kind", ["sparse", "memberships", "fifo", "line"])
def test_a_hostile_group_file(knarr, scratch, kind):
    rootfs = os.path.join(scratch, "rootfs")
    os.makedirs(rootfs + "/etc")
    os.makedirs(rootfs + "/bin")
    subprocess.run(["cp", "/bin/busybox", rootfs + "/bin/true"], check=True)
    with open(rootfs + "/etc/passwd", "w") as file:
        file.write("app:x:0:0::/:/bin/sh\n")
    group = rootfs + "/etc/group"
    if kind == "fifo":
        os.mkfifo(group)
    else:
        with open(group, "wb") as file:
            if kind == "sparse":
                file.truncate(2 << 30)
            elif kind == "memberships":
                file.write(b"".join(b"g%d:x:%d:app\n" % (number, number + 1) for number in range(1000000)))
            else:
                file.write(b"g:x:1:" + b"a," * (8 << 20))
    for user in ("0", "app", "app:nosuch", "1234"):
        result = knarr.result("run", "--rm", "-u", user, "--rootfs", rootfs, "true", preexec_fn=little_memory, timeout=30)
        assert result.status in (0, 125, 126), result
        assert "memory" not in result.err


# 40: programs of the container are not run on its behalf.

def test_an_archive_is_not_unpacked_by_programs_of_the_container(knarr, load, scratch, sentinel):
    trojan = f"#!/bin/sh\necho ran >> /ran; touch {sentinel}/ran\n"
    layer = oci.Layer()
    for program in ("xz", "gzip", "tar"):
        layer.whiteout("bin/" + program)
    trojans = oci.Layer()
    for program in ("xz", "unpigz", "gzip", "tar", "zstd"):
        trojans.file("usr/bin/" + program, trojan, mode=0o755)
    knarr.start("--name", "box", image=load(layer, trojans))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz") as archive:
        info = tarfile.TarInfo("inside")
        info.size = 4
        archive.addfile(info, io.BytesIO(b"text"))
    knarr.result("cp", "-", "box:/tmp", input=buffer.getvalue())
    assert knarr.result("exec", "box", "test", "-e", "/ran").status == 1


# 53: a volume that has content is not filled again: see test_volumes.py.


# 60, 17: removal deletes what the engine made, not what a link shows.

def test_removal_follows_no_link(knarr, sentinel):
    knarr("run", "--name", "box", IMAGE, "sh", "-c", f"ln -s {sentinel} /link; mkdir /d; ln -s {sentinel}/file /d/file; chmod 0 /d; ln -s / /root/all")
    knarr("rm", "box")
    knarr.sh(f"ln -s {sentinel} /v/link; ln -s /. /v/all", "-v", "data:/v")
    knarr("volume", "rm", "data")
    knarr("container", "prune", "-f")


# 70: a working directory that leads through a link.

def test_a_working_directory_through_a_link_makes_nothing_outside(knarr, load, sentinel):
    name = load(oci.Layer().symlink("a", sentinel), config={"WorkingDir": "/a/b"})
    result = knarr.result("run", "--rm", name, "pwd", "-P")
    assert result.status != 0 or result.out.strip() == f"{sentinel}/b"  # of the container: the sentinel's check holds


# 76: a line too many.

@pytest.mark.needs_ids
def test_a_home_with_a_newline_adds_no_user(knarr, load):
    name = load(config={"Env": ["HOME=/x\nroot2::0:0::/:/bin/sh", "PATH=/bin"]})
    for options in (["--userns=keep-id"] if knarr.identity != "root" else [], ["-u", "4242"]):
        result = knarr.result("run", "--rm", *options, name, "grep", "-c", "^root2", "/etc/passwd")
        assert result.out.strip() in ("0", ""), result


@pytest.mark.parametrize("options", [["-h", "a\nb"], ["--add-host", "a:1.2.3.4\n5.6.7.8 b"], ["--dns-search", "x\nnameserver 6.6.6.6"],
                                     ["-e", "A=b\nC=d"], ["-l", "k\n=v"], ["--name", "a\nb"]], ids=lambda options: options[0])
def test_newlines_end_no_line_early(knarr, options):
    result = knarr.result("run", "--rm", "--network", "none", *options, IMAGE, "cat", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf")
    if result.status == 0:
        assert "5.6.7.8" not in result.out and "6.6.6.6" not in result.out


# R20: labels and annotations of images choose nothing.

@pytest.mark.needs_ids
def test_annotations_of_an_image_choose_nothing(knarr, load):
    labels = {"io.podman.annotations.privileged": "TRUE", "io.podman.annotations.seccomp": "unconfined", "run.oci.keep_original_groups": "1",
              "io.containers.capabilities": "CAP_SYS_ADMIN"}
    text = knarr("run", "--rm", load(config={"Labels": labels}), "cat", "/proc/self/status")
    assert re.search(r"Seccomp:\s+2", text) and not int(re.search(r"CapEff:\s+(\w+)", text)[1], 16) & (1 << 21)


# CVE-2026-57231: an image's Env takes nothing from the host.

def test_env_of_an_image_takes_nothing_from_the_host(knarr, load):
    name = load(config={"Env": ["SECRET", "SEC*", "*", "PATH=/bin"]})
    result = knarr.result("run", "--rm", name, "env", env={"SECRET": "hidden"})
    assert "hidden" not in result.out


# A container that ends while it is looked at.

def test_verbs_during_the_end_of_a_container(knarr):
    for _ in range(10):
        knarr("run", "-d", "--rm", "--name", "brief", IMAGE, "true")
        for verb in (["inspect", "brief"], ["ps", "-a"], ["exec", "brief", "true"], ["logs", "brief"]):
            result = knarr.result(*verb)
            assert result.status in (0, 125, 126, 127), (verb, result)
        eventually(lambda: knarr("ps", "-aq") == "", what="the end of the container")


def test_a_swapping_container_cannot_lead_cp_out(knarr, scratch, sentinel):
    knarr.start("--name", "box", command=("sh", "-c", f"mkdir /d; echo inside > /d/file; ln -s {sentinel} /l; "
                                          "while :; do mv /d /x; mv /l /d; mv /d /l; mv /x /d; done 2>/dev/null"))
    with open(scratch + "/evil", "w") as file:
        file.write("evil\n")
    for number in range(40):
        knarr.result("cp", "box:/d/file", f"{scratch}/out{number}")
        knarr.result("cp", scratch + "/evil", "box:/d/file")
    for number in range(40):
        path = f"{scratch}/out{number}"
        if os.path.isfile(path):
            with open(path) as file:
                assert "untouched" not in file.read()
