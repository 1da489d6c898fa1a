# SPDX-License-Identifier: Apache-2.0
"""diff: what has changed in a container or an image; export: all of a container's files."""

import io
import json
import os
import tarfile

import oci
import pytest
from harness import IMAGE

RICH = "localhost/rich:latest"
DRIVERS = ["overlay", "fuse-overlayfs", "vfs"]


def changes(engine, *arguments):
    """Without what depends on whether the image has the places the engine mounts on."""
    return [line for line in engine("diff", *arguments).splitlines() if line[2:] not in ("/etc", "/run")]


@pytest.fixture(params=DRIVERS)
def driver(request, fresh, image):
    """An engine with that storage driver, and the images busybox and rich."""
    name = request.param
    if name == "fuse-overlayfs" and not (os.access("/usr/bin/fuse-overlayfs", os.X_OK) and os.access("/dev/fuse", os.W_OK)):
        pytest.skip("this machine has no fuse-overlayfs, or /dev/fuse is closed")
    plain = fresh.argv
    fresh.argv = lambda *arguments: plain("--storage-driver", name, *arguments)
    fresh("load", "-q", "-i", image("busybox"))
    fresh("load", "-q", "-i", image("rich"))
    return fresh


def load_layers(engine, scratch, name, *layers):
    path = oci.write_oci_layout(os.path.join(scratch, name.replace("/", "-")), [oci.Image(layers, name=name)])
    engine("load", "-q", "-i", path)


# diff.

def test_added_changed_and_deleted(driver):
    driver("run", "--name", "c", RICH, "sh", "-c", "mkdir -p /srv/d; echo x > /srv/d/f; echo y >> /data/kept; rm -r /opaque")
    assert changes(driver, "c") == ["C /data", "C /data/kept", "D /opaque", "A /srv", "A /srv/d", "A /srv/d/f"]


def test_a_directory_made_anew_hides_what_was_in_it(driver):
    driver("run", "--name", "c", RICH, "sh", "-c", "rm -r /data; mkdir /data; echo x > /data/new; echo z > /data/kept")
    assert changes(driver, "c") == ["C /data", "C /data/kept", "A /data/new", "D /data/tree"]


def test_a_file_and_a_directory_in_each_other_s_place(driver):
    driver("run", "--name", "c", RICH, "sh", "-c", "rm /data/kept; mkdir /data/kept; echo > /data/kept/in; rm -r /opaque; echo > /opaque")
    assert changes(driver, "c") == ["C /data", "C /data/kept", "A /data/kept/in", "C /opaque"]


def test_without_changes_there_is_nothing(driver):
    driver("create", "--name", "new", IMAGE, "true")
    assert driver("diff", "new") == ""
    driver("run", "--name", "c", IMAGE, "true")
    assert changes(driver, "c") == []


def test_a_running_container(knarr):
    knarr.start("--name", "c", command=("sh", "-c", "echo x > /tmp/f; sleep 1000"))
    knarr("exec", "c", "sh", "-c", "until [ -e /tmp/f ]; do :; done")
    assert changes(knarr, "c") == ["C /tmp", "A /tmp/f"]
    assert changes(knarr, "-l") == ["C /tmp", "A /tmp/f"]


def test_what_is_mounted_is_no_change(knarr, scratch):
    knarr("run", "--name", "c", "-v", f"{scratch}:/host/dir", "-v", "data:/data", "--tmpfs", "/scratch", IMAGE,
          "touch", "/host/dir/f", "/data/f", "/scratch/f")
    assert changes(knarr, "c") == ["A /host"]


@pytest.mark.needs_ids
@pytest.mark.rootless_only
def test_owners_are_no_change_where_ids_are_mapped_otherwise(driver):
    driver("run", "--name", "c", "--userns=keep-id", "-u", "0", RICH, "sh", "-c", "echo y >> /data/kept")
    # The engine gives the caller an entry in /etc/passwd.
    assert [line for line in changes(driver, "c") if "/etc/" not in line] == ["C /data", "C /data/kept"]


def test_formats(knarr):
    knarr("run", "--name", "c", IMAGE, "sh", "-c", "echo x > /tmp/f; rm /bin/true")
    document = json.loads(knarr("diff", "--format", "json", "c"))
    assert "/tmp/f" in document["added"] and document["deleted"] == ["/bin/true"]
    assert {"/bin", "/tmp"} <= set(document["changed"])
    assert "A:/tmp/f" in knarr("diff", "--format", "{{.Kind}}:{{.Path}}", "c").splitlines()


def test_an_image_against_its_parent_layer(fresh, scratch):
    lower = oci.Layer().directory("etc").file("etc/a").file("etc/b").directory("opt").file("opt/x")
    upper = oci.Layer().directory("etc").whiteout("etc/a").file("etc/c").directory("opt").opaque("opt").file("opt/y")
    load_layers(fresh, scratch, "localhost/two:1", lower, upper)
    load_layers(fresh, scratch, "localhost/one:1", lower)
    expected = ["D /etc/a", "A /etc/c", "D /opt/x", "A /opt/y"]
    for command in (["diff", "two:1"], ["image", "diff", "two:1"], ["image", "diff", "two:1", "one:1"]):
        lines = fresh(*command).splitlines()
        assert [line for line in lines if line[0] != "C"] == expected, command
    assert fresh("image", "diff", "one:1").splitlines() == ["A /etc", "A /etc/a", "A /etc/b", "A /opt", "A /opt/x"]
    assert [line for line in fresh("image", "diff", "one:1", "two:1").splitlines() if line[0] != "C"] == [
        "A /etc/a", "D /etc/c", "A /opt/x", "D /opt/y"]


