# SPDX-License-Identifier: Apache-2.0
"""commit: an image of what a container has changed."""

import io
import json
import os
import subprocess
import tarfile

import oci
import pytest
from harness import IMAGE, list_names

RICH = "localhost/rich:latest"
DRIVERS = ["overlay", "fuse-overlayfs", "vfs"]
# All that a layer can lose, but for what the engine itself puts into a container.
LISTING = r"""
find / -xdev \( -path /dev -o -path /proc -o -path /sys -o -path /etc/hosts -o -path /etc/hostname -o -path /etc/resolv.conf \
    -o -path /run \) -prune -o -path / -o -path /etc -o -print | sort | while IFS= read -r path; do
  stat -c '%A %u:%g %Y %N' "$path"
  if test -f "$path"; then stat -c '%s' "$path"; md5sum < "$path"; fi
done
"""
CHANGES = r"""
mkdir -p /new/dir; echo hello > /new/dir/file; chmod 4711 /new/dir/file; ln -s dir/file /new/link; ln /new/dir/file /new/hard; mkfifo /new/fifo
echo more >> /data/kept; rm -r /data/tree; mkdir /data/tree; echo again > /data/tree/fresh
rm -r /opaque; echo file > /opaque; rm /becomes-directory/now; rmdir /becomes-directory; rm /old; chmod 711 /links
touch -d '2001-02-03 04:05:06' /new/dir/file /new/dir
"""


@pytest.fixture
def rich(fresh, image):
    fresh("load", "-q", "-i", image("busybox"))
    fresh("load", "-q", "-i", image("rich"))
    return fresh


@pytest.fixture(params=DRIVERS)
def driver(request, rich):
    name = request.param
    if name == "fuse-overlayfs" and not (os.access("/usr/bin/fuse-overlayfs", os.X_OK) and os.access("/dev/fuse", os.W_OK)):
        pytest.skip("this machine has no fuse-overlayfs, or /dev/fuse is closed")
    plain = rich.argv
    rich.argv = lambda *arguments: plain("--storage-driver", name, *arguments)
    return rich


def describe(engine, name):
    return json.loads(engine("image", "inspect", name))[0]


def top_layer(engine, name):
    """Names and headers in the tar of the topmost layer, as `save` writes it."""
    with engine.popen("save", "--format", "oci-archive", "--uncompressed", name) as process:
        data, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    digest = describe(engine, name)["RootFS"]["Layers"][-1].split(":")[1]
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        with tarfile.open(fileobj=archive.extractfile("blobs/sha256/" + digest)) as layer:
            return {info.name: info for info in layer}


# The tree.

def test_a_committed_container_is_as_it_was(driver):
    seen = driver("run", "--name", "c", RICH, "sh", "-c", CHANGES + LISTING)
    driver("commit", "-q", "c", "committed:1")
    assert driver("run", "--rm", "committed:1", "sh", "-c", LISTING) == seen


def test_only_the_changes_are_in_the_layer(driver):
    driver("run", "--name", "c", RICH, "sh", "-c", "echo x > /data/new; rm /data/kept; rm -r /opaque")
    driver("commit", "-q", "c", "committed:1")
    names = set(top_layer(driver, "committed:1"))
    assert names - {"etc", "run"} == {"data", "data/new", "data/.wh.kept", ".wh.opaque"}
    assert len(describe(driver, "committed:1")["RootFS"]["Layers"]) == 4


def test_what_was_changed_behind_the_time_of_a_file_is_committed(driver):
    script = "echo KEPT > /data/kept; touch -d @1700000000 /data/kept"
    driver("run", "--name", "c", RICH, "sh", "-c", script)
    driver("commit", "-q", "c", "committed:1")
    assert driver("run", "--rm", "committed:1", "cat", "/data/kept") == "KEPT"


def test_without_changes_the_files_are_those_of_the_image(driver):
    driver("create", "--name", "c", RICH, "true")
    driver("commit", "-q", "c", "same:1")
    assert list(top_layer(driver, "same:1")) == []
    assert driver("run", "--rm", "same:1", "sh", "-c", LISTING) == driver("run", "--rm", RICH, "sh", "-c", LISTING)


