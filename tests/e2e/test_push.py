# SPDX-License-Identifier: Apache-2.0
"""push: who reads what it sends, what it need not send, and registries that misbehave."""

import hashlib
import json
import os
import random
import re
import signal
import subprocess
import tempfile
import threading

import images
import oci
import pytest
from bad_registry import BadRegistry, cut_upload, expire_tokens, header, hold, status, want_length
from harness import list_names
from test_pull import INSECURE, NOBODY, chunked_image, chunked_manifest, contents_of, inspect_image, layer_digests, small

RETRY = ["--retry=3", "--retry-delay=10ms"]


@pytest.fixture
def bad():
    with BadRegistry() as registry:
        yield registry


def load(engine, scratch, image, name="localhost/pushed:latest"):
    """An oci.Image in the store, which no registry has."""
    path = os.path.join(scratch, f"load-{hashlib.sha256(image.config_bytes()).hexdigest()[:12]}.tar")
    image.name = name
    oci.write_docker_archive(path, [image])
    engine("load", "-q", "-i", path)
    return name


def push(engine, name, *destination, options=(), **more):
    """Pushes; returns what it said."""
    result = engine.result("push", INSECURE, *options, name, *destination, **more)
    assert result.status == 0 and result.out == "", result
    return result.err


def push_error(engine, name, destination, *options, **more):
    before = contents_of(engine)
    error = engine.error("push", INSECURE, "--retry=0", *options, name, destination, **more)
    assert contents_of(engine) == before
    return error


def identify(engine, name):
    image = inspect_image(engine, name)
    return image["Id"], image["RootFS"]["Layers"]


def read_manifest(registry, reference):
    """The manifest a registry.Registry has."""
    out = subprocess.run(["skopeo", "inspect", "--raw", *registry.client_options(), f"docker://{registry.name(reference)}"],
                         stdout=subprocess.PIPE, check=True).stdout
    return json.loads(out)


def manifest_of(bad, reference):
    repository, _, tag = reference.partition(":")
    return json.loads(bad.manifests[repository, bad.tags[repository, tag]][0])


def uploads(bad):
    return bad.asked("upload", method="PATCH") + bad.asked("upload", method="PUT")


def noise(size):
    """An image whose layer no compression makes much smaller."""
    return oci.Image([oci.Layer().file("noise", random.randbytes(size))])


# Who reads it.

@pytest.mark.parametrize("name", ["rich", "layers120", "rich-docker", "zstd", "skopeo-docker-archive"])
def test_an_image_comes_back_as_it_was(fresh, other, registry, image, name):
    fresh("load", "-q", "-i", image(name))
    local = fresh("images", "--format", "{{.Repository}}:{{.Tag}}").splitlines()[0]
    remote = registry.name(f"back/{name}:1")
    push(fresh, local, remote)
    other("pull", INSECURE, "-q", remote)
    assert identify(other, remote) == identify(fresh, local)


VARIANTS = [[], ["--format=v2s2"], ["--compression-format=zstd"], ["--compression-level=9"]]


@pytest.fixture
def with_tools(identity):
    """Tools of the field, which want to be root or an ordinary user."""
    if identity == "unshare":
        pytest.skip("skopeo takes `unshare -r` for root and wants root's files")


def test_skopeo_reads_it(fresh, registry, scratch, with_tools):
    name = load(fresh, scratch, images.busybox_image())
    for number, options in enumerate(VARIANTS):
        remote = registry.name(f"interop/skopeo:{number}")
        push(fresh, name, remote, options=options)
        for target in (f"oci:{scratch}/oci{number}:box", f"dir:{scratch}/dir{number}"):
            images.skopeo("copy", "-q", "--src-tls-verify=false", f"docker://{remote}", target)


@pytest.mark.parametrize("program", ["podman", "buildah"])
def test_podman_and_buildah_read_it(fresh, registry, scratch, identity, program):
    if identity != "root":
        pytest.skip("root does it: their stores are simple then")
    name = load(fresh, scratch, images.busybox_image())
    with tempfile.TemporaryDirectory(prefix="k", dir="/var/tmp") as work:  # podman: at most 50 characters
        store = ["--storage-driver", "vfs", "--root", work + "/root", "--runroot", work + "/run"]
        for number, options in enumerate(VARIANTS):
            remote = registry.name(f"interop/{program}:{number}")
            push(fresh, name, remote, options=options)
            pulled = subprocess.run([program, *store, "pull", "-q", "--tls-verify=false", remote], stdout=subprocess.PIPE, text=True)
            assert pulled.returncode == 0
            assert pulled.stdout.strip() == identify(fresh, name)[0].removeprefix("sha256:")


