# SPDX-License-Identifier: Apache-2.0
"""Archives and layouts no honest tool would write. Each is refused with an error (or taken where it is harmless);
nothing is left in the store and nothing outside it is touched."""

import copy
import io
import json
import os
import resource
import subprocess
import tarfile

import oci
import pytest
from harness import IMAGE


@pytest.fixture
def sentinel(scratch):
    path = os.path.join(scratch, "sentinel")
    os.mkdir(path)
    with open(os.path.join(path, "file"), "w") as file:
        file.write("untouched\n")
    yield path
    assert os.listdir(path) == ["file"] and open(os.path.join(path, "file")).read() == "untouched\n"


def store_files(engine):
    found = []
    for place in ("layers", "images", "refs", "staging", "blobs/sha256"):
        path = os.path.join(engine.root, place)
        found += [os.path.join(place, name) for name in (os.listdir(path) if os.path.isdir(path) else [])]
    return sorted(found)


@pytest.fixture
def refuse(knarr):
    """Loading this must fail, with words, and leave the store as it was."""
    def refuse(path, *words):
        before = store_files(knarr)
        result = knarr.result("load", "-q", "-i", path, timeout=120)
        if result.status == 0:
            knarr.result("rmi", "-f", "localhost/hostile")
        assert result.status == 125 and result.err.startswith("Error: "), result
        error = result.err
        assert store_files(knarr) == before
        for word in words:
            assert word in error, error
        knarr("run", "--rm", IMAGE, "true")
        return error
    return refuse


def layout(scratch, image, **more):
    return oci.write_oci_layout(os.path.join(scratch, "image"), [image], **more)


def busybox(*layers, **more):
    more.setdefault("name", "localhost/hostile:latest")
    return oci.Image([oci.busybox_layer(), *layers], config=oci.BUSYBOX_CONFIG, **more)


def novel(**more):
    """An image of one layer that the store does not have: what it has it need not read again."""
    more.setdefault("name", "localhost/hostile:latest")
    layer = oci.busybox_layer().file("novel", os.urandom(200000))
    return oci.Image([layer], config=oci.BUSYBOX_CONFIG, **more)


# Archives.

@pytest.mark.parametrize("data", [b"", b"x", b"\0" * 512, b"\0" * 10240, os.urandom(4096), b"\x1f\x8b\x08\0", b"{}", b"BZh9", b"\xfd7zXZ\0", b"(\xb5/\xfd"],
                         ids=["empty", "one byte", "a zero block", "zero blocks", "noise", "gzip", "json", "bzip2", "xz", "zstd"])
def test_files_that_are_no_archive(refuse, scratch, data):
    path = os.path.join(scratch, "archive")
    with open(path, "wb") as file:
        file.write(data)
    refuse(path)


def test_things_that_are_no_file(refuse, scratch):
    refuse("/no/such/file", "/no/such/file")
    empty = os.path.join(scratch, "empty")
    os.mkdir(empty)
    refuse(empty)
    refuse("/dev/null")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("name", ["busybox", "skopeo-oci-archive"])
def test_truncated_archives(refuse, scratch, image, name, share):
    with open(image(name), "rb") as file:
        data = file.read()
    path = os.path.join(scratch, "archive")
    end = int(len(data.rstrip(b"\0")) * share)
    with open(path, "wb") as file:
        file.write(data[:end])
    refuse(path)


