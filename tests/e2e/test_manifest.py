# SPDX-License-Identifier: Apache-2.0
"""manifest: lists of images for several platforms, made here and pushed as one index."""

import io
import json
import os
import subprocess
import tarfile
import threading

import images
import oci
import pytest
from bad_registry import BadRegistry, hold
from harness import eventually, list_names
from test_pull import ARCHITECTURE, INSECURE, OTHER, pull, small
from test_push import load, noise, push


@pytest.fixture
def bad():
    with BadRegistry() as registry:
        yield registry


@pytest.fixture
def two(fresh, scratch):
    """Two images of this machine and of another one."""
    ours = load(fresh, scratch, small("ours", architecture=ARCHITECTURE), "localhost/app:ours")
    theirs = load(fresh, scratch, small("theirs", architecture=OTHER), "localhost/app:theirs")
    return ours, theirs


def both_platforms():
    return [({"architecture": one, "os": "linux"}, small("for " + one, architecture=one)) for one in (ARCHITECTURE, OTHER)]


def inspect_list(engine, name, *options):
    return json.loads(engine("manifest", "inspect", *options, name))


def platforms(index):
    return [entry["platform"]["architecture"] for entry in index["manifests"]]


def index_at(bad, reference):
    repository, _, tag = reference.partition(":")
    data, media_type = bad.manifests[repository, bad.tags[repository, tag]]
    index = json.loads(data)
    assert index["mediaType"] == media_type
    return index


# In the store.

def test_a_new_list_is_empty(fresh):
    identity = fresh("manifest", "create", "app:1")
    assert len(identity) == 64
    assert inspect_list(fresh, "app:1") == {"schemaVersion": 2, "mediaType": oci.OCI_INDEX, "manifests": []}
    assert inspect_list(fresh, identity[:12]) == inspect_list(fresh, "localhost/app:1")


def test_images_of_the_store_say_what_they_are_for(fresh, two):
    fresh("manifest", "create", "app:1", two[0])
    fresh("manifest", "add", "app:1", two[1])
    index = inspect_list(fresh, "app:1")
    assert platforms(index) == [ARCHITECTURE, OTHER]
    for entry, name in zip(index["manifests"], two):
        assert entry["digest"] == json.loads(fresh("image", "inspect", name))[0]["Digest"]


def test_adding_twice_is_adding_once(fresh, two):
    fresh("manifest", "create", "app:1", two[0], two[0])
    fresh("manifest", "add", "app:1", two[0])
    assert len(inspect_list(fresh, "app:1")["manifests"]) == 1


def test_a_name_is_taken_once(fresh, two):
    fresh("manifest", "create", "app:1")
    assert "localhost/app:1 is already in use" in fresh.error("manifest", "create", "app:1")
    assert "already in use" in fresh.error("manifest", "create", two[0])


def test_amend_goes_on_with_a_list(fresh, two):
    identity = fresh("manifest", "create", "app:1", two[0])
    assert fresh("manifest", "create", "--amend", "app:1", two[1]) == identity
    assert platforms(inspect_list(fresh, "app:1")) == [ARCHITECTURE, OTHER]
    assert fresh("manifest", "create", "--amend", "app:2", two[1]) != identity


def test_what_an_entry_says_can_be_given(fresh, two):
    fresh("manifest", "create", "app:1")
    fresh("manifest", "add", "--arch=arm", "--variant=v7", "--os=freebsd", "--os-version=14", "--os-features=a,b", "--features=sse4",
          "--annotation=one=1", "--annotation", "two=a=b", "app:1", two[0])
    entry = inspect_list(fresh, "app:1")["manifests"][0]
    assert entry["platform"] == {"architecture": "arm", "variant": "v7", "os": "freebsd", "os.version": "14", "os.features": ["a", "b"],
                                 "features": ["sse4"]}
    assert entry["annotations"] == {"one": "1", "two": "a=b"}


def test_annotate(fresh, two):
    fresh("manifest", "create", "app:1", *two)
    digest = inspect_list(fresh, "app:1")["manifests"][1]["digest"]
    fresh("manifest", "annotate", "--variant=v9", "--annotation=a=b", "app:1", digest)
    fresh("manifest", "annotate", "--os-version=1", "app:1", two[1])
    fresh("manifest", "annotate", "--index", "--annotation=of=the list", "app:1")
    index = inspect_list(fresh, "app:1")
    assert index["manifests"][1]["platform"] == {"architecture": OTHER, "os": "linux", "variant": "v9", "os.version": "1"}
    assert index["manifests"][1]["annotations"] == {"a": "b"}
    assert index["annotations"] == {"of": "the list"}
    assert "annotations" not in index["manifests"][0]


