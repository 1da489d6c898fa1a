# SPDX-License-Identifier: Apache-2.0
"""The engine as a user meets it: argv in; status, output and what is left on the machine out.

Environment:
  KNARR_TEST_PROGRAM   the program under test, split like a shell does (default: build/release/cli/knarr)
  KNARR_TEST_IDENTITY  user, root or unshare; set by tests/support/as_identity
  KNARR_TEST_KEEP      keep the store for a look afterwards
"""

import ctypes
import os
import pwd
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(TOP, "tests", "support"))

import harness  # noqa: E402
import images  # noqa: E402
import registry as registries  # noqa: E402
from harness import Engine  # noqa: E402

PR_SET_CHILD_SUBREAPER = 36


def pytest_configure(config):
    config.addinivalue_line("markers", "needs_ids: needs more than one id in the user namespace")
    config.addinivalue_line("markers", "rootless_only: about ordinary users")
    if not config.option.collectonly:
        split_off_reaper()


def split_off_reaper():
    """The tests go on in a child. This process stays as what init is to a machine: whatever a command leaves behind
    becomes its child, so that no leak is missed (harness.descendants), and is waited for when it ends."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    tests = os.fork()
    if tests == 0:
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: os.kill(tests, number))
    while True:
        pid, status = os.wait()
        if pid == tests:
            os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def identity_name():
    return os.environ.get("KNARR_TEST_IDENTITY") or ("root" if os.geteuid() == 0 else "user")


@pytest.fixture(scope="session")
def identity():
    return identity_name()


def pytest_collection_modifyitems(items):
    for item in items:
        if identity_name() == "unshare" and item.get_closest_marker("needs_ids"):
            item.add_marker(pytest.mark.skip(reason="a namespace of `unshare -r` has one id"))
        if identity_name() == "root" and item.get_closest_marker("rootless_only"):
            item.add_marker(pytest.mark.skip(reason="about ordinary users"))


def default_program():
    return [os.path.join(TOP, "build", "release", "cli", "knarr")]


@pytest.fixture(scope="session")
def work():
    """A directory of this session on a real file system (an overlay cannot lie on every other one)."""
    path = tempfile.mkdtemp(prefix="knarr-e2e-", dir="/var/tmp")
    yield path
    if not os.environ.get("KNARR_TEST_KEEP"):
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def engine(work, identity):
    program = shlex.split(os.environ.get("KNARR_TEST_PROGRAM", "")) or default_program()
    if shutil.which(program[0]) is None:
        pytest.exit(f"no program {program[0]}: build it first, or set KNARR_TEST_PROGRAM", returncode=2)
    engine = Engine(program, work, identity)
    engine("load", "-q", "-i", images.image_path("busybox"))
    yield engine
    if not os.environ.get("KNARR_TEST_KEEP"):
        engine.destroy()


@pytest.fixture
def knarr(engine):
    """The engine with the busybox image loaded. After the test its containers and volumes are removed, and
    nothing else may be left of it."""
    engine.begin_test()
    yield engine
    engine.remove_all()
    leaks = engine.leaks()
    if leaks:
        engine.start_over()
        engine("load", "-q", "-i", images.image_path("busybox"))
    assert not leaks, "left behind: " + "; ".join(leaks)


@pytest.fixture
def fresh(tmp_path_factory, work, identity, engine):
    """A second engine with an empty store."""
    path = tempfile.mkdtemp(prefix="fresh-", dir=work)
    other = Engine(engine.program, path, identity)
    yield other
    other.remove_all()
    leaks = other.leaks()
    if leaks:
        other.start_over()
    other.destroy()
    assert not leaks, "left behind: " + "; ".join(leaks)


@pytest.fixture
def other(engine, work, fresh):
    """A third engine: what `fresh` gives away arrives there."""
    path = os.path.join(work, "other-" + os.path.basename(fresh.work))
    os.makedirs(path)
    third = Engine(engine.program, path, fresh.identity)
    yield third
    third.remove_all()
    third.destroy()


@pytest.fixture
def image():
    """image("rich") is the path of that image's archive or directory."""
    return images.image_path


@pytest.fixture
def scratch(work):
    """A directory of this test that others may enter."""
    path = tempfile.mkdtemp(prefix="test-", dir=work)
    os.chmod(path, 0o755)
    return path


@pytest.fixture(scope="session")
def start_registry(work):
    """start_registry(tls=True, ...) is a registry.Registry that runs until the session ends."""
    if shutil.which(registries.PROGRAM) is None:
        pytest.skip(f"this machine has no {registries.PROGRAM}")
    started = []

    def start(**how):
        server = registries.Registry(tempfile.mkdtemp(prefix="registry-", dir=work), **how)
        harness.servers.add(server.pid)
        started.append(server)
        return server

    yield start
    for server in started:
        server.close()
        harness.servers.discard(server.pid)


@pytest.fixture(scope="session")
def registry(start_registry):
    """A registry that speaks plain HTTP and lets everybody do everything."""
    return start_registry()


@pytest.fixture(scope="session")
def tls_registry(start_registry):
    return start_registry(tls=True)


@pytest.fixture(scope="session")
def private_registry(start_registry):
    """It speaks TLS and wants the password `registry.credentials`."""
    return start_registry(tls=True, credentials=("somebody", "pass:word with$signs"))


class Machine:
    """Machines that lack something, as an ordinary user meets them. Made by root, in namespaces of their own."""

    def __init__(self, program, work):
        self.program, self.work = program, work
        user = pwd.getpwnam(subprocess.run([os.path.join(TOP, "scripts", "setup-user")], stdout=subprocess.PIPE, check=True, text=True).stdout.strip())
        self.user = user
        self.become = ["setpriv", "--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--init-groups",
                       "env", f"USER={user.pw_name}", f"LOGNAME={user.pw_name}", "XDG_RUNTIME_DIR="]
        self.engines = []

    def engine(self, prepare="", before=(), place=None):
        """An engine of the ordinary user. `prepare`: a script run by root before each command, in a new mount
        namespace; `before`: an argv in front of everything, still as root."""
        path = place or tempfile.mkdtemp(prefix="machine-", dir=self.work)
        os.chown(path, self.user.pw_uid, self.user.pw_gid)
        prefix = list(before)
        if prepare:
            prefix += ["unshare", "--mount", "--propagation", "private", "sh", "-ec", prepare + '\nexec "$@"', "sh"]
        engine = Engine([*prefix, *self.become, *self.program], path, "user")
        os.chown(engine.home, self.user.pw_uid, self.user.pw_gid)
        self.engines.append(engine)
        return engine


@pytest.fixture
def machine(work, engine, identity):
    if identity != "root":
        pytest.skip("needs root to take things away; the tests as root do it")
    os.chmod(work, 0o755)
    machine = Machine(engine.program, work)
    yield machine
    leaks = []
    for other in machine.engines:
        other.remove_all()
        leaks += other.leaks()
        if leaks:
            other.start_over()
    for other in machine.engines:
        other.destroy()
    assert not leaks, "left behind: " + "; ".join(leaks)


@pytest.fixture(scope="session")
def deny(engine):
    """deny("openat2,clone3=EPERM") is an argv that runs a program without these system calls."""
    program = os.environ.get("KNARR_TEST_DENY_SYSCALLS") or os.path.join(os.path.dirname(engine.program[0]), "..", "tests", "support", "deny_syscalls")
    assert os.access(program, os.X_OK), f"{program} was not built"
    return lambda names: [program, names]
