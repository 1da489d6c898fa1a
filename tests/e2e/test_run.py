# SPDX-License-Identifier: Apache-2.0
"""`run`: exit status, environment, user, working directory, entry point, files and directories."""

import os
import re
import shlex
import signal
import termios

import pytest
from harness import IMAGE, Terminal, read_line


# Exit status.

@pytest.mark.parametrize("status", [0, 1, 3, 125, 127, 255])
def test_the_status_of_the_command_is_that_of_run(knarr, status):
    assert knarr.result("run", "--rm", IMAGE, "sh", "-c", f"exit {status}").status == status


def test_a_missing_command_is_127(knarr):
    assert "nosuchcommand" in knarr.error("run", "--rm", IMAGE, "nosuchcommand", status=127)


def test_a_missing_absolute_command_is_127(knarr):
    assert "/no/such" in knarr.error("run", "--rm", IMAGE, "/no/such", status=127)


@pytest.mark.parametrize("path", ["/etc/passwd", "/etc"])
def test_a_file_that_cannot_be_executed_is_126(knarr, path):
    assert path in knarr.error("run", "--rm", IMAGE, path, status=126)


def test_a_script_whose_interpreter_is_missing_is_127(knarr, scratch):
    script = os.path.join(scratch, "script")
    with open(script, "w") as file:
        file.write("#!/no/such/interpreter\n")
    os.chmod(script, 0o755)
    knarr.error("run", "--rm", "-v", f"{script}:/script:ro", IMAGE, "/script", status=127)


def test_a_command_killed_by_a_signal_is_128_and_the_signal(knarr):
    # Process 1 ignores what it does not handle, so the reaper stands there.
    assert knarr.result("run", "--rm", "--init", IMAGE, "sh", "-c", "kill -9 $$").status == 137
    assert knarr.result("run", "--rm", "--init", IMAGE, "sh", "-c", "kill -TERM $$").status == 143


def test_a_failed_start_leaves_nothing_with_rm(knarr):
    knarr.fails(127, "run", "--rm", IMAGE, "nosuchcommand")
    assert knarr("ps", "-aq") == ""


def test_a_failed_start_without_rm_can_be_seen(knarr):
    knarr.fails(127, "run", "--name", "broken", IMAGE, "nosuchcommand")
    assert knarr("ps", "-a", "--format", "{{.Names}}") == "broken"


def test_an_image_nobody_has_is_an_error_that_names_it(knarr):
    assert "nosuchimage" in knarr.error("run", "--rm", "--pull=never", "nosuchimage", "true")


# Streams.

def test_output_and_errors_come_on_their_own_streams(knarr):
    result = knarr.result("run", "--rm", IMAGE, "sh", "-c", "echo out; echo err >&2")
    assert (result.status, result.out, result.err) == (0, "out\n", "err\n")


def test_input_is_passed_with_interactive(knarr):
    assert knarr("run", "--rm", "-i", IMAGE, "cat", input="hello\nworld") == "hello\nworld"


def test_input_is_empty_without_interactive(knarr):
    assert knarr("run", "--rm", IMAGE, "cat", input="hello\n") == ""


def test_ten_megabytes_pass_both_ways(knarr):
    data = bytes(range(256)) * 40960
    with knarr.popen("run", "--rm", "-i", IMAGE, "cat", stdin=-1) as process:
        out, err = process.communicate(data, timeout=60)
    assert process.returncode == 0 and err == b""
    assert out == data


def test_output_written_just_before_the_end_is_complete(knarr):
    for _ in range(5):
        result = knarr.result("run", "--rm", IMAGE, "sh", "-c", "head -c 300000 /dev/zero | tr '\\0' x; echo end >&2")
        assert len(result.out) == 300000 and result.err == "end\n"


def test_the_command_ends_when_nobody_reads_its_output(knarr):
    process = knarr.popen("run", "--rm", "--name", "box", IMAGE, "sh", "-c", "while echo line; do :; done")
    process.stdout.read(10)
    process.stdout.close()
    assert process.wait(20) is not None
    process.stderr.close()


