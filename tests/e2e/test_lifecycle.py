# SPDX-License-Identifier: Apache-2.0
"""create, start, stop, restart, kill, wait, rm, rename, prune, attach, ps, top, inspect."""

import json
import os
import re
import signal
import time

import pytest
from harness import IMAGE, eventually, read_line, wait_process

TRAP = ("sh", "-c", "trap 'echo got it; exit 42' TERM; echo ready; while :; do sleep 0.05; done")
STUBBORN = ("sh", "-c", "trap '' TERM INT; echo ready; while :; do sleep 0.05; done")


def started(knarr, *options, command=TRAP):
    """A detached container whose traps are set."""
    container = knarr.start(*options, command=command)
    eventually(lambda: "ready" in knarr("logs", container), what="the container's first line")
    return container


# create, start

def test_create_prints_the_id_and_starts_nothing(knarr):
    container = knarr("create", "--name", "box", IMAGE, "echo", "hello")
    assert re.fullmatch(r"[0-9a-f]{64}", container)
    assert knarr.state("box")["Status"] == "created"


def test_start_attached_shows_output_and_status(knarr):
    knarr("create", "--name", "box", IMAGE, "sh", "-c", "echo hello; exit 3")
    result = knarr.result("start", "-a", "box")
    assert (result.status, result.out) == (3, "hello\n")


def test_start_prints_the_name_it_was_given(knarr):
    knarr("create", "--name", "box", IMAGE, "true")
    assert knarr("start", "box") == "box"


def test_start_with_input(knarr):
    knarr("create", "-i", "--name", "box", IMAGE, "cat")
    assert knarr("start", "-a", "-i", "box", input="through\n") == "through"


def test_a_container_can_be_started_again_and_keeps_its_files(knarr):
    knarr("run", "--name", "box", IMAGE, "sh", "-c", "echo run >> /runs; wc -l < /runs")
    assert knarr("start", "-a", "box") == "2"
    assert knarr("start", "-a", "box") == "3"


def test_starting_a_running_container_changes_nothing(knarr):
    knarr.start("--name", "box")
    pid = knarr.state("box")["Pid"]
    assert knarr("start", "box") == "box"
    assert knarr.state("box")["Pid"] == pid


def test_start_several(knarr):
    for name in ("a", "b"):
        knarr("create", "--name", name, IMAGE, "sleep", "1000")
    assert knarr("start", "a", "b").split() == ["a", "b"]
    assert knarr("ps", "--format", "{{.Names}}", "--sort", "names").split() == ["a", "b"]


def test_start_names_what_is_missing(knarr):
    knarr("create", "--name", "good", IMAGE, "sleep", "1000")
    assert "nosuch" in knarr.error("start", "nosuch", "good")


# stop, kill, restart

def test_stop_lets_the_payload_end(knarr):
    started(knarr, "--name", "box")
    assert knarr("stop", "box") == "box"
    state = knarr.state("box")
    assert (state["Status"], state["ExitCode"], state["Running"]) == ("exited", 42, False)
    assert "got it" in knarr("logs", "box")


def test_stop_kills_after_the_timeout(knarr):
    started(knarr, "--name", "box", command=STUBBORN)
    begin = time.monotonic()
    knarr("stop", "-t", "1", "box")
    assert 0.9 < time.monotonic() - begin < 8
    assert knarr.state("box")["ExitCode"] == 137


def test_stop_at_once(knarr):
    started(knarr, "--name", "box", command=STUBBORN)
    begin = time.monotonic()
    knarr("stop", "-t", "0", "box")
    assert time.monotonic() - begin < 3


def test_the_stop_signal_and_timeout_of_the_container(knarr):
    started(knarr, "--name", "box", "--stop-signal", "USR1", "--stop-timeout", "1",
            command=("sh", "-c", "trap 'exit 9' USR1; trap '' TERM; echo ready; while :; do sleep 0.05; done"))
    knarr("stop", "box")
    assert knarr.state("box")["ExitCode"] == 9


@pytest.mark.parametrize("bad", ["NOSUCH", "99"])
def test_a_bad_stop_signal_is_refused(knarr, bad):
    knarr.error("create", f"--stop-signal={bad}", IMAGE)


