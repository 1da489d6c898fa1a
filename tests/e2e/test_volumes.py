# SPDX-License-Identifier: Apache-2.0
"""Bind mounts, volumes, tmpfs: --volume, --mount, --tmpfs, --volumes-from and the volume verbs."""

import json
import os
import re

import pytest
from harness import IMAGE


@pytest.fixture
def host(scratch):
    """A directory of the caller with a file in it."""
    with open(os.path.join(scratch, "file"), "w") as file:
        file.write("from outside\n")
    return scratch


# Bind mounts.

def test_a_directory_of_the_host(knarr, host):
    assert knarr.sh("cat /src/file; echo back > /src/new", "-v", f"{host}:/src") == "from outside"
    with open(os.path.join(host, "new")) as file:
        assert file.read() == "back\n"


def test_read_only(knarr, host):
    assert "Read-only" in knarr.sh("touch /src/new 2>&1; true", "-v", f"{host}:/src:ro")
    assert os.listdir(host) == ["file"]


def test_a_file_of_the_host(knarr, host):
    assert knarr.sh("cat /etc/motd", "-v", f"{host}/file:/etc/motd:ro") == "from outside"


def test_a_relative_path(knarr, host):
    result = knarr.result("run", "--rm", "-v", "./:/src", IMAGE, "cat", "/src/file", cwd=host)
    assert (result.status, result.out) == (0, "from outside\n")


def test_the_same_path_inside(knarr, host):
    assert knarr.sh(f"cat {host}/file", "-v", host + ":" + host) == "from outside"


def test_a_missing_source_is_an_error(knarr):
    assert "/no/such/place" in knarr.error("run", "--rm", "-v", "/no/such/place:/x", IMAGE, "true")


@pytest.mark.parametrize("bad", ["relative/inside:x", "/tmp:relative", "/tmp:/x:nosuch", "/tmp:/x:ro:rw", ":/x", "/tmp:/x:ro,rw"])
def test_bad_volumes_are_refused(knarr, bad):
    knarr.error("run", "--rm", "-v", bad, IMAGE, "true")


def test_a_path_alone_is_an_anonymous_volume(knarr):
    assert knarr.sh("test -d /a && grep -c ' /a ' /proc/self/mountinfo", "-v", "/a") == "1"


def test_mounts_are_made_parents_first(knarr, host, scratch):
    os.mkdir(os.path.join(host, "below"))
    out = knarr.sh("cat /a/file; ls /a/below", "-v", f"{host}:/a/below", "-v", f"{host}:/a")
    assert out.split() == ["from", "outside", "below", "file"]


def test_options_of_a_bind(knarr, host):
    out = knarr.sh("grep ' /src ' /proc/self/mountinfo", "-v", f"{host}:/src:noexec,nosuid,nodev")
    options = out.split()[5].split(",")
    assert {"noexec", "nosuid", "nodev", "rw"} <= set(options)
    assert knarr.result("run", "--rm", "-v", "/bin:/b:noexec", IMAGE, "/b/busybox", "true").status == 126


def test_propagation_is_private(knarr, host):
    assert "shared:" not in knarr.sh("grep ' /src ' /proc/self/mountinfo", "-v", f"{host}:/src")


def test_an_overlay_over_a_directory(knarr, host):
    out = knarr.sh("echo changed > /src/file; cat /src/file; touch /src/new", "-v", f"{host}:/src:O")
    assert out == "changed"
    with open(os.path.join(host, "file")) as file:
        assert file.read() == "from outside\n"
    assert os.listdir(host) == ["file"]


def test_a_mount_point_that_is_missing_is_made(knarr, host):
    assert knarr.sh("ls /a/b/c", "-v", f"{host}:/a/b/c") == "file"


def test_a_symbolic_link_in_the_way_stays_inside(knarr, host):
    knarr.sh("mkdir /v/real; ln -s real /v/link", "-v", "v:/v")
    assert knarr.sh("cat /v/real/file", "-v", "v:/v", "-v", f"{host}:/v/link") == "from outside"


# --mount

