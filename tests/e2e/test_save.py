# SPDX-License-Identifier: Apache-2.0
"""save: what it writes, who reads it, and that layers come out of the store as they went in."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile

import pytest
from harness import IMAGE, eventually, list_names
from test_push import load, noise

ARCHIVES = ["docker-archive", "oci-archive"]
DIRECTORIES = ["oci-dir", "docker-dir"]


def digest_file(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def identify(engine, name):
    """What must survive: the digest of the config, and those of the layers' tars."""
    image = json.loads(engine("image", "inspect", name))[0]
    return image["Id"], image["RootFS"]["Layers"]


def first_id(engine):
    return engine("images", "-q", "--no-trunc").splitlines()[0].removeprefix("sha256:")


def members(path):
    with tarfile.open(path) as archive:
        return {info.name: archive.extractfile(info).read() for info in archive if info.isfile()}


# Out and in again.

@pytest.mark.parametrize("options", [
    ["--format", "docker-archive"],
    ["--format", "oci-archive"],
    ["--format", "oci-archive", "--uncompressed"],
    ["--format", "oci-dir"],
    ["--format", "oci-dir", "--uncompressed"],
    ["--format", "docker-dir"],
    ["--format", "docker-dir", "--compress"],
], ids=" ".join)
@pytest.mark.parametrize("name", ["rich", "layers120"])
def test_an_image_comes_back_as_it_was(fresh, other, image, scratch, options, name):
    fresh("load", "-q", "-i", image(name))
    fresh("save", "-q", "-o", scratch + "/saved", *options, f"localhost/{name}:latest")
    said = other("load", "-i", scratch + "/saved")
    assert identify(other, first_id(other)) == identify(fresh, f"localhost/{name}:latest")
    if "docker-dir" in options:
        assert said == f"Loaded image: sha256:{first_id(other)}"  # the format holds no name
    else:
        assert said == f"Loaded image: localhost/{name}:latest"
    if name == "rich":
        assert other("run", "--rm", first_id(other), "cat", "/data/kept", "/links/three").split() == ["kept", "shared"]


@pytest.mark.parametrize("name", [
    "gzip", "zstd", "xz", "bzip2", "skopeo-docker-archive", "skopeo-oci-archive", "skopeo-oci", "skopeo-zstd", "umoci",
    "buildah", "podman-docker-archive", "podman-oci-archive"])
def test_layers_and_config_of_every_tool_come_out_exactly(fresh, image, scratch, name):
    if fresh.single_id and name == "buildah":
        pytest.skip("its owners are not mapped")
    fresh("load", "-q", "-i", image(name))
    config, layers = identify(fresh, first_id(fresh))
    fresh("save", "-o", scratch + "/saved.tar", first_id(fresh))
    files = members(scratch + "/saved.tar")
    manifest, = json.loads(files["manifest.json"])
    assert hashlib.sha256(files[manifest["Config"]]).hexdigest() == config.removeprefix("sha256:")
    assert ["sha256:" + hashlib.sha256(files[layer]).hexdigest() for layer in manifest["Layers"]] == layers
    assert manifest["RepoTags"] is None  # it was asked for by its id


def test_save_to_a_pipe(fresh, other, image):
    fresh("load", "-q", "-i", image("busybox"))
    with fresh.popen("save", IMAGE) as saving:
        loaded = other("load", stdin=saving.stdout)
    assert saving.returncode == 0
    assert loaded == f"Loaded image: {IMAGE}"


def test_what_is_being_saved_can_be_removed(fresh, other, scratch):
    for name in ("first", "second"):
        load(fresh, scratch, noise(1 << 20), f"localhost/{name}:1")
    names = ["localhost/first:1", "localhost/second:1"]
    with fresh.popen("save", "--format", "oci-archive", "-m", *names) as saving:
        beginning = saving.stdout.read(1000)  # it holds much more than a pipe does
        fresh("rmi", *names)
        fresh("image", "prune", "-a", "-f")
        loaded = other("load", input=beginning + saving.stdout.read())
    assert saving.returncode == 0, saving.stderr
    assert sorted(loaded.splitlines()) == [f"Loaded image: {name}" for name in names]
    fresh("image", "prune", "-f")
    assert not list_names(os.path.join(fresh.root, "layers"))