def test_stopping_a_stopped_container_is_fine(knarr):
    knarr("run", "--name", "box", IMAGE, "true")
    assert knarr("stop", "box") == "box"


def test_stop_all(knarr):
    knarr.start("--name", "a")
    knarr.start("--name", "b")
    knarr("stop", "-a", "-t", "0")
    assert knarr("ps", "-q") == ""


@pytest.mark.parametrize("word", ["KILL", "SIGKILL", "9", "kill"])
def test_kill(knarr, word):
    knarr.start("--name", "box")
    pid = knarr.state("box")["Pid"]
    knarr("kill", "-s", word, "box")
    assert wait_process(pid)
    knarr("wait", "box")
    assert knarr.state("box")["ExitCode"] == 137


def test_kill_sends_any_signal(knarr):
    started(knarr, "--name", "box", command=("sh", "-c", "trap 'echo hup' HUP; echo ready; while :; do sleep 0.05; done"))
    knarr("kill", "--signal", "HUP", "box")
    eventually(lambda: "hup" in knarr("logs", "box"), what="the signal's handler")
    assert knarr.state("box")["Running"] is True


def test_killing_what_does_not_run_is_an_error(knarr):
    knarr("create", "--name", "box", IMAGE, "true")
    assert "running" in knarr.error("kill", "box")
    knarr.error("kill", "-s", "NOSUCH", "box")


def test_restart(knarr):
    started(knarr, "--name", "box")
    before = knarr.state("box")["Pid"]
    knarr("restart", "-t", "5", "box")
    state = knarr.state("box")
    assert state["Running"] is True and state["Pid"] != before
    knarr("stop", "-t", "0", "box")
    knarr("restart", "box")
    assert knarr.state("box")["Running"] is True


# wait

def test_wait_prints_the_status(knarr):
    knarr.fails(3, "run", "--name", "done", IMAGE, "sh", "-c", "exit 3")
    assert knarr("wait", "done") == "3"


def test_wait_waits(knarr):
    started(knarr, "--name", "box")
    waiter = knarr.popen("wait", "box", bufsize=0)
    assert waiter.poll() is None
    knarr("kill", "-s", "TERM", "box")
    assert read_line(waiter.stdout) == "42"
    assert waiter.wait(10) == 0
    waiter.stdout.close()
    waiter.stderr.close()


def test_wait_for_a_condition(knarr):
    knarr("create", "--name", "box", IMAGE, "sleep", "1000")
    waiter = knarr.popen("wait", "--condition", "running", "box")
    knarr("start", "box")
    assert waiter.wait(20) == 0
    waiter.stdout.close()
    waiter.stderr.close()


def test_waiting_for_nothing_is_an_error(knarr):
    assert "nosuch" in knarr.error("wait", "nosuch")


# rm, prune, rename

def test_rm_refuses_a_running_container(knarr):
    knarr.start("--name", "box")
    assert "running" in knarr.error("rm", "box", status=2)
    assert knarr.state("box")["Running"] is True


def test_rm_force(knarr):
    container = knarr.start("--name", "box")
    pid = knarr.state("box")["Pid"]
    assert knarr("rm", "-f", "-t", "0", "box") in ("box", container)
    assert wait_process(pid)
    assert knarr("ps", "-aq") == ""


def test_rm_of_nothing(knarr):
    assert "nosuch" in knarr.error("rm", "nosuch", status=1)
    assert knarr.result("rm", "-f", "nosuch").status == 0
    assert knarr.result("rm", "--ignore", "nosuch").status == 0


def test_rm_goes_on_after_a_failure(knarr):
    knarr("create", "--name", "box", IMAGE, "true")
    result = knarr.result("rm", "nosuch", "box")
    assert result.status == 1 and "nosuch" in result.err
    assert knarr("ps", "-aq") == ""


def test_rm_all(knarr):
    for name in ("a", "b", "c"):
        knarr("create", "--name", name, IMAGE, "true")
    knarr("rm", "-a")
    assert knarr("ps", "-aq") == ""