@pytest.mark.parametrize("compression", ["gzip", "zstd", "xz", "bzip2", ""])
def test_a_truncated_layer(refuse, scratch, compression):
    image = novel(compression=compression)
    image.blobs[0] = image.blobs[0][:-len(image.blobs[0]) // 3]
    refuse(layout(scratch, image))


@pytest.mark.parametrize("compression", ["gzip", "zstd", "xz", "bzip2"])
def test_a_damaged_layer(refuse, scratch, compression):
    image = novel(compression=compression)
    blob = bytearray(image.blobs[0])
    for offset in range(1000, 1040):
        blob[offset] ^= 0x5A
    image.blobs[0] = bytes(blob)
    refuse(layout(scratch, image))


def test_garbage_after_a_layer(knarr, scratch):
    image = novel()
    image.blobs[0] += b"garbage"
    result = knarr.result("load", "-q", "-i", layout(scratch, image))
    if result.status == 0:
        knarr("rmi", "localhost/hostile")


@pytest.mark.parametrize("name", ["../escaped", "/escaped", "blobs/../../escaped"])
def test_members_that_climb(knarr, scratch, sentinel, name):
    oci.write_docker_archive(os.path.join(scratch, "archive.tar"), [busybox()], members={name: b"evil"})
    knarr.result("load", "-q", "-i", os.path.join(scratch, "archive.tar"))
    assert not os.path.exists(os.path.join(scratch, "escaped")) and not os.path.exists("/escaped")
    knarr.result("rmi", "-f", "localhost/hostile")


@pytest.mark.parametrize("manifest", [
    [], [{}], {}, "x", 1, None, [{"Config": 1, "Layers": []}], [{"Config": "../../etc/passwd", "Layers": []}], [{"Config": "/etc/passwd", "Layers": ["/etc/shadow"]}],
    [{"Config": "nosuch.json", "Layers": ["nosuch.tar"]}], [{"Config": "c.json", "Layers": "x"}], [{"Config": "c.json", "Layers": [], "RepoTags": "x"}],
    [{"Config": "c.json", "Layers": [], "RepoTags": ["../../x"]}], [{"Config": "manifest.json", "Layers": []}],
], ids=str)
def test_manifests_of_archives(refuse, scratch, manifest):
    path = oci.write_docker_archive(os.path.join(scratch, "a.tar"), [], members={"manifest.json": oci.canonical(manifest), "c.json": b"{}"})
    refuse(path)


def test_layers_as_links_in_an_archive(refuse, scratch, sentinel):
    """docker save of old wrote links for layers it had already; a link out of the archive is another thing."""
    image = busybox()
    path = os.path.join(scratch, "a.tar")
    config = image.config_bytes()
    with tarfile.open(path, "w") as archive:
        for name, data in (("c.json", config), ("manifest.json", oci.canonical([{"Config": "c.json", "Layers": ["l.tar"], "RepoTags": ["x:y"]}]))):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        info = tarfile.TarInfo("l.tar")
        info.type, info.linkname = tarfile.SYMTYPE, sentinel + "/file"
        archive.addfile(info)
    refuse(path)


# Digests and documents.

def test_a_layer_of_another_digest(refuse, scratch):
    image = novel()
    manifest = image.manifest()
    path = layout(scratch, image, manifests=[oci.canonical(manifest)])
    blob = os.path.join(path, "blobs", "sha256", manifest["layers"][0]["digest"].split(":")[1])
    other = oci.compress(oci.Layer().file("x", "y").tar(), "gzip")
    with open(blob, "wb") as file:
        file.write(other.ljust(manifest["layers"][0]["size"], b"\0"))
    refuse(path, "digest")


def test_a_diff_id_of_another_tar(refuse, scratch):
    image = novel()
    image.config["rootfs"]["diff_ids"][0] = oci.sha256(b"another")
    refuse(layout(scratch, image))


def test_a_config_of_another_digest(refuse, scratch):
    image = busybox()
    path = layout(scratch, image)
    with open(os.path.join(path, "blobs/sha256", oci.sha256(image.config_bytes()).split(":")[1]), "ab") as file:
        file.write(b" ")
    refuse(path)


@pytest.mark.parametrize("digest", ["sha256:../../../../etc/passwd", "md5:" + "0" * 32, "sha256:" + "A" * 64, "sha256:" + "0" * 63, "sha256:" + "0" * 65, ":", "",
                                    "sha256", "sha256:", "SHA256:" + "0" * 64, "sha256:" + "0" * 64 + "\n", "sha512:" + "0" * 64, 7, None, ["sha256:" + "0" * 64]],
                         ids=str)
@pytest.mark.parametrize("where", ["layer", "config", "manifest", "diff_id"])
def test_digests_that_are_none(refuse, scratch, digest, where):
    image = busybox()
    manifest = image.manifest()
    index = None
    if where == "layer":
        manifest["layers"][0]["digest"] = digest
    elif where == "config":
        manifest["config"]["digest"] = digest
    elif where == "diff_id":
        image.config["rootfs"]["diff_ids"] = [digest]
        manifest = image.manifest()
    else:
        index = {"schemaVersion": 2, "manifests": [{"mediaType": oci.OCI_MANIFEST, "digest": digest, "size": 10}]}
    refuse(layout(scratch, image, manifests=[oci.canonical(manifest)], index=index))


def change(document, path, value):
    document = copy.deepcopy(document)
    place = document
    for key in path[:-1]:
        place = place[key]
    if value is KeyError:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return document


@pytest.mark.parametrize("path, value", [
    (["schemaVersion"], 1), (["layers"], {}), (["layers"], "x"), (["layers", 0], "x"), (["layers", 0, "size"], -1), (["layers", 0, "size"], "big"),
    (["layers", 0, "size"], 1 << 62), (["layers", 0, "size"], 1.5), (["layers", 0, "size"], 1), (["config"], []), (["config"], KeyError), (["config", "size"], 1),
    (["layers", 0, "digest"], KeyError), (["layers", 0, "mediaType"], 5), (["layers", 0, "mediaType"], "text/html"), (["layers"], []),
], ids=lambda value: str(value))
def test_manifests(refuse, scratch, path, value):
    image = novel()
    refuse(layout(scratch, image, manifests=[oci.canonical(change(image.manifest(), path, value))]))


@pytest.mark.parametrize("path, value", [
    (["rootfs"], KeyError), (["rootfs"], "x"), (["rootfs", "diff_ids"], "x"), (["rootfs", "diff_ids"], []), (["rootfs", "diff_ids"], ["sha256:" + "0" * 64] * 2),
    (["rootfs", "type"], "squashfs"), (["config"], "x"), (["config", "Env"], "A=b"), (["config", "Env"], [1]), (["config", "Cmd"], {"a": 1}),
    (["config", "User"], 5), (["config", "Volumes"], ["x"]), (["config", "Labels"], ["x"]), (["config", "Entrypoint"], "sh"), (["history"], {}), (["config", "WorkingDir"], 1),
    (["config", "ExposedPorts"], 1), (["os"], 5),
], ids=lambda value: str(value))
def test_configs(refuse, scratch, path, value):
    image = busybox()
    image.config = change(image.config, path, value)
    refuse(layout(scratch, image))


def test_a_document_that_is_two_things(refuse, scratch):
    image = busybox()
    both = dict(image.manifest(), manifests=[{"mediaType": oci.OCI_MANIFEST, "digest": oci.sha256(b""), "size": 0}])
    refuse(layout(scratch, image, manifests=[oci.canonical(both)]))


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b'{"schemaVersion": 2, "manifests": [', b"\xff\xfe", b'{"a":' * 100000 + b"1" + b"}" * 100000, b"[" * 1000000],
                         ids=["empty", "open", "list", "null", "cut", "not utf-8", "deep objects", "deep lists"])
