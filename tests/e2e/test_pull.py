# SPDX-License-Identifier: Apache-2.0
"""pull, and what run and create pull: names, mirrors, platforms, policies, credentials, and registries that misbehave."""

import base64
import functools
import gzip
import json
import os
import platform
import random
import re
import signal
import tarfile
import threading
import time

import images
import oci
import pytest
from bad_registry import (BadRegistry, body, corrupt, cut, endless, expire_tokens, header, hold, ignore_range, redirect, refuse_range, slow, status,
                          wrong_content_range)
from harness import PATIENCE, eventually, list_names
from registry import index_of

INSECURE = "--tls-verify=false"
PLACES = ("staging", "layers", "images", "refs", "blobs/sha256", "downloads")
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
OTHER = "arm64" if ARCHITECTURE != "arm64" else "amd64"
NOBODY = "127.0.0.1:1"  # where nobody listens


@functools.cache
def busybox(**more):
    return images.busybox_image(**more)


def small(*contents, **more):
    """An image of one small layer for each text."""
    layers = [oci.Layer().file(f"file{number}", content) for number, content in enumerate(contents or ["small"])]
    return oci.Image(layers, **more)


def random_image(size):
    """One layer that no compression makes smaller."""
    image = oci.Image([oci.Layer().file("random", random.randbytes(size))], compression="")
    image.compression, image.blobs = "gzip", [gzip.compress(image.tars[0], compresslevel=0, mtime=0)]
    return image


def layer_digests(image):
    return [oci.sha256(blob) for blob in image.blobs]


def image_id(image):
    return oci.sha256(image.config_bytes()).split(":")[1]


@pytest.fixture
def bad():
    with BadRegistry() as registry:
        yield registry


@pytest.fixture(scope="module")
def box(registry):
    """The full name of busybox in the real registry."""
    return registry.push("busybox", "some/box:1")


@pytest.fixture
def beyond_podman(engine):
    if engine.ignored_command():
        pytest.skip("about what knarr promises beyond podman")


@pytest.fixture
def registries_conf(scratch):
    """registries_conf(text) is the environment with that file."""
    def write(text):
        path = os.path.join(scratch, "registries.conf")
        with open(path, "w") as file:
            file.write(text)
        return {"CONTAINERS_REGISTRIES_CONF": path}
    return write


def insecure(*registries):
    return "".join(f'[[registry]]\nlocation = "{one.address}"\ninsecure = true\n' for one in registries)


def contents_of(engine):
    return {place: sorted(list_names(os.path.join(engine.root, place))) for place in PLACES}


def inspect_image(engine, name):
    return json.loads(engine("image", "inspect", name))[0]


def pull(engine, name, *options, **more):
    """The id it prints, which is all it prints there."""
    out = engine("pull", INSECURE, *options, name, **more)
    assert re.fullmatch(r"[0-9a-f]{64}", out), out
    return out


def refused(engine, name, *options, **more):
    """The error of a pull that must fail and leave nothing but what a later one goes on with."""
    before = contents_of(engine)
    result = engine.result("pull", INSECURE, "--retry=0", *options, name, **more)
    assert result.status == 125 and result.out == "", result
    errors = [line for line in result.err.splitlines() if line.startswith("Error: ")]
    # An error of something else is none of the registry, the blob, the image.
    assert len(errors) == 1 and (name.split("/")[0] in errors[0] or "sha256:" in errors[0]), result
    after = contents_of(engine)
    before.pop("downloads"), after.pop("downloads")
    assert after == before, result
    return errors[0]


def pull_error(engine, *arguments, **more):
    """The error of a pull, which names the registry or a blob; the last argument is the image."""
    error = engine.error("pull", "--retry=0", *arguments, **more)
    assert arguments[-1].split("/")[0] in error or "sha256:" in error, error
    return error


# What a name means.

def test_pull_by_tag(fresh, box):
    result = fresh.result("pull", INSECURE, box)
    assert result.status == 0 and re.fullmatch(r"[0-9a-f]{64}\n", result.out)
    assert result.err.splitlines()[0] == f"Trying to pull {box}..."
    assert fresh("images", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}") == f"{box} sha256:{result.out.strip()}"
    assert fresh("run", "--rm", box, "echo", "it runs") == "it runs"


def test_sync_waits_for_the_disk(fresh, box, beyond_podman):
    pull(fresh, box, "--sync")
    assert list(fresh.durable_layers()) and all(fresh.durable_layers())


def test_sync_waits_also_for_what_was_there(fresh, box, image, beyond_podman):
    pull(fresh, box, "--sync")
    path = os.path.join(fresh.root, "layers", *list_names(os.path.join(fresh.root, "layers")), "meta.json")
    with open(path) as file:
        record = json.load(file)
    with open(path, "w") as file:
        json.dump(dict(record, durable=False), file)
    pull(fresh, box, "--policy=missing")
    assert not any(fresh.durable_layers())
    pull(fresh, box, "--policy=missing", "--sync")
    assert all(fresh.durable_layers())


def test_the_tag_is_latest_when_there_is_none(fresh, registry):
    name = registry.push("busybox", "some/box:latest")
    pull(fresh, name.removesuffix(":latest"))
    assert fresh("images", "--format", "{{.Repository}}:{{.Tag}}") == name


def test_pull_by_digest(fresh, registry, box):
    digest = registry.digest("some/box:1")
    name = f"{registry.address}/some/box@{digest}"
    pull(fresh, name)
    facts = inspect_image(fresh, name)
    assert facts["Digest"] == digest and name in facts["RepoDigests"] and facts["RepoTags"] == []
    assert fresh("run", "--rm", name, "echo", "it runs") == "it runs"


def test_the_docker_transport_is_the_default_one(fresh, box):
    pull(fresh, f"docker://{box}")
    assert fresh("images", "--format", "{{.Repository}}:{{.Tag}}") == box


@pytest.mark.parametrize("kind", ["oci", "v2s2", "zstd", "plain"])
def test_what_a_registry_can_hold(fresh, registry, kind):
    image = oci.Image(images.rich_layers(), config=oci.BUSYBOX_CONFIG, compression={"zstd": "zstd", "plain": ""}.get(kind, "gzip"))
    name = registry.push_image(f"rich:{kind}", image, *(["--format", "v2s2"] if kind == "v2s2" else []))
    pull(fresh, name)
    facts = inspect_image(fresh, name)
    assert facts["Digest"] == registry.digest(f"rich:{kind}")
    assert facts["RootFS"]["Layers"] == [oci.sha256(tar) for tar in image.tars]
    assert fresh("run", "--rm", name, "sh", "-c", "cat /data/kept /replaced; ls /opaque").split() == ["kept", "a", "file", "now", "new"]


def test_a_hundred_and_twenty_layers(fresh, bad, image):
    name = bad.add_layout("layers120:latest", image("layers120"))
    pull(fresh, name)
    assert fresh("run", "--rm", name, "sh", "-c", "ls /layers | wc -l; cat /last").split() == ["119", "119"]