def test_the_payload_inherits_three_descriptors_only(knarr):
    # ls itself opens the directory.
    assert knarr("run", "--rm", IMAGE, "ls", "/proc/self/fd").split() == ["0", "1", "2", "3"]


def test_preserved_descriptors_reach_the_payload(knarr):
    read_end, write_end = os.pipe()
    knarr.with_descriptor_three(write_end, "run", "--rm", "--preserve-fds=1", IMAGE, "sh", "-c", "echo through >&3")
    os.close(write_end)
    assert os.read(read_end, 100) == b"through\n"
    os.close(read_end)


def test_signals_that_the_caller_ignores_are_not_ignored_inside(knarr):
    def ignore():
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    out, _ = knarr.popen("run", "--rm", IMAGE, "grep", "Sig[IB]", "/proc/self/status", preexec_fn=ignore).communicate(timeout=30)
    assert set(re.findall(r"Sig(?:Ign|Blk):\s+(\w+)", out.decode())) == {"0" * 16}


# Environment.

def env_of(knarr, *options, env=None, image=IMAGE):
    lines = knarr("run", "--rm", *options, "--entrypoint", "env", image, env=env).splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_the_default_environment(knarr):
    env = env_of(knarr, "--name", "env", "-h", "box")
    assert env["PATH"] == "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    assert env["HOME"] == "/root"
    assert env["HOSTNAME"] == "box"
    assert env["container"]


def test_env_sets_and_overrides(knarr):
    env = env_of(knarr, "-e", "A=b", "--env", "EMPTY=", "-e", "PATH=/bin", "-e", "X=1=2")
    assert (env["A"], env["EMPTY"], env["PATH"], env["X"]) == ("b", "", "/bin", "1=2")


def test_env_without_value_takes_the_callers(knarr):
    env = env_of(knarr, "-e", "FROM_ME", "-e", "NOT_SET", env={"FROM_ME": "mine"})
    assert env["FROM_ME"] == "mine" and "NOT_SET" not in env


def test_env_with_a_star_takes_all_that_begin_so(knarr):
    env = env_of(knarr, "-e", "SET_*", env={"SET_A": "1", "SET_B": "2", "UNSET": "3"})
    assert (env["SET_A"], env["SET_B"]) == ("1", "2") and "UNSET" not in env


def test_the_callers_environment_stays_outside(knarr):
    assert "SECRET" not in env_of(knarr, env={"SECRET": "x"})


def test_env_host_takes_the_callers_whole_environment(knarr):
    assert env_of(knarr, "--env-host", env={"SECRET": "x"})["SECRET"] == "x"


def test_env_file(knarr, scratch):
    path = os.path.join(scratch, "env")
    with open(path, "w") as file:
        file.write("# comment\nA=1\n\nB=two words\nFROM_ME\nEMPTY=\n")
    env = env_of(knarr, "--env-file", path, "-e", "A=2", env={"FROM_ME": "mine"})
    assert (env["A"], env["B"], env["FROM_ME"], env["EMPTY"]) == ("2", "two words", "mine", "")


def test_unsetenv(knarr):
    out = knarr("run", "--rm", "--unsetenv", "PATH", "-e", "KEPT=1", IMAGE, "/bin/env")
    assert "PATH=" not in out and "KEPT=1" in out


def test_env_without_a_name_is_refused(knarr):
    knarr.error("run", "--rm", "-e", "=x", IMAGE, "true")


def test_a_missing_env_file_is_an_error(knarr):
    assert "/no/such/file" in knarr.error("run", "--rm", "--env-file", "/no/such/file", IMAGE, "true")


# User and groups.

def ids(knarr, *options):
    return knarr("run", "--rm", *options, IMAGE, "sh", "-c", "echo $(id -u) $(id -g) $(id -G)").split(maxsplit=2)