@pytest.mark.parametrize("where", ["index", "manifest", "config"])
def test_json_that_is_none(refuse, scratch, text, where):
    image = busybox()
    if where == "config":
        image.config_bytes = lambda: text
    refuse(layout(scratch, image, manifests=[text] if where == "manifest" else None, index=text if where == "index" else None))


@pytest.mark.parametrize("where, size", [("manifest", 5 << 20), ("config", 9 << 20)])
def test_documents_without_end(refuse, scratch, where, size):
    image = busybox()
    if where == "config":
        image.config["padding"] = "x" * size
        refuse(layout(scratch, image))
    else:
        refuse(layout(scratch, image, manifests=[oci.canonical(dict(image.manifest(), padding="x" * size))]))


def test_an_index_of_itself(refuse, scratch):
    image = busybox()
    path = layout(scratch, image)
    loop = oci.canonical({"schemaVersion": 2, "mediaType": oci.OCI_INDEX, "manifests": [{"mediaType": oci.OCI_INDEX, "digest": "sha256:" + "0" * 64, "size": 100}]})
    oci._put_blob(path, loop, "sha256:" + "0" * 64)
    with open(os.path.join(path, "index.json"), "wb") as file:
        file.write(oci.canonical({"schemaVersion": 2, "manifests": [{"mediaType": oci.OCI_INDEX, "digest": oci.sha256(loop), "size": len(loop)}]}))
    oci._put_blob(path, loop)
    refuse(path)