def test_two_images_without_a_common_layer_are_compared_file_by_file(fresh, scratch):
    one = oci.Layer().directory("etc").file("etc/same", "same").file("etc/text", "abc").file("etc/mode")
    other = oci.Layer().directory("etc").file("etc/mode", mode=0o600).file("etc/text", "abd").file("etc/same", "same")
    load_layers(fresh, scratch, "localhost/one:1", one)
    load_layers(fresh, scratch, "localhost/other:1", other)
    assert fresh("diff", "other:1", "one:1").splitlines() == ["C /etc", "C /etc/mode", "C /etc/text"]


def test_who_is_compared(knarr, scratch):
    knarr("create", "--name", "c", IMAGE, "true")
    assert 'no container or image "none" found' in knarr.error("diff", "none")
    assert "image not known" in knarr.error("image", "diff", "c")
    assert "no container with name or ID" in knarr.error("container", "diff", IMAGE)
    os.mkdir(scratch + "/rootfs")
    knarr("create", "--name", "bare", "--rootfs", scratch + "/rootfs", "true")
    assert "has no image to compare it with" in knarr.error("diff", "bare")


# export.

def export(engine, *arguments):
    with engine.popen("export", *arguments) as process:
        data, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return data


def listing(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {info.name: info for info in archive}


def test_all_files_of_a_container_are_exported(driver):
    driver("run", "--name", "c", RICH, "sh", "-c", "mkdir -p /srv/d; echo hello > /srv/d/f; chmod 600 /srv/d/f; rm /data/kept; ln -s f /srv/d/l")
    data = export(driver, "c")
    found = listing(data)
    assert found["srv/d/f"].mode == 0o600 and found["srv/d/l"].linkname == "f"
    assert (found["high-owner"].uid, found["high-owner"].gid) == (61234, 60001)
    assert "data/kept" not in found and not [name for name in found if "/.wh." in name]
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert archive.extractfile("srv/d/f").read() == b"hello\n"


@pytest.mark.needs_ids
def test_owners_are_those_the_container_sees(driver):
    maps = [] if driver.identity == "root" else [[], ["--userns=keep-id", "-u", "0"]]
    for number, options in enumerate(maps or [[]]):
        driver("run", "--name", f"c{number}", *options, RICH, "sh", "-c", "touch /mine; chown 12:13 /mine")
        found = listing(export(driver, f"c{number}"))
        assert (found["mine"].uid, found["mine"].gid) == (12, 13)
        assert (found["high-owner"].uid, found["high-owner"].gid) == (61234, 60001)


def test_an_exported_container_is_imported_as_it_was(fresh, image):
    fresh("load", "-q", "-i", image("busybox"))
    fresh("run", "--name", "c", IMAGE, "sh", "-c", "echo hello > /greeting")
    fresh("import", "-", "flat:1", input=export(fresh, "c"))
    assert fresh("run", "--rm", "flat:1", "cat", "/greeting") == "hello"


def test_an_export_has_the_places_that_the_engine_mounts_on(driver):
    driver("run", "--name", "c", RICH, "true")
    found = listing(export(driver, "c"))
    assert all(found[name].isdir() for name in ("dev", "proc", "sys"))
    assert found["etc/hosts"].isfile() and found["run/.containerenv"].isfile()


def test_export_leaves_out_what_is_mounted_in_a_running_container(knarr, scratch):
    knarr.start("--name", "c", "-v", f"{scratch}:/host", command=("sh", "-c", "echo x > /host/f; echo x > /tmp/f; sleep 1000"))
    knarr("exec", "c", "sh", "-c", "until [ -e /tmp/f ]; do :; done")
    found = listing(export(knarr, "c"))
    assert "tmp/f" in found and "host" in found and "host/f" not in found
    assert not [name for name in found if name.startswith(("proc/", "sys/", "dev/"))]


def test_export_writes_a_file_whole_or_not_at_all(knarr, scratch):
    knarr("create", "--name", "c", IMAGE, "true")
    knarr("export", "-o", scratch + "/c.tar", "c")
    with tarfile.open(scratch + "/c.tar") as archive:
        assert "bin" in archive.getnames()
    assert "no container with name or ID" in knarr.error("export", "-o", scratch + "/none.tar", "none")
    assert os.listdir(scratch) == ["c.tar"]


def test_what_was_removed_meanwhile_is_not_exported_as_if_it_were_whole(knarr):
    knarr.start("--name", "c")
    with knarr.popen("export", "c") as process:
        process.stdout.read(512)  # it waits for us now: the tar is longer than a pipe
        knarr("rm", "-f", "-t", "0", "c")
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 125 and b"was removed meanwhile" in errors, errors


def test_a_tar_is_not_written_to_a_terminal(knarr):
    knarr("create", "--name", "c", IMAGE, "true")
    with knarr.terminal("export", "c") as terminal:
        terminal.expect("refusing to export to a terminal")
        assert terminal.wait() == 125