@pytest.mark.parametrize("user, uid, gid, groups", [
    ("0", "0", "0", "0"),
    ("root", "0", "0", "0"),
    ("app", "1000", "1000", "1000 29 50"),
    ("1000", "1000", "1000", "1000 29 50"),
    ("app:staff", "1000", "50", "50"),
    ("1000:50", "1000", "50", "50"),
    ("app:1234", "1000", "1234", "1234"),
    ("4242", "4242", "0", "0"),
    ("4242:4343", "4242", "4343", "4343"),
])
@pytest.mark.needs_ids
def test_user_and_groups(knarr, user, uid, gid, groups):
    got = ids(knarr, "-u", user)
    assert got[:2] == [uid, gid]
    assert set(got[2].split()) == set(groups.split())


@pytest.mark.parametrize("user", ["nosuchuser", "app:nosuchgroup", "4294967295", "4294967296", "99999999999999999999", " 1", "+1", "-1"])
def test_a_user_that_is_none_is_refused(knarr, user):
    # Found out before the start, or by it.
    result = knarr.result("run", "--rm", f"--user={user}", IMAGE, "id")
    assert result.status in (125, 126) and result.err.startswith("Error: ") and result.out == ""


@pytest.mark.needs_ids
def test_a_number_is_never_a_name(knarr, scratch):
    passwd = os.path.join(scratch, "passwd")
    with open(passwd, "w") as file:
        file.write("root:x:0:0::/root:/bin/sh\n1:x:0:0::/root:/bin/sh\n")
    assert ids(knarr, "-u", "1", "-v", f"{passwd}:/etc/passwd:ro")[0] == "1"


@pytest.mark.needs_ids
def test_group_add(knarr):
    assert set(ids(knarr, "--group-add", "staff", "--group-add", "4444")[2].split()) == {"0", "50", "4444"}
    assert set(ids(knarr, "-u", "1000:1000", "--group-add", "daemon")[2].split()) == {"1000", "1"}
    assert "nosuchgroup" in knarr.error("run", "--rm", "--group-add", "nosuchgroup", IMAGE, "true", status=126)


@pytest.mark.needs_ids
@pytest.mark.parametrize("user, home", [("root", "/root"), ("app", "/home/app"), ("1000", "/home/app"), ("4242", "/")])
def test_home_is_the_users(knarr, user, home):
    assert knarr.sh("echo $HOME", "-u", user) == home


@pytest.mark.needs_ids
def test_home_can_be_given(knarr):
    assert knarr.sh("echo $HOME", "-u", "app", "-e", "HOME=/elsewhere") == "/elsewhere"


@pytest.mark.needs_ids
def test_the_user_of_the_image(knarr, image):
    knarr("load", "-q", "-i", image("user-by-name"))
    out = knarr("run", "--rm", "localhost/user-by-name", "sh", "-c", "id -un; pwd; touch file && stat -c %U file")
    assert out.splitlines() == ["app", "/home/app", "app"]


# Working directory.

def test_the_working_directory_is_the_root_by_default(knarr):
    assert knarr("run", "--rm", IMAGE, "pwd") == "/"


def test_a_missing_working_directory_is_an_error(knarr):
    # One the image names is made; one the user names may be a slip.
    result = knarr.result("run", "--rm", "-w", "/a/b/c", IMAGE, "pwd")
    assert result.status in (125, 126, 127) and "/a/b/c" in result.err


def test_a_relative_working_directory_is_refused(knarr):
    assert "absolute" in knarr.error("run", "--rm", "-w", "relative", IMAGE, "pwd")


def test_a_file_as_working_directory_is_refused(knarr):
    result = knarr.result("run", "--rm", "-w", "/etc/passwd", IMAGE, "pwd")
    assert result.status in (125, 126) and "/etc/passwd" in result.err


# Entry point and command.

