# SPDX-License-Identifier: Apache-2.0
"""Images of podman, buildah and skopeo become ours without being pulled again."""

import fcntl
import json
import os
import shutil
import tempfile

import pytest

from containers_storage import ContainersStorage
from harness import Engine, eventually, list_names

pytestmark = [
    pytest.mark.needs_ids,
    pytest.mark.skipif(shutil.which("skopeo") is None or shutil.which("buildah") is None, reason="needs skopeo and buildah"),
]

BUSYBOX, RICH = "localhost/busybox:latest", "localhost/rich:latest"
# Names, modes, owners, kinds, sizes and contents of all an image has.
LISTING = r"""
cd /
find . -xdev \( -path ./proc -o -path ./sys -o -path ./dev -o -path ./run -o -path ./etc/hosts -o -path ./etc/hostname -o -path ./etc/resolv.conf \) -prune -o -print |
  sort | while read -r name; do stat -c '%n %a %u:%g %F' "$name"; [ ! -f "$name" ] || [ -L "$name" ] || sha256sum "$name"; done
"""


@pytest.fixture
def podman():
    store = ContainersStorage(tempfile.mkdtemp(prefix="k", dir="/var/tmp"))  # podman wants short paths
    yield store
    store.destroy()


def adopt(engine, podman, *arguments):
    return engine("system", "adopt", "--from", podman.root, *arguments)


def in_layers(engine, image, path):
    """Where a file of an image lies in our store."""
    for tree in engine.inspect(image)["GraphDriver"]["Data"]["UpperDir"].split(":"):
        if os.path.lexists(os.path.join(tree, path)):
            return os.path.join(tree, path)
    raise AssertionError(f"{path} is in no layer of {image}")


def test_an_adopted_image_runs(fresh, podman):
    podman.load("busybox", BUSYBOX)
    assert adopt(fresh, podman) == f"Adopted image: {BUSYBOX} (1 layer, 1 new)"
    assert fresh("run", "--rm", BUSYBOX, "echo", "hello") == "hello"


def test_an_adopted_image_is_the_same_as_the_loaded_one(knarr, fresh, podman, image):
    podman.load("rich", RICH)
    knarr("load", "-q", "-i", image("rich"))
    adopt(fresh, podman)
    mine, theirs = knarr.inspect(RICH), fresh.inspect(RICH)
    assert fresh.sh(LISTING, image=RICH).splitlines() == knarr.sh(LISTING, image=RICH).splitlines()
    for field in ("Id", "Digest", "RootFS", "RepoTags", "Size", "Config", "History", "ManifestType"):
        assert mine[field] == theirs[field], field
    knarr("rmi", RICH)


def test_whiteouts_opaque_directories_owners_and_capabilities_survive(fresh, podman):
    podman.load("rich", RICH)
    adopt(fresh, podman)
    script = "ls /opaque /data; stat -c '%u:%g' /high-owner; [ -e /data/removed ] || echo removed; cat /replaced; ls -i /links/a/one /links/three | cut -d/ -f1 | sort -u | wc -l"
    assert fresh.sh(script, image=RICH).split() == ["/data:", "kept", "tree", "/opaque:", "new", "61234:60001", "removed", "a", "file", "now", "1"]
    assert "61234" in fresh("unshare", "sh", "-c", 'find "$1" -name high-owner -printf %U', "sh", fresh.root + "/layers")


def test_what_buildah_committed_runs(fresh, podman):
    podman.load("busybox", BUSYBOX)
    container = podman.program("buildah", "from", "-q", "--pull-never", BUSYBOX)
    tree = podman.sh('buildah --root "$1" --runroot "$2" --storage-driver overlay mount "$3" >/dev/null; cd "$(buildah --root "$1" --runroot "$2" --storage-driver overlay mount "$3")"; '
                     'echo made > made; rm bin/yes; rm -r home; mkdir home; chown 1000:50 home; cd /; buildah --root "$1" --runroot "$2" --storage-driver overlay umount "$3" >/dev/null',
                     podman.root, podman.runroot, container)
    assert tree == ""
    podman.program("buildah", "commit", "-q", "--signature-policy", podman.policy, container, "localhost/built:1")
    adopt(fresh, podman, "built:1")
    script = "cat /made; [ -e /bin/yes ] || echo gone; ls /home; stat -c %u:%g /home"
    assert fresh.sh(script, image="localhost/built:1").split() == ["made", "gone", "1000:50"]
    assert fresh("images", "-q", BUSYBOX) == "", "only what was asked for is adopted"