def test_umoci_unpacks_it(fresh, registry, scratch, identity, with_tools):
    name = load(fresh, scratch, small("one", "two"))
    remote = registry.name("interop/umoci:1")
    push(fresh, name, remote)
    images.skopeo("copy", "-q", "--src-tls-verify=false", f"docker://{remote}", f"oci:{scratch}/layout:it")
    rootless = [] if identity == "root" else ["--rootless"]
    images.run("umoci", "unpack", *rootless, "--image", f"{scratch}/layout:it", scratch + "/bundle")
    with open(scratch + "/bundle/rootfs/file1") as file:
        assert file.read() == "two"


def test_tls_and_password(fresh, other, private_registry, scratch):
    name = load(fresh, scratch, small("secret"))
    remote = private_registry.name("team/app:1")
    certificates, credentials = f"--cert-dir={private_registry.certificates}", "--creds=" + ":".join(private_registry.credentials)
    error = fresh.error("push", certificates, "--retry=0", name, remote)
    assert "unauthorized" in error or "authentication" in error
    assert "certificate" in fresh.error("push", credentials, "--retry=0", name, remote)
    fresh("push", certificates, credentials, name, remote)
    other("pull", "-q", certificates, credentials, remote)
    assert identify(other, remote) == identify(fresh, name)


def test_the_login_is_used(fresh, private_registry, scratch):
    name = load(fresh, scratch, small("login"))
    auth, certificates = f"--authfile={scratch}/auth.json", f"--cert-dir={private_registry.certificates}"
    user, password = private_registry.credentials
    fresh("login", auth, certificates, "-u", user, "--password-stdin", private_registry.address, input=password)
    fresh("push", auth, certificates, name, private_registry.name("team/login:1"))


# What it is called, and what it says.

def test_its_own_name_says_where_to(fresh, registry, scratch):
    name = load(fresh, scratch, small("named"), registry.name("own/name:7"))
    push(fresh, name)
    assert registry.digest("own/name:7")


def test_a_destination_may_have_the_transport_in_front(fresh, registry, scratch):
    name = load(fresh, scratch, small("named"))
    push(fresh, name, "docker://" + registry.name("with/transport"))
    assert registry.digest("with/transport:latest")


def test_an_id_needs_a_destination(fresh, scratch):
    name = load(fresh, scratch, small("id"))
    identity = identify(fresh, name)[0]
    assert "say where" in fresh.error("push", identity)


def test_a_digest_is_no_destination(fresh, registry, scratch):
    name = load(fresh, scratch, small("id"))
    assert "digest" in fresh.error("push", name, registry.name("a@sha256:" + "a" * 64))


def test_an_image_that_is_not_there(fresh):
    assert "nobody/knows: image not known" in fresh.error("push", "nobody/knows", "localhost:1/x")


def test_the_digestfile_has_the_digest_of_the_manifest(fresh, registry, scratch):
    name = load(fresh, scratch, small("digest"))
    push(fresh, name, registry.name("with/digest:1"), options=[f"--digestfile={scratch}/digest"])
    with open(scratch + "/digest") as file:
        assert file.read() == registry.digest("with/digest:1")


def test_quiet_says_nothing_and_otherwise_each_layer_has_a_line(fresh, registry, scratch):
    name = load(fresh, scratch, small("said", "twice"))
    said = push(fresh, name, registry.name("said/loud:1"))
    assert len(re.findall(r"^Copying blob [0-9a-f]{12} done \(", said, re.M)) == 2
    assert push(fresh, name, registry.name("said/quiet:1"), options=["--quiet"]) == ""
    said = push(fresh, name, registry.name("said/loud:2"))
    assert len(re.findall("skipped: already exists", said)) == 2


@pytest.mark.parametrize("option", ["--sign-by=key", "--sign-by-sigstore-private-key=key", "--encryption-key=jwe:key", "--encrypt-layer=0",
                                    "--compression-format=zstd:chunked", "--format=v2s1"])
