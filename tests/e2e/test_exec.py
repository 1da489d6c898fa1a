# SPDX-License-Identifier: Apache-2.0
"""`exec`: one more process in a container that runs."""

import os
import re
import signal

import pytest
from harness import IMAGE, eventually, read_line, wait_process


@pytest.fixture
def box(knarr):
    knarr.start("--name", "box", "-e", "IMAGE_ENV=1", "-w", "/tmp")
    return knarr


def test_the_status_and_streams_are_those_of_the_command(box):
    result = box.result("exec", "box", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (result.status, result.out, result.err) == (3, "out\n", "err\n")


def test_input(box):
    assert box("exec", "-i", "box", "cat", input="hello") == "hello"
    assert box("exec", "box", "cat", input="hello") == ""


def test_a_megabyte_passes_both_ways(box):
    data = os.urandom(1 << 20)
    with box.popen("exec", "-i", "box", "cat", stdin=-1) as process:
        out, err = process.communicate(data, timeout=60)
    assert (process.returncode, out == data, err) == (0, True, b"")


def test_files_of_megabytes_as_input_and_output(box, scratch):
    data = os.urandom(3 << 20)
    source, target = os.path.join(scratch, "in"), os.path.join(scratch, "out")
    with open(source, "wb") as file:
        file.write(data)
    with open(source, "rb") as stdin, open(target, "wb") as stdout:
        assert box.result("exec", "-i", "box", "cat", stdin=stdin, stdout=stdout).status == 0
    with open(target, "rb") as file:
        assert file.read() == data


@pytest.mark.parametrize("options", [[], ["-t"]])
@pytest.mark.parametrize("command", [["echo", "hi"], ["yes"]])
def test_output_that_cannot_be_written(box, options, command):
    with open("/dev/full", "wb") as full:
        error = box.error("exec", *options, "box", *command, stdout=full)
    assert error == "Error: writing the container's output: no space left on device"


def test_a_reader_that_is_gone_ends_the_command(box):
    read_end, write_end = os.pipe()
    os.close(read_end)
    result = box.result("exec", "-t", "box", "yes", stdout=write_end)
    os.close(write_end)
    assert result.status not in (0, 125) and result.err == ""


@pytest.mark.parametrize("text", ["hi\n", "hi", ""])
def test_piped_input_of_a_terminal_ends(box, text):
    assert box("exec", "-it", "box", "sh", "-c", "stty -echo; cat; echo after", input=text).endswith("after\r")


def test_much_piped_input_of_a_terminal(box):
    text = "".join(f"line {number}\n" for number in range(30000))
    assert "line 29999\r\n" in box.result("exec", "-it", "box", "cat", input=text).out


@pytest.mark.needs_ids
def test_pipes_of_the_caller_keep_their_owner(box):
    read_end, write_end = os.pipe()
    before = os.fstat(write_end)
    assert box.result("exec", "-i", "-u", "1000", "box", "echo", "b", stdin=read_end, stdout=write_end).status == 0
    after = os.fstat(write_end)
    os.close(write_end)
    assert os.read(read_end, 100) == b"b\n"
    os.close(read_end)
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)


@pytest.mark.needs_ids
def test_a_pipe_made_for_the_command_is_its_users(box, scratch):
    target = os.path.join(scratch, "out")
    with open(target, "wb") as stdout:
        assert box.result("exec", "-u", "1000", "box", "sh", "-c", "echo again > /dev/stdout", stdout=stdout).status == 0
    with open(target) as file:
        assert file.read() == "again\n"


def test_a_named_fifo_does_not_cross(box, scratch):
    path = os.path.join(scratch, "fifo")
    os.mkfifo(path)
    fd = os.open(path, os.O_RDWR)
    assert box.result("exec", "box", "readlink", "/proc/self/fd/1", stdout=fd).status == 0
    assert os.read(fd, 1000).startswith(b"pipe:")
    os.close(fd)


def test_missing_and_forbidden_commands(box):
    assert "nosuchcommand" in box.error("exec", "box", "nosuchcommand", status=127)
    assert "/etc/passwd" in box.error("exec", "box", "/etc/passwd", status=126)