@pytest.mark.parametrize("arguments", [
    ["annotate", "app:1"], ["annotate", "--index", "app:1", "sha256:" + "0" * 64], ["annotate", "app:1", "sha256:" + "0" * 64],
    ["annotate", "--annotation=x", "--index", "app:1"], ["remove", "app:1", "sha256:" + "0" * 64], ["remove", "app:1", "nothing"],
    ["add", "nowhere", "app"], ["create", "UPPER"], ["create", "a@sha256:" + "0" * 64]])
def test_what_cannot_be(fresh, arguments):
    fresh("manifest", "create", "app:1")
    fresh.error("manifest", *arguments)
    assert inspect_list(fresh, "app:1")["manifests"] == []


def test_remove_takes_one_out_and_rm_the_list(fresh, two):
    fresh("manifest", "create", "app:1", *two)
    first, second = inspect_list(fresh, "app:1")["manifests"]
    fresh("manifest", "remove", "app:1", first["digest"])
    assert inspect_list(fresh, "app:1")["manifests"] == [second]
    fresh("manifest", "exists", "app:1")
    fresh("manifest", "rm", "app:1")
    assert fresh.result("manifest", "exists", "app:1").status == 1
    assert not list_names(os.path.join(fresh.root, "lists"))
    fresh("image", "exists", two[0])
    fresh.fails(1, "manifest", "rm", "app:1")
    fresh("manifest", "rm", "--ignore", "app:1")


def test_a_prune_leaves_lists(fresh, two):
    fresh("manifest", "create", "app:1", *two)
    fresh("image", "prune", "-a", "-f")
    assert len(inspect_list(fresh, "app:1")["manifests"]) == 2


def test_several_at_once_lose_nothing(fresh, scratch):
    names = [load(fresh, scratch, small(str(number)), f"localhost/n:{number}") for number in range(6)]
    fresh("manifest", "create", "app:1")
    running = [fresh.popen("manifest", "add", "app:1", name) for name in names]
    assert [process.communicate(timeout=60) and process.returncode for process in running] == [0] * 6
    assert len(inspect_list(fresh, "app:1")["manifests"]) == 6


# At registries.

def test_an_index_of_a_registry_is_shown(fresh, registry):
    name = registry.push_index("lists/show:1", both_platforms())
    assert platforms(inspect_list(fresh, name, INSECURE)) == [ARCHITECTURE, OTHER]


def test_a_single_image_is_shown_with_a_warning(fresh, registry):
    name = registry.push("busybox", "lists/single:1")
    result = fresh.result("manifest", "inspect", INSECURE, name)
    assert result.status == 0 and "layers" in json.loads(result.out) and "single image" in result.err


def test_images_of_a_registry(fresh, registry):
    name = registry.push_index("lists/add:1", both_platforms())
    single = registry.push("busybox", "lists/add:single")
    fresh("manifest", "create", "one:1")
    fresh("manifest", "add", INSECURE, "one:1", name)
    fresh("manifest", "create", INSECURE, "--all", "all:1", "docker://" + name)
    fresh("manifest", "create", INSECURE, "single:1", single)
    fresh("manifest", "add", INSECURE, "--arch", OTHER, "one:1", name)
    assert platforms(inspect_list(fresh, "one:1")) == [ARCHITECTURE, OTHER]
    assert platforms(inspect_list(fresh, "all:1")) == [ARCHITECTURE, OTHER]
    assert inspect_list(fresh, "single:1")["manifests"][0]["digest"] == registry.digest("lists/add:single")


def test_what_no_registry_has(fresh, registry):
    fresh("manifest", "create", "app:1")
    assert "manifest unknown" in fresh.error("manifest", "add", INSECURE, "app:1", registry.name("nobody/has:1"))
    assert "image not known" in fresh.error("manifest", "add", "app:1", "containers-storage:nobody/has:1")