def test_what_is_not_there_yet_is_refused(fresh, option):
    assert "not supported" in fresh.error("push", option, "a", "b") or "no longer supported" in fresh.error("push", option, "a", "b")


@pytest.mark.parametrize("option", ["--compression-level=10", "--compression-format=lzma", "--format=v3"])
def test_values_that_are_none(fresh, option):
    fresh.error("push", option, "a", "b")


def test_a_blocked_registry(fresh, registry, scratch):
    name = load(fresh, scratch, small("blocked"))
    path = os.path.join(scratch, "registries.conf")
    with open(path, "w") as file:
        file.write(f'[[registry]]\nlocation = "{registry.address}"\nblocked = true\n')
    error = fresh.error("push", name, registry.name("a/b"), env={"CONTAINERS_REGISTRIES_CONF": path})
    assert "blocked" in error


def test_an_insecure_registry_by_its_configuration(fresh, registry, scratch):
    name = load(fresh, scratch, small("insecure"))
    path = os.path.join(scratch, "registries.conf")
    with open(path, "w") as file:
        file.write(f'[[registry]]\nlocation = "{registry.address}"\ninsecure = true\n')
    fresh("push", name, registry.name("by/config:1"), env={"CONTAINERS_REGISTRIES_CONF": path})
    fresh.error("push", "--retry=0", "--tls-verify=true", name, registry.name("by/config:2"), env={"CONTAINERS_REGISTRIES_CONF": path})


def test_nobody_listens(fresh, scratch):
    name = load(fresh, scratch, small("nobody"))
    assert "connection refused" in push_error(fresh, name, NOBODY + "/a")


# Formats.

def test_format_and_compression(fresh, registry, scratch):
    name = load(fresh, scratch, small("formats", "x" * 10000))
    for number, (options, kind, layer) in enumerate([
            ([], oci.OCI_MANIFEST, oci.OCI_LAYER + "+gzip"),
            (["--format=v2s2"], oci.DOCKER_MANIFEST, "application/vnd.docker.image.rootfs.diff.tar.gzip"),
            (["--format=oci", "--compression-format=zstd"], oci.OCI_MANIFEST, oci.OCI_LAYER + "+zstd"),
            (["--compression-format=zstd", "--compression-level=12"], oci.OCI_MANIFEST, oci.OCI_LAYER + "+zstd")]):
        push(fresh, name, registry.name(f"formats/it:{number}"), options=options)
        manifest = read_manifest(registry, f"formats/it:{number}")
        assert manifest["mediaType"] == kind and {each["mediaType"] for each in manifest["layers"]} == {layer}


def test_zstd_is_nothing_for_dockers_manifests(fresh):
    fresh("load", "-q", "-i", images.image_path("busybox"))
    assert "oci" in fresh.error("push", "--format=v2s2", "--compression-format=zstd", "localhost/busybox", NOBODY + "/a")


# What need not be sent.

def test_what_was_pulled_keeps_its_digest(fresh, registry):
    """To where it came from, by a new name there, and by mounting into a repository beside."""
    name = registry.push("busybox", "keep/origin:1")
    digest = registry.digest("keep/origin:1")
    fresh("pull", "-q", INSECURE, name)
    for reference in ("keep/origin:2", "keep/elsewhere:1"):
        said = push(fresh, name, registry.name(reference))
        assert registry.digest(reference) == digest
        assert "done (" not in said
    assert "mounted" in said


@pytest.mark.parametrize("docker", [False, True])
def test_every_kind_of_manifest_keeps_its_digest(fresh, bad, docker):
    image = small("kinds", "two", docker=docker, compression="gzip")
    name = bad.add("from/here:1", image)
    fresh("pull", "-q", INSECURE, name)
    bad.forget()
    push(fresh, name, bad.name("to/there:1"))
    assert bad.tags["to/there", "1"] == bad.tags["from/here", "1"]
    mounts = bad.asked("upload", method="POST")
    assert [request.query.get("from") for request in mounts if "mount" in request.query] == ["from/here"] * 2
    assert not bad.asked("upload", method="PATCH")