@pytest.mark.parametrize("mount", ["type=bind,src={},dst=/src", "type=bind,source={},target=/src", "type=bind,source={},destination=/src",
                                   "type=bind,src={},dest=/src,ro=true", "type=bind,src={},dst=/src,readonly"])
def test_mount_bind(knarr, host, mount):
    assert knarr("run", "--rm", "--mount", mount.format(host), IMAGE, "cat", "/src/file") == "from outside"


def test_mount_read_only(knarr, host):
    assert "Read-only" in knarr.sh("touch /src/x 2>&1; true", "--mount", f"type=bind,src={host},dst=/src,ro")


def test_mount_tmpfs(knarr):
    out = knarr.sh("df -k /t | tail -n 1; stat -c %a /t", "--mount", "type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=700")
    assert out.split()[1] == "1024" and out.split()[-1] == "700"


def test_mount_volume(knarr):
    knarr.sh("echo kept > /v/file", "--mount", "type=volume,src=data,dst=/v")
    assert knarr.sh("cat /v/file", "--mount", "src=data,dst=/v") == "kept"


def test_mount_devpts_and_image(knarr):
    assert knarr.sh("ls /extra", "--mount", "type=devpts,dst=/extra") == "ptmx"
    assert "busybox" in knarr.sh("ls /image/bin", "--mount", f"type=image,src={IMAGE},dst=/image")


@pytest.mark.parametrize("bad", ["", "type=nosuch,dst=/x", "type=bind,src=/tmp", "type=bind,dst=/x", "type=bind,src=/tmp,dst=/x,nosuch=1",
                                 "type=tmpfs,src=/tmp,dst=/x", "type=bind,src=/tmp,dst=relative", "type=tmpfs,dst=/x,tmpfs-size=abc"])
def test_bad_mounts_are_refused(knarr, bad):
    knarr.error("run", "--rm", "--mount", bad, IMAGE, "true")


def test_two_mounts_on_one_place_are_refused(knarr, host):
    assert "/src" in knarr.error("run", "--rm", "-v", f"{host}:/src", "-v", "/tmp:/src", IMAGE, "true")


# tmpfs

def test_tmpfs(knarr):
    out = knarr.sh("grep ' /t ' /proc/self/mountinfo; stat -c %a /t; touch /t/x", "--tmpfs", "/t:size=2m,mode=1770,noexec")
    assert "size=2048k" in out and "noexec" in out.split()[5] and out.splitlines()[-1] == "1770"


@pytest.fixture
def at_data(knarr, image):
    """Runs a script in an image that has files in /data."""
    knarr("load", "-q", "-i", image("configured"))
    return lambda script, *options: knarr("run", "--rm", "--entrypoint", "sh", "-u", "0", *options, "localhost/configured", "-c", script)


@pytest.mark.parametrize("options", [["--tmpfs", "/data"], ["--mount", "type=tmpfs,dst=/data"], ["--tmpfs", "/data:ro"]], ids=str)
def test_a_tmpfs_holds_what_the_image_has_there(at_data, options):
    assert at_data("cat /data/seed; grep -c ' /data .* tmpfs ' /proc/self/mountinfo", *options).splitlines() == ["from the image", "1"]


@pytest.mark.needs_ids
def test_what_a_tmpfs_is_filled_with_keeps_owners_and_modes(at_data):
    assert at_data("stat -c '%u:%g %a' /data/seed", "--tmpfs", "/data") == "1000:50 644"


def test_a_tmpfs_is_filled_with_links_and_trees(knarr):
    before = knarr.sh("cd /; find etc bin var | sort; stat -c '%n %a %F %s' bin/* | sort")
    out = knarr.sh("cd /; find etc bin var | sort; stat -c '%n %a %F %s' bin/* | sort; grep -cE ' /(etc|bin|var) .* tmpfs ' /proc/self/mountinfo",
                   "--tmpfs", "/etc", "--tmpfs", "/bin:exec", "--tmpfs", "/var")
    assert out == before + "\n3"


