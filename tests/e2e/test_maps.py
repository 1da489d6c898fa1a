# SPDX-License-Identifier: Apache-2.0
"""Images under another id map (--userns=keep-id): owners as the container's ids, without a copy of the content."""

import json
import os
import re
import signal

import oci
import pytest
from harness import list_names

pytestmark = [pytest.mark.needs_ids, pytest.mark.rootless_only]

RICH = "localhost/rich:latest"
KEPT = ["run", "--rm", "--network", "none", "--userns=keep-id", "-u", "0"]
PLAIN = ["run", "--rm", "--network", "none"]
# Version 2, as setcap writes it.
CAP_CHOWN_EP = bytes.fromhex("0100000201000000000000000000000000000000")
# Every file of the image with all that a copy could lose, but for what the engine itself puts into a container. (The
# link count of a merged directory is 1.)
LISTING = r"""
find / -xdev \( -path /dev -o -path /proc -o -path /sys -o -path /etc/hosts -o -path /etc/hostname -o -path /etc/resolv.conf \
    -o -path /etc/passwd -o -path /etc/group -o -path /run \) -prune -o -path / -o -path /etc -o -print | sort | while IFS= read -r path; do
  stat -c '%A %u:%g %Y %N' "$path"
  if test -f "$path"; then stat -c '%h %s' "$path"; md5sum < "$path"; fi
done
"""


def clones(engine):
    return [name for name in list_names(engine.root + "/maps") if "clone" in list_names(f"{engine.root}/maps/{name}")]


def follows_clones(engine):
    """Whether the engine found that this kernel mounts clones; the answer of its probe."""
    with open(engine.runroot + "/overlay-auto") as file:
        return "data 1" in file.read().splitlines()


@pytest.fixture
def rich(fresh, image):
    fresh("load", "-q", "-i", image("rich"))
    fresh(*PLAIN, RICH, "true")
    if not follows_clones(fresh):
        pytest.skip("this kernel follows no data-only layers")
    return fresh


def load_layers(engine, scratch, name, layers, config=oci.BUSYBOX_CONFIG):
    path = oci.write_oci_layout(os.path.join(scratch, "layout"), [oci.Image(layers, name=name, config=config)])
    engine("load", "-q", "-i", path)


# What is seen.

def test_everything_is_as_without_the_map(rich):
    assert rich(*KEPT, RICH, "sh", "-c", LISTING) == rich(*PLAIN, RICH, "sh", "-c", LISTING)


def test_owners_are_the_ids_of_the_image(rich):
    out = rich(*KEPT, RICH, "stat", "-c", "%u:%g %a", "/bin/busybox", "/high-owner", "/bin/setuid", "/bin/setgid")
    assert out.splitlines() == ["0:0 755", "61234:60001 644", "0:0 4755", "0:50 2755"]


def test_no_content_is_copied_and_nothing_said(rich):
    result = rich.result(*KEPT, RICH, "true")
    assert (result.status, result.err) == (0, "")
    size = "find \"$1\" -type f -size +1 -exec stat -c '%b %s' {} +"
    lines = rich("unshare", "sh", "-c", size, "sh", rich.root + "/maps").splitlines()
    assert lines, "the image has files of more than one block"
    assert all(int(blocks) <= 8 for blocks, _ in map(str.split, lines)), "more than an xattr block"
    assert any(int(length) > 100000 for _, length in map(str.split, lines)), "busybox itself"


def test_the_user_may_not_read_what_root_only_may(rich):
    result = rich.result("run", "--rm", "--network", "none", "--userns=keep-id", RICH, "cat", "/unreadable")
    assert result.status == 1 and "denied" in result.err
    assert rich(*KEPT, RICH, "cat", "/unreadable", "/closed/inside") == "secret\ninside"


def test_file_capabilities_work(rich, scratch):
    """busybox as grep with cap_chown=ep, run by an ordinary user."""
    with open("/bin/busybox", "rb") as file:
        layer = oci.busybox_layer().file("opt/grep", file.read(), mode=0o755, xattrs={"security.capability": CAP_CHOWN_EP})
    load_layers(rich, scratch, "localhost/capable:latest", [layer])
    run = ["run", "--rm", "--network", "none", "--userns=keep-id", "localhost/capable"]
    assert rich(*run, "/opt/grep", "CapEff", "/proc/self/status").split()[1] == "0000000000000001"
    assert rich(*run, "/bin/grep", "CapEff", "/proc/self/status").split()[1] == "0000000000000000"


def test_an_image_of_120_layers(rich, image):
    rich("load", "-q", "-i", image("layers120"))
    out = rich(*KEPT, "localhost/layers120", "sh", "-c", "cat /last /layers/001 /layers/119; ls /layers | wc -l")
    assert out.split() == ["119", "1", "119", "119"]


def test_the_layer_on_top_wins_under_names_that_all_have(rich, scratch):
    lower = oci.busybox_layer().directory("d/").file("d/same", "lower\n").file("d/one", "linked\n").hardlink("d/two", "d/one")
    load_layers(rich, scratch, "localhost/names:latest", [lower, oci.Layer().file("d/same", "upper\n").file("d/one", "new\n")])
    assert rich(*KEPT, "localhost/names", "cat", "/d/same", "/d/one", "/d/two").split() == ["upper", "new", "linked"]


# What a container does.

CHANGES = """
echo more >> /data/kept; chmod 4711 /labelled; chown 1:2 /old; mv /high-owner /moved; rm /links/three; mv /data/tree/again /data/again
mkdir /made; echo x > /made/x; ln /links/a/one /made/linked; : > /replaced
"""