def test_zstd_chunked_keeps_its_digest(fresh, bad):
    image = chunked_image()
    bad.add("from/here:1", image)
    bad.add_manifest("from/here:1", chunked_manifest(image))
    fresh("pull", "-q", INSECURE, bad.name("from/here:1"))
    push(fresh, bad.name("from/here:1"), bad.name("to/there:1"))
    assert bad.tags["to/there", "1"] == bad.tags["from/here", "1"]


def test_where_nothing_can_be_mounted_it_is_sent(fresh, bad):
    name = bad.add("from/here:1", small("unmountable"))
    fresh("pull", "-q", INSECURE, name)

    def refuse_mount(request, answer):
        if "mount" in request.query:
            identity = "given-up"
            bad.uploads[identity] = b""
            bad.links.discard(("to/there", request.query["mount"]))
            answer.status, answer.headers = 202, {"Location": f"/v2/to/there/blobs/uploads/{identity}"}
    bad.fault("upload", refuse_mount, method="POST")
    push(fresh, name, bad.name("to/there:1"))
    assert len(manifest_of(bad, "to/there:1")["layers"]) == 1
    assert bad.asked("upload", "given-up", "DELETE"), "the upload that took the place of the mount stays open"


def test_what_a_manifest_says_of_layers_that_were_there_is_not_believed(fresh, bad, scratch):
    """A registry that calls its own blob the layer of another image must not get it into what we push."""
    image = small("honest")
    load(fresh, scratch, image)
    liar = small("honest")
    liar.blobs = [oci.compress(b"something else entirely", "gzip")]
    name = bad.add("lies/here:1", liar)
    fresh("pull", "-q", INSECURE, name)
    push(fresh, name, bad.name("lies/there:1"))
    assert [each["digest"] for each in manifest_of(bad, "lies/there:1")["layers"]] != layer_digests(liar)


def test_what_was_adopted_goes_where_its_layers_are(fresh, registry, scratch, identity):
    """There is no tar of such layers, but podman knows as what they came."""
    if identity != "root":
        pytest.skip("root does it: podman's store is simple then")
    name = registry.push("busybox", "adopted/box:1")
    with tempfile.TemporaryDirectory(prefix="k", dir="/var/tmp") as work:
        store = ["--storage-driver", "overlay", "--root", work + "/root", "--runroot", work + "/run"]
        subprocess.run(["podman", *store, "pull", "-q", "--tls-verify=false", name], stdout=subprocess.DEVNULL, check=True)
        fresh("system", "adopt", "--from", work + "/root")
    push(fresh, name, registry.name("adopted/box:2"))
    assert registry.digest("adopted/box:2") == registry.digest("adopted/box:1")
    with BadRegistry() as bad:
        result = fresh.result("push", INSECURE, name, bad.name("adopted/box:1"))
        assert result.status == 125 and "write it out again" in result.err and "pull it again" in result.err, result


def test_a_second_push_sends_nothing(fresh, bad, scratch):
    name = load(fresh, scratch, small("again", "and again"))
    push(fresh, name, bad.name("again/it:1"))
    bad.forget()
    push(fresh, name, bad.name("again/it:2"))
    assert bad.count("upload") == 0
    assert bad.tags["again/it", "1"] == bad.tags["again/it", "2"]


def test_what_the_registry_has_lost_is_sent_again(fresh, bad, scratch):
    name = load(fresh, scratch, small("lost"))
    push(fresh, name, bad.name("lost/it:1"))
    digests = [each["digest"] for each in manifest_of(bad, "lost/it:1")["layers"]]
    for digest in digests:
        del bad.blobs[digest]
        bad.links.discard(("lost/it", digest))
    push(fresh, name, bad.name("lost/it:2"))
    assert all(digest in bad.blobs for digest in digests)


def test_forced_compression_sends_anew(fresh, bad, scratch):
    name = load(fresh, scratch, small("forced"))
    push(fresh, name, bad.name("forced/it:1"))
    push(fresh, name, bad.name("forced/it:2"), options=["--compression-format=zstd", "--force-compression=false"])
    assert manifest_of(bad, "forced/it:2")["layers"][0]["mediaType"].endswith("+gzip")
    push(fresh, name, bad.name("forced/it:3"), options=["--compression-format=zstd"])
    assert manifest_of(bad, "forced/it:3")["layers"][0]["mediaType"].endswith("+zstd")