def test_a_commit_of_a_commit(rich):
    rich("run", "--name", "a", IMAGE, "sh", "-c", "echo 1 > /one; echo 2 > /two")
    rich("commit", "-q", "a", "first:1")
    rich("run", "--name", "b", "first:1", "sh", "-c", "rm /one; echo 3 > /two")
    rich("commit", "-q", "b", "second:1")
    assert rich("run", "--rm", "second:1", "sh", "-c", "ls /one 2> /dev/null; cat /two") == "3"
    assert {"D /one", "C /two"} <= set(rich("diff", "second:1").splitlines())


@pytest.mark.needs_ids
@pytest.mark.rootless_only
@pytest.mark.parametrize("mode", ["keep-id", "auto"])
def test_owners_are_those_the_container_sees(driver, mode):
    if mode == "auto" and "fuse-overlayfs" in driver.argv():
        pytest.skip("fuse-overlayfs mounts nothing for a map without the user's own ids")
    driver("run", "--name", "c", f"--userns={mode}", "-u", "0", RICH, "sh", "-c", "echo x > /mine; chown 12:13 /mine; echo x > /root-s; echo y >> /data/kept")
    driver("commit", "-q", "c", "committed:1")
    seen = driver("run", "--rm", "committed:1", "stat", "-c", "%u:%g", "/mine", "/root-s", "/data/kept", "/data", "/high-owner")
    assert seen.split() == ["12:13", "0:0", "0:0", "0:0", "61234:60001"]
    assert [line for line in driver("diff", "committed:1").splitlines() if "/etc" not in line and "/run" not in line] == [
        "C /data", "C /data/kept", "A /mine", "A /root-s"]


def test_squashed_into_one_layer(driver):
    driver("run", "--name", "c", RICH, "sh", "-c", CHANGES)
    driver("commit", "-q", "c", "layered:1")
    driver("commit", "-q", "-s", "c", "flat:1")
    assert len(describe(driver, "flat:1")["RootFS"]["Layers"]) == 1 and len(describe(driver, "flat:1")["History"]) == 1
    assert driver("run", "--rm", "flat:1", "sh", "-c", LISTING) == driver("run", "--rm", "layered:1", "sh", "-c", LISTING)
    assert not [name for name in top_layer(driver, "flat:1") if "/.wh." in "/" + name]


def test_volumes_are_not_in_it(rich, scratch):
    rich("run", "--name", "c", "-v", f"{scratch}:/host", "-v", "data:/vol", IMAGE, "touch", "/host/f", "/vol/f", "/own")
    rich("commit", "-q", "c", "committed:1")
    assert {name for name in top_layer(rich, "committed:1") if name not in ("etc", "run")} == {"host", "vol", "own"}
    assert not describe(rich, "committed:1")["Config"].get("Volumes")
    rich("commit", "-q", "--include-volumes", "c", "committed:2")
    assert set(describe(rich, "committed:2")["Config"]["Volumes"]) == {"/host", "/vol"}


def test_a_container_without_an_image(knarr, scratch, image):
    os.mkdir(scratch + "/rootfs")
    knarr.start("--name", "box")
    with tarfile.open(fileobj=io.BytesIO(subprocess.run(knarr.argv("export", "box"), env=knarr.environment(), stdout=subprocess.PIPE, check=True).stdout)) as archive:
        archive.extractall(scratch + "/rootfs")
    knarr("create", "--name", "bare", "--rootfs", scratch + "/rootfs", "sh", "-c", "echo from a directory")
    knarr("commit", "-q", "bare", "bare:1")
    assert len(describe(knarr, "bare:1")["RootFS"]["Layers"]) == 1
    assert knarr("run", "--rm", "bare:1") == "from a directory"
    knarr("rmi", "bare:1")


# The configuration.

