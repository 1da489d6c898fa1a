# SPDX-License-Identifier: Apache-2.0
"""load of what every tool writes, import, images, tag, untag, rmi, history, inspect, prune."""

import json
import os
import re
import shutil
import subprocess

import pytest
from file_server import FileServer
from harness import IMAGE


def layers_of(knarr, name):
    return json.loads(knarr("image", "inspect", name))[0]["RootFS"]["Layers"]


# load

@pytest.mark.parametrize("name, reference", [
    ("plain", "localhost/busybox:plain"),
    ("gzip", "localhost/busybox:gzip"),
    ("zstd", "localhost/busybox:zstd"),
    ("xz", "localhost/busybox:xz"),
    ("bzip2", "localhost/busybox:bzip2"),
    ("skopeo-docker-archive", "localhost/busybox:skopeo-docker"),
    ("skopeo-oci-archive", "localhost/busybox:skopeo-oci"),
    ("skopeo-oci", "localhost/busybox:skopeo-dir"),
    ("skopeo-zstd", "localhost/busybox:skopeo-zstd"),
    ("podman-docker-archive", "docker.io/library/busybox:podman"),
    ("podman-docker-archive", "localhost/second:podman"),
    ("podman-oci-archive", "docker.io/library/busybox:podman"),
])
def test_load_and_run(fresh, image, name, reference):
    assert reference in fresh("load", "-i", image(name))
    assert fresh("run", "--rm", reference, "echo", "it runs") == "it runs"


def test_load_says_what_it_loaded(fresh, image):
    assert fresh("load", "-i", image("busybox")).splitlines()[-1] == f"Loaded image: {IMAGE}"


def test_load_from_standard_input(fresh, image):
    with open(image("busybox"), "rb") as file:
        fresh("load", stdin=file)
    assert fresh("run", "--rm", IMAGE, "echo", "it runs") == "it runs"


@pytest.mark.parametrize("program", ["gzip", "zstd", "xz", "bzip2"])
def test_load_of_a_compressed_archive(fresh, image, scratch, program):
    path = os.path.join(scratch, "archive")
    with open(path, "wb") as file:
        subprocess.run([program, "-1", "-c", image("busybox")], stdout=file, check=True)
    fresh("load", "-i", path)
    assert fresh("run", "--rm", IMAGE, "echo", "it runs") == "it runs"


@pytest.mark.parametrize("verb", ["load", "import"])
def test_sync_waits_for_the_disk(fresh, image, verb):
    fresh(verb, "--sync", *(["-i", image("rich")] if verb == "load" else [image("rootfs")]))
    assert list(fresh.durable_layers()) and all(fresh.durable_layers())


def test_loading_twice_changes_nothing(knarr, image):
    before = knarr("images", "--no-trunc", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}")
    knarr("load", "-q", "-i", image("busybox"))
    assert knarr("images", "--no-trunc", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}") == before


def test_eight_loads_at_once(fresh, image):
    processes = [fresh.popen("load", "-q", "-i", image("rich")) for _ in range(8)]
    outputs = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0] * 8, outputs
    assert fresh("run", "--rm", "localhost/rich", "cat", "/data/kept") == "kept"
    assert len(os.listdir(fresh.root + "/layers")) == 3
    assert os.listdir(fresh.root + "/staging") == []


def test_what_umoci_changed(fresh, image):
    fresh("load", "-q", "-i", image("umoci"))
    names = fresh("images", "--format", "{{.Repository}}:{{.Tag}}").split()
    assert len(names) == 1
    run = ["run", "--rm", *(["-u", "0"] if fresh.single_id else []), names[0]]
    assert fresh(*run, "cat", "/umoci") == "umoci was here"
    assert fresh(*run, "sh", "-c", "echo $MADE_BY; ls /bin/yes 2>&1; true").split()[0] == "umoci"
    assert "No such file" in fresh(*run, "sh", "-c", "ls /bin/yes 2>&1; true")