@pytest.mark.needs_ids
def test_entry_point_and_command_of_the_image(knarr, image):
    knarr("load", "-q", "-i", image("configured"))
    configured = "localhost/configured"
    assert knarr("run", "--rm", configured) == "entry:one two"
    assert knarr("run", "--rm", configured, "three") == "entry:three"
    assert knarr("run", "--rm", "--entrypoint", "echo", configured) == ""
    assert knarr("run", "--rm", "--entrypoint", "echo", configured, "four") == "four"
    assert knarr("run", "--rm", "--entrypoint", '["echo","-n"]', configured, "five") == "five"
    assert knarr("run", "--rm", "--entrypoint", "", configured, "echo", "six") == "six"
    assert knarr("run", "--rm", "--entrypoint", "pwd", configured) == "/work/dir"
    assert knarr("run", "--rm", "--entrypoint", "sh", configured, "-c", "echo $COLOR; id -u; id -g").split() == ["blue", "1000", "50"]


def test_without_any_command_it_is_an_error(knarr):
    # An entry point that was emptied takes the image's command with it.
    assert "command" in knarr.error("run", "--rm", "--entrypoint", "", IMAGE)


def test_options_end_at_the_image(knarr):
    assert knarr("run", "--rm", IMAGE, "echo", "--rm", "-e", "x") == "--rm -e x"


# Host name and the files about names.

def test_the_host_name_is_the_short_id(knarr):
    container = knarr("create", IMAGE, "hostname")
    assert knarr("start", "-a", container) == container[:12]


def test_a_host_name_can_be_given(knarr):
    assert knarr.sh("hostname; cat /etc/hostname", "-h", "box.example").split() == ["box.example", "box.example"]


def test_hosts_names_the_container_and_local_host(knarr):
    hosts = knarr.sh("cat /etc/hosts", "--name", "web", "-h", "box", "--add-host", "db:10.1.2.3")
    names = {name: line.split()[0] for line in hosts.splitlines() if line.strip() and line[0] != "#" for name in line.split()[1:]}
    assert names["db"] == "10.1.2.3"
    assert {"localhost", "box", "web"} <= set(names)


@pytest.mark.parametrize("bad", ["db", "db:notanip", ":10.1.2.3", "a b:10.1.2.3", "x\ny:10.1.2.3"])
def test_a_bad_add_host_is_refused(knarr, bad):
    knarr.error("run", "--rm", "--add-host", bad, IMAGE, "true")


def test_no_hosts_leaves_the_file_of_the_image(knarr):
    assert knarr.result("run", "--rm", "--no-hosts", IMAGE, "grep", "localhost", "/etc/hosts").status != 0


def test_no_hosts_makes_no_file_where_the_image_has_none(knarr):
    assert knarr.result("run", "--rm", "--no-hosts", IMAGE, "test", "-e", "/etc/hosts").status == 1


def test_what_is_mounted_in_every_container_leaves_nothing_in_its_layer(knarr):
    identifier = knarr("run", "-d", "--network", "none", IMAGE, "true")
    knarr("wait", identifier)
    assert os.listdir(f"{knarr.root}/containers/{identifier}/upper") == []


def test_resolv_conf_is_written_from_the_options(knarr):
    text = knarr.sh("cat /etc/resolv.conf", "--network", "host", "--dns", "9.9.9.9", "--dns-search", "example.org", "--dns-option", "ndots:3")
    assert "nameserver 9.9.9.9" in text and "search example.org" in text and "options ndots:3" in text


def test_containerenv_marks_a_container(knarr):
    knarr.sh("test -f /run/.containerenv")


def test_the_name_of_the_host_stays(knarr):
    before = os.uname().nodename
    knarr.sh("hostname inside 2>/dev/null; true", "-h", "outside")
    assert os.uname().nodename == before


# The root file system.

def test_what_a_container_writes_is_its_own(knarr):
    knarr.sh("echo mine > /etc/passwd; rm -r /home; mkdir /new")
    assert knarr.sh("head -n 1 /etc/passwd; ls -d /home; ls -d /new 2>&1 || true").splitlines()[0].startswith("root:")


