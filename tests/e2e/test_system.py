# SPDX-License-Identifier: Apache-2.0
"""system df, prune, reset and check with real containers."""

import json
import os
import re
import time

from harness import IMAGE, eventually, list_names


def usage(knarr):
    return {row["Type"]: row for row in json.loads(knarr("system", "df", "--format", "json"))}


def test_df_adds_up(fresh, image):
    fresh("load", "-q", "-i", image("busybox"))
    fresh("load", "-q", "-i", image("rich"))
    fresh("run", "--name", "box", "-v", "data:/data", IMAGE, "sh", "-c", "head -c 5000 /dev/zero > /written; head -c 300 /dev/zero > /data/kept")
    rows = usage(fresh)
    images = json.loads(fresh("images", "--format", "json"))
    assert rows["Images"]["Total"] == 2 and rows["Images"]["Active"] == 1
    assert rows["Images"]["RawSize"] == sum(one["Size"] for one in images)
    assert rows["Images"]["RawReclaimable"] == next(one["Size"] for one in images if "localhost/rich" in one["Names"][0])
    assert rows["Containers"]["RawSize"] == rows["Containers"]["RawReclaimable"] == 5000
    assert rows["Local Volumes"]["RawSize"] == 300 and rows["Local Volumes"]["RawReclaimable"] == 0
    verbose = fresh("system", "df", "-v")
    assert "Images space usage:" in verbose and "UNIQUE SIZE" in verbose and "5kB" in verbose and "300B" in verbose


def test_a_layer_of_two_images_counts_once(fresh, image):
    fresh("import", "-q", image("rootfs"), "one")
    before = usage(fresh)["Images"]["RawSize"]
    fresh("import", "-q", "-c", "ENV other=1", image("rootfs"), "two")
    rows = usage(fresh)
    assert rows["Images"]["Total"] == 2 and rows["Images"]["RawSize"] == before > 0


def test_prune_says_what_it_frees(fresh, image):
    fresh("load", "-q", "-i", image("busybox"))
    fresh("load", "-q", "-i", image("rich"))
    fresh("run", "--name", "ended", "-v", "data:/data", IMAGE, "sh", "-c", "head -c 5000 /dev/zero > /written; head -c 300 /dev/zero > /data/kept")
    fresh.start("--name", "running")
    left = os.path.join(fresh.root, "staging", "left")
    os.mkdir(left)
    with open(os.path.join(left, "part"), "wb") as file:
        file.write(b"1234567")
    rich = fresh("images", "-q", "--no-trunc", "localhost/rich").split(":")[1]
    size = next(one["Size"] for one in json.loads(fresh("images", "--format", "json")) if one["Id"] == rich)
    lines = fresh("system", "prune", "-f", "-a", "--volumes").splitlines()
    assert lines[0] == "Deleted Containers" and lines[2:4] == ["Deleted Volumes", "data"] and lines[4:6] == ["Deleted Images", rich]
    expected = 5000 + 300 + 7 + size
    number, unit = re.fullmatch(r"Total reclaimed space: ([0-9.]+)([kM]?B)", lines[6]).groups()
    assert abs(float(number) * {"B": 1, "kB": 1e3, "MB": 1e6}[unit] - expected) <= expected * 0.001, (lines, expected)
    eventually(lambda: not list_names(os.path.join(fresh.root, "trash")), what="an empty trash")
    assert fresh("system", "prune", "-f") == "Total reclaimed space: 0B"
    fresh("rm", "-f", "-t", "0", "running")


def test_prune_asks_first(fresh, image):
    fresh("load", "-q", "-i", image("busybox"))
    fresh("create", "--name", "box", IMAGE, "true")
    out = fresh("system", "prune", input="n\n")
    assert out.startswith("WARNING! This command removes:\n") and "Are you sure you want to continue? [y/N]" in out
    assert fresh("ps", "-aq") != ""
    assert "Deleted Containers" in fresh("system", "prune", input="y\n")


def test_reset_ends_and_deletes_everything(fresh, image):
    fresh("load", "-q", "-i", image("busybox"))
    fresh.start("--name", "box", "-v", "data:/data")
    out = fresh("system", "reset", input="\n")
    assert out.startswith("WARNING! This will remove:\n") and fresh.root in out and fresh.runroot in out
    assert fresh("ps", "-q") != ""
    fresh("system", "reset", "--force")
    assert not os.path.exists(fresh.root) and not os.path.exists(fresh.runroot)
    assert fresh("images", "-q") == "" and fresh("ps", "-aq") == ""


def test_check_of_a_store_in_use_finds_nothing(fresh, image):
    fresh("load", "-q", "-i", image("busybox"))
    fresh("load", "-q", "-i", image("rich"))
    fresh.start("--name", "box", "-v", "data:/data")
    fresh("run", "--name", "ended", "localhost/rich", "true")
    assert fresh("system", "check") == "No damage."
    assert fresh("system", "check", "-q", "-m", "1h", "-r", "-f") == "No damage."
    assert "invalid duration" in fresh.error("system", "check", "-m", "soon")


def test_removing_an_image_does_not_wait_for_the_deletion(fresh, image):
    """Only renames: the time does not grow with the image. bench/run measures it."""
    fresh("load", "-q", "-i", image("debian"))
    start = time.monotonic()
    fresh("rmi", "-a")
    assert time.monotonic() - start < 1
    eventually(lambda: not list_names(os.path.join(fresh.root, "trash")), what="an empty trash")


def test_check_of_a_store_of_an_older_version_finds_nothing(fresh, image):
    """What younger versions have in addition is no loss."""
    fresh("load", "-q", "-i", image("busybox"))
    for later in ("downloads", "maps"):
        if os.path.exists(os.path.join(fresh.root, later)):
            os.rmdir(os.path.join(fresh.root, later))
    assert fresh("system", "check") == "No damage."
    assert fresh("system", "df").startswith("TYPE ")
    assert fresh("system", "prune", "-f") == "Total reclaimed space: 0B"