@pytest.mark.needs_ids
def test_what_buildah_changed(fresh, image):
    fresh("load", "-q", "-i", image("buildah"))
    assert fresh("run", "--rm", "localhost/busybox:buildah") == "buildah was here"
    out = fresh("run", "--rm", "localhost/busybox:buildah", "sh", "-c", "id -un; pwd; echo $MADE_BY; stat -c '%u %g' /srv/a; ls /bin/yes 2>&1; true")
    assert out.splitlines()[:4] == ["app", "/srv", "buildah", "1000 50"] and "No such file" in out
    assert json.loads(fresh("image", "inspect", "localhost/busybox:buildah"))[0]["Labels"]["maker"] == "buildah"


# What layers can hold.

@pytest.fixture(params=["rich", "rich-docker"])
def rich(request, knarr, image):
    name = {"rich": "localhost/rich:latest", "rich-docker": "localhost/rich:docker"}[request.param]
    knarr("load", "-q", "-i", image(request.param))
    yield lambda script, *options: knarr.sh(script, *options, image=name)


def test_whiteouts_and_opaque_directories(rich):
    assert rich("ls /data; ls /data/tree; ls /opaque; cat /replaced; cat /becomes-directory/now").split() == [
        "kept", "tree", "again", "new", "a", "file", "now", "now"]
    assert rich("find / -xdev -name '.wh.*' | wc -l") == "0"


def test_hardlinks_across_directories(rich):
    assert len(set(rich("stat -c %i /links/a/one /links/b/two /links/three").split())) == 1
    assert rich("cat /links/b/two") == "shared"


def test_modes(rich):
    assert rich("stat -c %a /bin/setuid /bin/setgid /sticky /unreadable /closed").split() == ["4755", "2755", "1777", "0", "0"]
    assert rich("cat /closed/inside") == "inside"


@pytest.mark.needs_ids
def test_owners(rich):
    assert rich("stat -c '%u:%g' /high-owner /bin/setgid /home/app").split() == ["61234:60001", "0:50", "1000:1000"]


def test_extended_attributes(knarr, image):
    knarr("load", "-q", "-i", image("rich"))
    # The image has no tool for them; Debian's python does it.
    script = "import os; print(sorted(os.listxattr('labelled')), os.getxattr('labelled', 'user.comment'), os.listxattr('bin/capable'))"
    out = knarr("run", "--rm", "-v", "/usr:/usr:ro", "-v", "/lib:/lib:ro", "-v", "/lib64:/lib64:ro", "localhost/rich",
                "/usr/bin/python3", "-c", script)
    assert "'user.comment'" in out and "'user.empty'" in out and "b'a remark'" in out
    assert "security.capability" in out


def test_names_and_times(rich):
    assert rich("cat '/name with spaces\tand tab'; cat /ünïcödé; cat /n*n | head -n 1").split() == ["odd", "unicode", "long"]
    assert rich("stat -c %Y /old /data/kept").split() == ["1", "1700000000"]
    assert rich("readlink /absolute-link; readlink /dangling; readlink /up; test -p /pipe && echo fifo").split() == [
        "/data/kept", "nowhere", "../../../data", "fifo"]


def test_parents_a_layer_forgot(rich):
    assert rich("cat /missing/parents/file; stat -c %a /missing").split() == ["made", "755"]


def test_a_hundred_and_twenty_layers(knarr, image):
    knarr("load", "-q", "-i", image("layers120"))
    assert knarr.sh("ls /layers | wc -l; cat /last; cat /layers/001", image="localhost/layers120").split() == ["119", "119", "1"]
    assert len(layers_of(knarr, "localhost/layers120")) == 120


def test_debian(knarr, image):
    if shutil.which("mmdebstrap") is None:
        pytest.skip("this machine has no mmdebstrap")
    knarr("load", "-q", "-i", image("debian"))
    out = knarr("run", "--rm", "debian", "bash", "-c", "cat /etc/debian_version; dpkg --audit; dpkg -l | grep -c ^ii; perl -e 'print 6*7, qq(\\n)'")
    version, count, answer = out.split()
    assert version.startswith("12.") and int(count) > 20 and answer == "42"