def test_several_images_in_one_archive(fresh, other, image, scratch):
    for name in ("busybox", "rich"):
        fresh("load", "-q", "-i", image(name))
    for format in ARCHIVES:
        path = f"{scratch}/{format}"
        fresh("save", "-q", "-m", "--format", format, "-o", path, IMAGE, "localhost/rich")
        assert sorted(other("load", "-i", path).splitlines()) == [
            f"Loaded image: {IMAGE}", "Loaded image: localhost/rich:latest"]
    assert "one image only" in fresh.error("save", "-m", "--format", "docker-dir", "-o", scratch + "/d", IMAGE, "localhost/rich")


def test_more_names_for_one_image(fresh, other, image, scratch):
    fresh("load", "-q", "-i", image("busybox"))
    fresh("save", "-o", scratch + "/saved.tar", IMAGE, "example.com/a:1", "b")
    manifest, = json.loads(members(scratch + "/saved.tar")["manifest.json"])
    assert manifest["RepoTags"] == [IMAGE, "example.com/a:1", "docker.io/library/b:latest"] or \
        manifest["RepoTags"] == [IMAGE, "example.com/a:1", "localhost/b:latest"]
    assert len(other("load", "-i", scratch + "/saved.tar").splitlines()) == 3


# The bytes.

@pytest.mark.parametrize("format", ARCHIVES)
def test_the_same_image_gives_the_same_bytes(fresh, other, image, scratch, format):
    fresh("load", "-q", "-i", image("rich"))
    fresh("save", "--format", format, "-o", scratch + "/1", "localhost/rich")
    other("load", "-q", "-i", scratch + "/1")
    other("save", "--format", format, "-o", scratch + "/2", "localhost/rich")
    assert digest_file(scratch + "/1") == digest_file(scratch + "/2")


def test_files_are_dated_by_source_date_epoch(fresh, image, scratch):
    fresh("load", "-q", "-i", image("busybox"))
    fresh("save", "-o", scratch + "/1", IMAGE)
    fresh("save", "-o", scratch + "/2", IMAGE, env={"SOURCE_DATE_EPOCH": "1700000000"})
    for path, time in (("/1", 0), ("/2", 1700000000)):
        with tarfile.open(scratch + path) as archive:
            assert {info.mtime for info in archive} == {time}
    assert "SOURCE_DATE_EPOCH" in fresh.error("save", "-o", scratch + "/3", IMAGE, env={"SOURCE_DATE_EPOCH": "soon"})


def test_a_manifest_that_fits_is_kept(fresh, image, scratch):
    fresh("load", "-q", "-i", image("plain"))
    with open(image("plain") + "/index.json") as file:
        original = json.load(file)["manifests"][0]["digest"]
    fresh("save", "--format", "oci-dir", "--uncompressed", "-o", scratch + "/saved", "localhost/busybox:plain")
    with open(scratch + "/saved/index.json") as file:
        saved, = json.load(file)["manifests"]
    assert saved["digest"] == original
    assert saved["annotations"] == {"org.opencontainers.image.ref.name": "localhost/busybox:plain"}


def test_blobs_are_what_their_names_say(fresh, image, scratch):
    fresh("load", "-q", "-i", image("rich"))
    fresh("save", "--format", "oci-dir", "-o", scratch + "/saved", "localhost/rich")
    blobs = scratch + "/saved/blobs/sha256"
    assert len(os.listdir(blobs)) == 5
    for name in os.listdir(blobs):
        assert digest_file(f"{blobs}/{name}") == name
    with open(scratch + "/saved/index.json") as file:
        descriptor, = json.load(file)["manifests"]
    with open(f"{blobs}/{descriptor['digest'].split(':')[1]}") as file:
        manifest = json.load(file)
    for blob in [manifest["config"], *manifest["layers"]]:
        assert os.path.getsize(f"{blobs}/{blob['digest'].split(':')[1]}") == blob["size"]
    assert {layer["mediaType"] for layer in manifest["layers"]} == {"application/vnd.oci.image.layer.v1.tar+gzip"}


