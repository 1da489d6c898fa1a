# SPDX-License-Identifier: Apache-2.0
"""Images that are in no registry: oci:, oci-archive:, docker-archive:, dir:, containers-storage: as pull, push and run have them."""

import json
import os
import subprocess
import tarfile
import tempfile

import images
import oci
import pytest
from harness import list_names
from test_pull import ARCHITECTURE, OTHER, contents_of, image_id, small
from test_push import identify, load


@pytest.fixture
def box(fresh):
    fresh("load", "-q", "-i", images.image_path("busybox"))
    return "localhost/busybox:latest"


def names_of(engine):
    return sorted(engine("images", "--format", "{{.Repository}}:{{.Tag}}").splitlines())


def index_of(layout):
    with open(layout + "/index.json") as file:
        return json.load(file)["manifests"]


# Out and in again.

@pytest.mark.parametrize("target, options, name", [
    ("oci:{}/it:app:1", [], "localhost/app:1"),
    ("oci:{}/it", [], "<none>:<none>"),
    ("oci:{}/it:localhost/zstd:1", ["--compression-format=zstd"], "localhost/zstd:1"),
    ("oci-archive:{}/it.tar:localhost/app:1", [], "localhost/app:1"),
    ("docker-archive:{}/it.tar:some/app:1", [], "docker.io/some/app:1"),
    ("docker-archive:{}/it.tar", [], "<none>:<none>"),
    ("dir:{}/it", [], "<none>:<none>"),
    ("dir:{}/it", ["--compress", "--format=v2s2"], "<none>:<none>"),
    ("dir:{}/it", ["--format=oci"], "<none>:<none>"),
])
def test_an_image_comes_back_as_it_was(fresh, other, box, scratch, target, options, name):
    place = target.format(scratch)
    result = fresh.result("push", *options, box, place)
    assert result.status == 0 and result.out == "", result
    printed = other("pull", "-q", place)
    assert (printed, identify(other, printed)[1]) == identify(fresh, box)
    assert names_of(other) == [name]
    assert not list_names(os.path.join(fresh.root, "staging"))


@pytest.mark.parametrize("target", ["oci:{}/it:x:1", "oci-archive:{}/it.tar:x:1", "docker-archive:{}/it.tar:x:1", "dir:{}/it"])
def test_skopeo_reads_it(fresh, box, scratch, identity, target):
    if identity == "unshare":
        pytest.skip("skopeo takes `unshare -r` for root and wants root's files")
    place = target.format(scratch)
    fresh("push", box, place)
    images.skopeo("copy", "-q", place, f"oci:{scratch}/copy:it")
    config = json.loads(subprocess.run(["skopeo", "inspect", "--config", f"oci:{scratch}/copy:it"], stdout=subprocess.PIPE, check=True).stdout)
    assert config["rootfs"]["diff_ids"] == identify(fresh, box)[1]


def test_umoci_reads_it(fresh, scratch, identity):
    if identity == "unshare":
        pytest.skip("umoci takes `unshare -r` for root")
    name = load(fresh, scratch, small("one", "two"))
    fresh("push", name, f"oci:{scratch}/layout:it")
    rootless = [] if identity == "root" else ["--rootless"]
    images.run("umoci", "unpack", *rootless, "--image", f"{scratch}/layout:it", scratch + "/bundle")
    with open(scratch + "/bundle/rootfs/file1") as file:
        assert file.read() == "two"


@pytest.mark.parametrize("transport", ["oci", "oci-archive", "docker-archive", "dir"])
def test_what_skopeo_writes_is_pulled(fresh, scratch, identity, transport):
    if identity == "unshare":
        pytest.skip("skopeo takes `unshare -r` for root and wants root's files")
    image = images.busybox_image("source")
    oci.write_oci_layout(scratch + "/source", [image])
    place = f"{transport}:{scratch}/made"
    reference = "" if transport == "dir" else ":docker.io/library/made:1"
    images.skopeo("copy", "-q", f"oci:{scratch}/source:source", place + reference)
    assert fresh("pull", "-q", place + reference) == image_id(image)
    assert names_of(fresh) == ["<none>:<none>" if transport == "dir" else "docker.io/library/made:1"]


# Which image.

def test_one_of_a_layout_by_its_name(fresh, scratch):
    several = [small(name, name=name) for name in ("one", "two")]
    oci.write_oci_layout(scratch + "/layout", several)
    assert fresh("pull", "-q", f"oci:{scratch}/layout:two") == image_id(several[1])
    assert names_of(fresh) == ["localhost/two:latest"]
    assert "several images" in fresh.error("pull", f"oci:{scratch}/layout")
    assert '"three"' in fresh.error("pull", f"oci:{scratch}/layout:three")