def test_the_configuration_is_that_of_the_container(rich):
    rich("run", "--name", "c", "-e", "FOO=bar", "-l", "a=b", "-w", "/tmp", "--stop-signal", "SIGINT", "--entrypoint", "sh",
         IMAGE, "-c", "exit 0", env={"https_proxy": "http://user:secret@proxy"})
    rich("commit", "-q", "-a", "Me <me@example.org>", "-m", "why", "c", "committed:1")
    image = describe(rich, "committed:1")
    config = image["Config"]
    assert config["Entrypoint"] == ["sh"] and config["Cmd"] == ["-c", "exit 0"] and config["WorkingDir"] == "/tmp"
    assert config["Labels"] == {"a": "b"} and config["StopSignal"] == "SIGINT"
    assert "FOO=bar" in config["Env"] and not [entry for entry in config["Env"] if "secret" in entry or entry.startswith("container=")]
    assert image["Author"] == "Me <me@example.org>"
    step = image["History"][-1]
    assert step["created_by"] == "sh -c exit 0" and step["comment"] == "why" and step["author"] == "Me <me@example.org>"
    assert len(image["History"]) == len(describe(rich, IMAGE)["History"]) + 1


def test_changes_are_applied_in_order(rich, scratch):
    rich("create", "--name", "c", IMAGE, "true")
    with open(scratch + "/config", "w") as file:
        json.dump({"Env": ["FROM=file", "BOTH=file"], "User": "7", "Labels": {"l": "file"}}, file)
    changes = ["CMD [\"echo\", \"hi\"]", "ENV BOTH=change X=1", "EXPOSE 80", "LABEL l=change m=n", "STOPSIGNAL SIGUSR1", "USER 5:6",
               "VOLUME /v", "WORKDIR /w", "ENTRYPOINT []", "ONBUILD RUN true"]
    rich("commit", "-q", "--config", scratch + "/config", *[word for change in changes for word in ("-c", change)], "c", "committed:1")
    config = describe(rich, "committed:1")["Config"]
    assert config["Cmd"] == ["echo", "hi"] and config["User"] == "5:6" and config["WorkingDir"] == "/w"
    assert {"FROM=file", "BOTH=change", "X=1"} <= set(config["Env"]) and config["Labels"] == {"l": "change", "m": "n"}
    assert set(config["ExposedPorts"]) == {"80/tcp"} and set(config["Volumes"]) == {"/v"} and config["StopSignal"] == "SIGUSR1"
    assert rich("run", "--rm", "-u", "0", "committed:1") == "hi"
    assert 'change "RUN true"' in rich.error("commit", "-c", "RUN true", "c")


def test_formats(rich):
    rich("create", "--name", "c", IMAGE, "true")
    rich("commit", "-q", "c", "oci:1")
    rich("commit", "-q", "-f", "docker", "-m", "why", "c", "docker:1")
    assert describe(rich, "oci:1")["ManifestType"] == "application/vnd.oci.image.manifest.v1+json"
    docker = describe(rich, "docker:1")
    assert docker["ManifestType"] == "application/vnd.docker.distribution.manifest.v2+json" and docker["Comment"] == "why"
    assert "it is oci or docker" in rich.error("commit", "-f", "squashfs", "c")


def test_the_id_is_printed_and_written(rich, scratch):
    rich("create", "--name", "c", IMAGE, "true")
    printed = rich("commit", "--iidfile", scratch + "/id", "c")
    assert printed == describe(rich, printed)["Id"]
    with open(scratch + "/id") as file:
        assert file.read() == printed
    assert describe(rich, printed)["RepoTags"] == []
    assert describe(rich, rich("commit", "-q", "c", "quay.io/me/app"))["RepoTags"] == ["quay.io/me/app:latest"]
    assert describe(rich, rich("commit", "-q", "c", "app:2"))["RepoTags"] == ["localhost/app:2"]


def test_over_an_image_without_a_history_each_layer_has_its_entry(rich, scratch):
    layers = [oci.busybox_layer(), oci.Layer().file("second", "2")]
    rich("load", "-q", "-i", oci.write_oci_layout(scratch + "/layout", [oci.Image(layers, name="localhost/bare:1", history=[])]))
    rich("run", "--name", "c", "bare:1", "touch", "/third")
    rich("commit", "-q", "c", "committed:1")
    assert [entry.get("created_by", "") for entry in describe(rich, "committed:1")["History"]] == ["", "", "touch /third"]