@pytest.mark.parametrize("kind", ["oci", "v2s2"])
def test_a_list_is_pushed_with_its_images(fresh, registry, two, scratch, kind):
    fresh("manifest", "create", "app:1", *two)
    name = registry.name(f"lists/pushed-{kind}:1")
    result = fresh.result("manifest", "push", INSECURE, f"--format={kind}", f"--digestfile={scratch}/digest", "app:1", name)
    assert result.status == 0 and result.out == "", result
    with open(scratch + "/digest") as file:
        assert file.read() == registry.digest(f"lists/pushed-{kind}:1")
    index = inspect_list(fresh, name, INSECURE)
    assert platforms(index) == [ARCHITECTURE, OTHER]
    assert index["mediaType"] == (oci.OCI_INDEX if kind == "oci" else "application/vnd.docker.distribution.manifest.list.v2+json")
    if kind == "v2s2":
        assert {entry["mediaType"] for entry in index["manifests"]} == {oci.DOCKER_MANIFEST}
    expected = json.loads(fresh("image", "inspect", two[1]))[0]["Id"].removeprefix("sha256:")
    fresh("rmi", *two)
    assert pull(fresh, name, f"--arch={OTHER}") == expected


def test_skopeo_and_podman_read_it(fresh, registry, two, scratch, identity):
    if identity == "unshare":
        pytest.skip("skopeo takes `unshare -r` for root and wants root's files")
    fresh("manifest", "create", "app:1", *two)
    name = registry.name("lists/interop:1")
    fresh("manifest", "push", INSECURE, "app:1", name)
    images.skopeo("copy", "-q", "--all", "--src-tls-verify=false", f"docker://{name}", f"oci:{scratch}/layout:it")
    if identity == "root":  # podman's store is simple then
        with open(scratch + "/registries.conf", "w") as file:
            file.write(f'[[registry]]\nlocation = "{registry.address}"\ninsecure = true\n')
        environment = dict(os.environ, HOME=scratch, CONTAINERS_REGISTRIES_CONF=scratch + "/registries.conf")
        shown = subprocess.run(["podman", "manifest", "inspect", name], stdout=subprocess.PIPE, env=environment, check=True)
        assert platforms(json.loads(shown.stdout)) == [ARCHITECTURE, OTHER]


def test_images_of_other_registries_are_copied_as_they_are(fresh, bad, registry):
    name = registry.push_index("lists/copied:1", both_platforms())
    fresh("manifest", "create", INSECURE, "--all", "app:1", name)
    before = inspect_list(fresh, "app:1")
    fresh("manifest", "push", INSECURE, "app:1", bad.name("lists/copy:1"))
    assert index_at(bad, "lists/copy:1") == before
    for entry in before["manifests"]:
        manifest = json.loads(bad.manifests["lists/copy", entry["digest"]][0])
        assert all(blob["digest"] in bad.blobs for blob in manifest["layers"] + [manifest["config"]])


def test_beside_they_are_mounted(fresh, bad):
    bad.add("from/here:1", small("beside"))
    fresh("manifest", "create", INSECURE, "app:1", bad.name("from/here:1"))
    fresh("manifest", "push", INSECURE, "app:1", bad.name("to/there:1"))
    assert bad.count("upload", method="PATCH") == 0
    assert len(index_at(bad, "to/there:1")["manifests"]) == 1


def test_a_blob_that_is_another_one_is_not_passed_on(fresh, bad):
    image = small("honest")
    bad.add("from/here:1", image)
    layer = image.manifest()["layers"][0]["digest"]
    fresh("manifest", "create", INSECURE, "app:1", bad.name("from/here:1"))
    bad.blobs[layer] = bytes(len(bad.blobs[layer]))
    with BadRegistry() as second:
        error = fresh.error("manifest", "push", INSECURE, "app:1", second.name("to/there:1"))
        assert layer in error and ("to/there", "1") not in second.tags


def test_without_images_only_the_list_goes(fresh, bad, two):
    fresh("manifest", "create", "app:1", *two)
    fresh("manifest", "push", INSECURE, "--all=false", "app:1", bad.name("lists/bare:1"))
    assert bad.count("upload") == 0 and len(index_at(bad, "lists/bare:1")["manifests"]) == 2


def test_rm_removes_what_was_pushed(fresh, bad, two):
    name = bad.name("lists/gone:1")
    fresh("manifest", "create", name, *two)
    fresh.error("manifest", "push", "--rm", "--retry=0", name, "127.0.0.1:1/nobody")
    fresh("manifest", "push", INSECURE, "--rm", name)
    assert fresh.result("manifest", "exists", name).status == 1
    assert len(index_at(bad, "lists/gone:1")["manifests"]) == 2


def test_push_takes_a_list_too(fresh, bad, two):
    fresh("manifest", "create", "app:1", *two)
    push(fresh, "app:1", bad.name("lists/push:1"))
    assert len(index_at(bad, "lists/push:1")["manifests"]) == 2