@pytest.mark.needs_ids
def test_debian_can_manage_its_users_and_packages(knarr, image):
    if shutil.which("mmdebstrap") is None:
        pytest.skip("this machine has no mmdebstrap")
    knarr("load", "-q", "-i", image("debian"))
    script = "useradd -m me && su me -c 'id -un; touch ~/x; stat -c %U ~/x' && dpkg --purge --force-all hostname >/dev/null 2>&1; dpkg -s hostname 2>&1 | head -n 1"
    out = knarr("run", "--rm", "debian", "bash", "-c", script)
    assert out.splitlines()[:2] == ["me", "me"] and "not installed" in out


# By URL.

@pytest.mark.parametrize("verb", ["load", "import"])
def test_an_archive_may_be_on_a_server(fresh, image, scratch, verb):
    shutil.copy(image("busybox" if verb == "load" else "rootfs"), scratch + "/it.tar")
    os.chmod(scratch + "/it.tar", 0o644)
    with FileServer(scratch) as server:
        if verb == "load":
            assert fresh("load", "-q", "-i", server.url + "/it.tar") == f"Loaded image: {IMAGE}"
        else:
            fresh("import", "-q", server.url + "/it.tar", "by-url")
            assert f"Imported from {server.url}/it.tar" in fresh("history", "--no-trunc", "by-url")
        given = (["-i"] if verb == "load" else []) + [server.url + "/none.tar"]
        assert f"fetching {server.url}/none.tar: " in fresh.error(verb, "-q", *given)
    assert server.url in fresh.error(verb, "-q", *given)
    assert os.listdir(fresh.root + "/staging") == []


def test_a_name_may_say_where_it_is(fresh, image):
    fresh("load", "-q", "-i", image("busybox"))
    for prefix in ("containers-storage:", "docker://"):
        fresh("image", "exists", prefix + IMAGE)
        fresh("tag", prefix + IMAGE, "other:1")
        assert fresh("inspect", "--format", "{{.Id}}", prefix + "other:1") == fresh("inspect", "--format", "{{.Id}}", IMAGE)
        assert fresh("rmi", prefix + "other:1") == "Untagged: localhost/other:1"


# import

def test_import(knarr, image):
    identity = knarr("import", "-q", "-m", "a remark", "-c", "CMD echo imported", "-c", "ENV A=b", "-c", "USER 0", "-c", "WORKDIR /tmp",
                     "-c", 'ENTRYPOINT ["sh", "-c", "echo entry; exec \\"$@\\"", "sh"]', "-c", "LABEL k=v", image("rootfs"), "my/base:1").splitlines()[-1]
    assert re.fullmatch(r"(sha256:)?[0-9a-f]{64}", identity)
    facts = json.loads(knarr("image", "inspect", "localhost/my/base:1"))[0]
    assert "A=b" in facts["Config"]["Env"] and facts["Config"]["Labels"] == {"k": "v"} and facts["Config"]["WorkingDir"] == "/tmp"
    assert facts["History"][-1]["comment"] == "a remark" or facts["Comment"] == "a remark"
    assert knarr("run", "--rm", "my/base:1").splitlines() == ["entry", "imported"]
    knarr("rmi", "my/base:1")


def test_import_from_standard_input(knarr, image):
    with open(image("rootfs"), "rb") as file:
        knarr("import", "-q", "-", "imported", stdin=file)
    assert knarr("run", "--rm", "imported", "echo", "it runs") == "it runs"
    knarr("rmi", "imported")


@pytest.mark.parametrize("change", ["NOSUCH x", "ENV", "USER", "CMD", "EXPOSE notaport"])
def test_a_bad_change_is_refused(knarr, image, change):
    knarr.error("import", "-q", "-c", change, image("rootfs"), "bad")
    assert knarr.result("image", "exists", "localhost/bad").status == 1


# Names.