def test_a_killed_command(box):
    assert box.result("exec", "box", "sh", "-c", "kill -9 $$").status == 137


def test_the_namespaces_are_the_containers(box):
    kinds = "mnt pid ipc uts cgroup net user"
    script = f"for n in {kinds}; do readlink /proc/$0/ns/$n; done"
    assert box("exec", "box", "sh", "-c", script, "self") == box("exec", "box", "sh", "-c", script, "1")
    assert box("exec", "box", "hostname") == box.inspect("box")["Config"]["Hostname"]


def test_the_environment_is_the_containers_and_more(box):
    out = box("exec", "-e", "MORE=2", "-e", "FROM_ME", "box", "env", env={"FROM_ME": "mine", "SECRET": "x"})
    env = dict(line.split("=", 1) for line in out.splitlines())
    assert (env["IMAGE_ENV"], env["MORE"], env["FROM_ME"], env["HOME"]) == ("1", "2", "mine", "/root")
    assert "SECRET" not in env


def test_an_env_file(box, scratch):
    path = os.path.join(scratch, "env")
    with open(path, "w") as file:
        file.write("A=1\n")
    assert box("exec", "--env-file", path, "box", "sh", "-c", "echo $A") == "1"


def test_the_working_directory(box):
    assert box("exec", "box", "pwd") == "/tmp"
    assert box("exec", "-w", "/etc", "box", "pwd") == "/etc"
    result = box.result("exec", "-w", "/nosuch", "box", "pwd")
    assert result.status in (126, 127) and "/nosuch" in result.err


@pytest.mark.needs_ids
@pytest.mark.parametrize("user, expected", [("app", "1000 1000 1000 29 50"), ("1000:50", "1000 50 50"), ("4242", "4242 0 0"), ("0", "0 0 0")])
def test_users(box, user, expected):
    uid, gid, groups = box("exec", "-u", user, "box", "sh", "-c", "echo $(id -u) $(id -g) $(id -G)").split(maxsplit=2)
    want = expected.split(maxsplit=2)
    assert (uid, gid, set(groups.split())) == (want[0], want[1], set(want[2].split()))


@pytest.mark.parametrize("user", ["nosuch", "4294967295", "+1", " 1", "app:nosuch"])
def test_a_user_that_is_none_is_refused(box, user):
    result = box.result("exec", f"--user={user}", "box", "id")
    assert result.status in (125, 126) and result.err.startswith("Error: ") and result.out == ""


def test_capabilities_are_the_containers(knarr):
    knarr.start("--name", "box", "--cap-drop", "all", "--cap-add", "chown")
    text = knarr("exec", "box", "grep", "^Cap", "/proc/self/status")
    sets = {name: int(value, 16) for name, value in re.findall(r"Cap(\w+):\s+(\w+)", text)}
    assert sets == {"Inh": 0, "Prm": 1, "Eff": 1, "Bnd": 1, "Amb": 0}


@pytest.mark.needs_ids
def test_capabilities_of_another_user(box):
    text = box("exec", "-u", "1000", "box", "grep", "^Cap", "/proc/self/status")
    sets = {name: int(value, 16) for name, value in re.findall(r"Cap(\w+):\s+(\w+)", text)}
    assert sets["Eff"] == sets["Prm"] == sets["Inh"] == sets["Amb"] == 0


def test_privileged(box):
    assert int(box("exec", "--privileged", "box", "grep", "CapEff", "/proc/self/status").split()[1], 16) & (1 << 21)


def test_the_filter_and_no_new_privileges_hold(knarr):
    knarr.start("--name", "box", "--security-opt", "no-new-privileges")
    text = knarr("exec", "box", "cat", "/proc/self/status")
    assert re.search(r"Seccomp:\s+2", text) and re.search(r"NoNewPrivs:\s+1", text)


def test_limits_and_umask_are_the_containers(knarr):
    knarr.start("--name", "box", "--ulimit", "nofile=123:456", "--umask", "0077")
    assert knarr("exec", "box", "sh", "-c", "ulimit -Sn; ulimit -Hn; umask").split() == ["123", "456", "0077"]