def test_one_layer_twice(fresh, bad, beyond_podman):
    layer = oci.Layer().file("same", "same")
    image = oci.Image([layer, oci.Layer().file("other", "other"), layer])
    name = bad.add("twice:1", image)
    assert pull(fresh, name) == image_id(image)
    assert bad.count("blob", layer_digests(image)[0]) == 1


def test_several_images_at_once(fresh, bad):
    both = small("one"), small("two")
    names = [bad.add(f"several:{number}", image) for number, image in enumerate(both)]
    assert fresh("pull", INSECURE, *names).splitlines() == [image_id(image) for image in both]


def test_one_that_fails_does_not_keep_the_others(fresh, bad):
    image = small()
    result = fresh.result("pull", INSECURE, bad.name("nosuch"), bad.add("there:1", image))
    assert result.status == 125 and result.out.strip() == image_id(image)


# Nothing is fetched twice.

def test_a_second_pull_fetches_no_layer(fresh, bad):
    image = small("one", "two")
    name = bad.add("box:1", image)
    first = pull(fresh, name)
    bad.forget()
    assert pull(fresh, name) == first == image_id(image)
    assert [bad.count("blob", digest) for digest in layer_digests(image)] == [0, 0] and bad.count("manifest") >= 1


def test_layers_of_other_images_are_not_fetched(fresh, bad):
    pull(fresh, bad.add("base:1", small("base")))
    derived = small("base", "derived")
    name = bad.add("derived:1", derived)
    bad.forget()
    assert pull(fresh, name) == image_id(derived)
    shared, own = layer_digests(derived)
    assert bad.count("blob", shared) == 0 and bad.count("blob", own) == 1


def test_a_layer_is_known_however_it_is_compressed(fresh, bad, beyond_podman):
    pull(fresh, bad.add("box:gzip", small("content", compression="gzip")))
    other = small("content", compression="zstd")
    name = bad.add("box:zstd", other)
    bad.forget()
    pull(fresh, name)
    assert bad.count("blob", layer_digests(other)[0]) == 0


def test_what_load_brought_is_not_fetched(fresh, bad, image, beyond_podman):
    fresh("load", "-q", "-i", image("busybox"))
    name = bad.add("box:1", busybox())
    pull(fresh, name)
    assert bad.count("blob", layer_digests(busybox())[0]) == 0


def test_four_pulls_of_one_image_at_once(fresh, bad, beyond_podman):
    image = oci.Image([oci.Layer().file(f"file{number}", random.randbytes(1 << 20)) for number in range(4)])
    name = bad.add("box:1", image)
    bad.fault("blob", slow(4 << 20))  # so that they meet
    processes = [fresh.popen("pull", INSECURE, name) for _ in range(4)]
    outputs = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, outputs
    assert {out.decode().strip() for out, _ in outputs} == {image_id(image)}
    assert {digest: bad.count("blob", digest) for digest in layer_digests(image)} == dict.fromkeys(layer_digests(image), 1)
    assert contents_of(fresh)["staging"] == contents_of(fresh)["downloads"] == []


@pytest.mark.parametrize("third", range(3))
def test_a_killed_pull_goes_on_where_it_was(fresh, bad, beyond_podman, third):
    size = 64 << 20
    image = random_image(size)
    name, blob = bad.add("big:1", image), layer_digests(image)[0]
    bad.fault("blob", slow(150 << 20), reference=blob)
    point = int(size * (third + random.random()) / 3)
    process = fresh.popen("pull", INSECURE, name)
    bad.wait_for(lambda: bad.served.get(blob, 0) >= point)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert fresh("images", "-q") == ""
    garbage = contents_of(fresh)["staging"]  # of nobody who lives: prune takes it
    assert pull(fresh, name) == image_id(image)
    assert bad.served[blob] <= 1.1 * len(image.blobs[0]) + (1 << 20), f"killed after {point} bytes: {bad.served[blob]} served"
    assert set(contents_of(fresh)["staging"]) <= set(garbage) and contents_of(fresh)["downloads"] == []


@pytest.mark.parametrize("damage", ["layer", "blob"])
def test_a_repair_fetches_only_what_is_damaged(fresh, bad, registries_conf, beyond_podman, damage):
    image = small("one", "two", "three")
    name = bad.add("box:1", image)
    pull(fresh, name)
    names = fresh("images", "--digests", "--no-trunc")
    layers = [oci.sha256(tar).split(":")[1] for tar in image.tars]
    if damage == "layer":
        fresh("unshare", "truncate", "-s", "0", f"{fresh.root}/layers/{layers[1]}/diff/file1")
    else:
        os.truncate(f"{fresh.root}/blobs/sha256/{image_id(image)}", 0)
    bad.add("box:1", small("another by now"))
    bad.forget()
    env = registries_conf(insecure(bad))
    assert fresh.result("system", "check", env=env).status == 1
    result = fresh.result("system", "check", "--repair", env=env)
    assert result.status == 0 and "repaired: fetched again" in result.out, result
    wanted = [layer_digests(image)[1]] if damage == "layer" else []
    assert [digest for digest in layer_digests(image) if bad.count("blob", digest)] == wanted
    assert fresh("images", "--digests", "--no-trunc") == names
    # What it took away is deleted in the background.
    eventually(lambda: fresh("system", "check") == "No damage.")


def test_a_repair_that_cannot_fetch_says_what_to_do(fresh, registries_conf, beyond_podman):
    image = small("one")
    with BadRegistry() as registry:
        name = registry.add("box:1", image)
        pull(fresh, name)
        env = registries_conf(insecure(registry))
    layer = oci.sha256(image.tars[0]).split(":")[1]
    fresh("unshare", "rm", "-rf", f"{fresh.root}/layers/{layer}")
    result = fresh.result("system", "check", "--repair", env=env)
    assert result.status == 1 and f"to do: knarr pull {name}" in result.out and "Error: " in result.err, result


def chunked_image(content="chunked"):
    """Its layer as zstd:chunked: frames that can be fetched one by one, and tables that zstd skips."""
    image = small(content)
    tar = image.tars[0]
    table, footer = b"where what is", bytes(64)
    skipped = b"".join(b"\x50\x2a\x4d\x18" + len(data).to_bytes(4, "little") + data for data in (table, footer))
    image.compression = "zstd"
    image.blobs = [oci.compress(tar[:700], "zstd") + oci.compress(tar[700:], "zstd") + skipped]
    return image


def chunked_manifest(image):
    manifest = image.manifest()
    manifest["layers"][0]["annotations"] = {"io.github.containers.zstd-chunked.manifest-checksum": "sha256:" + "0" * 64,
                                            "io.github.containers.zstd-chunked.manifest-position": "1:2:3:4"}
    return manifest


