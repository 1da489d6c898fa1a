# SPDX-License-Identifier: Apache-2.0
"""mount, unmount, image mount, image unmount: trees where the caller can go."""

import json
import os

import pytest
from harness import IMAGE

RICH = "localhost/rich:latest"


@pytest.fixture
def shell(knarr, image, identity):
    """Runs a script in a mount namespace where mounts are possible; `$knarr` is the engine there."""
    knarr("load", "-q", "-i", image("rich"))
    program = " ".join(knarr.argv())

    def run(script):
        if identity == "root":  # on the host itself they would be leaks
            script = f"unshare --mount sh -ec '{script}'"
        return knarr("unshare", "sh", "-ec", script, env={"knarr": program})
    yield run
    knarr("rm", "-f", "-a")
    knarr("rmi", RICH)


def test_a_container_s_files_can_be_read_and_written(shell, knarr):
    knarr("run", "--name", "c", RICH, "sh", "-c", "echo hello > /greeting")
    shell('m=$($knarr mount c); test "$(cat $m/greeting)" = hello; echo more > $m/added; $knarr unmount c; test ! -e $m/added')
    assert knarr("start", "-a", "c") == "" and "A /added" in knarr("diff", "c").splitlines()


def test_a_running_container_is_seen_as_it_is_without_its_mounts(shell, knarr, scratch):
    knarr.start("--name", "c", "-v", f"{scratch}:/host", image=RICH, command=("sh", "-c", "echo x > /f; echo y > /host/g; sleep 1000"))
    knarr("exec", "c", "sh", "-c", "until [ -e /host/g ]; do :; done")
    shell('m=$($knarr mount c); cat $m/f; test ! -e $m/host/g; echo z > $m/from-outside; $knarr umount c')
    assert knarr("exec", "c", "cat", "/from-outside") == "z"


@pytest.mark.needs_ids
@pytest.mark.rootless_only
def test_a_container_with_other_ids(shell, knarr):
    knarr("run", "--name", "c", "--userns=keep-id", RICH, "true")
    shell('m=$($knarr mount c); test "$(cat $m/data/kept)" = kept')


def test_an_image_is_mounted_read_only(shell):
    assert shell(f'm=$($knarr image mount {RICH}); cat $m/data/kept; ls $m/opaque; test ! -e $m/data/removed; '
                 f'if touch $m/x 2> /dev/null; then exit 1; fi; $knarr image unmount {RICH} > /dev/null; test ! -e $m/data/kept').split() == ["kept", "new"]
    assert shell(f'm=$($knarr image mount {IMAGE}); test -x $m/bin/sh; if touch $m/x 2> /dev/null; then exit 1; fi') == ""


def test_what_is_mounted_is_listed(shell, knarr):
    identity = knarr("create", "--name", "c", IMAGE, "true")
    lines = shell(f'$knarr mount; $knarr mount c; $knarr mount --no-trunc; $knarr image mount {RICH}; $knarr image mount; '
                  "$knarr mount --format json").splitlines()
    place = lines[0]
    assert lines[1].split() == [identity, place]
    assert lines[3].split() == [RICH, lines[2]]
    assert json.loads("\n".join(lines[4:])) == [{"id": identity, "Names": ["c"], "mountpoint": place}]
    # They ended with the namespace.
    assert shell("$knarr mount; $knarr image mount") == ""


def test_mounted_twice_is_unmounted_twice(shell, knarr):
    knarr("create", "--name", "c", IMAGE, "true")
    shell("m=$($knarr mount c); test $($knarr mount c) = $m; $knarr unmount c; test -d $m/bin; $knarr unmount c; test ! -e $m/bin")
    shell("m=$($knarr mount c); $knarr mount c; $knarr unmount --force c; test ! -e $m/bin")
    shell("$knarr mount -a; $knarr unmount -a; test -z \"$($knarr mount)\"; if $knarr unmount c 2> /dev/null; then exit 1; fi")


def test_an_ordinary_user_is_told_where_it_works(knarr, identity):
    knarr("create", "--name", "c", IMAGE, "true")
    if identity == "root":
        pytest.skip("root mounts in the host's own namespace")
    for verb in (["mount", "c"], ["image", "mount", IMAGE]):
        result = knarr.result(*verb)
        assert result.status == 125 and "knarr unshare" in result.err, result
    assert "requires a name or ID" in knarr.error("unmount")