def test_a_read_only_root(knarr):
    out = knarr.sh("touch /x 2>&1; touch /etc/x 2>&1; touch /tmp/t /run/t /var/tmp/t /dev/shm/t && echo rest", "--read-only")
    assert out.count("Read-only file system") == 2 and out.endswith("rest")


def test_a_read_only_root_without_its_tmpfs(knarr):
    assert "Read-only" in knarr.sh("touch /tmp/x 2>&1; true", "--read-only", "--read-only-tmpfs=false")


def test_rootfs_runs_a_directory(knarr, scratch):
    rootfs = os.path.join(scratch, "rootfs")
    os.makedirs(rootfs + "/bin")
    with open("/bin/busybox", "rb") as source, open(rootfs + "/bin/busybox", "wb") as target:
        target.write(source.read())
    os.chmod(rootfs + "/bin/busybox", 0o755)
    assert knarr("run", "--rm", "--rootfs", rootfs, "busybox", "echo", "from a directory") == "from a directory"
    knarr("run", "--rm", "--rootfs", rootfs, "/bin/busybox", "touch", "/kept")
    assert os.path.exists(rootfs + "/kept")


def test_a_missing_rootfs_is_an_error(knarr):
    assert "/no/such/root" in knarr.error("run", "--rm", "--rootfs", "/no/such/root", "true")


# Records.

def test_rm_removes_and_without_it_stays(knarr):
    knarr("run", "--rm", "--name", "gone", IMAGE, "true")
    knarr("run", "--name", "stays", IMAGE, "true")
    assert knarr("ps", "-a", "--format", "{{.Names}}").split() == ["stays"]


def test_a_name_can_be_used_once(knarr):
    knarr("create", "--name", "twice", IMAGE, "true")
    assert "twice" in knarr.error("run", "--rm", "--name", "twice", IMAGE, "true")


@pytest.mark.parametrize("name", ["a b", "../x", "/x", "-x", ".x", "é", "a\nb"])
def test_a_bad_name_is_refused(knarr, name):
    knarr.error("create", f"--name={name}", IMAGE, "true")


def test_an_empty_name_is_no_name(knarr):
    assert re.fullmatch(r"[0-9a-f]{64}", knarr("create", "--name=", IMAGE, "true"))


def test_replace_takes_the_name_over(knarr):
    first = knarr.start("--name", "service")
    second = knarr.start("--replace", "--name", "service")
    assert first != second
    assert knarr("ps", "-aq", "--no-trunc").split() == [second]


def test_names_are_invented(knarr):
    knarr("create", IMAGE, "true")
    assert re.fullmatch(r"[a-z]+_[a-z]+", knarr("ps", "-a", "--format", "{{.Names}}"))


def test_cidfile(knarr, scratch):
    path = os.path.join(scratch, "cid")
    container = knarr.start("--cidfile", path)
    with open(path) as file:
        assert file.read().strip() == container
    assert path in knarr.error("run", "--rm", "--cidfile", path, IMAGE, "true")
    knarr("rm", "-f", "-t", "0", "--cidfile", path)
    assert knarr("ps", "-aq") == ""


def test_pidfile(knarr, scratch):
    path, monitor = os.path.join(scratch, "pid"), os.path.join(scratch, "monitor")
    knarr.start("--name", "box", "--pidfile", path, "--conmon-pidfile", monitor)
    state = knarr.state("box")
    with open(path) as file:
        assert int(file.read()) == state["Pid"]
    with open(monitor) as file:
        assert int(file.read()) == state["ConmonPid"]


def test_labels_and_annotations(knarr, scratch):
    path = os.path.join(scratch, "labels")
    with open(path, "w") as file:
        file.write("# comment\nfrom-file=1\nboth=file\n")
    knarr("create", "--name", "box", "--label-file", path, "-l", "a=b", "--label", "bare", "-l", "both=option", "--annotation", "k=v", IMAGE)
    config = knarr.inspect("box")["Config"]
    assert config["Labels"].items() >= {"a": "b", "bare": "", "from-file": "1", "both": "option"}.items()
    assert config["Annotations"]["k"] == "v"