def test_zstd_chunked_is_read_as_zstd(fresh, bad):
    image = chunked_image()
    bad.add("chunked:1", image)
    bad.add_manifest("chunked:1", chunked_manifest(image))
    assert pull(fresh, bad.name("chunked:1")) == image_id(image)


def test_a_proxy_of_the_environment(fresh, bad):
    """The registry itself plays the proxy; nobody resolves that name."""
    image = small()
    bad.add("box:1", image)
    env = {"http_proxy": bad.url, "https_proxy": f"http://{NOBODY}"}
    assert pull(fresh, "registry.test/box:1", env=env) == image_id(image)
    assert {request.headers["host"] for request in bad.requests} == {"registry.test"}
    bad.forget()
    refused(fresh, "registry.test/box:1", env={**env, "no_proxy": "registry.test"})
    assert bad.requests == []


# registries.conf

def test_short_names_are_searched_in_order(fresh, bad, registries_conf):
    with BadRegistry() as second:
        image = small()
        second.add("some/box:1", image)
        env = registries_conf(f'unqualified-search-registries = ["{bad.address}", "{second.address}"]\n' + insecure(bad, second))
        result = fresh.result("pull", "some/box:1", env=env)
    assert result.status == 0 and result.out.strip() == image_id(image), result
    tried = [line for line in result.err.splitlines() if line.startswith("Trying to pull")]
    assert tried == [f"Trying to pull {one.address}/some/box:1..." for one in (bad, second)]
    assert fresh("images", "--format", "{{.Repository}}:{{.Tag}}") == f"{second.address}/some/box:1"


def test_an_alias_is_the_only_candidate(fresh, bad, registries_conf):
    image = small()
    bad.add("deep/name:1", image)
    env = registries_conf(f'unqualified-search-registries = ["{NOBODY}"]\n[aliases]\n"short" = "{bad.address}/deep/name"\n' + insecure(bad))
    assert fresh("pull", "short:1", env=env) == image_id(image)


def test_a_short_name_needs_somewhere_to_search(fresh, registries_conf):
    env = registries_conf("unqualified-search-registries = []\n")
    error = fresh.error("pull", "nosuch", env=env)
    assert "nosuch" in error and "short" in error


def test_enforcing_mode_does_not_guess(fresh, bad, registries_conf):
    env = registries_conf('short-name-mode = "enforcing"\n'
                          f'unqualified-search-registries = ["{bad.address}", "{NOBODY}"]\n' + insecure(bad))
    assert "enforc" in fresh.error("pull", "nosuch", env=env)
    assert bad.requests == []


@pytest.mark.rootless_only
@pytest.mark.parametrize("mode", ["enforcing", "permissive"])
def test_who_is_there_is_asked_once(fresh, bad, registries_conf, scratch, mode):
    """The answer is kept as podman keeps it."""
    image = small()
    bad.add("box:1", image)
    env = registries_conf(f'short-name-mode = "{mode}"\nunqualified-search-registries = ["{NOBODY}", "{bad.address}"]\n' + insecure(bad))
    env["XDG_CACHE_HOME"] = scratch
    with fresh.terminal("pull", "-q", "box:1", env=fresh.environment(env)) as terminal:
        terminal.expect(re.escape(f"1) {NOBODY}/box:1"))
        terminal.expect(r"\[1-2\] ")
        terminal.line("7")
        terminal.expect(r"\[1-2\] ")
        terminal.line("2")
        terminal.expect(image_id(image))
        assert terminal.wait() == 0
    with open(scratch + "/containers/short-name-aliases.conf") as file:
        assert f'"box" = "{bad.address}/box"' in file.read()
    assert fresh("pull", "-q", "box:1", env=env) == image_id(image)


@pytest.mark.rootless_only
@pytest.mark.parametrize("verb, mode", [(["run", "--rm"], "enforcing"), (["run", "--rm", "-it"], "permissive"), (["create"], "permissive")])
def test_run_and_create_ask_too(fresh, bad, registries_conf, scratch, verb, mode):
    bad.add("box:1", oci.Image([oci.busybox_layer()], config={"Cmd": ["echo", "it runs"]}))
    env = registries_conf(f'short-name-mode = "{mode}"\nunqualified-search-registries = ["{NOBODY}", "{bad.address}"]\n' + insecure(bad))
    env["XDG_CACHE_HOME"] = scratch
    with fresh.terminal(*verb, "box:1", env=fresh.environment(env)) as terminal:
        terminal.expect(re.escape(f"2) {bad.address}/box:1"))
        terminal.expect(r"\[1-2\] ")
        terminal.line("2")
        terminal.expect("it runs" if "run" in verb else "[0-9a-f]{64}")
        assert terminal.wait() == 0
    with open(scratch + "/containers/short-name-aliases.conf") as file:
        assert f'"box" = "{bad.address}/box"' in file.read()


@pytest.mark.rootless_only
def test_run_without_a_terminal_asks_nobody(fresh, bad, registries_conf):
    bad.add("box:1", oci.Image([oci.busybox_layer()], config={"Cmd": ["cat"]}))
    conf = f'unqualified-search-registries = ["{NOBODY}", "{bad.address}"]\n' + insecure(bad)
    error = fresh.error("run", "--rm", "-i", "box:1", env=registries_conf('short-name-mode = "enforcing"\n' + conf), input="1\n")
    assert "enforc" in error and bad.requests == []
    assert fresh("run", "--rm", "-i", "box:1", env=registries_conf(conf), input="all of it\n") == "all of it"


@pytest.mark.rootless_only
def test_who_does_not_answer_pulls_nothing(fresh, bad, registries_conf, scratch):
    env = registries_conf(f'unqualified-search-registries = ["{NOBODY}", "{bad.address}"]\n' + insecure(bad))
    env["XDG_CACHE_HOME"] = scratch
    with fresh.terminal("pull", "box:1", env=fresh.environment(env)) as terminal:
        terminal.expect(r"\[1-2\] ")
        terminal.line("")
        terminal.expect("no image was chosen")
        assert terminal.wait() == 125
    assert bad.requests == [] and list_names(scratch + "/containers") == []


def mirrored(main, *mirrors, more=""):
    text = f'[[registry]]\nprefix = "example.test/app"\nlocation = "{main}/main"\ninsecure = true\n{more}'
    return text + "".join(f'[[registry.mirror]]\nlocation = "{mirror}"\ninsecure = true\n' for mirror in mirrors)


def test_mirrors_come_first(fresh, bad, registries_conf):
    image = small()
    bad.add("copy/box:1", image)
    env = registries_conf(mirrored(NOBODY, bad.address + "/copy"))
    assert fresh("pull", "example.test/app/box:1", env=env) == image_id(image)
    assert fresh("images", "--format", "{{.Repository}}:{{.Tag}}") == "example.test/app/box:1"