def test_the_same_changes_give_the_same_image(rich):
    environment = {"SOURCE_DATE_EPOCH": "1600000000"}
    for name in ("a", "b"):
        rich("run", "--name", name, IMAGE, "sh", "-c", "mkdir /d; echo x > /d/f; echo y > /d/g; rm /bin/true")
    first, second = (rich("commit", "-q", name, env=environment) for name in ("a", "b"))
    assert first == second
    assert describe(rich, first)["Created"].startswith("2020-09-13T12:26:40")
    assert max(info.mtime for info in top_layer(rich, first).values()) <= 1600000000
    assert "SOURCE_DATE_EPOCH is no number" in rich.error("commit", "a", env={"SOURCE_DATE_EPOCH": "then"})


def test_a_committed_image_is_read_elsewhere(rich, scratch):
    rich("run", "--name", "c", IMAGE, "sh", "-c", "echo x > /new; rm /bin/true")
    for form in ("oci", "docker"):
        rich("commit", "-q", "-f", form, "c", f"committed:{form}")
        path = f"{scratch}/{form}.tar"
        rich("save", "--format", "oci-archive", "-o", path, f"committed:{form}")
        subprocess.run(["skopeo", "--insecure-policy", "copy", "-q", f"oci-archive:{path}", f"dir:{scratch}/{form}"], check=True)
        assert len([name for name in list_names(f"{scratch}/{form}") if len(name) == 64]) == 3


# While it runs.

def test_a_running_container_goes_on(rich):
    rich.start("--name", "c", command=("sh", "-c", "echo x > /f; sleep 1000"))
    rich("exec", "c", "sh", "-c", "until [ -e /f ]; do :; done")
    for options in ([], ["-p"], ["--pause=true"]):
        rich("commit", "-q", *options, "c", "committed:1")
        assert rich("run", "--rm", "committed:1", "cat", "/f") == "x"
    assert rich.state("c")["Status"] == "running" and rich("exec", "c", "echo", "alive") == "alive"


def test_a_paused_container_writes_nothing_meanwhile(rich):
    """Two files that are always written one after the other: in no commit is the second one ahead."""
    script = "i=0; while :; do i=$((i+1)); echo $i > /a; echo $i > /b; done"
    rich.start("--name", "c", command=("sh", "-c", script))
    rich("exec", "c", "sh", "-c", "until [ -s /b ]; do :; done")
    for _ in range(5):
        rich("commit", "-q", "-p", "c", "committed:1")
        first, second = (int(number or 0) for number in rich("run", "--rm", "committed:1", "sh", "-c", "echo $(cat /a),$(cat /b)").split(","))
        assert not first or not second or first - second in (0, 1)


def test_a_parent_does_not_see_its_child_being_paused(rich):
    """A shell that waits would see a stopped child (WUNTRACED), and a sleep that is woken would end early."""
    rich.start("--name", "c", command=("sh", "-c", "set -m; sleep 1000 & jobs > /before; while :; do jobs > /now; mv /now /jobs; done"))
    rich("exec", "c", "sh", "-c", "until [ -s /jobs ]; do :; done")
    rich("commit", "-q", "-p", "c")
    assert "Stopped" not in rich("exec", "c", "cat", "/jobs")


# Errors.

def test_what_cannot_be_committed(rich):
    rich("create", "--name", "c", IMAGE, "true")
    assert "no container with name or ID" in rich.error("commit", "none")
    assert "digest" in rich.error("commit", "c", "app@sha256:" + 64 * "0")
    assert "invalid reference" in rich.error("commit", "c", "UPPER/Case")
    assert list_names(rich.root + "/staging") == []


def test_a_name_that_is_no_file_of_a_layer_is_left_out_and_told(rich):
    rich("run", "--name", "c", IMAGE, "sh", "-c", "echo x > /.wh.bin; echo y > /kept")
    result = rich.result("commit", "-q", "c", "committed:1")
    assert result.status == 0 and "/.wh.bin was left out" in result.err, result
    assert rich("run", "--rm", "committed:1", "cat", "/kept") == "y"