def test_the_payload_inherits_three_descriptors_only(box):
    assert box("exec", "box", "ls", "/proc/self/fd").split() == ["0", "1", "2", "3"]


def test_a_terminal(box):
    with box.terminal("exec", "-it", "box", "sh", rows=31, columns=101) as terminal:
        terminal.expect(r"[#$] ")
        terminal.line("tty; stty size")
        terminal.expect(r"/dev/pts/\d+\r?\n31 101")
        terminal.resize(20, 70)
        terminal.line("stty size")
        terminal.expect("20 70")
        terminal.line("exit 9")
        assert terminal.wait() == 9


def test_detach(box):
    box("exec", "-d", "box", "sh", "-c", "echo done > /tmp/mark; sleep 1000")
    eventually(lambda: box.result("exec", "box", "test", "-f", "/tmp/mark").status == 0, what="the detached command's mark")
    assert "sleep 1000" in box("top", "box")


def test_detach_of_a_missing_command(box):
    assert box.result("exec", "-d", "box", "nosuchcommand").status in (126, 127)


def test_detach_keys_leave_the_command_running(box):
    with box.terminal("exec", "-it", "box", "sh") as terminal:
        terminal.expect(r"[#$] ")
        terminal.line("echo $$ > /tmp/pid; echo written-$((40+2))")
        terminal.expect("written-42")
        terminal.send("\x10\x11")
        assert terminal.wait() == 0
    # A terminal that was hung up would end it, but not at once.
    box("exec", "box", "sh", "-c", "sleep 0.3; kill -0 $(cat /tmp/pid)")


def test_a_signal_ends_exec_and_not_the_container(box):
    process = box.popen("exec", "box", "sh", "-c", "trap 'exit 33' TERM; echo ready; while :; do sleep 0.05; done", bufsize=0)
    assert read_line(process.stdout) == "ready"
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) in (33, 143, -signal.SIGTERM)
    process.stdout.close()
    process.stderr.close()
    assert box.state("box")["Running"] is True


def test_the_commands_end_with_the_container(box):
    process = box.popen("exec", "box", "sh", "-c", "echo ready; sleep 1000", bufsize=0)
    assert read_line(process.stdout) == "ready"
    box("kill", "box")
    assert process.wait(20) == 137
    process.stdout.close()
    process.stderr.close()


def test_a_killed_exec_leaves_the_container_running(box):
    process = box.popen("exec", "box", "sh", "-c", "echo ready; sleep 1000", bufsize=0)
    assert read_line(process.stdout) == "ready"
    process.kill()
    process.wait()
    process.stdout.close()  # the command inside holds the other end
    process.stderr.close()
    assert box.state("box")["Running"] is True
    box("exec", "box", "true")


def test_a_container_that_does_not_run(knarr):
    knarr("create", "--name", "box", IMAGE, "true")
    result = knarr.result("exec", "box", "true")
    assert result.status in (125, 255) and "running" in result.err
    assert "nosuch" in knarr.error("exec", "nosuch", "true")


def test_preserved_descriptors(box):
    read_end, write_end = os.pipe()
    box.with_descriptor_three(write_end, "exec", "--preserve-fds=1", "box", "sh", "-c", "echo through >&3")
    os.close(write_end)
    assert os.read(read_end, 100) == b"through\n"
    os.close(read_end)


def test_the_latest_container(box):
    assert box("exec", "-l", "pwd") == "/tmp"


def test_twenty_at_once(box):
    processes = [box.popen("exec", "box", "echo", str(number)) for number in range(20)]
    outputs = [process.communicate(timeout=60) for process in processes]
    assert sorted(int(out) for out, _ in outputs) == list(range(20)), outputs


def test_no_process_of_exec_stays(box):
    monitor = box.state("box")["ConmonPid"]
    for _ in range(5):
        box("exec", "box", "true")
    with open(f"/proc/{monitor}/task/{monitor}/children") as file:
        assert len(file.read().split()) == 1  # init
    assert not wait_process(monitor, 0)