def test_the_same_layer_twice_travels_once(fresh, bad, scratch):
    layer = oci.Layer().file("twice", "twice")
    base = oci.Layer().file("base", "base")
    name = load(fresh, scratch, oci.Image([layer, base, layer]))
    push(fresh, name, bad.name("twice/it:1"))
    layers = [each["digest"] for each in manifest_of(bad, "twice/it:1")["layers"]]
    assert layers[0] == layers[2] != layers[1]
    assert bad.count("upload", method="PATCH") == 2


def test_foreign_layers_stay_where_they_are(fresh, bad):
    image = small("mine", "theirs", docker=True)
    manifest = image.manifest()
    foreign = manifest["layers"][1]
    foreign["mediaType"] = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    foreign["urls"] = [f"{bad.url}/v2/elsewhere/blobs/{foreign['digest']}"]
    bad.add("foreign/it:1", image)
    bad.add_blob(image.blobs[1], repository="elsewhere")
    bad.add_manifest("foreign/it:1", manifest)
    fresh("pull", "-q", INSECURE, bad.name("foreign/it:1"))
    with BadRegistry() as second:
        push(fresh, bad.name("foreign/it:1"), second.name("foreign/it:1"))
        layers = manifest_of(second, "foreign/it:1")["layers"]
        assert layers[1] == foreign and foreign["digest"] not in second.blobs


# Registries that misbehave.

def test_a_broken_upload_goes_on_where_it_was(fresh, bad, scratch):
    name = load(fresh, scratch, noise(3_000_000))
    bad.fault("upload", cut_upload(1_000_000), times=1, method="PATCH")
    push(fresh, name, bad.name("cut/it:1"), options=RETRY)
    first, second = bad.asked("upload", method="PATCH")
    assert len(first.body) == 1_000_000 and 1_900_000 < len(second.body) < 2_100_000
    assert oci.sha256(first.body + second.body) == manifest_of(bad, "cut/it:1")["layers"][0]["digest"]


def test_a_registry_that_forgot_the_upload_gets_it_from_the_start(fresh, bad, scratch):
    name = load(fresh, scratch, noise(500_000))
    bad.fault("upload", cut_upload(100_000), times=1, method="PATCH")
    bad.fault("upload", status(404), times=1, method="GET")
    push(fresh, name, bad.name("cut/it:1"), options=RETRY)
    assert len(bad.asked("upload", method="PATCH")[1].body) > 490_000


def test_a_wrong_offset_costs_a_second_upload_and_no_wrong_blob(fresh, bad, scratch):
    name = load(fresh, scratch, noise(500_000))
    bad.fault("upload", cut_upload(100_000), times=1, method="PATCH")
    bad.fault("upload", header("Range", "0-149999"), times=1, method="GET")
    push(fresh, name, bad.name("cut/it:1"), options=RETRY)
    assert bad.count("upload", method="PATCH") == 3
    assert manifest_of(bad, "cut/it:1")["layers"][0]["digest"] in bad.blobs


@pytest.mark.parametrize("code, early", [(411, False), (411, True), (400, False), (501, False)])
def test_a_registry_that_wants_lengths_gets_them(fresh, bad, scratch, code, early):
    name = load(fresh, scratch, noise(3_000_000))
    bad.fault("upload", want_length(code, early), method="PATCH")
    push(fresh, name, bad.name("length/it:1"), options=RETRY)
    *refused, taken = bad.asked("upload", method="PATCH")
    assert [request.status for request in refused] == [code] * len(refused) and len(refused) <= (2 if early else 1)
    assert int(taken.headers["content-length"]) == len(taken.body) > 2_900_000
    assert manifest_of(bad, "length/it:1")["layers"][0]["digest"] in bad.blobs
    assert not list_names(os.path.join(fresh.root, "staging"))


def test_with_a_length_a_broken_upload_goes_on_too(fresh, bad, scratch):
    name = load(fresh, scratch, noise(3_000_000))
    bad.fault("upload", want_length(411), times=1, method="PATCH")
    bad.fault("upload", cut_upload(1_000_000), times=1, method="PATCH")
    push(fresh, name, bad.name("length/it:2"), options=RETRY)
    assert manifest_of(bad, "length/it:2")["layers"][0]["digest"] in bad.blobs


