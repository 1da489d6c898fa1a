# SPDX-License-Identifier: Apache-2.0
"""Seccomp profiles: what a container gets of them, and what the engine keeps."""

import json
import os
import stat

import pytest
from harness import IMAGE

DENY_MKDIR = {"defaultAction": "SCMP_ACT_ALLOW",
              "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]}


@pytest.fixture
def cache(knarr):
    """The compiled filters that this test adds, by name."""
    directory = os.path.join(knarr.root, "cache", "seccomp")
    before = set(os.listdir(directory)) if os.path.isdir(directory) else set()

    def added():
        names = set(os.listdir(directory)) if os.path.isdir(directory) else set()
        return {name: os.path.join(directory, name) for name in names - before}
    yield added
    for path in added().values():
        os.unlink(path)


@pytest.fixture
def profile(scratch):
    """profile(document) are the options for a file with it; a comment makes its content that of this test alone."""
    def write(document, name="profile.json"):
        path = os.path.join(scratch, name)
        document = document if isinstance(document, str) else json.dumps({"comment": scratch, **document})
        with open(path, "w") as file:
            file.write(document)
        return ["--security-opt", f"seccomp={path}"]
    return write


def make_directory(knarr, *options):
    return knarr.sh("mkdir /x 2>&1 || true", *options)


def test_a_filter_is_compiled_once(knarr, cache, profile):
    option = profile(DENY_MKDIR)
    assert "No space left" in make_directory(knarr, *option)
    [path] = cache().values()
    written = os.stat(path)
    assert "No space left" in make_directory(knarr, *option)
    assert list(cache().values()) == [path]
    assert os.stat(path).st_mtime_ns == written.st_mtime_ns
    assert stat.S_IMODE(written.st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o700


def test_the_content_of_a_profile_counts_not_its_path(knarr, cache, profile):
    assert "No space left" in make_directory(knarr, *profile(DENY_MKDIR))
    assert "No space left" in make_directory(knarr, *profile(DENY_MKDIR, "copy.json"))
    assert len(cache()) == 1
    rules = [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errno": "EDQUOT"}]
    assert "uota exceeded" in make_directory(knarr, *profile({**DENY_MKDIR, "syscalls": rules}))
    assert len(cache()) == 2


@pytest.mark.parametrize("damage", [
    lambda content: b"", lambda content: content[:-8], lambda content: content + bytes(8),
    lambda content: content[:-1] + bytes([content[-1] ^ 1]), lambda content: content * 1000])
def test_a_damaged_filter_is_made_anew(knarr, cache, profile, damage):
    option = profile(DENY_MKDIR)
    make_directory(knarr, *option)
    [path] = cache().values()
    with open(path, "rb") as file:
        good = file.read()
    with open(path, "wb") as file:
        file.write(damage(good))
    assert "No space left" in make_directory(knarr, *option)
    with open(path, "rb") as file:
        assert file.read() == good


@pytest.mark.parametrize("put", [lambda path, good: os.symlink(good, path), lambda path, good: os.mkfifo(path)])
def test_only_a_file_in_the_cache_is_read(knarr, cache, profile, scratch, put):
    option = profile(DENY_MKDIR)
    make_directory(knarr, *option)
    [path] = cache().values()
    good = os.path.join(scratch, "good")
    os.rename(path, good)
    put(path, good)
    assert "No space left" in make_directory(knarr, *option)
    assert stat.S_ISREG(os.lstat(path).st_mode)


def test_exec_gets_the_same_filter(knarr, profile):
    knarr.start("--name", "box", *profile(DENY_MKDIR))
    assert "No space left" in knarr("exec", "box", "sh", "-c", "mkdir /x 2>&1 || true")


def test_capabilities_choose_among_the_rules(knarr, cache, profile):
    option = profile({**DENY_MKDIR, "syscalls": [{**DENY_MKDIR["syscalls"][0], "excludes": {"caps": ["CAP_SYS_NICE"]}}]})
    assert "No space left" in make_directory(knarr, *option)
    assert make_directory(knarr, *option, "--cap-add", "sys_nice") == ""
    assert len(cache()) == 2


def test_the_usual_filters_need_no_helper(knarr, cache):
    lost = {"KNARR_LIBEXEC_DIR": "/no/such/directory"}
    for options in [], ["--cap-drop", "all"], ["--cap-add", "net_admin"], ["--privileged"]:
        knarr("run", "--rm", "--network", "none", *options, IMAGE, "true", env=lost)
    assert not cache()
    error = knarr.error("run", "--rm", "--network", "none", "--cap-add", "sys_admin", IMAGE, "true", env=lost)
    assert "/no/such/directory/knarr-seccomp" in error


def test_the_default_with_more_capabilities_is_kept_too(knarr, cache):
    knarr("run", "--rm", "--cap-add", "sys_ptrace,perfmon", IMAGE, "true")
    first = cache()
    # A capability that no rule looks at makes no difference.
    knarr("run", "--rm", "--cap-add", "sys_ptrace,perfmon,net_raw", IMAGE, "true")
    assert cache() == first


def test_a_bad_profile_says_where(knarr, cache, profile):
    rules = [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}, {"names": ["write"], "action": "ALLOW"}]
    option = profile({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": rules})
    path = option[1].removeprefix("seccomp=")
    assert knarr.error("run", "--rm", *option, IMAGE, "true") == (
        f'Error: opening seccomp profile failed: {path}: profile.syscalls[1].action: unknown action "ALLOW"')
    assert not cache()


def test_a_profile_that_would_be_half_applied_is_refused(knarr, profile):
    rules = [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]
    error = knarr.error("run", "--rm", *profile({**DENY_MKDIR, "syscalls": rules}), IMAGE, "true")
    assert "SCMP_ACT_NOTIFY" in error


def test_a_filter_that_denies_what_the_start_needs_is_an_error_not_a_hang(knarr, profile):
    rules = [{"names": ["execve", "execveat"], "action": "SCMP_ACT_ERRNO"}]
    knarr.fails(126, "run", "--rm", *profile({**DENY_MKDIR, "syscalls": rules}), IMAGE, "true")