@pytest.mark.parametrize("mirror", ["absent", "empty"])
def test_the_place_itself_comes_after_its_mirrors(fresh, bad, registries_conf, mirror):
    image = small()
    bad.add("main/box:1", image)
    env = registries_conf(mirrored(bad.address, NOBODY if mirror == "absent" else bad.address + "/empty"))
    assert fresh("pull", "example.test/app/box:1", env=env) == image_id(image)
    assert fresh("images", "--format", "{{.Repository}}:{{.Tag}}") == "example.test/app/box:1"


def test_a_mirror_for_digests_is_not_asked_for_tags(fresh, bad, registries_conf):
    image = small()
    digest = bad.add_manifest("main/box:1", image.manifest())
    bad.add("main/box:1", image)
    bad.add("copy/box:1", image)
    env = registries_conf(mirrored(bad.address, bad.address + "/copy", more="mirror-by-digest-only = true\n"))
    fresh("pull", "example.test/app/box:1", env=env)
    assert not [request for request in bad.requests if request.repository == "copy/box"]
    fresh("pull", f"example.test/app/box@{digest}", env=env)
    assert [request for request in bad.asked("manifest", digest) if request.repository == "copy/box"]


def test_an_error_names_every_place_that_was_tried(fresh, bad, registries_conf):
    env = registries_conf(mirrored(bad.address, NOBODY + "/copy"))
    text = fresh.fails(125, "pull", "--retry=0", "example.test/app/box:1", env=env)
    errors = text[text.index("Error: "):]
    assert NOBODY in errors and bad.address in errors


def test_a_blocked_registry_is_not_asked(fresh, bad, registries_conf):
    name = bad.add("box:1", small())
    env = registries_conf(f'[[registry]]\nlocation = "{bad.address}"\ninsecure = true\nblocked = true\n')
    error = fresh.error("pull", name, env=env)
    assert "blocked" in error and bad.address in error
    assert bad.requests == []


def test_plain_http_must_be_allowed(fresh, bad, registries_conf):
    name = bad.add("box:1", small())
    assert bad.address in pull_error(fresh, name, env=registries_conf(""))
    fresh("pull", name, env=registries_conf(insecure(bad)))


def test_the_option_overrides_an_insecure_registry(fresh, bad, registries_conf):
    name = bad.add("box:1", small())
    pull_error(fresh, "--tls-verify=true", name, env=registries_conf(insecure(bad)))


def test_a_damaged_registries_conf_is_an_error(fresh, registries_conf):
    env = registries_conf("unqualified-search-registries = [\n")
    assert "registries.conf" in fresh.error("pull", "nosuch", env=env)


# Platforms.

@pytest.fixture
def manifold(bad):
    """The name of an index of three platforms."""
    platforms = [({"architecture": architecture, "os": "linux", **more}, small(architecture + str(more), architecture=architecture, **more))
                 for architecture, more in (("s390x", {}), (OTHER, {}), ("arm", {"variant": "v6"}), ("arm", {"variant": "v7"}), (ARCHITECTURE, {}))]
    for _, image in platforms:
        bad.add("many", image)
    bad.add_manifest("many:1", index_of(platforms))
    return bad.name("many:1")


def test_an_index_means_this_machine(fresh, manifold):
    pull(fresh, manifold)
    assert inspect_image(fresh, manifold)["Architecture"] == ARCHITECTURE


def test_only_one_image_of_an_index_is_fetched(fresh, bad, manifold):
    pull(fresh, manifold)
    assert bad.count("blob") == 2 and bad.count("manifest", method="GET") == 2


@pytest.mark.parametrize("options, architecture, content", [
    ([f"--platform=linux/{OTHER}"], OTHER, OTHER + "{}"),
    ([f"--arch={OTHER}"], OTHER, OTHER + "{}"),
    (["--platform", "linux/arm/v6"], "arm", "arm{'variant': 'v6'}"),
    (["--arch=arm", "--variant=v7"], "arm", "arm{'variant': 'v7'}"),
])
def test_a_platform_can_be_chosen(fresh, manifold, options, architecture, content):
    pull(fresh, manifold, *options)
    facts = inspect_image(fresh, manifold)
    assert facts["Architecture"] == architecture
    assert facts["RootFS"]["Layers"] == [oci.sha256(small(content).tars[0])]


def test_a_platform_that_is_not_there(fresh, manifold):
    error = refused(fresh, manifold, "--platform=linux/riscv64")
    assert "riscv64" in error


def test_an_index_in_a_real_registry(fresh, registry):
    platforms = [({"architecture": one, "os": "linux"}, busybox(architecture=one)) for one in (OTHER, ARCHITECTURE)]
    name = registry.push_index("many:1", platforms)
    pull(fresh, name)
    assert fresh("run", "--rm", name, "echo", "it runs") == "it runs"
    digest = registry.digest("many:1")
    assert f"{registry.address}/many@{digest}" in inspect_image(fresh, name)["RepoDigests"]


# When.

@pytest.fixture
def moved(fresh, bad):
    """A name that meant (its first id) what it no longer means (its second) in the registry."""
    first, second = busybox(), busybox(author="later")
    name = bad.add("box:1", first)
    pull(fresh, name)
    bad.add("box:1", second)
    bad.forget()
    return name, image_id(first), image_id(second)


@pytest.mark.parametrize("policy, gets_new", [("always", True), ("missing", False), ("never", False), ("newer", True)])
def test_policies_of_pull(fresh, bad, moved, beyond_podman, policy, gets_new):
    name, first, second = moved
    assert pull(fresh, name, f"--policy={policy}") == (second if gets_new else first)
    assert (bad.requests == []) == (policy in ("missing", "never"))
    assert inspect_image(fresh, name)["Id"] == (second if gets_new else first)


@pytest.mark.parametrize("policy, gets_new", [("always", True), ("missing", False), ("never", False), ("newer", True)])
def test_policies_of_run(fresh, bad, moved, policy, gets_new):
    name, first, second = moved
    fresh("run", "--rm", f"--pull={policy}", INSECURE, name, "true")
    assert (bad.requests == []) == (policy in ("missing", "never"))
    assert inspect_image(fresh, name)["Id"] == (second if gets_new else first)


def test_newer_fetches_nothing_when_nothing_moved(fresh, bad):
    name = bad.add("box:1", busybox())
    pull(fresh, name)
    bad.forget()
    fresh("run", "--rm", "--pull=newer", INSECURE, name, "true")
    assert bad.count("blob") == 0 and bad.count("manifest") >= 1


def test_newer_is_content_with_what_is_there(fresh):
    with BadRegistry() as gone:
        name = gone.add("box:1", busybox())
        pull(fresh, name)
    assert fresh("run", "--rm", "--pull=newer", INSECURE, name, "echo", "it runs") == "it runs"


def test_always_is_not(fresh):
    with BadRegistry() as gone:
        name = gone.add("box:1", busybox())
        pull(fresh, name)
    assert gone.address in fresh.error("run", "--rm", "--pull=always", INSECURE, name, "true")