def test_layers_are_hard_links(fresh, podman):
    podman.load("busybox", BUSYBOX)
    adopt(fresh, podman)
    [layer] = podman.layers(BUSYBOX)
    theirs = os.stat(os.path.join(podman.tree(layer), "bin", "busybox"))
    ours = os.stat(in_layers(fresh, BUSYBOX, "bin/busybox"))
    assert (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino)


def test_adopting_twice_changes_nothing(fresh, podman):
    podman.load("rich", RICH)
    adopt(fresh, podman)
    before = {name: os.stat(os.path.join(fresh.root, "layers", name)).st_ino for name in os.listdir(fresh.root + "/layers")}
    assert adopt(fresh, podman) == f"Already here: {RICH}"
    assert {name: os.stat(os.path.join(fresh.root, "layers", name)).st_ino for name in os.listdir(fresh.root + "/layers")} == before


def test_a_layer_that_is_here_is_not_touched(fresh, podman, image):
    fresh("load", "-q", "-i", image("busybox"))
    podman.load("busybox", "localhost/other:1")
    assert adopt(fresh, podman) == "Adopted image: localhost/other:1 (1 layer, 0 new)"
    assert os.stat(in_layers(fresh, "localhost/other:1", "bin/busybox")).st_nlink == os.stat(in_layers(fresh, BUSYBOX, "bin/busybox")).st_nlink == 1


def test_neither_store_notices_what_the_other_one_does(fresh, podman):
    podman.load("rich", RICH)
    before = podman.listing()
    adopt(fresh, podman)
    assert fresh.sh("cat /data/kept; echo changed > /data/kept; rm /old", image=RICH) == "kept"
    fresh("rmi", RICH)
    assert podman.listing() == before
    adopt(fresh, podman)
    podman.program("podman", "rmi", "-f", RICH)
    assert fresh.sh("cat /data/kept", image=RICH) == "kept"


@pytest.mark.parametrize("how, words", [
    (': > "$1/bin/busybox"', "/bin/busybox has 0 bytes of"),
    ('rm "$1/etc/passwd"', "/etc/passwd is missing"),
    (': > "$1/bin/.wh.true"', "/bin/.wh.true: it is a whiteout as a file"),
    ('setfattr -n user.containers.override_stat -v 0:0:0755 "$1/etc/group"', "/etc/group: it has the attribute user.containers.override_stat"),
    ('rm -r "$1"', "no such file or directory"),
])
def test_a_damaged_layer_is_refused_by_name_and_others_are_adopted(fresh, podman, image, how, words):
    podman.load("busybox", BUSYBOX)
    podman.load("rich", RICH)
    [layer] = podman.layers(BUSYBOX)
    podman.sh(how, podman.tree(layer))
    result = fresh.result("system", "adopt", "--from", podman.root)
    assert result.status == 125, result
    assert f"adopting {BUSYBOX}: layer {layer}: " in result.err and words in result.err, result
    assert RICH in result.out
    assert BUSYBOX not in fresh("images")
    assert os.listdir(fresh.root + "/staging") == []


def flag_incomplete(layer):
    layer["flags"] = {"incomplete": True}


@pytest.mark.parametrize("change, words", [
    (flag_incomplete, "it was never completed"),
    (lambda layer: layer.update({"uidmap": [{"container_id": 0, "host_id": 5, "size": 1}]}), "its owners are those of another id map"),
    (lambda layer: layer.pop("diff-digest"), "its digest is not known"),
    (lambda layer: layer.update({"diff-digest": "sha256:" + "0" * 64}), "where its record has"),
    (lambda layer: layer.update({"parent": layer["id"]}), "its layers have no end"),
    (lambda layer: layer.update({"parent": "f" * 64}), "is not in the store"),
])
def test_a_layer_whose_record_says_no_is_refused(fresh, podman, change, words):
    podman.load("busybox", BUSYBOX)
    table = podman.table("layers")
    change(table[0])
    podman.write_table("layers", table)
    assert words in fresh.error("system", "adopt", "--from", podman.root)
    assert fresh("images", "-q") == ""


