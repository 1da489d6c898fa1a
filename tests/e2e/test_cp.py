# SPDX-License-Identifier: Apache-2.0
"""`cp` between the host and containers."""

import bz2
import gzip
import io
import lzma
import os
import stat
import subprocess
import tarfile

import pytest
from harness import IMAGE


@pytest.fixture(params=["running", "created"])
def box(request, knarr):
    if request.param == "running":
        knarr.start("--name", "box")
    else:
        knarr("create", "--name", "box", IMAGE, "true")
    return knarr


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)


def read(path):
    with open(path) as file:
        return file.read()


def back(knarr, scratch, path):
    """The content of a file in the container, by way of cp."""
    target = os.path.join(scratch, "back")
    knarr("cp", f"box:{path}", target)
    text = read(target)
    os.unlink(target)
    return text


def test_a_file_in_and_out(box, scratch):
    write(scratch + "/in", "hello\n")
    box("cp", scratch + "/in", "box:/tmp/renamed")
    assert back(box, scratch, "/tmp/renamed") == "hello\n"
    box("cp", scratch + "/in", "box:/tmp")
    assert back(box, scratch, "/tmp/in") == "hello\n"


def test_directories(box, scratch):
    write(scratch + "/tree/deep/file", "deep\n")
    box("cp", scratch + "/tree", "box:/tmp")
    assert back(box, scratch, "/tmp/tree/deep/file") == "deep\n"
    box("cp", scratch + "/tree/.", "box:/home")
    assert back(box, scratch, "/home/deep/file") == "deep\n"
    box("cp", scratch + "/tree", "box:/tmp/new")
    assert back(box, scratch, "/tmp/new/deep/file") == "deep\n"
    box("cp", "box:/tmp/tree", scratch + "/out")
    assert read(scratch + "/out/deep/file") == "deep\n"


def test_modes_and_links(box, scratch):
    write(scratch + "/tree/script", "#!/bin/sh\n")
    os.chmod(scratch + "/tree/script", 0o751)
    os.symlink("script", scratch + "/tree/link")
    box("cp", scratch + "/tree", "box:/tmp")
    box("cp", "box:/tmp/tree", scratch + "/out")
    assert os.stat(scratch + "/out/script").st_mode & 0o7777 == 0o751
    assert os.readlink(scratch + "/out/link") == "script"


def test_between_containers(box, scratch):
    box("create", "--name", "other", IMAGE, "true")
    write(scratch + "/in", "hello\n")
    box("cp", scratch + "/in", "box:/tmp/in")
    box("cp", "box:/tmp/in", "other:/tmp/in")
    box("cp", "other:/tmp/in", scratch + "/out")
    assert read(scratch + "/out") == "hello\n"


def test_out_of_a_volume(knarr, scratch):
    knarr.start("--name", "box", "-v", "data:/v")
    knarr("exec", "box", "sh", "-c", "echo in-volume > /v/file")
    assert back(knarr, scratch, "/v/file") == "in-volume\n"


@pytest.mark.parametrize("arguments", [["box:/nosuch", "{}/x"], ["{}/nosuch", "box:/tmp"], ["nosuch:/etc/passwd", "{}/x"], ["{}/a", "{}/b"],
                                       ["box:/etc/passwd"], ["{}/a", "box:/no/such/directory/"]], ids=str)
def test_errors(box, scratch, arguments):
    write(scratch + "/a", "a")
    box.error("cp", *[argument.format(scratch) for argument in arguments])


def test_links_in_the_container_do_not_lead_out(knarr, scratch):
    write(scratch + "/sentinel", "outside\n")
    knarr.start("--name", "box")
    knarr("exec", "box", "sh", "-c", f"ln -s {scratch} /tmp/escape; ln -s {scratch}/sentinel /tmp/file; ln -s ../../../../../../.. /tmp/up")
    write(scratch + "/in", "evil\n")
    for target in ("/tmp/escape/sentinel", "/tmp/file", f"/tmp/up{scratch}/sentinel"):
        knarr.result("cp", scratch + "/in", "box:" + target)
        assert read(scratch + "/sentinel") == "outside\n", target
    # What the link names inside is another place: reading it must not bring the host's file.
    knarr.result("cp", "box:/tmp/escape/sentinel", scratch + "/stolen")
    assert not os.path.exists(scratch + "/stolen") or read(scratch + "/stolen") != "outside\n"