def test_never_asks_nobody(fresh, bad):
    name = bad.add("box:1", busybox())
    assert name in fresh.error("run", "--rm", "--pull=never", INSECURE, name, "true")
    assert bad.requests == []


def test_a_policy_that_does_not_exist(fresh):
    assert "sometimes" in fresh.error("run", "--pull=sometimes", "localhost/x", "true")


# What is printed.

def test_quiet(fresh, box):
    result = fresh.result("pull", "-q", INSECURE, box)
    assert result.status == 0 and re.fullmatch(r"[0-9a-f]{64}\n", result.out) and result.err == ""


def test_run_pulls_what_is_not_there(fresh, box):
    result = fresh.result("run", "--rm", INSECURE, box, "sh", "-c", "echo out; echo err >&2; exit 7")
    assert result.status == 7 and result.out == "out\n"
    assert result.err.splitlines()[0] == f"Trying to pull {box}..." and result.err.splitlines()[-1] == "err"


def test_run_pulls_quietly(fresh, box):
    result = fresh.result("run", "--rm", "-q", INSECURE, box, "echo", "out")
    assert (result.status, result.out, result.err) == (0, "out\n", "")


def test_create_pulls_what_is_not_there(fresh, box):
    assert re.fullmatch(r"[0-9a-f]{64}", fresh("create", INSECURE, "--name", "box", box, "true"))


def test_a_terminal_shows_progress(fresh, bad):
    name = bad.add("box:1", small("content"))
    with fresh.terminal("pull", INSECURE, name) as terminal:
        terminal.expect("Trying to pull " + re.escape(name))
        terminal.expect(layer_digests(small("content"))[0].split(":")[1][:12])
        terminal.expect(image_id(small("content")))


def test_an_unknown_image(fresh, registry):
    name = registry.name("nosuch:1")
    for error in (refused(fresh, name), fresh.error("run", "--rm", INSECURE, name, "true")):
        assert name.removesuffix(":1") in error and re.search("manifest unknown|not found", error)


def test_an_unreachable_registry(fresh):
    for error in (refused(fresh, NOBODY + "/box"), fresh.error("run", "--rm", INSECURE, NOBODY + "/box", "true")):
        assert NOBODY in error and re.search("(?i)refused|connect", error)


def test_an_unknown_host(fresh):
    assert "nosuch.invalid" in refused(fresh, "nosuch.invalid/box")


@pytest.mark.parametrize("name", ["UPPER/Case", "a b", "x@sha256:123", "nosuchtransport:x", "docker://", "host:99999/x", "a/../b"])
def test_bad_names_are_refused(fresh, name):
    error = fresh.error("pull", name)
    assert name.removeprefix("docker://") in error or re.search("host:99999|invalid reference|repository name", error)


# Faults that pass.

def test_a_broken_connection_goes_on_where_it_was(fresh, bad, beyond_podman):
    image = random_image(4 << 20)
    name, blob = bad.add("box:1", image), layer_digests(image)[0]
    bad.fault("blob", cut(3 << 20), times=1, reference=blob)
    assert pull(fresh, name) == image_id(image)
    assert [request.headers.get("range") for request in bad.asked("blob", blob)] == [None, f"bytes={3 << 20}-"]
    assert bad.served[blob] == len(image.blobs[0])


def test_a_connection_that_breaks_again_and_again_makes_progress(fresh, bad, beyond_podman):
    """Only attempts that bring nothing are counted."""
    image = random_image(1 << 20)
    name, blob = bad.add("box:1", image), layer_digests(image)[0]
    bad.fault("blob", cut(400 << 10), reference=blob)
    assert pull(fresh, name, "--retry-delay=10ms") == image_id(image)
    assert bad.count("blob", blob) == 3


@pytest.mark.parametrize("fault", [ignore_range, wrong_content_range, lambda bad: refuse_range], ids=["ignored", "wrong", "refused"])
def test_a_registry_without_ranges(fresh, bad, fault, beyond_podman):
    """The bytes of a wrong range must not get into the layer; what was not sent may be asked for from the start."""
    image = random_image(1 << 20)
    name, blob = bad.add("box:1", image), layer_digests(image)[0]
    bad.fault("blob", cut(500000), times=1, reference=blob)
    bad.fault("blob", fault(bad), reference=blob)
    result = fresh.result("pull", INSECURE, "--retry-delay=10ms", name)
    if result.status != 0:
        assert fault is not ignore_range and re.search("(?m)^Error: .*(?i:range)", result.err), result
        assert contents_of(fresh)["staging"] == contents_of(fresh)["layers"] == []


@pytest.mark.parametrize("kind", ["manifest", "blob"])
def test_a_registry_that_is_unavailable_once(fresh, bad, kind, beyond_podman):
    image = small()
    name = bad.add("box:1", image)
    bad.fault(kind, status(503), times=1)
    assert pull(fresh, name) == image_id(image)


@pytest.mark.parametrize("kind", ["manifest", "blob"])
def test_too_many_requests_waits_as_long_as_it_is_told(fresh, bad, beyond_podman, kind):
    image = small()
    name = bad.add("box:1", image)
    bad.fault(kind, status(429, Retry_After="2"), times=1)
    start = time.monotonic()
    assert pull(fresh, name) == image_id(image)
    assert time.monotonic() - start >= 1.9
    assert len([request for request in bad.requests if request.status == 429]) == 1


def test_a_slow_registry(fresh, bad):
    image = small(random.randbytes(100000))
    name = bad.add("box:1", image)
    bad.fault("blob", slow(100000))
    assert pull(fresh, name) == image_id(image)


def test_a_manifest_under_a_wrong_name_of_the_registry(fresh, bad):
    """The digest a registry claims is not worth more than the bytes."""
    name = bad.add("box:1", small())
    bad.fault("manifest", header("Docker-Content-Digest", "sha256:" + "0" * 64))
    result = fresh.result("pull", INSECURE, "--retry=0", name)
    assert result.status == 0 and image_id(small()) in result.out or "digest" in result.err, result
    assert not list_names(fresh.root + "/blobs/sha256/" + "0" * 64)


# Faults that do not.

@pytest.mark.parametrize("fault, words", [
    (("blob", cut(200)), "sha256:"),
    (("blob", corrupt), "(?i)digest|sha256:"),
    (("blob", status(404)), "(?i)404|not found|unknown"),
    (("blob", status(500)), "(?i)500|internal"),
    (("blob", endless), "sha256:"),
    (("manifest", cut(50)), "."),
    (("manifest", cut(0)), "."),
    (("manifest", body(b"{")), "(?i)manifest|json"),
    (("manifest", body(b"<html>Please log in</html>")), "(?i)manifest|json"),
    (("manifest", body(b"[" * 100000)), "(?i)manifest|json"),
    (("manifest", body(b"")), "."),
    (("manifest", status(403)), "(?i)403|denied|forbidden"),
    (("manifest", status(503)), "(?i)503|unavailable"),
    (("manifest", status(401)), "(?i)401|unauthorized|authentication required"),
    (("manifest", endless), "."),
], ids=lambda value: "" if isinstance(value, str) else f"{value[0]}-{getattr(value[1], '__qualname__', '').split('.')[0]}")
def test_what_cannot_be_right_is_refused(fresh, bad, fault, words, beyond_podman):
    name = bad.add("box:1", small("x" * 100000))
    kind, change = fault
    bad.fault(kind, change)
    error = refused(fresh, name)
    assert re.search(words, error) and (bad.address in error or "sha256:" in error), error
    assert len(bad.requests) < 30