@pytest.mark.parametrize("options", [["--tmpfs", "/data:notmpcopyup"], ["--mount", "type=tmpfs,dst=/data,notmpcopyup"]], ids=str)
def test_a_tmpfs_can_start_empty(at_data, options):
    assert at_data("ls /data", *options) == ""


def test_a_full_tmpfs_is_an_error(knarr):
    assert "/bin" in knarr.error("run", "--rm", "--tmpfs", "/bin:size=4k", IMAGE, "true")


# Volumes.

def test_a_named_volume_keeps_its_files(knarr):
    knarr.sh("echo kept > /v/file", "-v", "data:/v")
    assert knarr.sh("cat /v/file", "-v", "data:/v:ro") == "kept"
    assert knarr("volume", "ls", "-q") == "data"


@pytest.fixture
def configured(knarr, image):
    knarr("load", "-q", "-i", image("configured"))
    return lambda script, *options: knarr("run", "--rm", "--entrypoint", "sh", "-u", "0", *options, "localhost/configured", "-c", script)


def test_an_empty_volume_is_filled_from_the_image(knarr, configured):
    assert configured("cat /data/seed", "-v", "data:/data") == "from the image"
    assert configured("ls /data", "-v", "other:/data:nocopy") == ""


@pytest.mark.needs_ids
def test_copy_up_keeps_owners_and_modes(configured):
    assert configured("stat -c '%u:%g %a' /data /data/seed", "-v", "data:/data").splitlines() == ["1000:50 750", "1000:50 644"]


def test_a_volume_is_filled_once(knarr, configured):
    configured("rm /data/seed; touch /data/mine", "-v", "data:/data")
    assert configured("ls /data", "-v", "data:/data") == "mine"


def test_a_volume_with_content_is_not_touched(knarr, configured):
    knarr.sh("echo mine > /v/seed", "-v", "data:/v")
    assert configured("cat /data/seed", "-v", "data:/data") == "mine"


def test_volumes_of_the_image_are_anonymous(knarr, configured):
    knarr("create", "--name", "box", "localhost/configured")
    volumes = knarr("volume", "ls", "-q").split()
    assert len(volumes) == 1 and re.fullmatch(r"[0-9a-f]{64}", volumes[0])
    mount = knarr.inspect("box")["Mounts"][0]
    assert (mount["Type"], mount["Name"], mount["Destination"]) == ("volume", volumes[0], "/data")
    knarr("rm", "-v", "box")
    assert knarr("volume", "ls", "-q") == ""


def test_anonymous_volumes_go_with_rm(knarr, configured):
    configured("true", "-v", "/more")
    assert knarr("volume", "ls", "-q") == ""


def test_named_volumes_stay(knarr):
    knarr.sh("true", "-v", "data:/v")
    knarr("create", "--name", "box", "-v", "data:/v", IMAGE)
    knarr("rm", "-v", "box")
    assert knarr("volume", "ls", "-q") == "data"


def test_image_volumes_can_be_left_out(knarr, configured):
    assert configured("grep -c ' /data ' /proc/self/mountinfo; true", "--image-volume", "ignore") == "0"
    assert "tmpfs" in configured("grep ' /data ' /proc/self/mountinfo", "--image-volume", "tmpfs")


def test_volumes_from(knarr, host):
    knarr.start("--name", "owner", "-v", "data:/v", "-v", f"{host}:/src:ro")
    knarr("exec", "owner", "sh", "-c", "echo shared > /v/file")
    out = knarr.sh("cat /v/file /src/file; touch /src/x 2>/dev/null || echo read-only", "--volumes-from", "owner")
    assert out.splitlines() == ["shared", "from outside", "read-only"]
    assert "nosuch" in knarr.error("run", "--rm", "--volumes-from", "nosuch", IMAGE, "true")


def test_a_subpath_of_a_volume(knarr):
    knarr.sh("mkdir /v/sub; echo deep > /v/sub/file", "-v", "data:/v")
    assert knarr.sh("cat /s/file", "--mount", "type=volume,src=data,dst=/s,subpath=sub") == "deep"
    knarr.error("run", "--rm", "--mount", "type=volume,src=data,dst=/s,subpath=../..", IMAGE, "true")