# Others read it.

def tool(*argv, work, **more):
    environment = dict(os.environ, HOME=work, TMPDIR=work, STORAGE_DRIVER="vfs", BUILDAH_ISOLATION="chroot")
    done = subprocess.run(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300, **more)
    assert done.returncode == 0, (argv, done.stdout, done.stderr)
    return done.stdout


def need(program):
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")


TRANSPORTS = {"docker-archive": "docker-archive", "oci-archive": "oci-archive", "oci-dir": "oci", "docker-dir": "dir"}


@pytest.mark.parametrize("format", TRANSPORTS)
def test_skopeo_reads_it(fresh, image, scratch, format):
    need("skopeo")
    fresh("load", "-q", "-i", image("rich"))
    fresh("save", "--format", format, "-o", scratch + "/saved", "localhost/rich")
    source = f"{TRANSPORTS[format]}:{scratch}/saved"
    config, layers = identify(fresh, "localhost/rich")
    raw = tool("skopeo", "inspect", "--config", "--raw", source, work=scratch)
    assert hashlib.sha256(raw.encode()).hexdigest() == config.removeprefix("sha256:")
    # A copy reads and verifies every blob.
    tool("skopeo", "--insecure-policy", "copy", "-q", source, f"dir:{scratch}/copy", work=scratch)
    assert len(json.loads(open(scratch + "/copy/manifest.json").read())["layers"]) == len(layers)


@pytest.mark.needs_ids
@pytest.mark.parametrize("program", ["podman", "buildah"])
@pytest.mark.parametrize("format", TRANSPORTS)
def test_podman_and_buildah_read_it(fresh, image, work, format, program):
    need(program)
    need("buildah")
    fresh("load", "-q", "-i", image("rich"))
    config, _ = identify(fresh, "localhost/rich")
    # podman takes no path of more than 50 characters, makes a name of it, and its store belongs to other ids.
    path = f"/var/tmp/k{os.getpid()}"
    os.makedirs(path)
    try:
        fresh("save", "--format", format, "-o", path + "/saved", "localhost/rich")
        with open(path + "/policy.json", "w") as file:
            file.write('{"default": [{"type": "insecureAcceptAnything"}]}')
        call = f"{program} --storage-driver vfs --root {path}/root --runroot {path}/run"
        script = (f"{call} load -q --signature-policy {path}/policy.json -i {path}/saved >/dev/null\n" if program == "podman" else
                  f"{call} pull -q --signature-policy {path}/policy.json {TRANSPORTS[format]}:{path}/saved >/dev/null\n")
        outside = [] if os.geteuid() == 0 else ["buildah", "unshare"]
        shown = tool(*outside, "sh", "-euc", script + f"{call} images -q --no-trunc; rm -rf {path}/root {path}/run", work=path)
        assert set(shown.split()) == {config if config.startswith("sha256:") else "sha256:" + config}
    finally:
        shutil.rmtree(path, ignore_errors=True)


def test_umoci_reads_it(fresh, image, scratch):
    need("umoci")
    fresh("load", "-q", "-i", image("busybox"))
    fresh("save", "--format", "oci-dir", "-o", scratch + "/saved", IMAGE)
    rootless = [] if os.geteuid() == 0 and not fresh.single_id else ["--rootless"]
    tool("umoci", "unpack", *rootless, "--image", f"{scratch}/saved:{IMAGE}", scratch + "/bundle", work=scratch)
    assert os.path.exists(scratch + "/bundle/rootfs/bin/busybox")


# What goes wrong.