def test_detached_prints_the_id(knarr):
    assert re.fullmatch(r"[0-9a-f]{64}", knarr("run", "-d", IMAGE, "sleep", "100"))


def test_a_detached_container_outlives_the_command_and_its_terminal(knarr):
    with knarr.terminal("run", "-d", "--name", "box", IMAGE, "sleep", "1000") as terminal:
        assert terminal.wait() == 0
    assert knarr.state("box")["Running"] is True


def test_a_detached_container_that_removes_itself(knarr):
    knarr("run", "-d", "--rm", "--name", "box", IMAGE, "true")
    knarr.result("wait", "box")  # gone already, or gone after it
    assert knarr("ps", "-aq") == ""


def test_a_command_that_is_missing_is_seen_when_detached(knarr):
    knarr.error("run", "-d", "--name", "box", IMAGE, "nosuchcommand", status=127)


def test_timeout_ends_the_container(knarr):
    assert knarr.result("run", "--rm", "--timeout", "1", IMAGE, "sleep", "1000").status in (137, 143, 255)


# Details of the process.

def test_umask(knarr):
    assert knarr.sh("umask") == "0022"
    assert knarr.sh("umask; touch f; stat -c %a f", "--umask", "0077").split() == ["0077", "600"]


def test_ulimits(knarr):
    out = knarr.sh("ulimit -Sn; ulimit -Hn; ulimit -Sc", "--ulimit", "nofile=100:200", "--ulimit", "core=0")
    assert out.split() == ["100", "200", "0"]
    for bad in ("nofile", "nosuch=1", "nofile=2:1", "nofile=x"):
        knarr.error("run", "--rm", "--ulimit", bad, IMAGE, "true")


def test_oom_score_adj(knarr):
    assert knarr.sh("cat /proc/self/oom_score_adj", "--oom-score-adj", "500") == "500"


@pytest.mark.skipif(not os.path.exists("/usr/share/zoneinfo/Asia/Tokyo"), reason="this machine has no time zone data (tzdata)")
def test_time_zone(knarr):
    # The image has none of its own: the host's file is copied in.
    assert knarr.sh("tail -n 1 /etc/localtime", "--tz", "Asia/Tokyo") == "JST-9"


def test_a_time_zone_nobody_knows_is_an_error(knarr):
    assert "Moon/Crater" in knarr.error("run", "--rm", "--tz", "Moon/Crater", IMAGE, "true")


def test_shm_size(knarr):
    def size(*options):
        return knarr.sh("df -k /dev/shm | tail -n 1", *options).split()[1]

    assert size() == str(64 * 1024)
    assert size("--shm-size", "2m") == "2048"


# Signals, terminals, the reaper.

def test_signals_reach_the_payload(knarr):
    for number, name in ((signal.SIGTERM, "TERM"), (signal.SIGINT, "INT"), (signal.SIGUSR1, "USR1"), (signal.SIGHUP, "HUP")):
        script = f"trap 'echo got {name}; exit 42' {name}; echo ready; while :; do sleep 0.05; done"
        process = knarr.popen("run", "--rm", IMAGE, "sh", "-c", script, bufsize=0)
        assert read_line(process.stdout) == "ready"
        process.send_signal(number)
        assert read_line(process.stdout) == f"got {name}"
        assert process.wait(20) == 42
        process.stdout.close()
        process.stderr.close()


def test_signals_stay_with_the_command_without_the_proxy(knarr):
    process = knarr.popen("run", "--rm", "--name", "box", "--sig-proxy=false", IMAGE, "sh", "-c",
                          "trap 'exit 42' TERM; echo ready; while :; do sleep 0.05; done", bufsize=0)
    assert read_line(process.stdout) == "ready"
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) != 42
    process.stdout.close()
    process.stderr.close()
    assert knarr.state("box")["Running"] is True