@pytest.mark.parametrize("name, table, status, words", [
    ("images", "[", 125, "images.json: not valid JSON"),
    ("images", '{"id": 1}', 125, "images.json: expected an array"),
    ("images", "[" * 1000, 125, "nested deeper"),
    ("images", '[{"id": "../../../../etc", "layer": "../.."}]', 0, "images.json[0].id: not an id"),
    ("images", '[{"id": 7}, null, "x", {"id": "%s", "layer": ["x"]}]' % ("a" * 64), 0, "expected a string"),
    ("images", '[{"id": "%s", "layer": "%s", "names": {"a": 1}}]' % ("a" * 64, "b" * 64), 0, "names: expected an array"),
    ("images", '[{"id": "%s", "layer": "%s", "names": ["x"]}]' % ("a" * 64, "b" * 64), 125, "no such file"),
    ("layers", '[{"id": "../x", "parent": "/"}]', 125, "layers.json[0].id: not an id"),
    ("layers", "null", 125, "is not in the store"),
    pytest.param("layers", " " * (17 << 20), 125, "is larger than", id="huge"),
])
def test_hostile_tables_are_refused(fresh, podman, name, table, status, words):
    podman.load("busybox", BUSYBOX)
    podman.write_table(name, table)
    result = fresh.result("system", "adopt", "--from", podman.root)
    assert result.status == status, result
    assert words in result.err, result.err[:1000]
    assert fresh("images", "-q") == ""


def test_a_name_that_means_another_image_here_is_kept(fresh, podman, image):
    fresh("load", "-q", "-i", image("busybox"))
    ours = fresh.inspect(BUSYBOX)["Id"]
    podman.load("rich", BUSYBOX)
    result = fresh.result("system", "adopt", "-q", "--from", podman.root)
    assert result.status == 0 and f"{BUSYBOX} means another image here" in result.err, result
    assert fresh.inspect(BUSYBOX)["Id"] == ours
    assert fresh.inspect(result.out.strip())["RepoTags"] == []


def test_images_are_found_by_name_and_id(fresh, podman):
    podman.load("busybox", "docker.io/library/busybox:1")
    podman.load("rich", "quay.io/some/rich:latest")
    for wanted, name in (("busybox:1", "docker.io/library/busybox:1"), ("rich", "quay.io/some/rich:latest"),
                         (podman.image("quay.io/some/rich:latest")["id"][:12], "quay.io/some/rich:latest")):
        assert name in adopt(fresh, podman, wanted)
    assert "nothing: image not known in " in fresh.error("system", "adopt", "--from", podman.root, "nothing")


def test_the_store_of_storage_conf_is_the_default(fresh, podman, scratch):
    podman.load("busybox", BUSYBOX)
    conf = os.path.join(scratch, "storage.conf")
    with open(conf, "w") as file:
        file.write(f'[storage]\ndriver = "overlay"\ngraphroot = "{podman.root}" # here\n[storage.options]\nsize = ""\n')
    assert BUSYBOX in fresh("system", "adopt", env={"CONTAINERS_STORAGE_CONF": conf})
    with open(conf, "w") as file:
        file.write("[storage\n")
    assert fresh.error("system", "adopt", env={"CONTAINERS_STORAGE_CONF": conf}) == f"Error: {conf}:1: expected ']'"


def test_a_directory_without_a_store_is_named(fresh, scratch):
    assert fresh.error("system", "adopt", "--from", scratch) == f"Error: reading the store {scratch}: {scratch} holds no store of podman, buildah or skopeo"
    os.mkdir(scratch + "/vfs-images")
    assert "is a store of the driver vfs" in fresh.error("system", "adopt", "--from", scratch)


def test_on_another_file_system_files_are_copied(engine, podman, identity):
    podman.load("rich", RICH)
    path = tempfile.mkdtemp(prefix="knarr-e2e-", dir="/dev/shm")
    other = Engine(engine.program, path, identity)
    try:
        assert "files copied, not linked)" in adopt(other, podman)
        script = "stat -c %u:%g /high-owner; stat -c %a /bin/setuid; ls -i /links/a/one /links/three | cut -d/ -f1 | sort -u | wc -l; ls /opaque"
        assert other.sh(script, image=RICH).split() == ["61234:60001", "4755", "1", "new"]
    finally:
        other.remove_all()
        other.destroy()