def test_an_image_that_is_gone_is_named(fresh, bad, two):
    fresh("manifest", "create", "app:1", *two)
    digest = inspect_list(fresh, "app:1")["manifests"][1]["digest"]
    fresh("rmi", two[1])
    error = fresh.error("manifest", "push", INSECURE, "app:1", bad.name("lists/gone:1"))
    assert digest in error and "not in the store" in error


@pytest.mark.parametrize("target", ["oci:{}/it:app:1", "oci-archive:{}/it.tar:app:1", "oci:{}/it"])
def test_a_list_goes_into_files_too(fresh, two, scratch, identity, target):
    place = target.format(scratch)
    fresh("manifest", "create", "app:1", *two)
    fresh("manifest", "push", f"--digestfile={scratch}/digest", "app:1", place)
    ids = [json.loads(fresh("image", "inspect", name))[0]["Id"].removeprefix("sha256:") for name in two]
    fresh("rmi", *two)
    assert fresh("pull", "-q", place) == ids[0]
    assert fresh("pull", "-q", f"--arch={OTHER}", place) == ids[1]
    if identity != "unshare":  # skopeo takes `unshare -r` for root
        shown = subprocess.run(["skopeo", "inspect", "--raw", place], stdout=subprocess.PIPE, check=True).stdout
        assert platforms(json.loads(shown)) == [ARCHITECTURE, OTHER]
        with open(scratch + "/digest") as file:
            assert file.read() == oci.sha256(shown)


def test_what_is_being_pushed_can_be_removed(fresh, scratch):
    names = [load(fresh, scratch, noise(1 << 20), f"localhost/{name}:1") for name in ("first", "second")]
    fresh("manifest", "create", "app:1", *names)
    ids = sorted(json.loads(fresh("image", "inspect", name))[0]["Id"] for name in names)
    os.mkfifo(scratch + "/out.tar", 0o666)
    os.chmod(scratch + "/out.tar", 0o666)
    with fresh.popen("manifest", "push", "app:1", f"oci-archive:{scratch}/out.tar") as pushing:
        with open(scratch + "/out.tar", "rb") as pipe:
            archive = pipe.read(1000)  # it holds much more than a pipe does
            fresh("rmi", *names)
            fresh("image", "prune", "-a", "-f")
            archive += pipe.read()
        assert pushing.wait(60) == 0, pushing.stderr.read()
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for info in tar:
            if info.name.startswith("blobs/sha256/") and info.isfile():
                assert oci.sha256(tar.extractfile(info).read()) == "sha256:" + os.path.basename(info.name)
        assert set(ids) <= {os.path.basename(name) for name in tar.getnames()}


def test_while_one_image_is_sent_the_next_can_be_removed(fresh, bad, scratch):
    names = [load(fresh, scratch, small(name), f"localhost/{name}:1") for name in ("first", "second")]
    fresh("manifest", "create", "app:1", *names)
    go_on = threading.Event()
    bad.fault("manifest", hold(go_on), times=1, method="PUT")
    with fresh.popen("manifest", "push", INSECURE, "app:1", bad.name("lists/held:1")) as pushing:
        eventually(lambda: bad.count("manifest", method="PUT") == 1)
        fresh("rmi", *names)
        go_on.set()
        assert pushing.wait(60) == 0, pushing.stderr.read()
    assert len(index_at(bad, "lists/held:1")["manifests"]) == 2


def test_what_files_cannot_hold(fresh, two, scratch):
    fresh("manifest", "create", "app:1", *two)
    assert "docker-archive" in fresh.error("manifest", "push", "app:1", f"docker-archive:{scratch}/it.tar")
    assert "--all" in fresh.error("manifest", "push", "--all=false", "app:1", f"oci:{scratch}/it")
    fresh("rmi", two[1])
    assert "not in the store" in fresh.error("manifest", "push", "app:1", f"oci:{scratch}/it")
    assert not [name for name in list_names(scratch) if not name.startswith("load-")]


# Lists where images are.

def rows(engine, *options):
    """Name, tag and ID."""
    return [line.split()[:3] for line in engine("images", "--noheading", "--no-trunc", *options).splitlines()]