def test_init_reaps_and_forwards(knarr):
    assert knarr.sh("echo $$", "--init") != "1"
    script = "(sleep 0.1 &) ; sleep 0.4; ps -o stat,args | grep -c '^Z' ; true"
    assert knarr.sh(script, "--init") == "0"
    process = knarr.popen("run", "--rm", "--init", IMAGE, "sh", "-c",
                          "trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done", bufsize=0)
    assert read_line(process.stdout) == "ready"
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 7
    process.stdout.close()
    process.stderr.close()


def test_the_payload_is_process_one(knarr):
    assert knarr.sh("echo $$") == "1"


def test_a_terminal(knarr):
    with knarr.terminal("run", "--rm", "-it", IMAGE, "sh", rows=33, columns=111) as terminal:
        terminal.expect(r"[#$] ")
        terminal.line("tty; stty size; echo T=$TERM")
        terminal.expect(r"/dev/(console|pts/\d)\r?\n33 111\r?\nT=xterm")
        terminal.resize(40, 90)
        terminal.line("stty size")
        terminal.expect(r"40 90")
        terminal.line("sh -c 'echo started; sleep 100'")
        terminal.expect(r"\nstarted\r?\n")
        terminal.send("\x03")
        terminal.line("echo status $?")
        terminal.expect(r"status 130")
        terminal.line("exit 5")
        assert terminal.wait() == 5


def test_a_terminal_is_restored_afterwards(knarr):
    with knarr.terminal("run", "--rm", "-it", IMAGE, "sh", "-c", "echo ready; read x") as terminal:
        terminal.expect("ready")
        raw = termios.tcgetattr(terminal.fd)
        assert not raw[3] & termios.ICANON
        terminal.line("")
        assert terminal.wait() == 0
    # What the caller's terminal was set to can only be asked of a shell that outlives the command.
    command = shlex.join(knarr.argv("run", "--rm", "-it", IMAGE, "true"))
    script = f"a=$(stty -a); {command}; b=$(stty -a); test \"$a\" = \"$b\" && echo same"
    terminal = Terminal(["sh", "-c", script], knarr.environment(), 24, 80)
    try:
        terminal.expect("same")
        assert terminal.wait() == 0
    finally:
        terminal.close()


def test_a_terminal_of_the_payload_without_one_outside(knarr):
    result = knarr.result("run", "--rm", "-t", IMAGE, "sh", "-c", "test -t 1 && echo terminal")
    assert (result.status, result.out) == (0, "terminal\r\n")


def test_a_tty_device_is_owned_by_the_payload(knarr):
    out = knarr("run", "--rm", "-t", IMAGE, "sh", "-c", "tty; stat -c '%u %a' $(tty); echo to-tty > /dev/tty")
    assert "to-tty" in out and " 620" in out


def test_detach_keys(knarr):
    with knarr.terminal("run", "-it", "--name", "box", IMAGE, "sh") as terminal:
        terminal.expect(r"[#$] ")
        terminal.send("\x10\x11")
        assert terminal.wait() == 0
    assert knarr.state("box")["Running"] is True


def test_detach_keys_can_be_chosen(knarr):
    with knarr.terminal("run", "-it", "--name", "box", "--detach-keys", "ctrl-a,x", IMAGE, "sh") as terminal:
        terminal.expect(r"[#$] ")
        terminal.send("\x10\x11")
        terminal.line("echo still here")
        terminal.expect("still here\r")
        terminal.send("\x01x")
        assert terminal.wait() == 0
    assert knarr.state("box")["Running"] is True


def test_a_bad_detach_sequence_is_refused(knarr):
    knarr.error("run", "--rm", "-it", "--detach-keys", "ctrl-nonsense", IMAGE, "true")


def test_only_the_chosen_streams_are_attached(knarr):
    result = knarr.result("run", "--rm", "-a", "stdout", IMAGE, "sh", "-c", "echo out; echo err >&2")
    assert (result.out, result.err) == ("out\n", "")
    result = knarr.result("run", "--rm", "-a", "stderr", IMAGE, "sh", "-c", "echo out; echo err >&2")
    assert (result.out, result.err) == ("", "err\n")