def test_it_waits_for_who_writes_to_the_store(fresh, podman):
    podman.load("busybox", BUSYBOX)
    with open(podman.root + "/overlay-layers/layers.lock", "r+") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        inode = str(os.fstat(lock.fileno()).st_ino)
        process = fresh.popen("system", "adopt", "--from", podman.root)
        eventually(lambda: any("->" in line and line.split()[6].endswith(":" + inode) for line in open("/proc/locks")), what="waiting for the lock")
        assert process.poll() is None
        fcntl.lockf(lock, fcntl.LOCK_UN)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0 and BUSYBOX in out.decode(), err


def test_a_check_says_what_it_cannot_prove(fresh, podman):
    podman.load("busybox", BUSYBOX)
    adopt(fresh, podman)
    lines = fresh("system", "check").splitlines()
    assert len(lines) == 2 and lines[0].startswith("Not proven: 1 layer: adopted ") and lines[1] == "No damage."
    fresh("run", "--rm", BUSYBOX, "true")
    path = in_layers(fresh, BUSYBOX, "bin/busybox")
    fresh("unshare", "rm", path)
    result = fresh.result("system", "check")
    assert result.status == 1 and "Damaged: layer sha256:" in result.out, result


# Additional stores: images are used where they are. Root's podman marks opaque directories in a way that our overlays
# do not see, so those of root are about what becomes of such an image.

@pytest.fixture
def further(fresh, podman):
    """A function that runs the engine with podman's store as an additional one."""
    podman.load("rich", RICH)
    return lambda *arguments, **more: fresh("--storage-opt", f"additionalimagestore={podman.root}", *arguments, **more)


@pytest.mark.rootless_only
def test_an_image_of_an_additional_store_runs_where_it_is(fresh, podman, further):
    before = podman.listing()
    script = "cat /data/kept; ls /opaque; [ -e /data/removed ] || echo removed; stat -c %u:%g /high-owner; echo x > /new"
    assert further("run", "--rm", RICH, "sh", "-c", script).split() == ["kept", "new", "removed", "61234:60001"]
    assert os.listdir(fresh.root + "/layers") == []
    assert podman.listing() == before
    assert fresh.fails(125, "run", "--rm", RICH, "true")


@pytest.mark.needs_ids
@pytest.mark.rootless_only
def test_a_container_with_other_ids_runs_an_image_of_an_additional_store(fresh, podman, further):
    script = "stat -c %u:%g /data/kept /high-owner; cat /data/kept; ls /opaque; [ -e /data/removed ] || echo removed"
    before = podman.listing()
    plain = further("run", "--rm", RICH, "sh", "-c", script)
    assert further("run", "--rm", "--userns=keep-id", "-u", "0", RICH, "sh", "-c", script) == plain
    assert os.listdir(fresh.root + "/layers") == []
    assert podman.listing() == before


@pytest.mark.rootless_only
@pytest.mark.parametrize("options", [[], ["--squash"]])
def test_a_container_of_an_additional_store_can_be_committed(fresh, podman, further, options):
    before = podman.listing()
    further("run", "--name", "changed", RICH, "sh", "-c", "echo new > /data/new; rm /data/kept")
    further("commit", "-q", *options, "changed", "localhost/changed:1")
    script = "cat /data/new; [ -e /data/kept ] || echo gone; ls /opaque; stat -c %u:%g /high-owner"
    assert fresh("run", "--rm", "localhost/changed:1", "sh", "-c", script).split() == ["new", "gone", "new", "61234:60001"]
    assert podman.listing() == before
    layers = podman.layers(RICH)
    assert len(list_names(fresh.root + "/layers")) == (1 if options else len(layers) + 1)
    fresh("rm", "changed")
    fresh("rmi", "localhost/changed:1")
    assert podman.listing() == before and list_names(fresh.root + "/layers") == []


@pytest.mark.rootless_only
def test_images_of_an_additional_store_are_listed_as_read_only(fresh, podman, further, image):
    fresh("load", "-q", "-i", image("busybox"))
    assert "R/O" not in fresh("images")
    titles, *rows = further("images").splitlines()
    assert titles.split()[-1] == "R/O"
    assert {row.split()[0]: row.split()[-1] for row in rows} == {"localhost/busybox": "false", "localhost/rich": "true"}
    assert further("images", "-f", "readonly=true", "--format", "{{.Repository}} {{.ReadOnly}}") == "localhost/rich true"
    assert [entry.get("ReadOnly", False) for entry in json.loads(further("images", "--format", "json", "localhost/rich:latest"))] == [True]
    assert further("image", "exists", RICH) == ""
    assert json.loads(further("inspect", RICH))[0]["GraphDriver"]["Data"]["UpperDir"] == podman.tree(podman.layers(RICH)[0])