def test_images_shows_lists(fresh, two):
    identity = fresh("manifest", "create", "app:1", *two)
    row, = [row for row in rows(fresh) if row[:2] == ["localhost/app", "1"]]
    assert row[2] == f"sha256:{identity}"
    shown, = [each for each in json.loads(fresh("images", "--format", "json")) if each["Id"] == identity]
    assert shown["Names"] == ["localhost/app:1"] and shown["IsManifestList"] is True
    assert shown["Digest"].startswith("sha256:") and shown["Size"] > 0 and shown["Created"] > 1.6e9
    assert rows(fresh, "--filter", "manifest=true") == [row]
    assert len(rows(fresh, "--filter", "manifest=false")) == 2
    assert "IMAGE ID" in fresh("images", "app")


def test_the_digest_of_a_list_is_that_of_its_push(fresh, bad, two):
    fresh("manifest", "create", "app:1")
    for name in two:  # pushed before, so that their manifests stay as they are
        push(fresh, name, bad.name("lists/digest:" + name.rpartition(":")[2]))
    fresh("manifest", "add", INSECURE, "--all", "app:1", *("docker://" + bad.name("lists/digest:" + tag) for tag in ("ours", "theirs")))
    fresh("manifest", "push", INSECURE, "app:1", bad.name("lists/digest:1"))
    shown, = json.loads(fresh("images", "--format", "json", "--filter", "manifest=true"))
    assert shown["Digest"] == bad.tags["lists/digest", "1"]


def test_lists_have_names_like_images(fresh, two):
    identity = fresh("manifest", "create", "app:1", *two)
    fresh("tag", "app:1", "app:2", "quay.io/me/app:3")
    names = ["localhost/app:1", "localhost/app:2", "quay.io/me/app:3"]
    assert sorted(":".join(row[:2]) for row in rows(fresh, "--filter", "manifest=true")) == names
    assert "more than one tag" in fresh.fails(2, "rmi", identity)
    assert fresh("rmi", "app:2") == "Untagged: localhost/app:2"
    fresh("untag", "app:1", "quay.io/me/app:3")
    assert "tag not known" in fresh.error("untag", "app:1", two[0])
    assert fresh("rmi", identity[:12]).splitlines() == ["Untagged: localhost/app:1", "Deleted: " + identity]
    assert not rows(fresh, "--filter", "manifest=true") and len(rows(fresh)) == 2


def test_a_tag_takes_the_name_off_what_had_it(fresh, two):
    fresh("manifest", "create", "app:1", *two)
    fresh("tag", two[0], "app:1")
    assert fresh("image", "inspect", "--format", "{{.Id}}", "app:1") == fresh("image", "inspect", "--format", "{{.Id}}", two[0])
    fresh("manifest", "create", "app:2")
    fresh("tag", "app:2", two[1])
    fresh("manifest", "exists", two[1])


def test_the_whole_name_of_a_list_comes_before_the_end_of_an_images(fresh, scratch):
    load(fresh, scratch, small("other", architecture=ARCHITECTURE), "quay.io/x/app:1")
    fresh("image", "exists", "app:1")
    fresh("manifest", "create", "app:1")
    fresh("rmi", "app:1")
    fresh("image", "exists", "quay.io/x/app:1")


def test_untagged_lists_can_be_removed_by_id_and_all_at_once(fresh, two):
    identity = fresh("manifest", "create", "app:1", *two)
    fresh("untag", "app:1")
    assert [row[:2] for row in rows(fresh, "--filter", "manifest=true")] == [["<none>", "<none>"]]
    fresh("image", "exists", identity)
    fresh("rmi", "--all")
    assert not rows(fresh) and not list_names(os.path.join(fresh.root, "lists"))


def test_a_list_means_its_image_for_this_machine(fresh, scratch, two):
    busybox = fresh("load", "-q", "-i", images.image_path("busybox")).removeprefix("Loaded image: ")
    fresh("manifest", "create", "app:1", two[1])
    fresh("manifest", "add", "app:1", busybox)
    identity = fresh("image", "inspect", "--format", "{{.Id}}", busybox)
    assert fresh("image", "inspect", "--format", "{{.Id}}", "app:1") == identity
    assert fresh("inspect", "--format", "{{.Id}}", "app:1") == identity
    assert fresh("run", "--rm", "app:1", "echo", "it runs") == "it runs"
    fresh("create", "--name", "made", "app:1", "true")
    assert fresh("inspect", "--format", "{{.ImageName}} {{.Image}}", "made") == f"localhost/app:1 {identity.removeprefix('sha256:')}"
    fresh("create", "--name", "foreign", f"--arch={OTHER}", "app:1", "true")
    other_id = fresh("image", "inspect", "--format", "{{.Id}}", two[1])
    assert fresh("inspect", "--format", "{{.Image}}", "foreign") == other_id.removeprefix("sha256:")
    fresh("save", "-q", "-o", scratch + "/saved.tar", "app:1")
    fresh("rm", "made", "foreign")
    fresh("rmi", "--all")
    assert fresh("load", "-q", "-i", scratch + "/saved.tar") == "Loaded image: localhost/app:1"
    assert fresh("image", "inspect", "--format", "{{.Id}}", "app:1") == identity


