# SPDX-License-Identifier: Apache-2.0
"""`cp` between the host and containers."""

import os

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


def test_archives_are_refused_by_name(box):
    for arguments in (["-", "box:/tmp"], ["box:/etc/passwd", "-"]):
        result = box.result("cp", *arguments, input="")
        assert result.status == 125 and "tar stream" in result.err and result.out == ""


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
