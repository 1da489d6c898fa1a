# SPDX-License-Identifier: Apache-2.0
"""Running the engine, terminals, and looking for what a test left behind."""

import contextlib
import fcntl
import glob
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import termios
import time

IMAGE = "localhost/busybox:latest"
# Pids of what the tests themselves keep running: no leaks.
servers = {int(pid) for pid in [os.environ.get("KNARR_TEST_REMOTE_PID")] if pid}
PATIENCE = 20  # seconds until something that must happen counts as not happening


class Result:
    def __init__(self, argv, status, out, err):
        self.argv, self.status, self.out, self.err = argv, status, out, err

    def __repr__(self):
        return f"{self.argv} -> status {self.status}\nstdout: {self.out}\nstderr: {self.err}"


class Engine:
    """One store and run directory. Calling it runs a command that must succeed and returns its standard output."""

    def __init__(self, program, work, identity):
        self.program, self.work, self.identity = program, work, identity
        self.root, self.runroot = os.path.join(work, "root"), os.path.join(work, "run")
        self.home = os.path.join(work, "home")
        os.makedirs(self.home, exist_ok=True)
        self.mounts_before = mount_points()
        self.complaints = []
        self.number = 0

    @property
    def single_id(self):
        return self.identity == "unshare"

    def argv(self, *arguments):
        return [*self.program, "--root", self.root, "--runroot", self.runroot, *map(str, arguments)]

    def environment(self, env=None):
        base = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": self.home, "LANG": "C.UTF-8", "TERM": "xterm"}
        for name in ("USER", "LOGNAME", "XDG_RUNTIME_DIR", "ASAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                base[name] = os.environ[name]
        base.update(env or {})
        return {name: value for name, value in base.items() if value is not None}

    def popen(self, *arguments, env=None, **more):
        more.setdefault("stdin", subprocess.DEVNULL)
        more.setdefault("stdout", subprocess.PIPE)
        more.setdefault("stderr", subprocess.PIPE)
        return subprocess.Popen(self.argv(*arguments), env=self.environment(env), **more)

    def result(self, *arguments, input=None, timeout=60, **more):
        """Runs to the end; the status is the caller's business."""
        if input is not None:
            more["stdin"] = subprocess.PIPE
            input = input.encode() if isinstance(input, str) else input
        with self.popen(*arguments, **more) as process:
            try:
                out, err = process.communicate(input, timeout=timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                out, err = process.communicate()
                raise AssertionError(f"{arguments} still runs after {timeout} s; stdout {out!r}, stderr {err!r}") from None
        return Result(list(arguments), process.returncode, decode(out), decode(err))

    def __call__(self, *arguments, **more):
        result = self.result(*arguments, **more)
        assert result.status == 0, result
        return result.out.rstrip("\n")

    def sh(self, script, *options, image=IMAGE, **more):
        """What a shell script in a new container prints."""
        return self("run", "--rm", *options, image, "sh", "-c", script, **more)

    def fails(self, status, *arguments, **more):
        """Runs a command that must end with `status`; returns what it wrote to standard error."""
        result = self.result(*arguments, **more)
        assert result.status == status, result
        return result.err

    def error(self, *arguments, status=125, **more):
        """The same for an error of the engine: one `Error:` line, which is returned without hints."""
        text = self.fails(status, *arguments, **more)
        lines = [line for line in text.splitlines() if line.startswith("Error: ")]
        assert len(lines) == 1, f"{arguments}: expected one line `Error: ...`, got {text!r}"
        return lines[0]

    def start(self, *arguments, image=IMAGE, command=("sleep", "1000")):
        """A detached container; returns its id."""
        return self("run", "-d", *arguments, image, *command).splitlines()[-1]

    def inspect(self, name):
        return json.loads(self("inspect", name))[0]

    def durable_layers(self):
        """For each layer whether its record says that it has reached the disk."""
        for name in list_names(os.path.join(self.root, "layers")):
            with open(os.path.join(self.root, "layers", name, "meta.json")) as file:
                yield json.load(file)["durable"]

    def state(self, name):
        return self.inspect(name)["State"]

    @contextlib.contextmanager
    def terminal(self, *arguments, rows=24, columns=80, env=None):
        terminal = Terminal(self.argv(*arguments), self.environment(env), rows, columns)
        try:
            yield terminal
        finally:
            terminal.close()

    def with_descriptor_three(self, fd, *arguments):
        """Runs a command whose descriptor 3 is `fd`."""
        argv = ["sh", "-c", f'exec "$@" 3>/dev/fd/{fd}', "sh", *self.argv(*arguments)]
        subprocess.run(argv, env=self.environment(), stdin=subprocess.DEVNULL, pass_fds=(fd,), timeout=60, check=True)

    # After a test.

    def ignored_command(self):
        """podman as the program under test keeps a process for its namespace; the engine has none such."""
        return "podman" if self.program[0].endswith("podman_as_knarr") else None

    def begin_test(self):
        self.mounts_before = mount_points()

    def remove_all(self):
        self.complaints = []
        for verb in (["rm", "-f", "-a", "-t", "0"], ["volume", "rm", "-a", "-f"]):
            if os.path.isdir(self.root):
                try:
                    result = self.result(*verb, timeout=20)
                    if result.status != 0:
                        self.complaints.append(repr(result))
                except AssertionError as error:
                    self.complaints.append(str(error))

    def start_over(self):
        """After a leak: whatever still lives ends, and the next test gets an empty store."""
        for pid in descendants():
            if command_line(pid) != self.ignored_command():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        wait_for_descendants(5, self.ignored_command())
        self.number += 1
        self.root, self.runroot = (os.path.join(self.work, f"{name}{self.number}") for name in ("root", "run"))

    def leaks(self):
        found = list(self.complaints)
        for pid in wait_for_descendants(5, self.ignored_command()):
            found.append(f"process {pid} {command_line(pid)}")
        for point in mount_points() - self.mounts_before:
            if point.startswith(self.work):
                found.append(f"mount on {point}")
        for place in (self.runroot + "/containers", self.root + "/containers", self.root + "/names", self.root + "/volumes",
                      self.root + "/networks"):
            for name in list_names(place):
                found.append(f"{place}/{name}")
        networks = self.runroot + "/net/networks"
        found += [path for path in glob.glob(networks + "/*/leases/*") + glob.glob(networks + "/*/names/*/*") if is_owned(path)]
        return found

    def destroy(self):
        # Subordinate ids own what is in there: only the same namespace may remove it.
        for name in os.listdir(self.work):
            if name.startswith("root"):
                self.result("unshare", "rm", "-rf", os.path.join(self.work, name))
        shutil.rmtree(self.work, ignore_errors=True)


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, argv, environment, rows, columns):
        self.text = ""
        self.status = None
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                self.fd = 0
                self.resize(rows, columns)  # before the program can look
                os.execvpe(argv[0], argv, environment)
            finally:
                os._exit(127)

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def send(self, text):
        os.write(self.fd, text.encode())

    def line(self, text):
        self.send(text + "\n")

    def _read(self, deadline):
        """More output into self.text; False at the end."""
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([self.fd], [], [], left)[0]:
            raise AssertionError(f"the terminal shows only {self.text!r}")
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.text += data.decode(errors="replace")
        return bool(data)

    def expect(self, pattern, seconds=PATIENCE):
        """Waits until the output matches; what matched and all before it is consumed. Returns the match."""
        deadline = time.monotonic() + seconds
        while True:
            match = re.search(pattern, self.text)
            if match:
                self.text = self.text[match.end():]
                return match
            if not self._read(deadline):
                raise AssertionError(f"the terminal closed; {pattern!r} is not in {self.text!r}")

    def wait(self, seconds=PATIENCE):
        """The exit status, as a shell sees it, after the rest of the output."""
        if self.status is None:
            deadline = time.monotonic() + seconds
            with contextlib.suppress(OSError):
                while self._read(deadline):
                    pass
            _, status = os.waitpid(self.pid, 0)
            self.status = os.waitstatus_to_exitcode(status)
        return self.status

    def close(self):
        if self.status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.pid, 0)
        os.close(self.fd)