def test_what_is_refused_with_a_length_too_is_an_error(fresh, bad, scratch):
    name = load(fresh, scratch, small("refused"))
    bad.fault("upload", status(411), method="PATCH")
    assert "411" in push_error(fresh, name, bad.name("length/it:3"))
    assert bad.count("upload", method="PATCH") == 2


def test_uploads_that_always_break_end_with_an_error(fresh, bad, scratch):
    name = load(fresh, scratch, noise(500_000))
    bad.fault("upload", cut_upload(0), method="PATCH")
    error = fresh.error("push", INSECURE, "--retry=2", "--retry-delay=1ms", name, bad.name("cut/it:1"))
    assert bad.address in error and "uploading" in error
    assert bad.count("upload", method="PATCH") == 3
    assert ("cut/it", "1") not in bad.tags


def test_the_answer_to_the_end_of_an_upload_is_lost(fresh, bad, scratch):
    name = load(fresh, scratch, small("lost answer"))

    def lose(request, answer):
        answer.status, answer.cut = 503, None
    bad.fault("upload", lose, times=1, method="PUT")
    push(fresh, name, bad.name("lost/it:1"), options=RETRY)
    assert bad.count("upload", method="PATCH") == 1


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT"])
def test_a_busy_registry_is_asked_again(fresh, bad, scratch, method):
    name = load(fresh, scratch, small("busy"))
    bad.fault("upload", status(429, Retry_After="0"), times=2, method=method)
    push(fresh, name, bad.name("busy/it:1"), options=RETRY)
    assert len(manifest_of(bad, "busy/it:1")["layers"]) == 1


def test_a_busy_registry_takes_the_manifest_later(fresh, bad, scratch):
    name = load(fresh, scratch, small("busy"))
    bad.fault("manifest", status(503), times=1, method="PUT")
    push(fresh, name, bad.name("busy/it:1"), options=RETRY)
    assert manifest_of(bad, "busy/it:1")


@pytest.mark.parametrize("location", [None, "ftp://elsewhere/", "http://"])
def test_an_upload_to_nowhere(fresh, bad, scratch, location):
    name = load(fresh, scratch, small("nowhere"))
    bad.fault("upload", header("Location", location), method="POST")
    assert bad.address in push_error(fresh, name, bad.name("nowhere/it:1"))


def test_an_upload_may_go_to_another_host_without_our_password(fresh, scratch):
    with BadRegistry(credentials=("user", "secret"), auth="basic") as bad, BadRegistry() as store:
        name = load(fresh, scratch, small("elsewhere"))

        def elsewhere(request, answer):
            identity = "there"
            store.uploads[identity] = b""
            answer.headers["Location"] = f"{store.url}/v2/else/where/blobs/uploads/{identity}"
        bad.fault("upload", elsewhere, times=1, method="POST")
        push(fresh, name, bad.name("else/where:1"), options=["--creds=user:secret"])
        assert store.count("upload", method="PATCH") == 1
        assert all("authorization" not in request.headers for request in store.requests)


def test_a_registry_that_stores_another_manifest(fresh, bad, scratch):
    name = load(fresh, scratch, small("other"))
    bad.fault("manifest", header("Docker-Content-Digest", "sha256:" + "0" * 64), method="PUT")
    assert "digest" in push_error(fresh, name, bad.name("other/it:1"))


def test_who_may_not_push_is_told_so(fresh, bad, scratch):
    name = load(fresh, scratch, small("denied"))
    bad.fault("upload", status(403), method="POST")
    error = push_error(fresh, name, bad.name("denied/it:1"))
    assert "denied" in error and bad.address in error


@pytest.mark.parametrize("kind", ["basic", "bearer"])
def test_credentials(fresh, scratch, kind):
    name = load(fresh, scratch, small("credentials"))
    with BadRegistry(credentials=("user", "secret"), auth=kind) as bad:
        push(fresh, name, bad.name("in/it:1"), options=["--creds=user:secret"])
        assert manifest_of(bad, "in/it:1")
        if kind == "bearer":
            assert "repository:in/it:pull,push" in bad.asked("token")[0].query.get("scope", "")
        assert "unauthorized" in push_error(fresh, name, bad.name("in/it:2"), "--creds=user:wrong")