def test_rm_by_prefix(knarr):
    container = knarr("create", IMAGE, "true")
    knarr("rm", container[:6])
    assert knarr("ps", "-aq") == ""


def test_prune_takes_what_does_not_run(knarr):
    knarr.start("--name", "running")
    knarr("run", "--name", "done", IMAGE, "true")
    knarr("create", "--name", "new", IMAGE, "true")
    knarr("container", "prune", "-f")
    assert knarr("ps", "-a", "--format", "{{.Names}}").split() == ["running"]


def test_prune_by_filter(knarr):
    knarr("create", "--name", "a", "-l", "keep=1", IMAGE, "true")
    knarr("create", "--name", "b", IMAGE, "true")
    knarr("container", "prune", "-f", "--filter", "label!=keep=1")
    assert knarr("ps", "-a", "--format", "{{.Names}}").split() == ["a"]


def test_rename(knarr):
    container = knarr.start("--name", "old")
    knarr("rename", "old", "new")
    assert knarr("inspect", "--format", "{{.ID}} {{.Name}}", "new") == f"{container} new"
    knarr.error("inspect", "old")
    knarr("create", "--name", "old", IMAGE, "true")
    assert "new" in knarr.error("rename", "old", "new")
    knarr.error("rename", "old", "../bad")


# attach

def test_attach_shows_output_and_passes_the_status(knarr):
    knarr("run", "-d", "-i", "--name", "box", IMAGE, "sh", "-c", "read line; echo got $line; exit 6")
    result = knarr.result("attach", "box", input="a line\n")
    assert (result.status, result.out) == (6, "got a line\n")


def test_attach_without_input(knarr):
    knarr.start("--name", "box", command=("sh", "-c", "trap 'exit 42' TERM; while :; do echo tick; sleep 0.05; done"))
    process = knarr.popen("attach", "--no-stdin", "box", bufsize=0)
    assert read_line(process.stdout) == "tick"
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 42
    process.stdout.close()
    process.stderr.close()


def test_attach_from_two_terminals(knarr):
    knarr("run", "-d", "-it", "--name", "box", IMAGE, "sh")
    with knarr.terminal("attach", "box") as one, knarr.terminal("attach", "box") as two:
        # Each has seen an answer of its own: both are attached.
        one.line("echo one-$((40+2))")
        one.expect("one-42")
        two.line("echo two-$((40+2))")
        two.expect("two-42")
        one.expect("two-42")
        one.line("echo both-$((40+2))")
        one.expect("both-42")
        two.expect("both-42")
        one.send("\x10\x11")
        assert one.wait() == 0
        two.line("exit 4")
        assert two.wait() == 4


def test_attach_and_detach_again(knarr):
    knarr("run", "-d", "-it", "--name", "box", IMAGE, "sh")
    for _ in range(3):
        with knarr.terminal("attach", "box") as terminal:
            terminal.line("echo here $((40+2))")
            terminal.expect("here 42")
            terminal.send("\x10\x11")
            assert terminal.wait() == 0
    assert knarr.state("box")["Running"] is True


def test_attaching_to_what_does_not_run_is_an_error(knarr):
    knarr("create", "--name", "box", IMAGE, "true")
    assert "running" in knarr.error("attach", "box")


def test_a_killed_attach_leaves_the_container(knarr):
    knarr("run", "-d", "-i", "--name", "box", IMAGE, "cat")
    process = knarr.popen("attach", "box", stdin=-1)
    process.kill()
    process.communicate()
    assert knarr.state("box")["Running"] is True


# ps

def test_ps_shows_what_runs(knarr):
    knarr.start("--name", "up")
    knarr("create", "--name", "new", IMAGE, "true")
    lines = knarr("ps").splitlines()
    assert lines[0].split() == ["CONTAINER", "ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"]
    assert len(lines) == 2 and lines[1].endswith("up") and IMAGE in lines[1] and "sleep 1000" in lines[1] and "Up " in lines[1]
    assert len(knarr("ps", "-a").splitlines()) == 3


def test_ps_quiet_and_full(knarr):
    container = knarr.start("--name", "up")
    assert knarr("ps", "-q") == container[:12]
    assert knarr("ps", "-q", "--no-trunc") == container