def test_a_list_without_an_image_for_this_machine(fresh, two):
    fresh("manifest", "create", "app:1", two[1])
    for verb in (["run"], ["create"], ["image", "inspect"], ["history"]):
        assert f"app:1 has no image for linux/{ARCHITECTURE}" in fresh.error(*verb, "app:1")
    fresh("manifest", "add", "app:1", two[0])
    fresh("rmi", two[0])
    assert "is not in the local store" in fresh.error("create", "app:1", "true")


def test_an_image_of_a_list_is_pulled_when_it_runs(fresh, bad):
    bad.add("from/here:1", oci.Image([oci.busybox_layer()]))
    fresh("manifest", "create", INSECURE, "app:1", bad.name("from/here:1"))
    error = fresh.fails(125, "create", "--pull=never", "app:1", "true")
    assert "is not in the local store" in error and bad.name("from/here@sha256:") in error
    assert fresh("run", INSECURE, "--rm", "-q", "app:1", "echo", "pulled") == "pulled"
    assert fresh("run", "--rm", "app:1", "echo", "again") == "again"


def test_the_check_knows_lists(fresh, two):
    identity = fresh("manifest", "create", "app:1", *two)
    fresh("system", "check", "--repair")
    fresh("manifest", "exists", "app:1")
    with open(os.path.join(fresh.root, "lists", identity, "list.json"), "w") as file:
        file.write("{")
    result = fresh.result("system", "check")
    assert result.status == 1 and f"manifest list {identity}" in result.out + result.err
    assert "list.json" in fresh.result("images").err and len(rows(fresh)) == 2
    assert "make the list again" in fresh.result("system", "check", "--repair").out
    eventually(lambda: fresh("system", "check") == "No damage.")
    fresh("manifest", "create", "app:1")


@pytest.mark.parametrize("target", ["oci:{}/it", "oci-archive:{}/it.tar:app:1", "dir:{}/it"])
def test_what_registries_have_goes_into_files(fresh, registry, two, scratch, identity, target):
    place = target.format(scratch)
    theirs = registry.push_index("lists/into-files:1", both_platforms())
    fresh("manifest", "create", INSECURE, "--all", "app:1", theirs)
    before = inspect_list(fresh, "app:1")
    fresh("manifest", "push", f"--tls-verify=false", "app:1", place)
    for one in (ARCHITECTURE, OTHER):
        assert pull(fresh, place, f"--arch={one}") == pull(fresh, theirs, f"--arch={one}")
    if identity != "unshare":  # skopeo takes `unshare -r` for root
        shown = subprocess.run(["skopeo", "inspect", "--raw", place], stdout=subprocess.PIPE, check=True).stdout
        assert json.loads(shown) == before
        images.skopeo("copy", "-q", "--all", place, f"oci:{scratch}/again:it")


def test_a_list_of_both_kinds_in_a_directory(fresh, registry, two, scratch):
    fresh("manifest", "create", INSECURE, "app:1", two[1], registry.push("busybox", "lists/both:1"))
    fresh("manifest", "push", INSECURE, "--format=v2s2", "app:1", f"dir:{scratch}/it")
    with open(scratch + "/it/manifest.json") as file:
        assert json.load(file)["mediaType"] == "application/vnd.docker.distribution.manifest.list.v2+json"
    expected = fresh("image", "inspect", "--format", "{{.Id}}", two[1]).removeprefix("sha256:")
    fresh("rmi", two[1])
    assert fresh("pull", "-q", f"--arch={OTHER}", f"dir:{scratch}/it") == expected
    fresh("load", "-q", "-i", scratch + "/it")


def test_a_wrong_blob_gets_into_no_file(fresh, bad, scratch):
    image = small("honest")
    bad.add("from/here:1", image)
    layer = image.manifest()["layers"][0]["digest"]
    fresh("manifest", "create", INSECURE, "app:1", bad.name("from/here:1"))
    bad.blobs[layer] = bytes(len(bad.blobs[layer]))
    error = fresh.error("manifest", "push", INSECURE, "app:1", f"oci-archive:{scratch}/it.tar")
    assert layer in error and not os.path.exists(scratch + "/it.tar")