# volume create, ls, inspect, rm, prune

def test_volume_verbs(knarr):
    assert knarr("volume", "create", "-l", "k=v", "data") == "data"
    facts = json.loads(knarr("volume", "inspect", "data"))[0]
    assert (facts["Name"], facts["Driver"], facts["Labels"]) == ("data", "local", {"k": "v"})
    assert os.path.isdir(facts["Mountpoint"])
    assert re.fullmatch(r"[0-9a-f]{64}", knarr("volume", "create"))
    assert knarr("volume", "ls", "-q", "--filter", "name=data") == "data"
    assert knarr("volume", "ls", "-q", "--filter", "label=k=v") == "data"
    assert knarr("volume", "ls").splitlines()[0].split() == ["DRIVER", "VOLUME", "NAME"]
    assert knarr("volume", "rm", "data") == "data"
    assert knarr.result("volume", "exists", "data").status == 1
    assert "data" in knarr.error("volume", "rm", "data", status=1)


def test_a_volume_is_made_once(knarr):
    knarr("volume", "create", "data")
    assert "data" in knarr.error("volume", "create", "data")
    assert knarr("volume", "create", "--ignore", "data") == "data"


@pytest.mark.parametrize("bad", ["a b", "../x", "a/b", ".x", "-x"])
def test_bad_volume_names_are_refused(knarr, bad):
    knarr.error("volume", "create", "--", bad)


def test_a_volume_in_use_stays(knarr):
    knarr("create", "--name", "box", "-v", "data:/v", IMAGE)
    assert "data" in knarr.error("volume", "rm", "data", status=2)
    knarr("volume", "rm", "-f", "data")
    assert knarr("ps", "-aq") == ""


def test_volume_prune(knarr):
    knarr("volume", "create", "unused")
    knarr("create", "--name", "box", "-v", "used:/v", IMAGE)
    knarr("volume", "prune", "-f")
    assert "used" in knarr("volume", "ls", "-q").split()


@pytest.mark.parametrize("options", [["-d", "nosuch"], ["-o", "type=nfs"], ["-o", "nosuch=1"]], ids=str)
def test_volume_options_nobody_honours_are_refused(knarr, options):
    knarr.error("volume", "create", *options, "data")


# Volumes with options.

