# SPDX-License-Identifier: Apache-2.0
"""The power goes at arbitrary instants. The store lies on an ext4 whose disk is a file on an xfs; a reflink of that file,
taken while commands run, is the disk as the cut leaves it. It is mounted later, as after a reboot: the journal is replayed
and the machine has another boot id.

What a command has reported done is there, but for removals. What the store takes for durable is whole, as a comparison of
the test's own finds; what was still on its way is found at its use, named with the cure, and comes back.

A handful of cuts by default; KNARR_POWER_CUTS=50 makes 50 (tests/support/all_faults)."""

import contextlib
import hashlib
import json
import os
import random
import shutil
import stat
import subprocess
import tempfile
import threading
import time
import uuid

import pytest
from harness import IMAGE, PATIENCE, eventually, list_names

CUTS = int(os.environ.get("KNARR_POWER_CUTS", "4"))
IMAGES = {"localhost/rich": "rich", "localhost/busybox": "busybox"}
DISK_BYTES = 256 << 20


def run(*argv):
    subprocess.run(argv, stdout=subprocess.DEVNULL, check=True)


class Disk:
    """An ext4 on `place`, whose block device can be cloned at any time."""

    def __init__(self, work):
        self.below = tempfile.mkdtemp(prefix="below-", dir=work)
        self.place = tempfile.mkdtemp(prefix="power-", dir=work)
        self.mounted = contextlib.ExitStack()
        image = self.below + ".xfs"
        with open(image, "wb") as file:
            file.truncate(DISK_BYTES * 4)
        run("mkfs.xfs", "-q", "-f", "-m", "reflink=1", image)
        if subprocess.run(["mount", "-o", "loop", image, self.below], check=False).returncode != 0:
            os.unlink(image)
            pytest.skip("this machine has no loop devices, or no xfs")
        os.unlink(image)  # the mount keeps it
        self.device = os.path.join(self.below, "disk")
        with open(self.device, "wb") as file:
            file.truncate(DISK_BYTES)
        run("mkfs.ext4", "-q", "-m", "0", self.device)
        self.mount(self.device)

    def mount(self, device):
        # A journal that is written often leaves more to find.
        run("mount", "-o", "loop,commit=1", device, self.place)

    def unmount(self):
        eventually(lambda: subprocess.run(["umount", self.place], stderr=subprocess.DEVNULL, check=False).returncode == 0, what="an idle disk")

    def cut(self, number):
        clone = os.path.join(self.below, f"cut-{number}")
        run("cp", "--reflink=always", self.device, clone)
        return clone

    def close(self):
        subprocess.run(["umount", "--lazy", self.place], stderr=subprocess.DEVNULL, check=False)
        run("umount", "--lazy", self.below)


@pytest.fixture
def disk(machine):
    if shutil.which("mkfs.xfs") is None:
        pytest.skip("this machine has no mkfs.xfs")
    disk = Disk(machine.work)
    yield disk
    disk.close()


class Workload:
    """Commands one after the other, and what those that ended have promised."""

    def __init__(self, knarr, archives):
        self.knarr, self.archives = knarr, archives
        self.promises = {}  # (kind, name): number of the command that made it
        self.number = 0
        self.failure = None
        self.ending = threading.Event()
        self.loaded = threading.Event()
        self.thread = threading.Thread(target=self.work)

    def work(self):
        try:
            while not self.ending.is_set():
                self.once()
        except BaseException as failure:  # noqa: BLE001 told by the test
            self.failure = failure
            self.ending.set()

    def once(self):
        for name, archive in IMAGES.items():
            self.make([("image", name)], "load", "-q", "-i", self.archives(archive))
            self.loaded.set()
        self.make([("image", "localhost/other")], "tag", "localhost/rich", "other")
        self.make([("volume", "data")], "volume", "create", "data")
        self.make([("container", "box")], "create", "--name", "box", "-v", "data:/data", "localhost/rich", "true")
        self.knarr("run", "--rm", "-v", "data:/data", IMAGE, "sh", "-c", "head -c 100000 /dev/urandom > /data/new")
        self.unmake([("container", "box")], "rm", "box")
        self.unmake([("image", "localhost/rich"), ("image", "localhost/other")], "rmi", "localhost/other:latest", "localhost/rich")
        self.unmake([("volume", "data")], "volume", "rm", "data")
        self.unmake([("image", "localhost/busybox")], "system", "prune", "-a", "-f")

    def make(self, what, *arguments):
        self.knarr(*arguments)
        self.number += 1
        self.promises.update({thing: self.number for thing in what})

    def unmake(self, what, *arguments):
        for thing in what:
            del self.promises[thing]
        self.knarr(*arguments)

    def kept_promises(self, act):
        """What was promised before act() and still is after it."""
        before = dict(self.promises)
        act()
        return {thing for thing, number in self.promises.items() if before.get(thing) == number}