def test_images_lists(knarr):
    lines = knarr("images").splitlines()
    assert lines[0].split() == ["REPOSITORY", "TAG", "IMAGE", "ID", "CREATED", "SIZE"]
    assert any(line.split()[:2] == ["localhost/busybox", "latest"] for line in lines[1:])
    identity = knarr("images", "-q", IMAGE)
    assert re.fullmatch(r"[0-9a-f]{12}", identity)
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", knarr("images", "-q", "--no-trunc", IMAGE))
    entry = next(e for e in json.loads(knarr("images", "--format", "json")) if IMAGE in (e["Names"] or []))
    assert entry["Id"].startswith(identity) and entry["Size"] > 500000 and entry["Containers"] == 0


def test_images_templates_and_filters(knarr, image):
    knarr("load", "-q", "-i", image("configured"))
    assert "localhost/configured latest" in knarr("images", "--format", "{{.Repository}} {{.Tag}}").splitlines()
    assert knarr("images", "--filter", "label=maker=tests", "--format", "{{.Repository}}").split() == ["localhost/configured"]
    assert knarr("images", "--filter", "reference=*configured*", "--format", "{{.Repository}}").split() == ["localhost/configured"]
    assert knarr("images", "--format", "{{.Repository}}", "localhost/configured").split() == ["localhost/configured"]
    assert len(knarr("images", "-n").splitlines()) == len(knarr("images").splitlines()) - 1


def test_tag_and_untag(knarr):
    knarr("tag", IMAGE, "other", "example.org/deep/name:1")
    names = knarr("images", "--format", "{{.Repository}}:{{.Tag}}").split()
    assert {"localhost/other:latest", "example.org/deep/name:1", IMAGE} <= set(names)
    assert knarr("run", "--rm", "other", "echo", "hi") == "hi"
    knarr("untag", IMAGE, "other")
    assert knarr.result("image", "exists", "localhost/other").status == 1
    knarr("rmi", "example.org/deep/name:1")
    knarr("run", "--rm", IMAGE, "true")


@pytest.mark.parametrize("bad", ["UPPER", "a b", "", "a:b:c", "x/", ":tag", "a@sha256:123", "-x", "a/../b"])
def test_bad_names_are_refused(knarr, bad):
    knarr.error("tag", "--", IMAGE, bad)


@pytest.mark.parametrize("reference", ["busybox", "busybox:latest", "localhost/busybox", "localhost/busybox:latest"])
def test_short_names(knarr, reference):
    assert knarr("run", "--rm", reference, "echo", "hi") == "hi"


def test_references_by_id_and_digest(knarr):
    facts = json.loads(knarr("image", "inspect", IMAGE))[0]
    identity, digest = facts["Id"], facts["Digest"]
    for reference in (identity, identity[:12], identity[:4], "sha256:" + identity, f"localhost/busybox@{digest}"):
        assert knarr("run", "--rm", reference, "echo", "hi") == "hi", reference


def test_docker_names_are_library_names(fresh, image):
    fresh("load", "-q", "-i", image("podman-docker-archive"))
    for reference in ("busybox:podman", "library/busybox:podman", "docker.io/busybox:podman", "docker.io/library/busybox:podman"):
        assert fresh("run", "--rm", reference, "echo", "hi") == "hi", reference


# rmi and prune

def test_rmi_of_a_used_image(knarr, image):
    knarr("load", "-q", "-i", image("user-by-name"))
    knarr("create", "--name", "box", "localhost/user-by-name", "true")
    assert "use" in knarr.error("rmi", "localhost/user-by-name", status=2)
    knarr("rmi", "-f", "localhost/user-by-name")
    assert knarr("ps", "-aq") == ""


def test_rmi_of_nothing(knarr):
    assert "nosuch" in knarr.error("rmi", "nosuch", status=1)
    assert knarr.result("rmi", "--ignore", "nosuch").status == 0