# Links given as the source, and what replaces what.

def in_box(knarr, script):
    return knarr("exec", "box", "sh", "-c", script)


def test_a_link_given_as_the_source_is_followed(knarr, scratch):
    knarr.start("--name", "box")
    in_box(knarr, "mkdir -p /d/sub; echo deep > /d/sub/file; ln -s sub/file /d/link; ln -s /d/sub /tree; ln -s /nosuch /dangling")
    knarr("cp", "box:/d/link", scratch + "/out")
    assert read(scratch + "/out") == "deep\n" and not os.path.islink(scratch + "/out")
    os.mkdir(scratch + "/into")
    knarr("cp", "box:/d/link", scratch + "/into")
    knarr("cp", "box:/tree", scratch + "/into")
    assert sorted(os.listdir(scratch + "/into")) == ["file", "sub"]
    assert read(scratch + "/into/sub/file") == "deep\n"
    assert "/dangling" in knarr.error("cp", "box:/dangling", scratch + "/none")


def test_a_link_of_the_host_is_followed_and_gives_its_name(knarr, scratch):
    knarr.start("--name", "box")
    write(scratch + "/real/file", "there\n")
    os.symlink("real/file", scratch + "/link")
    os.symlink("real", scratch + "/tree")
    knarr("cp", scratch + "/link", "box:/tmp")
    knarr("cp", scratch + "/tree", "box:/tmp")
    assert in_box(knarr, "cd /tmp; cat link tree/file; find . -type l") == "there\nthere"


def test_a_copy_goes_through_a_link_in_the_container(knarr, scratch):
    knarr.start("--name", "box")
    in_box(knarr, "mkdir /d; echo old > /d/file; ln -s /d/file /link; ln -s d/new /dangling")
    write(scratch + "/in", "new\n")
    knarr("cp", scratch + "/in", "box:/link")
    knarr("cp", scratch + "/in", "box:/dangling")
    assert in_box(knarr, "cat /d/file /d/new; readlink /link") == "new\nnew\n/d/file"


def test_the_root_of_a_running_container(knarr, scratch):
    knarr.start("--name", "box", "-v", "data:/data")
    in_box(knarr, "echo kept > /data/file")
    knarr("cp", "box:/", scratch + "/out")
    assert read(scratch + "/out/data/file") == "kept\n"
    assert os.path.exists(scratch + "/out/bin/busybox")
    assert not {"dev", "proc", "sys"} & set(os.listdir(scratch + "/out"))


def test_files_and_directories_replace_each_other_only_when_told(knarr, scratch):
    knarr.start("--name", "box")
    in_box(knarr, "mkdir -p /t/a; touch /t/a/old /t/b")
    write(scratch + "/file/a", "a file\n")
    write(scratch + "/tree/b/inside", "inside\n")
    for tree in ("file", "tree"):
        knarr.error("cp", f"{scratch}/{tree}/.", "box:/t")
        knarr("cp", "--overwrite", f"{scratch}/{tree}/.", "box:/t")
    assert in_box(knarr, "cat /t/a /t/b/inside") == "a file\ninside"


@pytest.mark.needs_ids
def test_what_goes_in_belongs_to_the_containers_user(knarr, scratch):
    knarr.start("--name", "box", "-u", "33:44")
    knarr.start("--name", "other")
    knarr("exec", "other", "sh", "-c", "mkdir /d; echo x > /d/file; chown 7:8 /d/file")
    write(scratch + "/in", "x")
    knarr("cp", scratch + "/in", "box:/tmp/in")
    knarr("cp", "other:/d/file", "box:/tmp/given")
    knarr("cp", "-a=false", "other:/d/file", "box:/tmp/kept")
    assert in_box(knarr, "cd /tmp; stat -c %u:%g in given kept").split() == ["33:44", "33:44", "7:8"]


# Tar streams.