@pytest.mark.parametrize("name", ["../../evil", "/evil", "a b", "UPPER", "x" * 300, "localhost/a\nb", "localhost/../x", "\0"])
def test_names_that_are_none(knarr, scratch, name):
    before = store_files(knarr)
    result = knarr.result("load", "-q", "-i", layout(scratch, busybox(name=name)))
    names = knarr("images", "--format", "{{.Repository}}:{{.Tag}}")
    assert ".." not in names and "UPPER" not in names and "a b" not in names
    if result.status != 0:
        assert store_files(knarr) == before
    # Loaded without the name: what the busybox image was loaded as before stays what it is.
    assert not [path for path in store_files(knarr) if "evil" in path or "UPPER" in path]


def test_a_blob_that_is_a_link(refuse, scratch, sentinel):
    image = busybox()
    path = layout(scratch, image)
    blob = os.path.join(path, "blobs/sha256", oci.sha256(image.config_bytes()).split(":")[1])
    os.unlink(blob)
    os.symlink("/etc/passwd", blob)
    refuse(path)


# Layers.

@pytest.fixture
def attempt(knarr, scratch):
    """Loads an image with this layer on top; True when it was taken. Whatever happens, it can be removed."""
    def attempt(layer, script="true"):
        result = knarr.result("load", "-q", "-i", layout(scratch, busybox(layer)), timeout=120)
        assert result.status in (0, 125), result
        if result.status == 0:
            attempt.out = knarr.result("run", "--rm", "localhost/hostile", "sh", "-c", script).out
            knarr("rmi", "-f", "localhost/hostile")
        else:
            assert result.err.startswith("Error: ")
        return result.status == 0
    attempt.out = ""
    return attempt


@pytest.mark.parametrize("name", ["../escaped", "../../../../../../../../tmp/escaped", "a/../../escaped", "/../escaped", "..", "a/..", "./../escaped"])
def test_paths_that_climb_are_refused(attempt, name):
    assert not attempt(oci.Layer().file(name, "evil"))
    assert not os.path.exists("/tmp/escaped") and not os.path.exists("/escaped")


@pytest.mark.parametrize("name", ["/absolute", "//double", "./dot", "a//b", "a/./b", "trailing/"])
def test_odd_paths_stay_inside(attempt, scratch, name):
    attempt(oci.Layer().file(name, "text"), "ls /")
    assert not os.path.exists("/absolute") and not os.path.exists("/double")


@pytest.mark.parametrize("target", ["{}", "/../../../..{}", "../../../../../../../../../..{}"])
def test_writing_through_a_link(attempt, sentinel, target):
    target = target.format(sentinel)
    for layer in (oci.Layer().symlink("link", target).file("link/evil", "evil"),
                  oci.Layer().symlink("link", target + "/file").file("link", "evil"),
                  oci.Layer().symlink("link", target).directory("link/", mode=0o777).file("link/evil", "evil"),
                  oci.Layer().symlink("a", target).symlink("b", "a").file("b/evil", "evil"),
                  oci.Layer().symlink("link", target).whiteout("link/file"),
                  oci.Layer().symlink("link", target).opaque("link"),
                  oci.Layer().symlink("link", target).hardlink("stolen", "link/file"),
                  oci.Layer().symlink("link", target + "/file").hardlink("stolen", "link").file("stolen", "evil"),
                  oci.Layer().symlink("link", target).entry("link/x", tarfile.FIFOTYPE),
                  oci.Layer().symlink("link", target).directory("link/sub/deep/")):
        attempt(layer)