def test_rmi_of_several_ends_with_what_matters_most(fresh, image):
    for name in ("busybox", "user-by-name"):
        fresh("load", "-q", "-i", image(name))
    fresh("create", "--name", "box", IMAGE, "true")
    for names in (["nosuch", IMAGE], [IMAGE, "nosuch"]):
        assert fresh.result("rmi", *names).status == 2
    assert fresh.result("rmi", "nosuch", "localhost/user-by-name").status == 1
    assert fresh("images", "--format", "{{.Repository}}") == "localhost/busybox"


def test_rmi_takes_the_nameless_images_it_was_made_of(fresh, image):
    fresh("load", "-q", "-i", image("busybox"))
    fresh("create", "--name", "box", IMAGE, "true")
    for keep in (False, True):
        parent = fresh("commit", "-q", "-m", f"parent {keep}", "box", "made:1")
        fresh("create", "--name", "child", "made:1", "true")
        child = fresh("commit", "-q", "child", "made:1")
        fresh("rm", "child")
        removed = re.findall("Deleted: ([0-9a-f]+)", fresh("rmi", *(["--no-prune"] if keep else []), "made:1"))
        assert removed == ([child] if keep else [child, parent])
    assert fresh("run", "--rm", IMAGE, "echo", "hi") == "hi"


def test_rmi_takes_the_layers_nobody_else_needs(fresh, image):
    fresh("load", "-q", "-i", image("rich"))
    fresh("load", "-q", "-i", image("busybox"))
    # rich's lowest layer differs from busybox's, so all of its three go.
    out = fresh("rmi", "localhost/rich")
    assert "Untagged: localhost/rich:latest" in out and re.search(r"Deleted: (sha256:)?[0-9a-f]{64}", out)
    assert len(os.listdir(fresh.root + "/layers")) == 1
    assert fresh("run", "--rm", IMAGE, "echo", "hi") == "hi"


def test_rmi_of_one_name_of_two(fresh, image):
    fresh("load", "-q", "-i", image("busybox"))
    fresh("tag", IMAGE, "other")
    fresh("rmi", "other")
    fresh("run", "--rm", IMAGE, "true")


def test_rmi_all(fresh, image):
    for name in ("busybox", "rich", "gzip"):
        fresh("load", "-q", "-i", image(name))
    fresh("rmi", "-a")
    assert fresh("images", "-q") == ""
    for place in ("layers", "images", "refs", "blobs/sha256"):
        assert os.listdir(os.path.join(fresh.root, place)) == [], place


def test_prune(fresh, image):
    fresh("load", "-q", "-i", image("busybox"))
    fresh("load", "-q", "-i", image("rich"))
    fresh("untag", "localhost/rich")
    assert fresh("image", "prune", "-f") != ""
    assert fresh("images", "--format", "{{.Repository}}").split() == ["localhost/busybox"]
    fresh("create", "--name", "box", IMAGE, "true")
    fresh("image", "prune", "-a", "-f")
    assert len(fresh("images", "-q").split()) == 1
    fresh("rm", "box")
    fresh("image", "prune", "-a", "-f")
    assert fresh("images", "-q") == ""


def test_prune_by_filter(fresh, image):
    fresh("load", "-q", "-i", image("busybox"))
    fresh("create", "--name", "box", IMAGE, "true")
    for label in ("a=1", "b=1"):
        fresh("commit", "-q", "-c", f"LABEL {label}", "box")
    fresh("rm", "box")
    count = lambda: len(fresh("images", "-q").split())
    fresh("image", "prune", "-f", "--filter", "until=1h")
    assert count() == 3
    fresh("image", "prune", "-f", "--external", "--filter", "label=a")
    assert count() == 2
    fresh("image", "prune", "-f", "--filter", "label!=b=1")
    assert count() == 2
    fresh("image", "prune", "-a", "-f", "--filter", "label!=b=1")
    assert count() == 1
    assert "color" in fresh.error("image", "prune", "-f", "--filter", "color=red")


# history, inspect, tree