def manifest_of(image, **changes):
    return {**image.manifest(), **changes}


def with_layer(image, **changes):
    manifest = image.manifest()
    manifest["layers"][0].update(changes)
    return manifest


IMAGE = small("x" * 5000)
DESCRIPTOR = {"mediaType": oci.OCI_MANIFEST, "digest": oci.sha256(b"x"), "size": 1, "platform": {"architecture": ARCHITECTURE, "os": "linux"}}
SCHEMA1 = {"schemaVersion": 1, "name": "box", "tag": "1", "architecture": "amd64", "fsLayers": [{"blobSum": layer_digests(IMAGE)[0]}],
           "history": [{"v1Compatibility": "{}"}]}


@pytest.mark.parametrize("document, media_type, words", [
    (manifest_of(IMAGE, manifests=[DESCRIPTOR]), oci.OCI_MANIFEST, "(?i)manifest"),
    ({**index_of([({"architecture": ARCHITECTURE, "os": "linux"}, IMAGE)]), "layers": []}, oci.OCI_INDEX, "(?i)manifest|index"),
    (IMAGE.manifest(), oci.OCI_INDEX, "(?i)type|says it is"),
    (manifest_of(IMAGE, mediaType=oci.OCI_INDEX), oci.OCI_MANIFEST, "(?i)type|says it is"),
    (SCHEMA1, "application/vnd.docker.distribution.manifest.v1+json", "(?i)schema"),
    (manifest_of(IMAGE, schemaVersion=1), oci.OCI_MANIFEST, "(?i)schema"),
    (manifest_of(IMAGE, padding="x" * (5 << 20)), oci.OCI_MANIFEST, "(?i)large|size|limit|MiB|bytes"),
    (manifest_of(IMAGE, config={"mediaType": "application/vnd.example.thing", "digest": oci.sha256(b"{}"), "size": 2}), oci.OCI_MANIFEST,
     "vnd.example.thing"),
    (manifest_of(IMAGE, config={**IMAGE.manifest()["config"], "size": 1 << 40}), oci.OCI_MANIFEST, "(?i)config|size"),
    (with_layer(IMAGE, size=len(IMAGE.blobs[0]) + 1), oci.OCI_MANIFEST, "sha256:"),
    (with_layer(IMAGE, size=len(IMAGE.blobs[0]) - 1), oci.OCI_MANIFEST, "sha256:"),
    (with_layer(IMAGE, size=-1), oci.OCI_MANIFEST, "(?i)size"),
    (with_layer(IMAGE, digest="sha256:../../../../etc/passwd"), oci.OCI_MANIFEST, "(?i)digest"),
    (with_layer(IMAGE, digest="md5:d41d8cd98f00b204e9800998ecf8427e"), oci.OCI_MANIFEST, "(?i)digest|md5"),
    (with_layer(IMAGE, mediaType="application/vnd.example.layer"), oci.OCI_MANIFEST, "vnd.example.layer"),
    (manifest_of(IMAGE, layers=[]), oci.OCI_MANIFEST, "(?i)layer"),
    (manifest_of(IMAGE, layers=IMAGE.manifest()["layers"] * 2), oci.OCI_MANIFEST, "(?i)layer"),
    ({"schemaVersion": 2, "mediaType": oci.OCI_INDEX, "manifests": []}, oci.OCI_INDEX, ARCHITECTURE),
], ids=["both-image", "both-index", "type-lies-index", "type-lies-manifest", "schema1", "schema1-version", "huge", "artifact", "huge-config", "size-more",
        "size-less", "size-negative", "digest-path", "digest-md5", "layer-type", "no-layers", "layers-twice", "empty-index"])
def test_manifests_that_are_refused(fresh, bad, beyond_podman, document, media_type, words):
    bad.add("box", IMAGE)
    bad.add_blob(b"{}")
    bad.add_manifest("box:1", document, media_type)
    error = refused(fresh, bad.name("box:1"))
    assert re.search(words, error), error
    assert bad.name("box:1") in error or bad.address in error


def test_a_manifest_that_is_not_what_was_asked_for(fresh, bad):
    digest = bad.add_manifest("box:1", IMAGE.manifest())
    bad.add("box:1", IMAGE)
    bad.fault("manifest", body(oci.canonical(small("other").manifest())), reference=digest)
    assert "digest" in refused(fresh, bad.name(f"box@{digest}")).lower()


def test_a_manifest_of_an_index_that_is_not_what_it_names(fresh, bad, manifold):
    bad.fault("manifest", corrupt, reference=oci.sha256(oci.canonical(small(ARCHITECTURE + "{}", architecture=ARCHITECTURE).manifest())))
    assert "digest" in refused(fresh, manifold).lower()


def test_a_config_that_is_not_what_was_asked_for(fresh, bad):
    name = bad.add("box:1", IMAGE)
    bad.fault("blob", corrupt, reference=oci.sha256(IMAGE.config_bytes()))
    assert re.search("digest|sha256:" + image_id(IMAGE), refused(fresh, name))


def test_a_layer_with_other_content_than_the_config_says(fresh, bad, beyond_podman):
    lying = small("one")
    lying.config["rootfs"]["diff_ids"] = [oci.sha256(b"another")]
    error = refused(fresh, bad.add("box:1", lying))
    assert "sha256:" in error


def test_one_bad_layer_keeps_the_image_away(fresh, bad):
    """The good ones may stay: they are what they are."""
    image = small("one", "two", "three")
    name = bad.add("box:1", image)
    bad.fault("blob", corrupt, reference=layer_digests(image)[1])
    pull_error(fresh, INSECURE, name)
    left = contents_of(fresh)
    assert left["refs"] == left["images"] == left["staging"] == []
    assert oci.sha256(image.tars[1]).split(":")[1] not in left["layers"]
    with BadRegistry() as good:
        assert pull(fresh, good.add("box:1", image)) == image_id(image)


def test_a_layer_that_unpacks_to_much_more_than_it_should(fresh, bad, beyond_podman):
    """A megabyte of gzip is a gigabyte of zeros after the archive's end; it is counted, not kept."""
    image = small("bomb")
    tar = image.tars[0]
    image.blobs = [gzip.compress(tar, mtime=0) + gzip.compress(bytes(16 << 20), mtime=0) * 64]
    assert "sha256:" in refused(fresh, bad.add("box:1", image))