def test_of_several_platforms_the_one_that_is_asked_for(fresh, scratch):
    several = [small(one, name="app", architecture=one) for one in (OTHER, ARCHITECTURE)]
    oci.write_oci_layout(scratch + "/layout", several)
    assert fresh("pull", "-q", f"oci:{scratch}/layout:app") == image_id(several[1])
    assert fresh("pull", "-q", f"--arch={OTHER}", f"oci:{scratch}/layout:app") == image_id(several[0])


def test_of_a_docker_archive_one_or_all(fresh, scratch):
    several = [small(name, name=f"localhost/{name}:1") for name in ("one", "two")]
    oci.write_docker_archive(scratch + "/both.tar", several)
    assert fresh("pull", "-q", f"docker-archive:{scratch}/both.tar:localhost/two:1") == image_id(several[1])
    assert names_of(fresh) == ["localhost/two:1"]
    assert fresh("pull", "-q", f"docker-archive:{scratch}/both.tar:@0") == image_id(several[0])
    assert fresh("pull", "-q", f"docker-archive:{scratch}/both.tar").split() == [image_id(one) for one in several]
    assert '"three"' in fresh.error("pull", f"docker-archive:{scratch}/both.tar:three")
    assert '"@2"' in fresh.error("pull", f"docker-archive:{scratch}/both.tar:@2")


def test_a_relative_path(fresh, box, scratch):
    fresh("push", box, "oci:layout:it", cwd=scratch)
    fresh("pull", "-q", "oci:layout:it", cwd=scratch)
    assert "localhost/it:latest" in names_of(fresh)


@pytest.mark.parametrize("name, words", [
    ("oci:/nowhere/at/all", "no such file"), ("docker-daemon:app:1", "docker-daemon"), ("oci:", "nothing is named"), ("dir:/etc", "manifest.json"),
    ("oci-archive:/etc/passwd", "tar")])
def test_what_cannot_be_pulled(fresh, name, words):
    before = contents_of(fresh)
    assert words in fresh.error("pull", name).lower()
    assert contents_of(fresh) == before


# Where something is already.

def test_a_layout_gets_more_images(fresh, scratch):
    names = [load(fresh, scratch, small(one), f"localhost/{one}:1") for one in ("a", "b")]
    fresh("push", names[0], f"oci:{scratch}/layout:a")
    fresh("push", names[1], f"oci:{scratch}/layout:b")
    first = index_of(scratch + "/layout")
    assert [entry["annotations"]["org.opencontainers.image.ref.name"] for entry in first] == ["a", "b"]
    fresh("push", names[1], f"oci:{scratch}/layout:a")
    again = index_of(scratch + "/layout")
    assert {entry["digest"] for entry in again} == {first[1]["digest"]} and len(again) == 2
    assert not [name for name in list_names(scratch + "/layout/blobs/sha256") if name.startswith(".")]


def test_a_directory_of_skopeos_is_replaced_and_no_other_one(fresh, scratch):
    names = [load(fresh, scratch, small(one), f"localhost/{one}:1") for one in ("a", "b")]
    fresh("push", names[0], f"dir:{scratch}/it")
    first = list_names(scratch + "/it")
    fresh("push", names[1], f"dir:{scratch}/it")
    assert list_names(scratch + "/it") != first and len(list_names(scratch + "/it")) == len(first)
    os.makedirs(scratch + "/precious")
    with open(scratch + "/precious/file", "w") as file:
        file.write("precious")
    for transport in ("dir", "oci"):
        assert "exists" in fresh.error("push", names[0], f"{transport}:{scratch}/precious")
    assert list_names(scratch + "/precious") == ["file"]
    assert not [name for name in list_names(scratch) if name.startswith(".")]


def test_the_digestfile(fresh, box, scratch):
    fresh("push", f"--digestfile={scratch}/digest", box, f"oci:{scratch}/layout:a")
    with open(scratch + "/digest") as file:
        assert file.read() == index_of(scratch + "/layout")[0]["digest"]
    fresh.error("push", f"--digestfile={scratch}/digest", box, f"docker-archive:{scratch}/a.tar")


@pytest.mark.parametrize("arguments", [["--compress", "oci:{}/x"], ["--compress", "localhost:1/x"], ["--format=v2s2", "oci:{}/x"],
                                       ["containers-storage:x"], ["docker-daemon:x:1"]])
def test_what_cannot_be_pushed(fresh, box, scratch, arguments):
    *options, target = arguments
    fresh.error("push", *options, box, target.format(scratch))
    assert list_names(scratch) == []


def test_a_docker_archive_holds_plain_layers(fresh, box, scratch):
    fresh("push", box, f"docker-archive:{scratch}/a.tar:app:1")
    with tarfile.open(scratch + "/a.tar") as archive:
        manifest = json.load(archive.extractfile("manifest.json"))[0]
        assert manifest["RepoTags"] == ["docker.io/library/app:1"]
        tarfile.open(fileobj=archive.extractfile(manifest["Layers"][0]), mode="r:").close()


# run, and the policy.