def test_a_volume_of_type_tmpfs(knarr):
    knarr("volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "-o", "o=size=2m,noexec", "scratch")
    assert json.loads(knarr("volume", "inspect", "scratch"))[0]["Options"] == {"type": "tmpfs", "device": "tmpfs", "o": "size=2m,noexec"}
    out = knarr.sh("grep ' /v ' /proc/self/mountinfo; echo x > /v/file", "-v", "scratch:/v")
    assert " tmpfs " in out and "size=2048k" in out and "noexec" in out.split()[5]
    assert knarr.sh("ls /v", "-v", "scratch:/v") == ""


def test_a_volume_of_type_tmpfs_is_not_shared(knarr, scratch):
    knarr("volume", "create", "-o", "type=tmpfs", "scratch")
    knarr.start("--name", "box", "-v", "scratch:/v")
    assert "scratch" in knarr.error("run", "--rm", "-v", "scratch:/v", IMAGE, "true")
    knarr("restart", "-t", "0", "box")
    knarr("create", "--name", "other", "-v", "scratch:/v", IMAGE, "true")
    knarr("cp", "other:/etc/passwd", scratch + "/out")


def test_a_volume_that_is_a_directory_of_the_host(knarr, host):
    knarr("volume", "create", "-o", "type=none", "-o", f"device={host}", "-o", "o=bind", "data")
    knarr("volume", "create", "-o", "type=bind", "-o", f"device={host}", "-o", "o=ro", "fixed")
    assert knarr.sh("cat /v/file; touch /v/new", "-v", "data:/v") == "from outside"
    assert os.path.exists(host + "/new")
    assert knarr.sh("touch /v/x 2>/dev/null || echo read-only", "-v", "fixed:/v") == "read-only"
    knarr("run", "--name", "box", "-v", "data:/v", IMAGE, "true")
    knarr("cp", "box:/v/file", host + "/copied")
    knarr("rm", "box")
    knarr("volume", "rm", "data", "fixed")
    assert sorted(os.listdir(host)) == ["copied", "file", "new"]


def test_a_volume_whose_directory_is_missing(knarr):
    knarr("volume", "create", "-o", "type=none", "-o", "device=/no/such/place", "-o", "o=bind", "data")
    assert "/no/such/place" in knarr.error("run", "--rm", "-v", "data:/v", IMAGE, "true")


# The owner of a volume.

def own_tree(path):
    os.makedirs(path + "/tree/dir")
    with open(path + "/tree/dir/file", "w") as file:
        file.write("x")
    os.symlink(path + "/sentinel", path + "/tree/link")
    with open(path + "/sentinel", "w") as file:
        file.write("x")
    return path + "/tree"


@pytest.mark.needs_ids
@pytest.mark.parametrize("user,owner", [("33:44", "33:44"), ("33", "33:0"), ("app", "1000:1000"), ("0", "0:0")])
def test_a_volume_is_given_to_the_containers_user(knarr, scratch, user, owner):
    tree, uid = own_tree(scratch), os.stat(scratch).st_uid
    out = knarr.sh("stat -c %u:%g /v /v/dir /v/dir/file /v/link", "-u", user, "-v", f"{tree}:/v:U")
    assert out.split() == [owner] * 4
    assert os.stat(scratch + "/sentinel").st_uid == uid
    assert knarr.sh("stat -c %u:%g /v /v/dir/file", "-u", "0", "--mount", f"type=bind,src={tree},dst=/v,U=true").split() == ["0:0"] * 2


@pytest.mark.needs_ids
def test_a_named_volume_is_given_to_the_containers_user(knarr):
    assert knarr.sh("stat -c %u:%g /v; touch /v/file", "-u", "33:44", "-v", "data:/v:U") == "33:44"
    assert knarr.sh("stat -c %u:%g /v /v/file", "-u", "55:66", "-v", "data:/v:U").split() == ["55:66"] * 2


@pytest.mark.needs_ids
@pytest.mark.rootless_only
def test_with_keep_id_a_volume_is_given_to_the_user(knarr, scratch):
    tree = own_tree(scratch)
    knarr.sh("true", "-u", "33:44", "-v", f"{tree}:/v:U")
    assert os.stat(tree).st_uid != os.getuid()
    knarr.sh("touch /v/mine", "--userns", "keep-id", "-v", f"{tree}:/v:U")
    assert os.stat(tree).st_uid == os.getuid() and os.path.exists(tree + "/mine")


def test_the_machines_own_directories_are_not_given_away(knarr, scratch):
    before = os.stat("/etc")
    os.symlink("/etc", scratch + "/link")
    for source in ("/etc", scratch + "/link", "/usr/../etc"):
        knarr.error("run", "--rm", "-v", f"{source}:/v:U", IMAGE, "true")
    assert (os.stat("/etc").st_uid, os.stat("/etc").st_gid) == (before.st_uid, before.st_gid)


# Overlays over a directory.

def test_an_overlay_with_directories_of_the_users(knarr, host, tmp_path):
    for name in ("upper", "work"):
        (tmp_path / name).mkdir()
    volume = f"{host}:/v:O,upperdir={tmp_path}/upper,workdir={tmp_path}/work"
    knarr.sh("echo new > /v/new", "-v", volume)
    assert knarr.sh("cat /v/file /v/new", "-v", volume).splitlines() == ["from outside", "new"]
    assert os.listdir(host) == ["file"] and os.listdir(tmp_path / "upper") == ["new"]
    # The kernel leaves a directory without permission bits in there.
    knarr("unshare", "rm", "-rf", tmp_path / "work" / "work")


def test_an_overlay_without_them_forgets(knarr, host):
    assert knarr.sh("touch /v/new; ls /v", "-v", f"{host}:/v:O").split() == ["file", "new"]
    assert knarr.sh("ls /v", "-v", f"{host}:/v:O") == "file" and os.listdir(host) == ["file"]