def test_a_token_that_expires_in_the_middle_is_fetched_anew(fresh, scratch):
    name = load(fresh, scratch, small("expires", "in the", "middle"))
    with BadRegistry(credentials=("user", "secret"), auth="bearer") as bad:
        bad.fault("upload", expire_tokens(bad), times=1, method="POST")
        push(fresh, name, bad.name("in/it:1"), options=["--creds=user:secret"])
        assert len(manifest_of(bad, "in/it:1")["layers"]) == 3


def test_one_layer_that_fails_ends_the_others(fresh, bad, scratch):
    name = load(fresh, scratch, small("a", "b", "c", "d", "e", "f"))
    bad.fault("upload", status(403), method="PATCH")
    push_error(fresh, name, bad.name("fails/it:1"))
    assert bad.count("upload", method="PATCH") <= 3


# What is left behind.

def test_a_killed_push_leaves_the_store_clean_and_is_repeated(fresh, bad, scratch):
    name = load(fresh, scratch, oci.Image([oci.Layer().file("a", random.randbytes(200_000)), oci.Layer().file("b", random.randbytes(3_000_000))]))
    reached = threading.Event()
    bad.fault("upload", hold(reached), times=1, method="PUT")
    process = fresh.popen("push", INSECURE, name, bad.name("killed/it:1"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    bad.wait_for(lambda: any(request.method == "PUT" for request in bad.requests if request.kind == "upload"))
    process.send_signal(signal.SIGKILL)
    process.wait()
    reached.set()
    push(fresh, name, bad.name("killed/it:1"))
    assert not list_names(os.path.join(fresh.root, "staging"))
    assert len(manifest_of(bad, "killed/it:1")["layers"]) == 2


def test_layers_that_went_before_a_kill_are_not_sent_again(fresh, bad, scratch):
    name = load(fresh, scratch, small("first", "second"))
    held = threading.Event()
    bad.fault("manifest", hold(held), times=1, method="PUT")
    process = fresh.popen("push", INSECURE, name, bad.name("killed/it:1"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    bad.wait_for(lambda: any(request.kind == "manifest" and request.method == "PUT" for request in bad.requests))
    process.send_signal(signal.SIGKILL)
    process.wait()
    held.set()
    bad.forget()
    push(fresh, name, bad.name("killed/it:1"))
    assert bad.count("upload", method="PATCH") == 0


def test_layers_may_not_be_removed_under_a_push(fresh, bad, scratch):
    name = load(fresh, scratch, small("removed"))
    held = threading.Event()
    bad.fault("upload", hold(held), times=1, method="POST")
    process = fresh.popen("push", INSECURE, name, bad.name("removed/it:1"))
    bad.wait_for(lambda: any(request.kind == "upload" for request in bad.requests))
    layers = list_names(os.path.join(fresh.root, "layers"))
    fresh("rmi", name)
    assert list_names(os.path.join(fresh.root, "layers")) == layers
    held.set()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert len(manifest_of(bad, "removed/it:1")["layers"]) == 1


def test_a_damaged_layer_is_not_pushed(fresh, bad, scratch):
    name = load(fresh, scratch, small("intact"))
    layer = identify(fresh, name)[1][0].split(":")[1]
    fresh("unshare", "sh", "-c", f"echo broken > {fresh.root}/layers/{layer}/diff/file0")
    error = push_error(fresh, name, bad.name("damaged/it:1"))
    assert layer in error and "file0" in error
    assert ("damaged/it", "1") not in bad.tags


def test_memory_stays_small(fresh, bad, scratch):
    """Three large layers at once."""
    name = load(fresh, scratch, oci.Image([oci.Layer().file(f"noise{i}", random.randbytes(20_000_000)) for i in range(3)], compression=""))
    held = threading.Event()
    bad.fault("manifest", hold(held), times=1, method="PUT")
    process = fresh.popen("push", "-q", INSECURE, name, bad.name("large/it:1"))
    bad.wait_for(lambda: any(request.kind == "manifest" and request.method == "PUT" for request in bad.requests), seconds=60)
    with open(f"/proc/{process.pid}/status") as file:
        peak = int(re.search(r"VmHWM:\s*(\d+) kB", file.read()).group(1))
    held.set()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert peak < 40 * 1024, peak