def decode(data):
    return (data or b"").decode(errors="replace")


def list_names(path):
    try:
        return sorted(os.listdir(path))
    except FileNotFoundError:
        return []


def mount_points():
    with open("/proc/self/mountinfo") as file:
        return {line.split()[4] for line in file}


def command_line(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return "(gone)"


def stat_fields(pid):
    """(state, parent) of a process, or None."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            state, parent = file.read().rpartition(")")[2].split()[:2]
            return state, int(parent)
    except (OSError, ValueError):
        return None


def is_owned(path):
    """Whether a lease or a name is somebody's. It names its monitor first; when that is dead the file is worth nothing, and
    goes when its address is taken again."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        with open(path) as file:
            pid, start = file.readline().split()[:2]
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[19] == start
    return False


def process_name(pid):
    try:
        with open(f"/proc/{pid}/comm") as file:
            return file.read().strip()
    except OSError:
        return None


def descendants():
    """Living processes that commands left behind or that still run: all below the reaper (conftest.py) but the tests
    and their servers."""
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            fields = stat_fields(int(name))
            if fields and fields[0] not in "ZX":
                children.setdefault(fields[1], []).append(int(name))
    found, todo = [], [os.getppid()]
    while todo:
        for pid in children.get(todo.pop(), []):
            # The name server goes by itself a while after the last container with a network (test_network_names.py).
            if pid in servers or process_name(pid) == "knarr-netd":
                continue
            todo.append(pid)
            if pid != os.getpid():
                found.append(pid)
    return found


def wait_for_descendants(seconds, ignored=None):
    """Gives what is ending the time to end; returns the pids of what stays."""
    deadline = time.monotonic() + seconds
    while True:
        pids = [pid for pid in descendants() if command_line(pid) != ignored]
        left = deadline - time.monotonic()
        if not pids or left <= 0:
            return pids
        wait_process(pids[0], left)


def wait_process(pid, seconds=PATIENCE):
    """Whether the process is dead within that time."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([fd], [], [], seconds)[0])
    finally:
        os.close(fd)


def eventually(condition, seconds=PATIENCE, what="the condition"):
    """For what has no file descriptor to wait on: asks again until true. Returns what it became."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what} did not come true in {seconds} s"
        select.select([], [], [], 0.02)


def read_line(stream, seconds=PATIENCE):
    """One line of a pipe within that time. The stream must be unbuffered (bufsize=0)."""
    deadline, line = time.monotonic() + seconds, b""
    while not line.endswith(b"\n"):
        left = deadline - time.monotonic()
        assert left > 0 and select.select([stream], [], [], left)[0], f"only {line!r} came"
        byte = os.read(stream.fileno(), 1)
        assert byte, f"the pipe closed after {line!r}"
        line += byte
    return line.decode().rstrip("\n")