# The file system around the payload.

def test_devices(knarr):
    names = knarr("run", "--rm", IMAGE, "ls", "/dev").split()
    assert {"null", "zero", "full", "random", "urandom", "tty", "fd", "stdin", "stdout", "stderr", "ptmx", "pts", "shm", "mqueue"} <= set(names)
    assert not {"sda", "vda", "kmsg", "mem", "kvm"} & set(names)
    knarr.sh("head -c 10 /dev/urandom | wc -c; echo x > /dev/null; echo 2>/dev/full; test -c /dev/tty")


@pytest.mark.parametrize("path, what", [("/etc/passwd", "device"), ("/dev/nosuchdevice", "/dev/nosuchdevice")])
def test_a_device_that_is_none_is_refused(knarr, path, what):
    assert what in knarr.error("run", "--rm", "--device", path, IMAGE, "true")


def test_a_device_of_the_host(knarr):
    assert os.stat("/dev/zero").st_rdev == os.makedev(1, 5)
    out = knarr.sh("stat -c '%F %t:%T' /dev/other; head -c 3 /dev/other | wc -c", "--device", "/dev/zero:/dev/other:r")
    assert out.splitlines() == ["character special file 1:5", "3"]


def test_proc_and_sys_are_masked(knarr):
    assert knarr.sh("cat /proc/kcore /proc/keys /proc/timer_list 2>/dev/null | wc -c") == "0"
    assert knarr.sh("ls /sys/firmware /proc/scsi 2>/dev/null | grep -v : | wc -w") == "0"
    for path in ("/proc/sys/kernel/domainname", "/proc/sysrq-trigger", "/proc/irq/default_smp_affinity", "/sys/kernel/mm/ksm/run"):
        assert "written" not in knarr.sh(f"(echo 0 > {path}) 2>/dev/null && echo written; true")


def test_unmask(knarr):
    assert knarr.sh("mount | grep -c ' on /proc/sys ' ; true") == "1"
    assert knarr.sh("mount | grep -c ' on /proc/sys ' ; true", "--security-opt", "unmask=/proc/sys") == "0"
    assert knarr.sh("mount | grep -c ' on /proc/' ; true", "--security-opt", "unmask=ALL") == "0"


def test_mask(knarr):
    assert knarr.sh("cat /proc/uptime | wc -c", "--security-opt", "mask=/proc/uptime") == "0"


def test_the_mounts_are_as_they_should_be(knarr):
    mounts = {}
    for line in knarr("run", "--rm", IMAGE, "cat", "/proc/self/mountinfo").splitlines():
        fields = line.split()
        dash = fields.index("-")
        mounts[fields[4]] = (fields[dash + 1], set(fields[5].split(",")))
    assert mounts["/proc"][0] == "proc" and {"nosuid", "noexec", "nodev"} <= mounts["/proc"][1]
    assert mounts["/sys"][0] == "sysfs" and {"ro", "nosuid", "noexec", "nodev"} <= mounts["/sys"][1]
    assert mounts["/dev"][0] == "tmpfs" and "nosuid" in mounts["/dev"][1]
    assert mounts["/dev/pts"][0] == "devpts"
    assert mounts["/dev/shm"][0] == "tmpfs" and {"nosuid", "noexec", "nodev"} <= mounts["/dev/shm"][1]
    assert mounts["/dev/mqueue"][0] == "mqueue"
    assert "ro" in mounts["/sys/fs/cgroup"][1]
    assert mounts["/"][0] in ("overlay", "fuse.fuse-overlayfs", "ext4", "xfs", "btrfs", "tmpfs")


def test_the_old_root_is_gone(knarr):
    out = knarr("run", "--rm", IMAGE, "cat", "/proc/self/mountinfo")
    assert "shared:" not in out
    assert not re.search(r" /(oldroot|\.pivot)", out)


def test_file_modes_survive(knarr):
    assert knarr.sh("stat -c %a /tmp /root /bin/busybox").split() == ["1777", "700", "755"]