def test_save_refuses(knarr, scratch):
    with knarr.terminal("save", IMAGE) as terminal:
        terminal.expect("refusing to save to a terminal")
    assert "unknown format" in knarr.error("save", "--format", "zip", "-o", scratch + "/x", IMAGE)
    assert "--compress can only be set" in knarr.error("save", "--compress", "-o", scratch + "/x", IMAGE)
    assert "exclude each other" in knarr.error("save", "--format", "oci-dir", "--compress", "--uncompressed", "-o", scratch + "/x", IMAGE)
    assert "--output is needed" in knarr.error("save", "--format", "oci-dir", IMAGE)
    assert "image not known" in knarr.error("save", "-o", scratch + "/x", "localhost/nothing")
    assert "is a directory" in knarr.error("save", "-o", scratch, IMAGE)
    assert "is no empty directory" in knarr.error("save", "--format", "oci-dir", "-o", os.path.dirname(scratch), IMAGE)
    assert "no such file or directory" in knarr.error("save", "-o", scratch + "/no/where", IMAGE)
    assert os.listdir(scratch) == []


def test_a_full_disk_is_named(knarr):
    assert "no space left on device" in knarr.error("save", "-o", "/dev/full", IMAGE)


def test_an_archive_is_replaced_whole_or_not_at_all(fresh, image, scratch):
    fresh("load", "-q", "-i", image("busybox"))
    with open(scratch + "/saved", "w") as file:
        file.write("before")
    os.symlink("saved", scratch + "/link")
    layer, = os.listdir(fresh.root + "/layers")
    fresh("unshare", "sh", "-c", f"echo x >> {fresh.root}/layers/{layer}/diff/etc/group; truncate -s 3 {fresh.root}/layers/{layer}/diff/etc/passwd")
    for format, path in (("docker-archive", "/saved"), ("oci-archive", "/new"), ("oci-dir", "/directory")):
        message = fresh.error("save", "--format", format, "-o", scratch + path, IMAGE)
        assert 'file "etc/passwd" is shorter than it was' in message
    assert sorted(os.listdir(scratch)) == ["link", "saved"]
    with open(scratch + "/saved") as file:
        assert file.read() == "before"
    assert os.listdir(fresh.root + "/staging") == []


def test_a_link_to_an_archive_stays_one(knarr, scratch):
    os.symlink("saved", scratch + "/link")
    with open(scratch + "/saved", "w") as file:
        file.write("before")
    knarr("save", "-o", scratch + "/link", IMAGE)
    assert os.path.islink(scratch + "/link") and "manifest.json" in members(scratch + "/saved")


# Layers the machine stopped in the middle of.

def forget_durability(engine):
    """As if the machine had stopped before the layer was on the disk."""
    layer, = os.listdir(engine.root + "/layers")
    path = f"{engine.root}/layers/{layer}/meta.json"

    def is_durable():
        with open(path) as file:
            return json.load(file)["durable"]
    eventually(is_durable)  # a process in the background is about to say so
    with open(path) as file:
        record = json.load(file)
    record.update(durable=False, boot_id="00000000-0000-0000-0000-000000000000")
    with open(path, "w") as file:
        json.dump(record, file)
    return layer, is_durable


def test_run_verifies_a_layer_that_may_be_torn(fresh, image):
    fresh("load", "-q", "-i", image("busybox"))
    _, is_durable = forget_durability(fresh)
    assert fresh("run", "--rm", IMAGE, "echo", "it runs") == "it runs"
    assert is_durable()


def test_run_names_a_torn_layer_and_the_cure(fresh, image):
    fresh("load", "-q", "-i", image("busybox"))
    layer, _ = forget_durability(fresh)
    fresh("unshare", "truncate", "-s", "0", f"{fresh.root}/layers/{layer}/diff/bin/busybox")
    text = fresh.fails(125, "run", "--rm", IMAGE, "true")
    assert f'image {IMAGE}: layer sha256:{layer}: file "bin/busybox" is shorter than it was' in text
    assert "knarr load" in text
    # It is out of the way; the image is whole again when it is fetched again.
    assert "is not in the store" in fresh.error("run", "--rm", IMAGE, "true")
    fresh("load", "-q", "-i", image("busybox"))
    assert fresh("run", "--rm", IMAGE, "echo", "it runs") == "it runs"