def test_the_tree_of_an_image(fresh, image):
    fresh("load", "-q", "-i", image("rich"))
    fresh("create", "--name", "box", "localhost/rich", "true")
    child = fresh("commit", "-q", "box", "child:1")
    layers = [layer.split(":")[1][:12] for layer in json.loads(fresh("image", "inspect", "child:1"))[0]["RootFS"]["Layers"]]
    head, _, tree = fresh("image", "tree", "child:1").partition("Image Layers\n")
    assert head.split()[:5] == ["Image", "ID:", child[:12], "Tags:", "[localhost/child:1]"] and "Size:" in head
    rows = [re.match(r"(├──|└──) ID: (\w+) Size: +\S+ \w+( Top Layer of: \[(.*)\])?$", line).groups() for line in tree.splitlines()]
    assert [(row[0], row[1], row[3]) for row in rows] == [
        ("├──", layers[0], None), ("├──", layers[1], None), ("├──", layers[2], "localhost/rich:latest"), ("└──", layers[3], "localhost/child:1")]
    tree = fresh("image", "tree", "--whatrequires", "localhost/rich").partition("Image Layers\n")[2].splitlines()
    assert tree[0].startswith(f"└── ID: {layers[2]}") and tree[1].startswith(f"    └── ID: {layers[3]}") and len(tree) == 2


def test_history_names_the_images_on_the_way(fresh, image):
    fresh("load", "-q", "-i", image("busybox"))
    fresh("create", "--name", "box", IMAGE, "true")
    child = fresh("commit", "-q", "-m", "why", "box", "child:1")
    entries = json.loads(fresh("history", "--format", "json", "child:1"))
    assert [(entry["id"], entry["tags"], entry["comment"]) for entry in entries] == [
        (child, ["localhost/child:1"], "why"), (json.loads(fresh("image", "inspect", IMAGE))[0]["Id"], [IMAGE], "")]
    assert fresh("history", "--format", "{{.Tags}}", "child:1").splitlines() == ["[localhost/child:1]", f"[{IMAGE}]"]


def test_history(knarr, image):
    knarr("load", "-q", "-i", image("rich"))
    lines = knarr("history", "localhost/rich").splitlines()
    assert lines[0].split() == ["ID", "CREATED", "CREATED", "BY", "SIZE", "COMMENT"]
    assert [line for line in lines[1:] if "layer 2" in line] and len(lines) == 4
    assert knarr("history", "-q", "--no-trunc", IMAGE).count("\n") == 0
    entries = json.loads(knarr("history", "--format", "json", "localhost/rich"))
    assert [entry["CreatedBy"] for entry in entries] == ["layer 2", "layer 1", "layer 0"]


def test_inspect(knarr, image):
    knarr("load", "-q", "-i", image("configured"))
    facts = json.loads(knarr("image", "inspect", "localhost/configured"))[0]
    config = facts["Config"]
    assert facts["RepoTags"] == ["localhost/configured:latest"] and facts["Architecture"] == "amd64" and facts["Os"] == "linux"
    assert facts["Author"] == "tests" and facts["Created"].startswith("2023-11-14T22:13:20")
    assert config["Entrypoint"] == ["/bin/entry"] and config["Cmd"] == ["one", "two"] and config["User"] == "1000:50"
    assert config["Volumes"] == {"/data": {}} and config["ExposedPorts"] == {"80/tcp": {}, "53/udp": {}} and config["StopSignal"] == "SIGUSR1"
    assert knarr("image", "inspect", "--format", "{{.Config.WorkingDir}}", "localhost/configured") == "/work/dir"
    assert knarr("inspect", "--type", "image", "--format", "{{index .Config.Labels \"maker\"}}", "localhost/configured") == "tests"


@pytest.mark.needs_ids
def test_the_stop_signal_of_the_image(knarr, image):
    knarr("load", "-q", "-i", image("configured"))
    knarr("create", "--name", "box", "localhost/configured")
    assert knarr.inspect("box")["Config"]["StopSignal"] in ("SIGUSR1", "USR1", 10)


def test_exists(knarr):
    assert knarr.result("image", "exists", IMAGE).status == 0
    assert knarr.result("image", "exists", "nosuch").status == 1