@pytest.mark.rootless_only
def test_read_only_images_are_neither_removed_nor_tagged(fresh, podman, further):
    option = ("--storage-opt", f"additionalimagestore={podman.root}")
    identity = podman.image(RICH)["id"]
    assert fresh.error(*option, "rmi", "-f", RICH) == f'Error: cannot remove read-only image "{identity}"'
    assert fresh.error(*option, "tag", RICH, "localhost/mine") == f'Error: cannot tag read-only image "{identity}"'
    assert further("rmi", "-a", "-f") == "" and further("image", "prune", "-a", "-f") == ""
    assert "localhost/rich" in further("images")


@pytest.mark.rootless_only
def test_a_container_remembers_the_store_of_its_image(fresh, podman, further):
    further("create", "--name", "c", RICH, "cat", "/data/kept")
    assert fresh("start", "-a", "c") == "kept"
    assert fresh("start", "-a", "c") == "kept"
    assert fresh.inspect("c")["ImageName"] == RICH
    podman.program("buildah", "rmi", "-f", RICH)
    assert "image not known" in fresh.fails(125, "start", "-a", "c")


def test_what_changes_in_an_additional_store_is_seen(fresh, podman, further):
    assert "busybox" not in further("images")
    podman.load("busybox", BUSYBOX)
    assert further("run", "--rm", BUSYBOX, "echo", "seen") == "seen"
    podman.program("buildah", "rmi", "-f", BUSYBOX)
    assert "busybox" not in further("images")


def test_own_images_come_first(fresh, podman, further, image):
    fresh("load", "-q", "-i", image("busybox"))
    podman.load("rich", BUSYBOX)
    assert further("run", "--rm", BUSYBOX, "sh", "-c", "[ -e /data/kept ] || echo mine") == "mine"


@pytest.mark.rootless_only
def test_additional_stores_come_from_storage_conf(fresh, podman, further, scratch):
    conf = os.path.join(scratch, "storage.conf")
    with open(conf, "w") as file:
        file.write(f'[storage.options]\nadditionalimagestores = [ "{podman.root}", # images\n]\n')
    environment = {"CONTAINERS_STORAGE_CONF": conf}
    assert fresh("run", "--rm", RICH, "cat", "/data/kept", env=environment) == "kept"
    assert fresh("--storage-opt", f"imagestore={scratch}", "images", "-q", env=environment) == ""


def test_an_image_that_cannot_be_used_where_it_is_is_named(fresh, podman, further):
    [*_, lowest] = podman.layers(RICH)
    podman.sh(': > "$1/bin/busybox"', podman.tree(lowest))
    result = fresh.result("--storage-opt", f"additionalimagestore={podman.root}", "run", "--rm", RICH, "true")
    assert result.status == 125 and f"image {RICH}: layer {lowest}: /bin/busybox has 0 bytes of" in result.err, result


def test_an_additional_store_that_is_not_there_is_named(fresh, scratch):
    result = fresh.result("--storage-opt", f"additionalimagestore={scratch}/none", "images")
    assert result.status == 0 and f"reading the store {scratch}/none: there is no such directory" in result.err, result
    assert "must be an absolute path" in fresh.error("--storage-opt", "additionalimagestore=none", "images")
    assert "only additionalimagestore=DIR is" in fresh.error("--storage-opt", "overlay.mountopt=nodev", "images")


def test_an_image_that_would_be_wrong_where_it_is_can_be_adopted(fresh, podman, further, identity):
    if identity != "root":
        pytest.skip("only the podman of root marks opaque directories by trusted.overlay.opaque")
    result = fresh.result("--storage-opt", f"additionalimagestore={podman.root}", "run", "--rm", RICH, "ls", "/opaque")
    assert result.status == 125 and "/opaque: it is opaque by trusted.overlay.opaque" in result.err, result
    adopt(fresh, podman)
    assert fresh("run", "--rm", RICH, "ls", "/opaque") == "new"