def test_changes_stay_in_the_container(rich):
    rich("create", "--name", "box", "--network", "none", "--userns=keep-id", "-u", "0", RICH, "sh", "-c", f"test -e /made || {{ {CHANGES} }}; {LISTING}")
    first = rich("start", "-a", "box")
    assert re.search(r"^-rws--x--x 0:0 \d+ '?/labelled'?$", first, re.M), first
    assert re.search(r"^-rw-r--r-- 1:2 1 '?/old'?$", first, re.M), first
    assert rich("start", "-a", "box") == first
    assert rich(*KEPT, RICH, "sh", "-c", LISTING) == rich(*PLAIN, RICH, "sh", "-c", LISTING)
    rich("rm", "box")


def test_a_volume_is_filled_with_the_owners_of_the_image(rich, image):
    rich("load", "-q", "-i", image("configured"))
    run = ["run", "--rm", "--network", "none", "--userns=keep-id", "-u", "0", "--entrypoint", "", "-v", "vol:/data", "localhost/configured"]
    assert rich(*run, "sh", "-c", "stat -c %u:%g /data /data/seed; cat /data/seed") == "1000:50\n1000:50\nfrom the image"


def test_cp_reads_the_same_tree(rich, scratch):
    rich("create", "--name", "box", "--userns=keep-id", RICH, "true")
    os.chmod(scratch, 0o777)
    rich("cp", "box:/data/kept", scratch + "/before")
    rich("start", "-a", "box")
    rich("cp", "box:/links/b/two", scratch + "/after")
    with open(scratch + "/before") as before, open(scratch + "/after") as after:
        assert (before.read(), after.read()) == ("kept\n", "shared\n")
    rich("rm", "box")


def test_a_read_only_root(rich):
    assert "Read-only" in rich(*KEPT, "--read-only", RICH, "sh", "-c", "cat /data/kept; echo x 2>&1 > /data/kept || true", stderr=-2)


# Making and removing it.

def test_containers_that_start_at_once_share_one(rich):
    running = [rich.popen(*KEPT, RICH, "cat", "/data/kept") for _ in range(6)]
    for process in running:
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out) == (0, b"kept\n"), err
    assert len(clones(rich)) == 1
    assert list_names(rich.root + "/staging") == []


def test_each_map_has_its_own(rich):
    for ids in ("uid=5,gid=6", "uid=7,gid=8"):
        out = rich("run", "--rm", "--network", "none", f"--userns=keep-id:{ids}", RICH, "sh", "-c", "id -u; stat -c %u:%g /high-owner /bin")
        assert out.split()[1:] == ["61234:60001", "0:0"]
    assert len(clones(rich)) == 2


def test_it_goes_with_its_image(rich):
    rich(*KEPT, RICH, "true")
    assert len(clones(rich)) == 1
    rich("rmi", RICH)
    assert list_names(rich.root + "/maps") == []


@pytest.mark.parametrize("delay", [0.0, 0.01, 0.02, 0.04, 0.08])
def test_one_that_is_killed_halfway_leaves_nothing_that_counts(rich, delay):
    with rich.popen(*KEPT, RICH, "true") as process:
        try:
            process.wait(timeout=delay)
        except Exception:
            os.kill(process.pid, signal.SIGKILL)
    assert rich(*KEPT, RICH, "cat", "/data/kept", "/links/b/two") == "kept\nshared"
    assert len(clones(rich)) == 1


# Where it is not possible.

@pytest.mark.parametrize("driver", ["vfs", "fuse-overlayfs"])
def test_other_drivers_copy(fresh, image, driver):
    fresh("--storage-driver", driver, "load", "-q", "-i", image("rich"))
    result = fresh.result("--storage-driver", driver, *KEPT, RICH, "stat", "-c", "%u:%g", "/bin/busybox", "/high-owner")
    if driver == "fuse-overlayfs" and "does not work here" in result.err:
        pytest.skip(result.err)
    assert (result.status, result.out.split()) == (0, ["0:0", "61234:60001"]), result
    assert clones(fresh) == []


def test_a_kernel_that_follows_no_clones_gets_a_copy_and_says_so(rich):
    expected = rich(*PLAIN, RICH, "sh", "-c", LISTING)
    memory = rich.runroot + "/overlay-auto"
    with open(memory) as file:
        text = file.read()
    with open(memory, "w") as file:
        file.write(text.replace("\ndata 1\n", "\ndata 0\n"))
    result = rich.result(*KEPT, RICH, "sh", "-c", LISTING)
    assert result.out.rstrip("\n") == expected and "copying the image for another id map" in result.err
    assert clones(rich) == []
    with open(memory, "w") as file:
        file.write(text)
    result = rich.result(*KEPT, RICH, "sh", "-c", LISTING)
    assert result.out.rstrip("\n") == expected and result.err == "", "the copy is there, so it is used"
    assert clones(rich) == []


def test_df_and_prune_count_a_clone_without_the_image(rich):
    """What a clone refers to lies in the layers, and was counted there."""
    def images():
        return next(row for row in json.loads(rich("system", "df", "--format", "json")) if row["Type"] == "Images")

    before = images()["RawSize"]
    rich(*KEPT, RICH, "true")
    clone = next(os.path.join(rich.root, "maps", name) for name in clones(rich))
    assert before <= images()["RawSize"] < 1.05 * before
    # The monitor of the container before deletes its trash at the lowest priority.
    checked = rich("system", "check")
    assert checked == "No damage." or ("trash/" in checked and checked.endswith("No damage, 1 left behind.")), checked
    rich("system", "prune", "-a", "-f")
    assert not os.path.exists(clone)
    assert images()["RawSize"] == 0
