# SPDX-License-Identifier: Apache-2.0
"""`logs` and the log drivers."""

import datetime
import json
import os
import re

import pytest
from harness import IMAGE, eventually, read_line

STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(Z|[+-]\d\d:\d\d)"


@pytest.mark.parametrize("driver", ["k8s-file", "json-file"])
def test_both_streams_come_back_each_on_its_own(knarr, driver):
    knarr("run", "--name", "box", "--log-driver", driver, IMAGE, "sh", "-c", "echo out; echo err >&2; printf unended")
    result = knarr.result("logs", "box")
    assert (result.status, result.out, result.err) == (0, "out\nunended", "err\n")


def test_times(knarr):
    knarr("run", "--name", "box", IMAGE, "echo", "hello")
    assert re.fullmatch(STAMP + " hello", knarr("logs", "-t", "box"))


def test_tail(knarr):
    knarr("run", "--name", "box", IMAGE, "seq", "100")
    assert knarr("logs", "--tail", "3", "box").split() == ["98", "99", "100"]
    assert knarr("logs", "--tail", "0", "box") == ""
    assert len(knarr("logs", "--tail", "-1", "box").split()) == 100
    assert len(knarr("logs", "--tail", "1000", "box").split()) == 100


def test_since_and_until(knarr):
    knarr("run", "--name", "box", IMAGE, "sh", "-c", "echo one; sleep 1.1; echo two")
    first = knarr("logs", "-t", "box").splitlines()[0].split()[0]
    middle = (datetime.datetime.fromisoformat(first[:19]) + datetime.timedelta(seconds=1)).isoformat() + first[first.index(".") + 10:]
    assert knarr("logs", "--since", middle, "box") == "two"
    assert knarr("logs", "--until", middle, "box") == "one"
    assert knarr("logs", "--since", "1h", "box").split() == ["one", "two"]
    assert knarr("logs", "--since", "2000-01-01", "box").split() == ["one", "two"]


@pytest.mark.parametrize("option", ["--since", "--until"])
def test_a_bad_time_is_refused(knarr, option):
    knarr("create", "--name", "box", IMAGE, "true")
    knarr.error("logs", option, "yesterday-ish", "box")


def test_follow_ends_with_the_container(knarr):
    knarr("run", "-d", "-i", "--name", "box", IMAGE, "sh", "-c", "echo first; read x; echo second; exit 4")
    process = knarr.popen("logs", "-f", "box", bufsize=0)
    assert read_line(process.stdout) == "first"
    knarr.result("attach", "box", input="go\n")
    assert read_line(process.stdout) == "second"
    assert process.wait(20) == 0
    process.stdout.close()
    process.stderr.close()


def test_follow_of_a_container_that_ended(knarr):
    knarr("run", "--name", "box", IMAGE, "echo", "done")
    assert knarr("logs", "-f", "box", timeout=20) == "done"


def test_the_log_of_a_second_start_is_appended(knarr):
    knarr("run", "--name", "box", IMAGE, "echo", "again")
    knarr("start", "-a", "box")
    assert knarr("logs", "box").split() == ["again", "again"]


def test_several_containers_with_names(knarr):
    knarr("run", "--name", "one", IMAGE, "echo", "from one")
    knarr("run", "--name", "two", IMAGE, "echo", "from two")
    out = knarr("logs", "-n", "one", "two")
    assert sorted(out.splitlines()) == ["one from one", "two from two"]


def test_a_container_that_never_ran_has_an_empty_log(knarr):
    knarr("create", "--name", "box", IMAGE, "true")
    assert knarr("logs", "box") == ""


def test_no_log(knarr):
    knarr("run", "--name", "box", "--log-driver", "none", IMAGE, "echo", "hello")
    assert "none" in knarr.error("logs", "box")


def test_an_unknown_driver_is_refused(knarr):
    assert "nosuch" in knarr.error("run", "--rm", "--log-driver", "nosuch", IMAGE, "true")


def log_path(knarr, name):
    return knarr.inspect(name)["HostConfig"]["LogConfig"]["Path"]


def test_the_format_of_k8s_file(knarr):
    knarr("run", "--name", "box", IMAGE, "sh", "-c", "echo out; echo err >&2; printf part")
    with open(log_path(knarr, "box")) as file:
        lines = sorted(re.sub("^" + STAMP, "T", line) for line in file)
    assert lines == ["T stderr F err\n", "T stdout F out\n", "T stdout P part\n"]


def test_the_format_of_json_file(knarr):
    knarr("run", "--name", "box", "--log-driver", "json-file", IMAGE, "printf", 'say "hi"\\n\\001\\n')
    with open(log_path(knarr, "box")) as file:
        entries = [json.loads(line) for line in file]
    assert [entry["log"] for entry in entries] == ['say "hi"\n', "\x01\n"]
    assert all(entry["stream"] == "stdout" and re.fullmatch(STAMP, entry["time"]) for entry in entries)


def test_a_path_for_the_log(knarr, scratch):
    path = os.path.join(scratch, "box.log")
    knarr("run", "--name", "box", "--log-opt", f"path={path}", IMAGE, "echo", "hello")
    with open(path) as file:
        assert "stdout F hello" in file.read()
    assert knarr("logs", "box") == "hello"


def test_a_size_limit_is_kept(knarr):
    knarr("run", "--name", "box", "--log-opt", "max-size=10k", IMAGE, "sh", "-c", "seq 10000")
    directory = os.path.dirname(log_path(knarr, "box"))
    sizes = [os.path.getsize(os.path.join(directory, name)) for name in os.listdir(directory) if "log" in name]
    assert sizes and max(sizes) <= 12 * 1024
    assert knarr("logs", "box").split()[-1] == "10000"


def test_following_goes_on_over_a_rotation(knarr):
    knarr("run", "-d", "-i", "--name", "box", "--log-opt", "max-size=4k", IMAGE, "sh", "-c", "read x; seq 5000; read x")
    process = knarr.popen("logs", "-f", "box")
    attach = knarr.popen("attach", "box", stdin=-1)
    attach.stdin.write(b"go\n")
    attach.stdin.flush()
    eventually(lambda: "5000" in knarr("logs", "--tail", "1", "box"), what="the last line")
    attach.stdin.write(b"end\n")
    attach.communicate(timeout=20)
    out, _ = process.communicate(timeout=20)
    assert out.split()[-1] == b"5000"


def test_long_lines_and_binary_output(knarr):
    result = knarr.result("run", "--name", "box", IMAGE, "sh", "-c", "head -c 100000 /dev/zero | tr '\\0' x; echo; printf '\\377\\376\\n'")
    assert len(result.out.splitlines()[0]) == 100000
    with knarr.popen("logs", "box") as process:
        out, _ = process.communicate(timeout=20)
    assert out == b"x" * 100000 + b"\n\xff\xfe\n"


def test_the_log_goes_with_the_container(knarr):
    knarr("run", "--name", "box", IMAGE, "echo", "hello")
    path = log_path(knarr, "box")
    assert os.path.exists(path)
    knarr("rm", "box")
    assert not os.path.exists(path)


def test_a_terminal_is_logged(knarr):
    with knarr.terminal("run", "-it", "--name", "box", IMAGE, "echo", "on a terminal") as terminal:
        assert terminal.wait() == 0
    assert knarr("logs", "box").strip() == "on a terminal"


def test_logs_of_nothing(knarr):
    assert "nosuch" in knarr.error("logs", "nosuch")


def test_the_latest(knarr):
    knarr("run", "--name", "box", IMAGE, "echo", "hello")
    assert knarr("logs", "-l") == "hello"
