# SPDX-License-Identifier: Apache-2.0
"""A full disk: errors that say so, nothing half made, and removal that works with no byte free."""

import contextlib
import os
import shutil
import subprocess
import tempfile

import pytest
from harness import IMAGE


@pytest.fixture
def small(machine):
    """small(KIB): an engine of an ordinary user whose store has that much room. It can be resized and filled."""
    made = []

    class Small:
        def __init__(self, kib, inodes=4000, ext4=False):
            self.place = tempfile.mkdtemp(prefix="small-", dir=machine.work)
            if ext4:
                self.mount_ext4(kib, inodes)
            else:
                options = f"size={kib}k,nr_inodes={inodes},uid={machine.user.pw_uid},mode=755"
                subprocess.run(["mount", "-t", "tmpfs", "-o", options, "small", self.place], check=True)
            made.append(self)
            self.engine = machine.engine(place=self.place)

        def mount_ext4(self, kib, inodes):
            # Not in the place that is looked at for leaks.
            self.image = self.place + ".img"
            with open(self.image, "wb") as file:
                file.truncate(kib * 1024)
            subprocess.run(["mkfs.ext4", "-q", "-m", "0", "-N", str(inodes), self.image], check=True)
            if subprocess.run(["mount", "-o", "loop", self.image, self.place], check=False).returncode != 0:
                os.unlink(self.image)
                pytest.skip("this machine has no loop devices")
            os.unlink(self.image)  # the mount keeps it
            os.rmdir(os.path.join(self.place, "lost+found"))
            os.chown(self.place, machine.user.pw_uid, machine.user.pw_gid)

        def fill_inodes(self):
            directory = os.path.join(self.place, "inodes")
            os.mkdir(directory)
            with contextlib.suppress(OSError):
                for number in range(1000000):
                    os.close(os.open(os.path.join(directory, str(number)), os.O_CREAT | os.O_WRONLY))

        def relieve_inodes(self):
            shutil.rmtree(os.path.join(self.place, "inodes"))

        def resize(self, kib):
            subprocess.run(["mount", "-o", f"remount,size={kib}k", self.place], check=True)

        def fill(self):
            with open(os.path.join(self.place, "filler"), "wb", buffering=0) as file:
                for size in (1 << 20, 4096):
                    try:
                        while file.write(b"\0" * size) == size:
                            pass
                    except OSError:
                        pass

        def relieve(self):
            os.unlink(os.path.join(self.place, "filler"))

    yield Small
    for one in made:
        if os.path.exists(os.path.join(one.place, "filler")):
            one.relieve()
        if os.path.exists(os.path.join(one.place, "inodes")):
            one.relieve_inodes()
        one.engine.remove_all()
        leaks = one.engine.leaks()
        machine.engines.remove(one.engine)
        subprocess.run(["umount", "--lazy", one.place], check=True)  # netd stays for a while
        assert not leaks


def names(engine, place):
    path = os.path.join(engine.root, place)
    return sorted(os.listdir(path)) if os.path.isdir(path) else []


@pytest.mark.parametrize("kib", [16, 64, 128, 256, 512, 1024, 1500, 1900, 2000])
def test_loading_into_too_little_room(small, image, kib):
    disk = small(kib)
    engine = disk.engine
    result = engine.result("load", "-q", "-i", image("rich"))
    assert result.status == 125, result
    assert "space" in result.err and result.err.startswith("Error: ")
    for place in ("layers", "images", "refs"):
        assert names(engine, place) == [] or place == "layers", place
    disk.resize(65536)
    engine("load", "-q", "-i", image("rich"))
    assert engine("run", "--rm", "localhost/rich", "cat", "/data/kept") == "kept"
    engine("image", "prune", "-f")
    assert names(engine, "staging") == []


def test_loading_from_standard_input_into_too_little_room(small, image):
    disk = small(1024)
    with open(image("busybox"), "rb") as file:
        result = disk.engine.result("load", "-q", stdin=file)
    assert result.status == 125 and "space" in result.err
    assert names(disk.engine, "staging") == []


