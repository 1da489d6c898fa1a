# SPDX-License-Identifier: Apache-2.0
"""One file of a store after the other is missing, empty, garbage or a directory. Only what needs it may fail,
with an error that names it; `system check` names it, too, and mends what can be mended."""

import os
import shutil
import subprocess
import tempfile

import pytest
from harness import IMAGE, Engine, list_names

DAMAGES = ["missing", "empty", "garbage", "directory"]


def break_file(path, damage):
    os.unlink(path)
    if damage == "empty":
        open(path, "w").close()
    elif damage == "garbage":
        with open(path, "w") as file:
            file.write("\x01garbage{")
    elif damage == "directory":
        os.mkdir(path)


def victims(root):
    """The files of the store's records: all but the content of layers, uppers, volumes and mount points."""
    found = []
    for place, directories, files in os.walk(root):
        relative = os.path.relpath(place, root)
        directories[:] = [name for name in directories if name not in ("diff", "upper", "work", "_data", "mountpoints")]
        for name in files + [name for name in directories if os.path.islink(os.path.join(place, name))]:
            found.append(os.path.normpath(os.path.join(relative, name)))
    return sorted(set(found))


@pytest.fixture(scope="module")
def original(engine, work, identity):
    """A store with two images, three containers and two volumes: one of each may be damaged, the others are healthy."""
    place = tempfile.mkdtemp(prefix="damage-", dir=work)
    knarr = Engine(engine.program, place, identity)
    import images
    knarr("load", "-q", "-i", images.image_path("busybox"))
    knarr("load", "-q", "-i", images.image_path("rich"))
    knarr("run", "--name", "healthy", IMAGE, "true")
    knarr("run", "--name", "victim", "-v", "sick:/data", "localhost/rich", "true")
    knarr("volume", "create", "well")
    knarr("system", "check")
    yield knarr
    knarr("rm", "-f", "-a")
    knarr("volume", "rm", "-a", "-f")
    knarr.destroy()


@pytest.fixture
def copy(original):
    """copy(): the store again, to be spoilt. Made as the user it belongs to."""
    made = []

    def make():
        other = Engine(original.program, tempfile.mkdtemp(prefix="copy-", dir=original.work), original.identity)
        original("unshare", "cp", "-a", original.root, other.root)
        made.append(other)
        return other

    yield make
    for other in made:
        original("unshare", "rm", "-rf", other.work)


HEALTHY = "localhost/busybox"


def is_about_health(path, healthy_id, healthy_image, healthy_blobs):
    """Whether a file belongs to what the commands below ask for."""
    return path == "VERSION" or any(part in path for part in (healthy_id, healthy_image, "busybox", "/healthy", "/well", *healthy_blobs))


def commands_for_the_healthy(healthy_id):
    return [["ps", "-a"], ["images"], ["volume", "ls"], ["info"], ["system", "df"], ["inspect", "healthy"], ["inspect", HEALTHY], ["volume", "inspect", "well"],
            ["run", "--rm", HEALTHY, "echo", "fine"], ["tag", HEALTHY, "again"], ["rm", healthy_id], ["rmi", "localhost/again:latest"],
            ["volume", "rm", "well"], ["system", "prune", "-f"]]


@pytest.mark.parametrize("damage", DAMAGES)
def test_only_what_needs_a_damaged_file_fails(original, copy, damage):
    healthy_id = original.inspect("healthy")["Id"]
    image = original.inspect(HEALTHY)
    layers = [layer.split(":")[1] for layer in image["RootFS"]["Layers"]]
    blobs = [image["Digest"].split(":")[1], *layers]
    tried = 0
    for path in victims(original.root):
        if is_about_health(path, healthy_id, image["Id"], blobs):
            continue
        tried += 1
        knarr = copy()
        break_file(os.path.join(knarr.root, path), damage)
        for command in commands_for_the_healthy(healthy_id):
            result = knarr.result(*command)
            assert result.status == 0, (path, damage, result)
    assert tried > 10


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_damage_is_found_and_mended_or_explained(original, copy, damage):
    for path in victims(original.root):
        if path == "VERSION" or path.endswith("ctr.log"):
            continue  # not a record: what a container printed
        knarr = copy()
        break_file(os.path.join(knarr.root, path), damage)
        # tar.zst belongs to the content of a layer.
        result = knarr.result("system", "check", *([] if path.endswith("tar.zst") else ["--quick"]))
        if damage == "missing" and path.startswith(("refs/", "names/")) or damage == "missing" and path.endswith(("tar.zst", "/blobs.json")):
            # An image without a name is none that is damaged; nor is a layer that cannot give its tar any more, or has not been
            # shipped; and a container without a name is one whose making was cut short.
            assert result.status == 0, (path, result)
            continue
        assert result.status == 1 and "Damaged: " in result.out and "to do: " in result.out, (path, damage, result)
        result = knarr.result("system", "check", "--repair", "--force")
        assert "not repaired" not in result.out, (path, damage, result)
        again = knarr.result("system", "check", "--quick")
        # What remains is what only a pull or the user can bring back: the same advice.
        remaining = [line for line in again.out.splitlines() if line.startswith("Damaged: ")]
        assert all("missing" in line or "gone" in line for line in remaining), (path, damage, again)
        assert knarr.result("ps", "-a").status == 0 and knarr.result("images").status == 0


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_container_can_be_removed_whatever_its_files_are(original, copy, damage):
    container = original.inspect("victim")["Id"]
    for name in ("config.json", "summary", "ctr.log"):
        for how in (container, "victim"):
            knarr = copy()
            break_file(os.path.join(knarr.root, "containers", container, name), damage)
            knarr("rm", "-f", how)
            assert container not in list_names(os.path.join(knarr.root, "containers")), (name, damage, how)
            assert "victim" not in list_names(os.path.join(knarr.root, "names")), (name, damage, how)


def test_an_image_that_lost_a_layer_says_so_and_comes_back(original, copy, image):
    layer = original.inspect("localhost/rich")["RootFS"]["Layers"][0].split(":")[1]
    for lost in (f"layers/{layer}", f"layers/{layer}/diff"):
        knarr = copy()
        original("unshare", "rm", "-rf", os.path.join(knarr.root, lost))
        error = knarr.error("run", "--rm", "localhost/rich", "true")
        assert layer in error, error
        result = knarr.result("system", "check", "--repair")
        assert result.status == 1 and layer in result.out and "localhost/rich" in result.out
        knarr("load", "-q", "-i", image("rich"))
        assert knarr("run", "--rm", "localhost/rich", "cat", "/data/kept") == "kept"
        assert knarr("system", "check").endswith("No damage.")


@pytest.mark.parametrize("change", ["content", "shorter", "missing", "mode", "extra"])
def test_a_layers_content_is_compared_with_its_digest(original, copy, change):
    layer = original.inspect("localhost/rich")["RootFS"]["Layers"][0].split(":")[1]
    knarr = copy()
    tree = os.path.join(knarr.root, "layers", layer, "diff")
    script = {"content": "printf KEPT > data/kept", "shorter": ": > data/kept", "missing": "rm data/kept", "mode": "chmod 7 data/kept",
              "extra": "touch data/more"}[change]
    subprocess.run(knarr.argv("unshare", "sh", "-c", f"cd {tree} && {script}"), env=knarr.environment(), check=True)
    assert knarr.result("system", "check", "--quick").status == 0
    result = knarr.result("system", "check")
    assert result.status == 1 and layer in result.out, result