@pytest.mark.parametrize("filter, names", [
    ("name=alpha", "alpha"), ("status=created", "beta"), ("status=running", "alpha"), ("status=exited", "gamma"),
    ("label=color", "alpha beta"), ("label=color=red", "beta"), ("exited=3", "gamma"), ("ancestor=localhost/busybox", "alpha beta gamma"),
    ("before=beta", "alpha"), ("since=beta", "gamma"), ("command=true", "beta"), ("name=^alph", "alpha"), ("name=lph", "alpha"),
])
def test_ps_filters(knarr, filter, names):
    knarr.start("--name", "alpha", "-l", "color=blue")
    knarr("create", "--name", "beta", "-l", "color=red", IMAGE, "true")
    knarr.result("run", "--name", "gamma", IMAGE, "sh", "-c", "exit 3")
    assert sorted(knarr("ps", "-a", "--filter", filter, "--format", "{{.Names}}").split()) == names.split()


def test_ps_refuses_a_filter_nobody_knows(knarr):
    assert "nosuch" in knarr.error("ps", "--filter", "nosuch=1")


def test_ps_last_and_sort(knarr):
    for name in ("c", "a", "b"):
        knarr("create", "--name", name, IMAGE, "true")
    assert knarr("ps", "-a", "--sort", "names", "--format", "{{.Names}}").split() == ["a", "b", "c"]
    assert knarr("ps", "-n", "1", "--format", "{{.Names}}") == "b"
    assert knarr("ps", "-l", "--format", "{{.Names}}") == "b"


def test_ps_json(knarr):
    container = knarr.start("--name", "up", "-l", "a=b")
    entry = json.loads(knarr("ps", "--format", "json"))[0]
    assert entry["Id"] == container and entry["Names"] == ["up"] and entry["Labels"]["a"] == "b"
    assert entry["State"] == "running" and entry["Command"] == ["sleep", "1000"] and entry["Image"] == IMAGE
    assert entry["Pid"] == knarr.state("up")["Pid"] and entry["Exited"] is False


def test_ps_templates(knarr):
    container = knarr.start("--name", "up", "-l", "a=b")
    assert knarr("ps", "--format", "{{.ID}}|{{.Names}}|{{.State}}|{{.Label \"a\"}}") == f"{container[:12]}|up|running|b"
    assert knarr("ps", "--format", "table {{.Names}}\t{{.Image}}").splitlines()[0].split() == ["NAMES", "IMAGE"]
    assert knarr("ps", "--noheading").count("\n") == 0


def test_sizes(knarr):
    knarr.start("--name", "box", command=("sh", "-c", "mkdir -p /d; head -c 5000 /dev/zero > /d/file; ln /d/file /d/hard; chmod 700 /d; chown -R 33 /d 2>/dev/null; sleep 1000"))
    knarr("create", "--name", "new", IMAGE, "true")
    size = eventually(lambda: [s for s in [json.loads(knarr("ps", "--size", "--format", "json"))[0]["Size"]] if s["rwSize"] >= 5000])[0]
    assert 5000 <= size["rwSize"] < 10000 and size["rootFsSize"] > 500_000
    facts = {name: json.loads(knarr("inspect", "--size", name))[0] for name in ("box", "new")}
    assert facts["box"]["SizeRw"] == size["rwSize"] and facts["box"]["SizeRootFs"] == size["rootFsSize"]
    assert facts["new"]["SizeRw"] == 0 and facts["new"]["SizeRootFs"] == size["rootFsSize"]
    lines = knarr("ps", "-a", "--size").splitlines()
    assert lines[0].endswith("SIZE") and any("0B (virtual" in line for line in lines[1:])
    assert "(virtual" in knarr("ps", "-s", "--format", "{{.Size}}")
    assert "SizeRw" not in knarr.inspect("box")


def test_exists(knarr):
    container = knarr("create", "--name", "box", IMAGE, "true")
    assert knarr.result("container", "exists", "box").status == 0
    assert knarr.result("container", "exists", container[:7]).status == 0
    assert knarr.result("container", "exists", "nosuch").status == 1


