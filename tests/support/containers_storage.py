# SPDX-License-Identifier: Apache-2.0
"""A store of podman, buildah and skopeo in a directory of its own, filled by these programs."""

import json
import os
import shutil
import subprocess

import images


class ContainersStorage:
    """Rootless, everything happens in the user namespace podman would use, and no process of it stays."""

    def __init__(self, directory):
        self.directory = directory
        self.root, self.runroot = os.path.join(directory, "podman"), os.path.join(directory, "podman-run")
        os.makedirs(self.root)
        self.policy = os.path.join(directory, "policy.json")
        with open(self.policy, "w") as file:
            file.write('{"default": [{"type": "insecureAcceptAnything"}]}')

    def inside(self, *argv, **more):
        """Runs a command that sees the store's files as its owner; returns its output."""
        outside = [] if os.geteuid() == 0 else ["buildah", "unshare"]
        environment = dict(os.environ, TMPDIR=self.directory, STORAGE_DRIVER="overlay", BUILDAH_ISOLATION="chroot", HOME=self.directory)
        result = subprocess.run([*outside, *map(str, argv)], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, **more)
        assert result.returncode == 0, f"{argv}: {result.stdout}{result.stderr}"
        return result.stdout.strip()

    def program(self, name, *arguments):
        return self.inside(name, "--root", self.root, "--runroot", self.runroot, "--storage-driver", "overlay", *arguments)

    def sh(self, script, *arguments):
        return self.inside("sh", "-euc", script, "sh", *arguments)

    def load(self, image, name):
        """The tests' image of that name, under `name`."""
        path = images.image_path(image)
        source = f"oci:{path}" if os.path.isdir(path) else f"docker-archive:{path}"
        target = f"containers-storage:[overlay@{self.root}+{self.runroot}]{name}"
        self.inside("skopeo", "--insecure-policy", "copy", "-q", source, target)

    def table(self, name):
        with open(self.table_path(name)) as file:
            return json.load(file)

    def write_table(self, name, table):
        with open(self.table_path(name), "w") as file:
            file.write(table if isinstance(table, str) else json.dumps(table))

    def table_path(self, name):
        return os.path.join(self.root, f"overlay-{name}", f"{name}.json")

    def image(self, name):
        return next(image for image in self.table("images") if name in image.get("names", []))

    def layers(self, name):
        """The ids of an image's layers, topmost first."""
        parents = {layer["id"]: layer.get("parent") for layer in self.table("layers")}
        found, layer = [], self.image(name)["layer"]
        while layer:
            found.append(layer)
            layer = parents[layer]
        return found

    def tree(self, layer):
        return os.path.join(self.root, "overlay", layer, "diff")

    def listing(self):
        """Everything in its trees but what reading and linking change."""
        return self.sh('cd "$1"; find . -path ./l -prune -o -printf "%p %m %U:%G %s %T@ %l\\n" | sort', self.root + "/overlay")

    def destroy(self):
        # Root's programs mount the directory of the trees, and what they look into.
        self.sh('for point in "$1"/overlay/*/merged "$1/overlay"; do umount -l "$point" 2>/dev/null || true; done; rm -rf "$@"',
                self.root, self.runroot)
        shutil.rmtree(self.directory, ignore_errors=True)