def tar_of(*members):
    """A tar in memory: (name, content), (name, None) for a directory, (name, ("link", target)) or ("hard", target)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.uid, info.gid, info.mtime, info.mode = 7, 8, 1000, 0o640
            data = b""
            if content is None:
                info.type, info.mode = tarfile.DIRTYPE, 0o750
            elif isinstance(content, tuple):
                info.type = tarfile.SYMTYPE if content[0] == "link" else tarfile.LNKTYPE
                info.linkname = content[1]
            else:
                data = content.encode()
                info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def tar_from(knarr, path):
    process = subprocess.run(knarr.argv("cp", path, "-"), env=knarr.environment(), stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert process.returncode == 0, process.stderr
    return tarfile.open(fileobj=io.BytesIO(process.stdout))


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress], ids=["plain", "gzip", "bzip2", "xz"])
def test_a_tar_is_unpacked(box, scratch, pack):
    box("cp", "-", "box:/tmp", input=pack(tar_of(("d", None), ("d/file", "from the tar\n"), ("d/link", ("link", "file")), ("d/hard", ("hard", "d/file")))))
    assert back(box, scratch, "/tmp/d/file") == "from the tar\n"
    assert back(box, scratch, "/tmp/d/hard") == "from the tar\n"
    assert back(box, scratch, "/tmp/d/link") == "from the tar\n"


def test_an_unpacked_tar_merges_and_replaces(knarr):
    knarr.start("--name", "box")
    in_box(knarr, "mkdir -p /t/d; echo old > /t/d/file; echo other > /t/d/stays; ln -s /d2 /t/link; mkdir /d2")
    knarr("cp", "-", "box:/t", input=tar_of(("d/file", "new\n"), ("link/through", "through\n"), ("deep/er/file", "deeper\n")))
    assert in_box(knarr, "cat /t/d/file /t/d/stays /d2/through /t/deep/er/file").split() == ["new", "other", "through", "deeper"]
    assert in_box(knarr, "stat -c '%u:%g %a %Y' /t/d/file") == "0:0 640 1000"


@pytest.mark.needs_ids
def test_owners_of_an_unpacked_tar(knarr):
    knarr.start("--name", "box", "-u", "33:44")
    knarr("cp", "-", "box:/tmp", input=tar_of(("d", None), ("d/file", "x")))
    assert in_box(knarr, "stat -c %u:%g /tmp/d /tmp/d/file").split() == ["33:44"] * 2
    knarr("cp", "-a=false", "-", "box:/tmp", input=tar_of(("d", None), ("d/file", "x")))
    assert knarr("exec", "-u", "0", "box", "stat", "-c", "%u:%g", "/tmp/d", "/tmp/d/file").split() == ["7:8"] * 2


def test_a_tar_entry_of_another_kind_replaces_only_when_told(knarr):
    knarr.start("--name", "box")
    in_box(knarr, "mkdir -p /t/a; touch /t/a/old /t/b; ln -s /tmp /t/c")
    for members in ([("a", "a file")], [("b", None)], [("c", None)]):
        assert members[0][0] in knarr.error("cp", "-", "box:/t", input=tar_of(*members))
    knarr("cp", "--overwrite", "-", "box:/t", input=tar_of(("a", "a file\n"), ("b", None), ("c", None)))
    assert in_box(knarr, "cat /t/a; stat -c %F /t/b /t/c").splitlines() == ["a file", "directory", "directory"]


@pytest.mark.parametrize("destination", ["/nosuch", "/etc/passwd"])
def test_a_tar_wants_a_directory(box, destination):
    assert "directory" in box.error("cp", "-", "box:" + destination, input=tar_of(("x", "x")))


@pytest.mark.parametrize("data", [b"", b"junk" * 200, gzip.compress(b"junk" * 200), tar_of(("file", "x" * 5000))[:2000]], ids=["empty", "junk", "gzip", "cut"])
def test_what_is_no_tar_is_refused(box, data):
    assert "tar" in box.error("cp", "-", "box:/tmp", input=data)


@pytest.mark.parametrize("arguments", [["-", "-"], ["-", "/tmp"], ["/tmp", "-"], ["box:/nosuch", "-"]], ids=str)
def test_errors_of_streams(box, arguments):
    box.error("cp", *arguments, input="")


@pytest.mark.parametrize("members", [
    [("up", ("link", "../../../../../../../..{scratch}")), ("up/sentinel", "evil")],
    [("abs", ("link", "{scratch}")), ("abs/sentinel", "evil")],
    [("a", ("link", "{scratch}")), ("b", ("link", "a")), ("b/sentinel", "evil")],
    [("../../../../../../../..{scratch}/sentinel", "evil")],
    [("hard", ("hard", "../../../../../../../..{scratch}/sentinel")), ("hard", "evil")],
    [("dir", ("link", "{scratch}")), ("hard", ("hard", "dir/sentinel")), ("hard", "evil")],
], ids=["up", "absolute", "chain", "dots", "hard", "hard-through-link"])
def test_no_tar_leads_out_of_the_container(box, scratch, members):
    write(scratch + "/sentinel", "outside\n")
    filled = [(name.format(scratch=scratch), content if not isinstance(content, tuple) else (content[0], content[1].format(scratch=scratch)))
              for name, content in members]
    box.result("cp", "-", "box:/tmp", input=tar_of(*filled))
    assert read(scratch + "/sentinel") == "outside\n"


def test_a_link_raced_while_a_tar_is_unpacked(knarr, scratch):
    write(scratch + "/sentinel", "outside\n")
    knarr.start("--name", "box", command=("sh", "-c", f"mkdir /t; cd /t; while :; do mkdir d 2>/dev/null; rm -rf d; ln -sn {scratch} d; rm -f d; done"))
    members = [(f"d/sentinel{'' if i % 2 else i}", "evil") for i in range(200)]
    for _ in range(5):
        knarr.result("cp", "-", "box:/t", input=tar_of(*members))
    assert os.listdir(scratch) == ["sentinel"] and read(scratch + "/sentinel") == "outside\n"


def test_a_tar_is_written(knarr):
    knarr.start("--name", "box")
    in_box(knarr, "mkdir -p /d/sub; echo hi > /d/file; ln /d/file /d/hard; ln -s file /d/link; mkfifo /d/fifo; chmod 4750 /d/file; ln -s d /other")
    with tar_from(knarr, "box:/d") as archive:
        assert archive.getnames() == ["d", "d/fifo", "d/file", "d/hard", "d/link", "d/sub"]
        assert archive.extractfile("d/hard").read() == b"hi\n" and archive.getmember("d/hard").islnk()
        assert archive.getmember("d/file").mode == 0o4750 and archive.getmember("d/link").linkname == "file"
        assert archive.getmember("d/fifo").isfifo() and archive.getmember("d/sub").isdir()
    assert tar_from(knarr, "box:/d/.").getnames() == ["fifo", "file", "hard", "link", "sub"]
    assert tar_from(knarr, "box:/other").getnames()[0] == "d"
    assert tar_from(knarr, "box:/d/link").getnames() == ["file"]


@pytest.mark.needs_ids
def test_a_tar_has_the_owners_the_container_sees(knarr):
    for options in ([], ["--userns", "keep-id"]):
        knarr.start("--replace", "--name", "box", "-u", "0", *options)
        in_box(knarr, "mkdir /d; touch /d/file; chown 5:6 /d/file")
        member = tar_from(knarr, "box:/d").getmember("d/file")
        assert (member.uid, member.gid) == (5, 6)


def test_a_tar_of_the_root_leaves_out_what_is_the_kernels(box):
    names = tar_from(box, "box:/").getnames()
    assert "bin/busybox" in names and not [name for name in names if name.split("/")[0] in ("dev", "proc", "sys")]


def test_a_tar_from_one_container_to_another(box):
    box("create", "--name", "other", IMAGE, "true")
    box("cp", "-", "box:/tmp", input=tar_of(("d", None), ("d/" + "long" * 60, "long name\n"), ("d/ümlaut", "x")))
    first = subprocess.run(box.argv("cp", "box:/tmp/d", "-"), env=box.environment(), stdout=subprocess.PIPE, check=True, timeout=60)
    box("cp", "-", "other:/home", input=first.stdout)
    second = subprocess.run(box.argv("cp", "other:/home/d", "-"), env=box.environment(), stdout=subprocess.PIPE, check=True, timeout=60)
    assert first.stdout == second.stdout
    assert tarfile.open(fileobj=io.BytesIO(second.stdout)).extractfile("d/" + "long" * 60).read() == b"long name\n"


def test_a_reader_that_goes_away_ends_the_copy(knarr):
    knarr.start("--name", "box")
    with knarr.popen("cp", "box:/bin", "-") as process:
        process.stdout.read(10)
        process.stdout.close()
        process.wait(20)
    assert process.returncode != 0


def test_a_pipe_or_device_of_the_host_keeps_its_place(box, scratch):
    pipe = os.path.join(scratch, "pipe")
    os.mkfifo(pipe)
    assert "neither a file nor a directory" in box.error("cp", "box:/bin/busybox", pipe)
    assert stat.S_ISFIFO(os.stat(pipe).st_mode)