# top, inspect

def test_top_lists_the_processes(knarr):
    knarr.start("--name", "box", command=("sh", "-c", "sleep 1000 & exec sleep 2000"))
    lines = eventually(lambda: [line for line in knarr("top", "box").splitlines() if "sleep" in line][1:] and knarr("top", "box").splitlines())
    assert lines[0].split()[:2] == ["USER", "PID"] and len([line for line in lines if "sleep" in line]) == 2
    assert knarr("top", "box", "pid", "comm").splitlines()[0].split() == ["PID", "COMMAND"]


def test_inspect_tells_what_was_asked_for(knarr, scratch):
    container = knarr.start("--name", "box", "-e", "A=b", "-l", "k=v", "-w", "/tmp", "-h", "inside", "-v", f"{scratch}:/src:ro",
                            "--tmpfs", "/t", "--cap-add", "NET_RAW", "--read-only", "--stop-signal", "INT")
    facts = knarr.inspect("box")
    assert facts["Id"] == container and facts["Name"] == "box" and facts["ImageName"] == IMAGE
    assert facts["Path"] == "sleep" and facts["Args"] == ["1000"]
    assert "A=b" in facts["Config"]["Env"] and facts["Config"]["Labels"] == {"k": "v"}
    assert facts["Config"]["WorkingDir"] == "/tmp" and facts["Config"]["Hostname"] == "inside"
    assert facts["HostConfig"]["ReadonlyRootfs"] is True
    assert "CAP_NET_RAW" in facts["EffectiveCaps"]
    mount = next(m for m in facts["Mounts"] if m["Destination"] == "/src")
    assert (mount["Type"], mount["Source"], mount["RW"]) == ("bind", scratch, False)
    assert facts["State"]["Running"] is True and facts["State"]["Pid"] > 1 and facts["State"]["StartedAt"] > facts["Created"]


def test_inspect_after_the_end(knarr):
    knarr.result("run", "--name", "box", IMAGE, "sh", "-c", "exit 3")
    state = knarr.state("box")
    assert (state["Status"], state["ExitCode"], state["Pid"], state["Running"]) == ("exited", 3, 0, False)
    assert state["FinishedAt"] >= state["StartedAt"]


def test_inspect_by_latest_prefix_and_type(knarr):
    container = knarr("create", "--name", "box", IMAGE, "true")
    assert knarr("inspect", "-l", "--format", "{{.Name}}") == "box"
    assert knarr("inspect", "--format", "{{.Name}}", container[:5]) == "box"
    assert knarr("inspect", "--type", "container", "--format", "{{.Name}}", "box") == "box"
    knarr.error("inspect", "--type", "image", "box")
    assert "nosuch" in knarr.error("inspect", "nosuch")


def test_an_ambiguous_prefix_is_an_error(knarr):
    ids = [knarr("create", IMAGE, "true") for _ in range(17)]
    first = max(set(i[0] for i in ids), key=[i[0] for i in ids].count)
    knarr.error("inspect", "--type", "container", first)


def test_the_state_shows_a_monitor_that_was_killed(knarr):
    knarr.start("--name", "box")
    state = knarr.state("box")
    os.kill(state["ConmonPid"], signal.SIGKILL)
    assert wait_process(state["Pid"]), "init must not outlive its monitor"
    assert knarr.state("box")["Running"] is False
    knarr("start", "box")
    assert knarr.state("box")["Running"] is True


def test_many_at_once(knarr):
    processes = [knarr.popen("run", "--rm", IMAGE, "echo", str(number)) for number in range(20)]
    outputs = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0] * 20, outputs
    assert sorted(int(out) for out, _ in outputs) == list(range(20))


def test_the_same_name_at_once_is_given_once(knarr):
    processes = [knarr.popen("create", "--name", "one", IMAGE, "true") for _ in range(8)]
    codes = [process.wait(30) for process in processes]
    for process in processes:
        process.stdout.close()
        process.stderr.close()
    assert sorted(codes) == [0] + [125] * 7
    assert knarr("ps", "-a", "--format", "{{.Names}}") == "one"
