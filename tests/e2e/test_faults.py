# SPDX-License-Identifier: Apache-2.0
"""Commands that are killed before a write, or whose write fails, at one point after the other
(tests/support/fault_at). Afterwards nothing is damaged, the same command works, and a prune leaves nothing.

A sample of the points by default; KNARR_FAULT_STEP=1 takes them all (tests/support/all_faults)."""

import os
import subprocess

import pytest
from harness import IMAGE, eventually, list_names

STEP = int(os.environ.get("KNARR_FAULT_STEP", "0"))
SAMPLE = 8  # points of an operation otherwise


@pytest.fixture(scope="session")
def fault_at(engine):
    program = os.environ.get("KNARR_TEST_FAULT_AT") or os.path.join(os.path.dirname(engine.program[0]), "..", "tests", "support", "fault_at")
    assert os.access(program, os.X_OK), f"{program} was not built"
    return program


class Operation:
    """prepare() makes the state the arguments need, from whatever an ended run has left; done() must hold after a success."""

    def __init__(self, arguments, prepare, done):
        self.arguments, self.prepare, self.done = arguments, prepare, done


def without(knarr, *names):
    knarr.result("rm", "-f", "-t", "0", *names)


def operations(knarr, image, remote):
    archive = image("rich")
    pushed = remote.replace("some/rich", "some/pushed")

    def unloaded():
        knarr.result("rmi", "-f", "localhost/rich")

    def loaded():
        if knarr.result("image", "exists", "localhost/rich").status != 0:
            knarr("load", "-q", "-i", archive)

    def created():
        if knarr.result("container", "exists", "victim").status != 0:
            knarr("create", "--name", "victim", IMAGE, "true")

    def changed():
        knarr.result("rmi", "-f", "localhost/made")
        if knarr.result("container", "exists", "victim").status != 0:
            knarr("run", "--name", "victim", IMAGE, "sh", "-c", "echo new > /made; rm -r /home")

    def has_rich():
        assert knarr("run", "--rm", "localhost/rich", "cat", "/data/kept") == "kept"

    def lacks(*arguments):
        return lambda: knarr.fails(1, *arguments)

    return {
        "load": Operation(["load", "-q", "-i", archive], unloaded, has_rich),
        "pull": Operation(["pull", "-q", "--retry=0", "--tls-verify=false", remote], lambda: knarr.result("rmi", "-f", remote),
                          lambda: knarr("run", "--rm", remote, "cat", "/data/kept")),
        "push": Operation(["push", "-q", "--retry=0", "--tls-verify=false", IMAGE, pushed], lambda: knarr.result("rmi", "-f", pushed),
                          lambda: knarr("run", "--rm", "--pull=always", "--tls-verify=false", pushed, "true")),
        "commit": Operation(["commit", "-q", "victim", "made"], changed, lambda: knarr("run", "--rm", "localhost/made", "test", "-f", "/made")),
        "tag": Operation(["tag", IMAGE, "other"], lambda: knarr.result("untag", IMAGE, "localhost/other:latest"),
                         lambda: knarr("run", "--rm", "localhost/other", "true")),
        "rmi": Operation(["rmi", "localhost/rich"], loaded, lacks("image", "exists", "localhost/rich")),
        "run": Operation(["run", "-d", "--name", "victim", IMAGE, "sleep", "1000"], lambda: without(knarr, "victim"),
                         lambda: knarr("exec", "victim", "true")),
        "rm": Operation(["rm", "victim"], created, lacks("container", "exists", "victim")),
        "rename": Operation(["rename", "victim", "renamed"], lambda: (without(knarr, "renamed"), created()), lambda: knarr("inspect", "renamed")),
        "volume": Operation(["volume", "create", "data"], lambda: knarr.result("volume", "rm", "-f", "data"), lambda: knarr("volume", "inspect", "data")),
    }


NAMES = ["load", "pull", "push", "commit", "tag", "rmi", "run", "rm", "rename", "volume"]


def run_with_fault(knarr, fault_at, fault, number, arguments):
    argv = [fault_at, fault, str(number), *knarr.argv(*arguments)]
    # Into a file: what goes on in the background holds it open.
    with open(os.path.join(knarr.work, "errors"), "w+") as errors:
        status = subprocess.run(argv, env=knarr.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, timeout=60, check=False).returncode
        errors.seek(0)
        return status, errors.read()


def count_calls(knarr, fault_at, what, arguments):
    path = os.path.join(knarr.work, "count")
    run_with_fault(knarr, fault_at, what, path, arguments)
    with open(path) as file:
        return int(file.read())


def points(total):
    step = STEP or max(1, total // SAMPLE)
    first = 1 if step == 1 else 1 + hash(total) % step
    return range(first, total + 1, step)


def check(knarr, context, *options):
    result = knarr.result("system", "check", *options)
    assert result.status == 0, (context, result)
    return result.out


def check_nothing_is_left(knarr, context, remote):
    without(knarr, "-a")
    knarr("volume", "rm", "-a", "-f")
    knarr("rmi", "-f", "localhost/rich", "localhost/other", "localhost/other:latest", "localhost/made", remote)
    knarr("system", "prune", "-f")
    for place in ("staging", "trash", "downloads"):
        eventually(lambda: not list_names(os.path.join(knarr.root, place)), what=f"an empty {place}/ after {context}")
    assert check(knarr, context) == "No damage.\n", context


@pytest.fixture
def anchored(knarr):
    """A container that keeps the user's namespace: no set-uid helper is needed, which would have no privilege here."""
    knarr.start("--name", "anchor")
    return knarr


@pytest.fixture
def remote(registry):
    return registry.push("rich", "some/rich:1")


@pytest.mark.parametrize("name", NAMES)
def test_killed_at_a_write(anchored, image, remote, fault_at, name):
    knarr = anchored
    operation = operations(knarr, image, remote)[name]
    operation.prepare()
    total = count_calls(knarr, fault_at, "count", operation.arguments)
    assert total >= 1
    for number in points(total):
        operation.prepare()
        run_with_fault(knarr, fault_at, "kill", number, operation.arguments)
        context = f"{name} killed at write {number} of {total}"
        check(knarr, context, "--quick")
        operation.prepare()
        knarr(*operation.arguments)
        operation.done()
    check_nothing_is_left(knarr, name, remote)


@pytest.mark.parametrize("fault", ["ENOSPC", "EDQUOT", "EIO"])
@pytest.mark.parametrize("name", NAMES)
def test_a_write_that_fails(anchored, image, remote, fault_at, name, fault):
    """A clear error and nothing half made; or no error, because the call was not needed, and all is done."""
    knarr = anchored
    operation = operations(knarr, image, remote)[name]
    operation.prepare()
    total = count_calls(knarr, fault_at, "count" if fault == "EIO" else "room", operation.arguments)
    words = {"ENOSPC": "no space left on device", "EDQUOT": "disk quota exceeded", "EIO": "input/output error"}[fault]
    for number in points(total):
        operation.prepare()
        status, errors = run_with_fault(knarr, fault_at, fault, number, operation.arguments)
        context = f"{name} with {fault} at write {number} of {total}: {status} {errors}"
        check(knarr, context, "--quick")
        if status in (0, 99):
            operation.done()
        else:
            assert status == 125 and errors.startswith("Error: ") and words in errors.lower(), context
        operation.prepare()
        knarr(*operation.arguments)
        operation.done()
    check_nothing_is_left(knarr, name, remote)