@pytest.mark.parametrize("blob", [b"", b"no archive at all", gzip.compress(b"no archive at all"), b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd"],
                         ids=["empty", "text", "text-gzip", "gzip-head", "zstd-head"])
def test_a_layer_that_is_no_archive(fresh, bad, blob, beyond_podman):
    image = small()
    image.blobs = [blob]
    refused(fresh, bad.add("box:1", image))


def test_a_layer_that_wants_to_leave_its_place(fresh, bad, scratch):
    image = oci.Image([oci.Layer().entry("up", tarfile.SYMTYPE, link=scratch).file("up/escaped", "!").file("../../../../escaped", "!")])
    fresh.result("pull", INSECURE, "--retry=0", bad.add("box:1", image))
    assert bad.count("blob", layer_digests(image)[0]) == 1
    assert os.listdir(scratch) == [] and not os.path.exists(os.path.join(fresh.work, "escaped"))


# Redirects.

def test_a_redirect_learns_no_credentials(fresh, beyond_podman):
    image = small()
    with BadRegistry(credentials=("user", "secret")) as bad, BadRegistry() as elsewhere:
        name = bad.add("box:1", image)
        elsewhere.add_blobs_of(bad)
        bad.fault("blob", redirect(elsewhere.url))
        assert pull(fresh, name, "--creds=user:secret") == image_id(image)
        assert elsewhere.count("blob") == 2
        assert not [request for request in elsewhere.requests if "authorization" in request.headers or "cookie" in request.headers]


def test_a_redirect_learns_no_token(fresh):
    image = small()
    with BadRegistry(auth="bearer") as bad, BadRegistry() as elsewhere:
        name = bad.add("box:1", image)
        elsewhere.add_blobs_of(bad)
        bad.fault("blob", redirect(elsewhere.url))
        assert pull(fresh, name) == image_id(image)
        assert elsewhere.count("blob") == 2
        assert not [request for request in elsewhere.requests if "authorization" in request.headers]


@pytest.mark.parametrize("target", ["file:///etc/passwd?", "ftp://127.0.0.1/", "gopher://127.0.0.1:70/", "unix:/x", "http://"])
def test_a_redirect_stays_with_http(fresh, bad, target):
    name = bad.add("box:1", small())
    bad.fault("blob", redirect(target))
    refused(fresh, name)
    assert bad.count("blob") >= 1


def test_a_redirect_loop_ends(fresh, bad):
    name = bad.add("box:1", small())
    bad.fault("blob", redirect(bad.url))
    error = refused(fresh, name)
    assert "redirect" in error.lower()
    assert bad.count("blob") < 100


def test_a_broken_connection_after_a_redirect_goes_on(fresh, bad, beyond_podman):
    image = random_image(1 << 20)
    name, blob = bad.add("box:1", image), layer_digests(image)[0]
    with BadRegistry() as elsewhere:
        elsewhere.add_blobs_of(bad)
        bad.fault("blob", redirect(elsewhere.url))
        elsewhere.fault("blob", cut(600000), times=1, reference=blob)
        assert pull(fresh, name) == image_id(image)
        assert elsewhere.served[blob] == len(image.blobs[0])


def test_layers_elsewhere_get_no_credentials(fresh):
    """What the image-spec calls non-distributable: a URL of the manifest's choice."""
    image = small()
    with BadRegistry(credentials=("user", "secret")) as bad, BadRegistry() as elsewhere:
        manifest = with_layer(image, mediaType="application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
                              urls=[f"{elsewhere.url}/v2/box/blobs/{layer_digests(image)[0]}", "file:///etc/passwd"])
        elsewhere.add("box:1", image)
        bad.add_blob(image.config_bytes())
        bad.add_manifest("box:1", manifest)
        result = fresh.result("pull", INSECURE, "--retry=0", "--creds=user:secret", bad.name("box:1"))
        assert result.status == 0 or re.search("(?m)^Error: ", result.err), result
        assert bad.count("manifest") >= 1
        assert not [request for request in elsewhere.requests if "authorization" in request.headers]


# TLS

def trust(engine, registry):
    """As the user's own configuration says."""
    place = os.path.join(engine.home, ".config/containers/certs.d")
    os.makedirs(place)
    os.symlink(registry.certificates, os.path.join(place, registry.address))


def test_an_unknown_authority_is_refused(fresh, tls_registry):
    name = tls_registry.push("busybox", "box:1")
    error = pull_error(fresh, name)
    assert tls_registry.address in error and re.search("(?i)certificate", error)


@pytest.mark.parametrize("option", ["--cert-dir", INSECURE])
def test_an_authority_by_option(fresh, tls_registry, option):
    name = tls_registry.push("busybox", "box:1")
    fresh("pull", f"--cert-dir={tls_registry.certificates}" if option == "--cert-dir" else option, name)


def test_an_authority_in_the_users_certs_d(fresh, tls_registry):
    name = tls_registry.push("busybox", "box:1")
    trust(fresh, tls_registry)
    fresh("pull", name)
    assert fresh("run", "--rm", "--pull=always", name, "echo", "it runs") == "it runs"


def test_a_certificate_of_the_client(fresh, start_registry, scratch):
    registry = start_registry(client_certificate=True)
    name = registry.push("busybox", "box:1")
    fresh("pull", f"--cert-dir={registry.certificates}", name)
    os.symlink(registry.certificates + "/ca.crt", scratch + "/ca.crt")
    pull_error(fresh, f"--cert-dir={scratch}", name)


def test_a_certificate_of_another_host_is_refused(fresh, tls_registry):
    port = tls_registry.address.split(":")[1]
    error = pull_error(fresh, f"--cert-dir={tls_registry.certificates}", f"127.0.0.2:{port}/box:1")
    assert re.search("(?i)certificate|refused|connect", error)


# Credentials.

@pytest.fixture
def private(private_registry):
    """(registry, name, options that it needs but for the password)"""
    name = private_registry.push("busybox", "box:1")
    return private_registry, name, f"--cert-dir={private_registry.certificates}"


def auth_file(path, registry, password=None, key=None):
    user, right = registry.credentials
    encoded = base64.b64encode(f"{user}:{right if password is None else password}".encode()).decode()
    with open(path, "w") as file:
        json.dump({"auths": {key or registry.address: {"auth": encoded}}}, file)
    return path


def test_a_private_registry_wants_a_password(fresh, private):
    registry, name, certificates = private
    error = pull_error(fresh, certificates, name)
    assert registry.address in error and re.search("(?i)unauthorized|authentication required", error)


def test_credentials_by_option(fresh, private):
    registry, name, certificates = private
    fresh("pull", certificates, "--creds=" + ":".join(registry.credentials), name)


def test_a_wrong_password_is_not_repeated(fresh, private):
    registry, name, certificates = private
    error = pull_error(fresh, certificates, "--creds=somebody:notthepassword", name)
    assert re.search("(?i)unauthorized|authentication required", error) and "notthepassword" not in error


@pytest.mark.parametrize("way", ["option", "environment", "namespace"])
def test_credentials_in_a_file(fresh, private, scratch, way):
    registry, name, certificates = private
    path = auth_file(scratch + "/auth.json", registry, key=f"{registry.address}/box" if way == "namespace" else None)
    if way == "environment":
        fresh("pull", certificates, name, env={"REGISTRY_AUTH_FILE": path})
    else:
        fresh("pull", certificates, f"--authfile={path}", name)


def test_docker_config_json_counts(fresh, private):
    registry, name, certificates = private
    os.makedirs(fresh.home + "/.docker")
    auth_file(fresh.home + "/.docker/config.json", registry)
    fresh("pull", certificates, name)


def test_login_pull_logout(fresh, private, scratch):
    registry, name, certificates = private
    user, password = registry.credentials
    file = f"--authfile={scratch}/auth.json"
    assert "Login Succeeded!" in fresh("login", certificates, file, "-u", user, "--password-stdin", registry.address, input=password)
    assert os.stat(scratch + "/auth.json").st_mode & 0o777 == 0o600
    assert fresh("login", file, "--get-login", registry.address) == user
    fresh("pull", certificates, file, name)
    assert registry.address in fresh("logout", file, registry.address)
    fresh("rmi", name)
    assert re.search("(?i)unauthorized|authentication required", pull_error(fresh, certificates, file, name))


def test_run_uses_credentials(fresh, private, scratch):
    registry, name, _ = private
    path = auth_file(scratch + "/auth.json", registry)
    trust(fresh, registry)
    assert fresh("run", "--rm", "-q", f"--authfile={path}", name, "echo", "it runs") == "it runs"


def test_login_with_a_wrong_password_stores_nothing(fresh, private, scratch):
    registry, _, certificates = private
    arguments = ["login", certificates, f"--authfile={scratch}/auth.json", "-u", "somebody", "--password-stdin", registry.address]
    error = fresh.error(*arguments, input="notthepassword")
    assert re.search("(?i)invalid username/password|unauthorized", error) and "notthepassword" not in error
    assert "notthepassword" not in (open(scratch + "/auth.json").read() if os.path.exists(scratch + "/auth.json") else "")


def test_a_damaged_authfile_is_an_error(fresh, private, scratch):
    registry, name, certificates = private
    with open(scratch + "/auth.json", "w") as file:
        file.write('{"auths": {')
    assert "auth.json" in fresh.fails(125, "pull", "--retry=0", certificates, f"--authfile={scratch}/auth.json", name)


def test_an_authfile_that_does_not_exist_is_an_error(fresh, private, scratch):
    registry, name, certificates = private
    assert "nosuch.json" in fresh.error("pull", certificates, f"--authfile={scratch}/nosuch.json", name)


def test_no_password_is_seen_by_others(fresh, scratch):
    """Not in the arguments, not in the environment of any process while a pull waits for the registry."""
    release = threading.Event()
    with BadRegistry(credentials=("user", "verysecret")) as bad:
        name = bad.add("box:1", busybox())
        path = auth_file(scratch + "/auth.json", bad)
        bad.fault("blob", hold(release))
        process = fresh.popen("run", "--rm", INSECURE, f"--authfile={path}", name, "true")
        try:
            bad.wait_for(lambda: any(request.kind == "blob" for request in bad.requests) or process.poll() is not None)
            encoded = base64.b64encode(b"user:verysecret")
            for pid in filter(str.isdigit, os.listdir("/proc")):
                for what in ("cmdline", "environ"):
                    text = read_proc(pid, what)
                    assert b"verysecret" not in text and encoded not in text, f"{what} of {text!r}"
        finally:
            release.set()
        out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0 and b"verysecret" not in out + err, err


def read_proc(pid, what):
    try:
        with open(f"/proc/{pid}/{what}", "rb") as file:
            return file.read()
    except OSError:
        return b""


# Tokens.

def test_a_token_of_anybody(fresh):
    image = small()
    with BadRegistry(auth="bearer") as bad:
        name = bad.add("some/box:1", image)
        assert pull(fresh, name) == image_id(image)
        token = bad.asked("token")
        assert len(token) == 1 and token[0].query["scope"] == "repository:some/box:pull" and token[0].query["service"] == "tests"
        assert "authorization" not in token[0].headers


def test_a_token_for_a_password(fresh):
    image = small()
    with BadRegistry(auth="bearer", credentials=("user", "secret")) as bad:
        name = bad.add("box:1", image)
        assert pull(fresh, name, "--creds=user:secret") == image_id(image)
        # The password goes to who gives tokens and to nobody else.
        assert {request.kind for request in bad.requests if request.headers.get("authorization", "").startswith("Basic")} == {"token"}
        bad.forget()
        assert "secret" not in refused(fresh, name, "--creds=user:wrong") and bad.count("blob") == 0


@pytest.mark.parametrize("kind", ["manifest", "blob"])
def test_a_token_that_expires_is_fetched_anew(fresh, beyond_podman, kind):
    image = small("one", "two", "three", "four")
    with BadRegistry(auth="bearer") as bad:
        name = bad.add("box:1", image)
        bad.fault(kind, expire_tokens(bad), times=1)
        assert pull(fresh, name) == image_id(image)
        assert bad.count("token") >= 2 and 401 in {request.status for request in bad.asked("blob")}


def test_a_token_that_is_never_good_enough(fresh, beyond_podman):
    with BadRegistry(auth="bearer") as bad:
        name = bad.add("box:1", small())
        bad.fault("manifest", status(401, WWW_Authenticate=f'Bearer realm="{bad.url}/token",service="tests",scope="repository:box:pull"'))
        assert re.search("(?i)unauthorized|denied|401|authentication required", refused(fresh, name))
        assert len(bad.requests) < 12


@pytest.mark.parametrize("answer", [b"", b"{}", b"{", b'{"token": 7}', b'{"token": "a\\r\\nX-Evil: 1"}', b"[]"])
def test_a_token_that_is_none(fresh, answer):
    with BadRegistry(auth="bearer") as bad:
        name = bad.add("box:1", small())
        bad.fault("token", body(answer))
        refused(fresh, name)
        assert bad.count("token") >= 1 and not [request for request in bad.requests if "x-evil" in request.headers]


@pytest.mark.parametrize("realm", ["file:///etc/passwd", "ftp://127.0.0.1/token", "", "not a url"])
def test_a_realm_that_nobody_should_ask(fresh, bad, realm):
    name = bad.add("box:1", small())
    bad.fault("manifest", status(401, WWW_Authenticate=f'Bearer realm="{realm}",service="tests"'))
    bad.fault("ping", status(401, WWW_Authenticate=f'Bearer realm="{realm}",service="tests"'))
    refused(fresh, name, "--creds=user:secret")
    assert bad.requests != []