def tree_digest(path):
    """Of names, types, modes, owners, sizes and contents."""
    digest = hashlib.sha256()
    for place, directories, files in os.walk(path):
        directories.sort()
        for name in sorted(files + directories):
            full = os.path.join(place, name)
            info = os.lstat(full)
            content = b""
            if stat.S_ISREG(info.st_mode):
                with open(full, "rb") as file:
                    content = hashlib.sha256(file.read()).digest()
            elif stat.S_ISLNK(info.st_mode):
                content = os.readlink(full).encode()
            size = 0 if stat.S_ISDIR(info.st_mode) else info.st_size
            digest.update(repr((os.path.relpath(full, path), info.st_mode, info.st_uid, info.st_gid, size, content)).encode())
    return digest.hexdigest()


def layers_of(knarr):
    """The layers that are in the store: diffID, whether the store takes it for durable, what is in it."""
    for name in list_names(os.path.join(knarr.root, "layers")):
        path = os.path.join(knarr.root, "layers", name)
        with contextlib.suppress(FileNotFoundError, ValueError):
            with open(os.path.join(path, "meta.json")) as file:
                durable = json.load(file)["durable"]
            yield name, durable, tree_digest(os.path.join(path, "diff"))


def has(knarr, kind, name):
    return knarr.result(kind, "exists", name).status == 0


def check_durable_layers(knarr, expected, context):
    for name, durable, digest in layers_of(knarr):
        assert not durable or digest == expected[name], (context, "a layer that counts as durable is damaged", name)


def use_or_bring_back(knarr, name, image):
    """Whether the image had to be brought back."""
    command = ["run", "--rm", name, "true"]
    result = knarr.result(*command)
    if result.status == 0:
        return False
    assert result.status == 125 and "sha256:" in result.err and "knarr load" in result.err, result
    knarr("load", "-q", "-i", image(IMAGES[name]))
    knarr(*command)
    return True


def check_after_cut(knarr, promises, expected, image, context):
    """Whether something was torn."""
    check_durable_layers(knarr, expected, context)
    for verb in (["ps", "-a"], ["images"], ["volume", "ls"], ["system", "df"]):
        assert knarr.result(*verb).status == 0, (context, verb)
    for kind, name in promises:
        assert has(knarr, kind, name), (context, "is gone", kind, name)
    torn = [use_or_bring_back(knarr, name, image) for name in IMAGES if has(knarr, "image", name)]
    # All that was used is trusted from now on, and whole.
    check_durable_layers(knarr, expected, context)
    for name, archive in IMAGES.items():
        knarr("load", "-q", "-i", image(archive))
        knarr("run", "--rm", name, "true")
    knarr.result("system", "check", "--repair", "--force")
    result = knarr.result("system", "check")
    assert result.status == 0 and "Damaged" not in result.out, (context, result)
    return any(torn)


def leave_nothing(knarr):
    knarr("rm", "-f", "-t", "0", "-a")
    knarr("volume", "rm", "-a", "-f")
    knarr("system", "prune", "-a", "-f")
    for place in ("staging", "trash", "layers", "containers", "images", "refs", "volumes"):
        eventually(lambda: not list_names(os.path.join(knarr.root, place)), what=f"an empty {place}/")


def test_power_cuts(machine, disk, image):
    knarr = machine.engine(place=disk.place)
    for archive in IMAGES.values():
        knarr("load", "-q", "-i", image(archive))
    expected = {name: digest for name, _, digest in layers_of(knarr)}
    leave_nothing(knarr)
    seed = int(os.environ.get("KNARR_POWER_SEED", time.time()))
    rng = random.Random(seed)
    workload = Workload(knarr, image)
    workload.thread.start()
    cuts = []
    for number in range(CUTS):
        workload.ending.wait(rng.uniform(0.05, 1.5))  # an arbitrary instant
        if rng.random() < 0.5:  # and the one that is known to hurt: a load has returned, the disk has not
            workload.loaded.clear()
            workload.loaded.wait(PATIENCE)
        clones = []
        promises = workload.kept_promises(lambda: clones.append(disk.cut(number)))
        cuts.append((clones[0], promises))
    workload.ending.set()
    workload.thread.join()
    if workload.failure:
        raise workload.failure
    knarr.remove_all()
    machine.engines.remove(knarr)
    disk.unmount()
    torn = 0
    for number, (clone, promises) in enumerate(cuts):
        boot_id = clone + ".boot-id"
        with open(boot_id, "w") as file:
            file.write(f"{uuid.uuid4()}\n")
        disk.mount(clone)
        rebooted = machine.engine(prepare=f"mount --bind {boot_id} /proc/sys/kernel/random/boot_id", place=disk.place)
        torn += check_after_cut(rebooted, promises, expected, image, f"cut {number} of seed {seed}")
        leave_nothing(rebooted)
        machine.engines.remove(rebooted)
        disk.unmount()
        os.unlink(clone)
    print(f"seed {seed}: {torn} of {CUTS} cuts tore a layer")