@pytest.mark.parametrize("target", ["../../etc/passwd", "/etc/passwd", "nosuch", "", ".", "..", "link"])
def test_hard_links_stay_in_the_layer(attempt, target):
    layer = oci.Layer().symlink("link", "/etc/shadow").hardlink("stolen", target)
    if attempt(layer, "cat /stolen 2>/dev/null"):
        assert "root:" not in attempt.out or target in ("/etc/passwd",) and "app:x:1000" in attempt.out


def test_a_hard_link_into_the_layer_below(attempt):
    """Rare, and refused by the field's tools: the content must be right, or the load must fail."""
    if attempt(oci.Layer().hardlink("linked", "etc/passwd"), "head -n 1 /linked"):
        assert attempt.out.startswith("root:")


def test_the_root_as_a_link(attempt, sentinel):
    for name in (".", "/", "./"):
        attempt(oci.Layer().symlink(name, sentinel).file("evil", "evil"))
        attempt(oci.Layer().file(name, "evil").file("evil", "evil"))


@pytest.mark.parametrize("name", [".wh.", ".wh..", ".wh...", "a/.wh.", ".wh.a/b"])
def test_whiteouts_of_nothing_are_refused(attempt, name):
    assert not attempt(oci.Layer().file(name))


def test_whiteouts_of_the_layer_itself(attempt):
    # The order of entries does not matter: a whiteout is about the layers below.
    if attempt(oci.Layer().file("new", "kept\n").whiteout("new").whiteout("etc/passwd").file("etc/passwd", "kept\n"), "cat /new /etc/passwd"):
        assert "kept" in attempt.out


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE])
@pytest.mark.parametrize("major, minor", [(0, 0), (1, 1), (1, 3), (8, 0), (5, 1)])
def test_device_nodes_give_no_device(knarr, attempt, kind, major, minor):
    if attempt(oci.Layer().device("node", kind, major, minor), "stat -c '%F' /node; head -c 1 /node | wc -c"):
        if knarr.identity != "root":
            assert "special" not in attempt.out or attempt.out.split()[-1] == "0"


@pytest.mark.parametrize("key", ["trusted.overlay.opaque", "trusted.overlay.redirect", "user.overlay.opaque", "user.overlay.redirect", "user.overlay.metacopy",
                                 "user.overlay.origin", "system.posix_acl_access", "security.selinux", "user.containers.override_stat", "nonsense", ""])
def test_attributes_that_would_change_the_overlay(knarr, attempt, key):
    layer = oci.Layer().directory("etc/", xattrs={key: b"y"}).file("bin/busybox2", "x", xattrs={key: b"/etc"})
    if attempt(layer, "cat /etc/passwd | head -n 1; cat /bin/busybox2"):
        assert attempt.out.startswith("root:"), "the directory must still be merged with the one below"


def test_a_member_that_is_larger_than_its_archive(attempt):
    layer = oci.Layer()
    layer.entry("huge", size=1 << 40)
    assert not attempt(oci.RawLayer(layer._buffer.getvalue() + b"\0" * 4096))


@pytest.mark.parametrize("field, value", [(124, b"77777777777\0"), (124, b"\xff" * 12), (124, b"-1         \0"), (124, b"99999999999\0"), (148, b"00000000"),
                                          (100, b"zzzzzzz\0"), (108, b"\x80" + b"\xff" * 7), (136, b"\x80" + b"\xff" * 11), (156, b"Z"), (156, b"S"), (156, b"V"), (156, b"M")],
                         ids=lambda value: str(value)[:20])
def test_headers(attempt, field, value):
    tar = bytearray(oci.Layer().file("file", "text").tar())
    tar[field:field + len(value)] = value
    if field != 148:
        tar[148:156] = b" " * 8
        tar[148:156] = b"%06o\0 " % sum(tar[:512])
    attempt(oci.RawLayer(bytes(tar)))


@pytest.mark.parametrize("records", [b"", b"5 a=b", b"99999999999999999999 a=b\n", b"-5 a=b\n", b"0 a=b\n", b"6 a=bc\n", b"10 size=-1\n", b"24 path=../../escaped99\n"[:24],
                                     b"3 =\n", b"12 uid=abc\n\n", b"18 mtime=1e999999\n", b"30 size=99999999999999999999\n\n"[:29]], ids=str)