def test_run_takes_an_image_where_it_lies(fresh, other, box, scratch):
    fresh("push", box, f"oci:{scratch}/layout:named")
    fresh("push", box, f"dir:{scratch}/nameless")
    assert other("run", "--rm", f"oci:{scratch}/layout:named", "echo", "it runs") == "it runs"
    assert other("run", "--rm", f"dir:{scratch}/nameless", "echo", "it runs") == "it runs"
    assert other("create", "--name", "made", f"dir:{scratch}/nameless", "true")
    assert "no such file" in other.error("run", "--rm", f"oci:{scratch}/nowhere", "true").lower()


def test_run_with_dockers_transport(fresh, registry):
    name = registry.push("busybox", "transport/box:1")
    for _ in range(2):  # then it is there
        assert fresh("run", "--rm", "--tls-verify=false", "docker://" + name, "echo", "it runs") == "it runs"


def test_the_policy_speaks_of_files_too(fresh, box, scratch):
    fresh("push", box, f"oci:{scratch}/good:it")
    fresh("push", box, f"oci:{scratch}/bad:it")
    with open(scratch + "/policy.json", "w") as file:
        json.dump({"default": [{"type": "reject"}], "transports": {"oci": {scratch + "/good": [{"type": "insecureAcceptAnything"}]}}}, file)
    option = f"--signature-policy={scratch}/policy.json"
    fresh("pull", "-q", option, f"oci:{scratch}/good:it")
    assert "rejected" in fresh.error("pull", option, f"oci:{scratch}/bad:it")


@pytest.mark.parametrize("format", ["docker-archive", "oci-archive", "oci-dir", "docker-dir"])
def test_the_policy_speaks_of_load_too(fresh, other, box, scratch, format):
    fresh("save", "-q", "--format", format, "-o", scratch + "/saved", box)
    transport = {"oci-dir": "oci", "docker-dir": "dir"}.get(format, format)
    accept = [{"type": "insecureAcceptAnything"}]

    def policy(scope, default):
        with open(scratch + "/policy.json", "w") as file:
            json.dump({"default": default, "transports": {transport: {scope: accept}}}, file)
        return f"--signature-policy={scratch}/policy.json"
    reject, signed = [{"type": "reject"}], [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/no/key"}]
    error = other.error("load", policy("/elsewhere", reject), "-i", scratch + "/saved")
    assert f"image {transport}:{scratch}/saved is rejected by the policy for \"default\"" in error
    assert "a signature was required" in other.error("load", policy("/elsewhere", signed), "-i", scratch + "/saved")
    os.makedirs(other.home + "/.config/containers")
    policy("/elsewhere", reject)
    os.rename(scratch + "/policy.json", other.home + "/.config/containers/policy.json")
    assert "is rejected by the policy" in other.error("load", "-i", scratch + "/saved")
    assert other("images", "-q") == ""
    # Archives of docker have no scopes, as there is no saying which of their images is meant.
    scope = "" if format == "docker-archive" else scratch
    other("load", policy(scope, reject), "-i", scratch + "/saved")
    if not format.endswith("dir"):
        other("rmi", "--all")
        with open(scratch + "/saved", "rb") as archive:
            assert (other.result("load", policy(scope, reject), stdin=archive).status == 0) == (format == "docker-archive")


def test_the_policy_speaks_of_trees_too(fresh, scratch):
    with open(scratch + "/tree.tar", "wb") as file:
        file.write(oci.Layer().file("a", "b").tar())
    with open(scratch + "/policy.json", "w") as file:
        json.dump({"default": [{"type": "reject"}], "transports": {"tarball": {"": [{"type": "insecureAcceptAnything"}]}}}, file)
    with open(scratch + "/strict.json", "w") as file:
        json.dump({"default": [{"type": "reject"}]}, file)
    error = fresh.error("import", f"--signature-policy={scratch}/strict.json", scratch + "/tree.tar")
    assert f"image {scratch}/tree.tar is rejected by the policy" in error and fresh("images", "-q") == ""
    fresh("import", "-q", f"--signature-policy={scratch}/policy.json", scratch + "/tree.tar")


def test_what_podman_has(fresh, identity):
    if identity != "root":
        pytest.skip("root does it: test_adopt.py has the rest")
    with tempfile.TemporaryDirectory(prefix="k", dir="/var/tmp") as work:
        store = ["--storage-driver", "overlay", "--root", work + "/root", "--runroot", work + "/run"]
        source = oci.write_docker_archive(work + "/source.tar", [small("podman's", name="localhost/theirs:1")])
        subprocess.run(["podman", *store, "load", "-q", "-i", source], stdout=subprocess.DEVNULL, check=True)
        with open(work + "/storage.conf", "w") as file:
            file.write(f'[storage]\ndriver = "overlay"\ngraphroot = "{work}/root"\nrunroot = "{work}/run"\n')
        fresh("pull", "-q", "containers-storage:localhost/theirs:1", env={"CONTAINERS_STORAGE_CONF": work + "/storage.conf"})
    assert names_of(fresh) == ["localhost/theirs:1"]
