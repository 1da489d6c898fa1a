# SPDX-License-Identifier: Apache-2.0
"""Ten users of one store at once, who pull, run and remove the same images and others. Nobody sees an error but those
that say that somebody else was faster, and nothing is left.

Ten seconds; KNARR_STRESS_SECONDS=120 makes it two minutes."""

import collections
import os
import random
import re
import threading
import time

import pytest
from harness import eventually, list_names

SECONDS = float(os.environ.get("KNARR_STRESS_SECONDS", "10"))
WORKERS = 10

# What another one's removal may cause, by verb: the exit status and what the error says.
SOMEBODY_WAS_FASTER = {
    "run": [(125, "is not in the local store")],
    "create": [(125, "is not in the local store")],
    "rmi": [(1, "image not known"), (2, "in use"), (2, "is using it")],
    "tag": [(125, "image not known")],
}


@pytest.fixture
def names(registry):
    """Three images, the last of which shares its layers with the first."""
    return [registry.push("busybox", "stress/box:1"), registry.push("rich", "stress/rich:1"), registry.push("busybox", "stress/other:2")]


class Crowd:
    def __init__(self, knarr, names, environment):
        self.knarr, self.names, self.environment = knarr, names, environment
        self.deadline = time.monotonic() + SECONDS
        self.complaints, self.counts = [], collections.Counter()

    def steps(self, rng, number):
        name, box = rng.choice(self.names), f"box{number}-{rng.randrange(3)}"
        return rng.choice([
            lambda: self.run("pull", "pull", "-q", name),
            lambda: self.run("run", "run", "--rm", "--network", "none", name, "true"),
            lambda: self.run("run", "run", "--rm", "-v", f"data{number}:/data", name, "sh", "-c", "echo x > /data/x"),
            lambda: (self.run("create", "create", "--name", box, name, "true"), self.must("rm", "-f", "-t", "0", box)),
            lambda: (self.run("run", "run", "-d", "--name", box, name, "sleep", "1000"), self.must("rm", "-f", "-t", "0", box)),
            lambda: self.run("rmi", "rmi", name),
            lambda: self.run("tag", "tag", name, f"localhost/again{number}"),
            lambda: self.must("system", "prune", "-a", "-f", "--volumes"),
            lambda: self.must("image", "prune", "-a", "-f"),
            lambda: self.must("images"),
            lambda: self.must("ps", "-a"),
            lambda: self.must("system", "df", "-v"),
            lambda: self.must("system", "check", "--quick"),
            lambda: self.must("system", "check", "--quick", "--repair"),
        ])

    def must(self, *arguments):
        self.run(None, *arguments)

    def run(self, verb, *arguments):
        result = self.knarr.result(*arguments, env=self.environment)
        self.counts[arguments[0], result.status] += 1
        if result.status == 0:
            return
        excused = any(result.status == status and re.search(words, result.err) for status, words in SOMEBODY_WAS_FASTER.get(verb, []))
        if not excused:
            self.complaints.append(result)

    def work(self, number, seed):
        rng = random.Random(seed * WORKERS + number)
        try:
            while time.monotonic() < self.deadline and not self.complaints:
                self.steps(rng, number)()
        except BaseException as failure:  # noqa: BLE001 told by the test
            self.complaints.append(failure)


def test_ten_at_once(fresh, names, scratch):
    conf = os.path.join(scratch, "registries.conf")
    with open(conf, "w") as file:
        file.write(f'[[registry]]\nlocation = "{names[0].split("/")[0]}"\ninsecure = true\n')
    seed = int(os.environ.get("KNARR_STRESS_SEED", time.time()))
    crowd = Crowd(fresh, names, {"CONTAINERS_REGISTRIES_CONF": conf})
    workers = [threading.Thread(target=crowd.work, args=(number, seed)) for number in range(WORKERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print(f"seed {seed}: {sum(crowd.counts.values())} commands: {dict(sorted(crowd.counts.items()))}")
    for complaint in crowd.complaints:
        print(complaint)
    assert not crowd.complaints, seed
    for verb in ("pull", "run", "rmi"):
        assert crowd.counts[verb, 0] > 0, (verb, crowd.counts)
    fresh("system", "check")
    fresh("rm", "-f", "-t", "0", "-a")
    fresh("system", "prune", "-a", "-f", "--volumes")
    for place in ("staging", "trash", "downloads", "layers", "images", "refs", "blobs/sha256", "containers", "names", "volumes", "maps"):
        eventually(lambda: not list_names(os.path.join(fresh.root, place)), what=f"an empty {place}/")
    assert fresh("system", "check") == "No damage."
