# SPDX-License-Identifier: Apache-2.0
"""Every process of the engine killed at many points. Afterwards the verbs work, and nothing is left.

strace kills at the Nth system call. It follows only the command itself, or everything the command starts. An
ordinary user's set-uid helpers would lose their privilege under strace; so another container keeps the user's
namespace alive, and no helper is needed."""

import os
import re
import shutil
import signal
import subprocess

import pytest
from harness import IMAGE, command_line, descendants, eventually, stat_fields, wait_process

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="this machine has no strace")


def count_calls(knarr, follow, arguments):
    """The most system calls that one process makes for this."""
    log = os.path.join(knarr.work, "strace")
    argv = ["strace", "-qq", "-o", log, *(["-ff"] if follow else []), *knarr.argv(*arguments)]
    subprocess.run(argv, env=knarr.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60, check=False)
    counts = []
    for name in os.listdir(knarr.work):
        if name == "strace" or name.startswith("strace."):
            path = os.path.join(knarr.work, name)
            with open(path, errors="replace") as file:
                counts.append(sum(1 for _ in file))
            os.unlink(path)
    return max(counts)


def run_killed(knarr, follow, number, arguments):
    argv = ["strace", "-qq", "-o", "/dev/null", *(["-f"] if follow else []), "-e", f"inject=all:signal=KILL:when={number}", *knarr.argv(*arguments)]
    process = subprocess.Popen(argv, env=knarr.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        # strace -f waits for whatever lives; a container that came up is no failure.
        knarr.result("rm", "-f", "-t", "0", "victim")
        process.kill()
        process.wait()


def check_all_is_well(knarr, context):
    for verb in (["ps", "-a"], ["ps", "-a", "--format", "json"], ["images"], ["volume", "ls"], ["info"]):
        result = knarr.result(*verb)
        assert result.status == 0, (context, result)
    for name in knarr("ps", "-a", "--format", "{{.Names}}").split():
        if name != "anchor":
            result = knarr.result("rm", "-f", "-v", "-t", "0", name)
            assert result.status == 0, (context, result)
    assert knarr("run", "--rm", IMAGE, "echo", "fine") == "fine", context
    assert knarr("ps", "-a", "--format", "{{.Names}}").split() == ["anchor"], context
    anchor = knarr.inspect("anchor")
    places = [os.path.join(knarr.runroot, "containers"), os.path.join(knarr.root, "containers")]
    for place in places:
        extra = [name for name in os.listdir(place) if name != anchor["Id"]]
        assert not extra, (context, place, extra)
    assert os.listdir(os.path.join(knarr.root, "names")) == ["anchor"], context
    keep = {anchor["State"]["ConmonPid"], anchor["State"]["Pid"]}
    for pid in descendants():
        if pid not in keep:
            assert wait_process(pid, 5), (context, pid, command_line(pid), stat_fields(pid))


SCENARIOS = {
    "run --rm": ["run", "--rm", "--name", "victim", "-v", "data:/data", IMAGE, "true"],
    "run": ["run", "--name", "victim", IMAGE, "true"],
    "run -d": ["run", "-d", "--name", "victim", IMAGE, "sleep", "1000"],
    "create": ["create", "--name", "victim", "-v", "/anonymous", IMAGE, "true"],
}


def points(total, count):
    """Every call near the start and the end, and others evenly."""
    step = max(1, total // count)
    return sorted({number for number in range(1, total + 1) if number % step == 0} | set(range(max(1, total - 8), total + 1)))


@pytest.mark.parametrize("scenario, follow", [("run --rm", False), ("run --rm", True), ("run", True), ("run -d", False), ("create", False)],
                         ids=lambda value: {False: "command", True: "all"}.get(value, value))
def test_killed_while_starting(knarr, scenario, follow):
    knarr.start("--name", "anchor")
    arguments = SCENARIOS[scenario]
    total = count_calls(knarr, follow, arguments)
    knarr.result("rm", "-f", "-t", "0", "victim")
    assert total > 20, "strace shows no system calls"
    for number in points(total, 40):
        run_killed(knarr, follow, number, arguments)
        check_all_is_well(knarr, f"{scenario}, {'all' if follow else 'command'} killed at call {number} of {total}")


@pytest.mark.parametrize("verb", [["stop", "-t", "0", "victim"], ["rm", "-f", "-t", "0", "victim"], ["kill", "victim"], ["rename", "victim", "other"],
                                  ["exec", "victim", "true"], ["restart", "-t", "0", "victim"]], ids=lambda verb: verb[0])
def test_killed_while_changing(knarr, verb):
    knarr.start("--name", "anchor")
    knarr.start("--name", "victim")
    total = count_calls(knarr, False, verb)
    for name in ("victim", "other"):
        knarr.result("rm", "-f", "-t", "0", name)
    for number in points(total, 12):
        knarr.start("--name", "victim")
        run_killed(knarr, False, number, verb)
        check_all_is_well(knarr, f"{verb[0]} killed at call {number} of {total}")


@pytest.mark.parametrize("verb", ["load", "rmi", "tag"])
def test_killed_while_changing_images(knarr, image, verb):
    knarr.start("--name", "anchor")
    archive = image("rich")
    arguments = {"load": ["load", "-q", "-i", archive], "rmi": ["rmi", "-f", "localhost/rich"], "tag": ["tag", "localhost/rich", "other"]}[verb]
    if verb != "load":
        knarr("load", "-q", "-i", archive)
    total = count_calls(knarr, True, arguments)
    for number in points(total, 30):
        knarr.result("rmi", "-f", "localhost/rich", "localhost/other")
        if verb != "load":
            knarr("load", "-q", "-i", archive)
        run_killed(knarr, True, number, arguments)
        context = f"{verb} killed at call {number} of {total}"
        check_all_is_well(knarr, context)
        knarr("load", "-q", "-i", archive)
        assert knarr("run", "--rm", "localhost/rich", "cat", "/data/kept") == "kept", context
    knarr("rmi", "-f", "localhost/rich")
    knarr.result("rmi", "-f", "localhost/other")
    knarr("image", "prune", "-f")
    assert os.listdir(os.path.join(knarr.root, "staging")) == []
    assert len(os.listdir(os.path.join(knarr.root, "layers"))) == 1


# By hand, while something runs.

def test_a_killed_command_leaves_its_container_running(knarr):
    process = knarr.popen("run", "--rm", "--name", "box", IMAGE, "sleep", "1000")
    eventually(lambda: knarr.result("exec", "box", "true").status == 0, what="the container's start")
    process.kill()
    process.communicate()
    assert knarr.state("box")["Running"] is True
    knarr("rm", "-f", "-t", "0", "box")


@pytest.mark.parametrize("rm", [True, False], ids=["--rm", "kept"])
def test_a_killed_monitor_takes_its_container_along(knarr, rm):
    knarr.start("--name", "box", *(["--rm"] if rm else []))
    state = knarr.state("box")
    os.kill(state["ConmonPid"], signal.SIGKILL)
    assert wait_process(state["Pid"])
    result = knarr.result("ps", "-a", "--format", "{{.Names}} {{.State}}")
    assert result.status == 0 and "running" not in result.out
    knarr.result("rm", "-f", "box")
    assert knarr("ps", "-aq") == ""
    knarr("run", "--rm", "--name", "box", IMAGE, "true")


@pytest.mark.needs_ids
def test_a_killed_monitor_takes_a_reaper_of_another_user_along(knarr):
    knarr.start("--name", "box", "--init", "--user", "1000")
    state = knarr.state("box")
    os.kill(state["ConmonPid"], signal.SIGKILL)
    assert wait_process(state["Pid"])
    knarr("rm", "-f", "box")


def test_a_killed_init_is_an_exit(knarr):
    knarr.start("--name", "box")
    os.kill(knarr.state("box")["Pid"], signal.SIGKILL)
    assert knarr("wait", "box") == "137"
    assert knarr.state("box")["Status"] == "exited"


def test_records_that_were_cut(knarr):
    """A power cut may leave a file empty: the other containers must not suffer, and the broken one can be removed."""
    knarr("create", "--name", "good", IMAGE, "true")
    for name in ("config.json", "summary"):
        container = knarr("create", "--name", "broken", IMAGE, "true")
        path = os.path.join(knarr.root, "containers", container, name)
        if os.path.exists(path):
            os.truncate(path, 0)
        result = knarr.result("ps", "-a", "--format", "{{.Names}}")
        assert result.status == 0 and "good" in result.out, name
        assert knarr.result("inspect", "good").status == 0
        result = knarr.result("rm", "-f", "broken")
        if result.status != 0 or os.path.exists(path):
            knarr("rm", "-f", container)
        assert not os.path.exists(path), name
    assert knarr("ps", "-a", "--format", "{{.Names}}") == "good"


def test_an_image_record_that_was_cut(fresh, image):
    fresh("load", "-q", "-i", image("busybox"))
    fresh("load", "-q", "-i", image("rich"))
    identity = fresh("images", "-q", "--no-trunc", "localhost/rich").split(":")[-1]
    path = os.path.join(fresh.root, "images", identity + ".json")
    assert re.fullmatch("[0-9a-f]{64}", identity) and os.path.exists(path)
    os.truncate(path, 0)
    assert fresh.result("images").status == 0
    assert fresh("run", "--rm", IMAGE, "echo", "fine") == "fine"
    fresh("load", "-q", "-i", image("rich"))
    assert fresh("run", "--rm", "localhost/rich", "cat", "/data/kept") == "kept"


def test_a_reboot_forgets_what_ran(knarr):
    """The run directory lies on a tmpfs: after a reboot it is empty."""
    container = knarr("create", "--name", "box", IMAGE, "echo", "again")
    knarr.start("--name", "other")
    state = knarr.state("other")
    os.kill(state["ConmonPid"], signal.SIGKILL)
    assert wait_process(state["Pid"])
    shutil.rmtree(knarr.runroot)
    assert sorted(knarr("ps", "-a", "--format", "{{.Names}}").split()) == ["box", "other"]
    assert knarr("ps", "-q") == ""
    assert knarr("start", "-a", container) == "again"


def test_a_run_directory_that_survives_a_reboot_is_not_believed(knarr):
    """The fall-back in /tmp does. Its mark of another boot makes it one that did."""
    with subprocess.Popen(["sleep", "1000"]) as bystander:
        container = knarr.start("--rm", "--name", "gone")
        state = knarr.state("gone")
        os.kill(state["ConmonPid"], signal.SIGKILL)
        assert wait_process(state["Pid"])
        with open(f"/proc/{bystander.pid}/stat") as file:
            start = file.read().rpartition(")")[2].split()[19]
        # By chance an innocent process has pid and start time of what ran before the reboot.
        with open(os.path.join(knarr.runroot, "containers", container, "pids"), "w") as file:
            file.write(f"{state['ConmonPid']} 1 {bystander.pid} {start}\n")
        with open(os.path.join(knarr.runroot, "boot-id"), "w") as file:
            file.write("5d1ae10c-0000-0000-0000-000000000000\n")
        knarr("run", "--rm", IMAGE, "true")
        assert bystander.poll() is None
        assert knarr("ps", "-aq") == ""
        bystander.kill()