def test_the_payload_meets_the_full_disk(small, image):
    disk = small(16384)
    disk.engine("load", "-q", "-i", image("busybox"))
    result = disk.engine.result("run", "--rm", IMAGE, "sh", "-c", "dd if=/dev/zero of=/big bs=64k count=2000; echo status $?")
    assert "No space left" in result.err and "status 1" in result.out
    disk.engine("run", "--rm", IMAGE, "true")


def test_a_log_on_a_full_disk_does_not_stop_the_payload(small, image):
    disk = small(16384)
    disk.engine("load", "-q", "-i", image("busybox"))
    result = disk.engine.result("run", "--name", "box", IMAGE, "sh", "-c", "seq 2000000; echo end >&2", timeout=60)
    assert result.status == 0 and result.err.endswith("end\n") and result.out.endswith("2000000\n")
    assert disk.engine.result("logs", "--tail", "1", "box").status == 0


def test_starting_on_a_full_disk(small, image):
    disk = small(16384)
    engine = disk.engine
    engine("load", "-q", "-i", image("busybox"))
    disk.fill()
    for arguments in (["run", "--rm", IMAGE, "true"], ["create", "--name", "box", IMAGE, "true"], ["volume", "create", "data"], ["tag", IMAGE, "other"]):
        result = engine.result(*arguments)
        if result.status != 0:
            assert "space" in result.err, result
    engine("ps", "-a")
    disk.relieve()
    engine("rm", "-f", "-a")
    assert names(engine, "containers") == [] and names(engine, "names") == []
    assert engine("run", "--rm", IMAGE, "echo", "fine") == "fine"


@pytest.mark.parametrize("lacking", ["bytes", "inodes"])
@pytest.mark.parametrize("ext4", [False, True], ids=["tmpfs", "ext4"])
def test_removing_on_a_full_disk(small, image, ext4, lacking):
    disk = small(32768, ext4=ext4)
    engine = disk.engine
    engine("load", "-q", "-i", image("busybox"))
    engine("load", "-q", "-i", image("rich"))
    for number in range(6):
        engine("create", "--name", f"box{number}", IMAGE, "true")
    engine("volume", "create", "unused")
    engine.start("--name", "running", "-v", "data:/v")
    disk.fill() if lacking == "bytes" else disk.fill_inodes()
    for command in (["ps", "-a"], ["images"], ["system", "df"], ["stop", "-t", "0", "running"], ["rm", "box0", "box1"], ["untag", "localhost/rich"],
                    ["image", "prune", "-f"], ["rm", "running"], ["volume", "rm", "data"], ["system", "prune", "-f", "--volumes"], ["rmi", "-a"],
                    ["system", "check", "--quick"]):
        result = engine.result(*command)
        assert result.status == 0, result
    assert engine("ps", "-aq") == "" and engine("images", "-q") == "" and engine("volume", "ls", "-q") == ""


def test_many_containers_are_removed_from_a_full_disk(small, image):
    """More than the first block of the directory trash/ has entries for."""
    disk = small(32768, ext4=True)
    engine = disk.engine
    engine("load", "-q", "-i", image("busybox"))
    for number in range(120):
        engine("create", "--name", f"box{number}", IMAGE, "true")
    disk.fill()
    engine("rm", "-a")
    assert engine("ps", "-aq") == ""


@pytest.mark.parametrize("kib", range(1400, 2600, 150))
def test_room_that_ends_somewhere_on_the_way(small, image, kib):
    """Wherever it ends: an error or success, and afterwards everything works."""
    disk = small(65536)
    engine = disk.engine
    engine("load", "-q", "-i", image("busybox"))
    used = int(subprocess.run(["df", "-k", "--output=used", disk.place], stdout=subprocess.PIPE, check=True, text=True).stdout.split()[1])
    disk.resize(used + (kib - 1400) // 16)
    for arguments in (["run", "--rm", IMAGE, "true"], ["run", "-d", "--name", "box", "-v", "data:/data", IMAGE, "sleep", "1000"], ["rm", "-f", "-t", "0", "box"]):
        result = engine.result(*arguments)
        assert result.status == 0 or result.err.startswith("Error: "), result
    disk.resize(65536)
    engine("rm", "-f", "-a", "-t", "0")
    assert engine("run", "--rm", IMAGE, "echo", "fine") == "fine"