def test_extended_headers(attempt, records):
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, len(records)
    raw = header.tobuf(tarfile.USTAR_FORMAT) + records.ljust(-(-len(records) // 512) * 512, b"\0")
    attempt(oci.RawLayer(raw + oci.Layer().file("file", "text").tar()))
    assert not os.path.exists("/tmp/escaped") and not os.path.exists("/escaped")


def test_an_extended_header_without_end(knarr, attempt):
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 64 << 20
    assert not attempt(oci.RawLayer(header.tobuf(tarfile.USTAR_FORMAT) + b"x" * (64 << 20) + oci.Layer().file("a", "b").tar()))


def test_a_path_without_end(attempt):
    for name in ("a/" * 3000 + "x", "y" * 5000, "z" * 256):
        attempt(oci.Layer().file(name, "text"))


def test_a_hundred_thousand_empty_headers(attempt):
    block = bytearray(oci.Layer().file("same", "").tar()[:512])
    attempt(oci.RawLayer(bytes(block) * 100000 + b"\0" * 1024))


def test_a_sparse_map_without_end(attempt):
    # GNU's old format: an extension block follows as long as its flag says so.
    header = bytearray(tarfile.TarInfo("sparse").tobuf(tarfile.GNU_FORMAT))
    header[156:157] = b"S"
    header[482:483] = b"\x01"  # isextended
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header[:512])
    block = bytearray(b"00000000000\0" * 42 + b"\0" * 8)
    block[504:505] = b"\x01"
    attempt(oci.RawLayer(bytes(header) + bytes(block) * 50000 + b"\0" * 1024))


def little_memory():
    resource.setrlimit(resource.RLIMIT_DATA, (150 << 20, 150 << 20))


@pytest.mark.parametrize("compression", ["gzip", "zstd", "xz", "bzip2"])
def test_a_bomb_uses_little_memory(knarr, scratch, compression):
    """A quarter of a gigabyte of nothing from a few kilobytes, with less memory than that."""
    entry = tarfile.TarInfo("zeros")
    entry.size = 256 << 20
    image = busybox(oci.RawLayer(entry.tobuf() + b"\0" * (entry.size + 1024)), compression=compression)
    path = layout(scratch, image)
    knarr("load", "-q", "-i", path, preexec_fn=little_memory)
    assert knarr("run", "--rm", "localhost/hostile", "stat", "-c", "%s", "/zeros") == str(entry.size)
    knarr("rmi", "localhost/hostile")


def test_a_zstd_window_without_end(scratch, refuse):
    image = novel()
    image.compression = "zstd"
    blob = subprocess.run(["zstd", "-q", "-1", "--ultra", "--long=31", "-c"], input=image.tars[0], stdout=subprocess.PIPE, check=True).stdout
    # A frame header that asks for a window of 2 GiB and more.
    image.blobs[0] = b"\x28\xb5\x2f\xfd" + bytes([0x00, 0xF8]) + blob[6:]
    refuse(layout(scratch, image))


def test_many_thousand_entries_in_one_directory(knarr, scratch):
    layer = oci.Layer().directory("many/")
    for number in range(20000):
        layer.file(f"many/{number}", "")
    image = oci.Image([oci.busybox_layer(), layer], name="localhost/hostile:latest", config=oci.BUSYBOX_CONFIG, compression="")
    knarr("load", "-q", "-i", layout(scratch, image))
    assert knarr("run", "--rm", "localhost/hostile", "sh", "-c", "ls /many | wc -l") == "20000"
    knarr("rmi", "localhost/hostile")


def test_a_failed_load_does_not_need_descriptors_or_processes_to_clean_up(knarr, scratch):
    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24))

    path = layout(scratch, busybox())
    result = knarr.result("load", "-q", "-i", path, preexec_fn=few)
    if result.status == 0:
        knarr("rmi", "localhost/hostile")
    assert os.listdir(os.path.join(knarr.root, "staging")) == []
    assert json.loads(knarr("images", "--format", "json"))
