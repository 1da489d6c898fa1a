# SPDX-License-Identifier: Apache-2.0
"""Makes the images of tests and benchmarks, each once, and prints where they lie.

usage: make_images [--list] NAME...

They are kept in $KNARR_IMAGES (default /var/tmp/knarr-images), in a directory named after the content of this
script and of oci.py: when either changes, all are made anew. Those made by other tools need these tools, and
`debian` needs a Debian mirror. A program may add images of its own (bench/make_images does).
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import oci  # noqa: E402

# CAP_NET_RAW+ep, version 2, as setcap writes it: magic and flags, permitted, inheritable, twice.
CAP_NET_RAW_EP = bytes.fromhex("0100000200200000000000000000000000000000")


def busybox_image(name="localhost/busybox:latest", **more):
    more.setdefault("config", oci.BUSYBOX_CONFIG)
    return oci.Image([oci.busybox_layer()], name=name, **more)


def rich_layers():
    """What layers can hold: each oddity in a path of its own (tests/e2e/test_images.py names them)."""
    base = oci.busybox_layer()
    base.directory("data/").file("data/kept", "kept\n").file("data/removed", "removed\n")
    base.directory("data/tree/").file("data/tree/a", "a\n").directory("data/tree/deep/").file("data/tree/deep/b", "b\n")
    base.directory("opaque/").file("opaque/hidden", "hidden\n")
    base.directory("replaced/").file("replaced/inside", "inside\n")
    base.file("becomes-directory", "a file\n")
    base.file("bin/setuid", "#!/bin/sh\n", mode=0o4755).file("bin/setgid", "#!/bin/sh\n", mode=0o2755, gid=50)
    base.directory("sticky/", mode=0o1777)
    base.file("bin/capable", "#!/bin/sh\n", mode=0o755, xattrs={"security.capability": CAP_NET_RAW_EP})
    base.file("labelled", "labelled\n", xattrs={"user.comment": b"a remark", "user.empty": b""})
    base.directory("links/").directory("links/a/").directory("links/b/")
    base.file("links/a/one", "shared\n").hardlink("links/b/two", "links/a/one").hardlink("links/three", "links/a/one")
    base.file("high-owner", "61234\n", uid=61234, gid=60001)
    base.file("unreadable", "secret\n", mode=0o000)
    base.directory("closed/", mode=0o000).file("closed/inside", "inside\n")
    base.fifo("pipe")
    base.file("name with spaces\tand tab", "odd\n").file("ünïcödé", "unicode\n").file("n" * 200, "long\n")
    base.symlink("absolute-link", "/data/kept").symlink("dangling", "nowhere").symlink("up", "../../../data")
    base.file("old", "old\n", mtime=1)

    middle = oci.Layer()
    middle.whiteout("data/removed").whiteout("data/tree")
    middle.directory("opaque/").opaque("opaque").file("opaque/new", "new\n")
    middle.whiteout("replaced").directory("becomes-directory/").file("becomes-directory/now", "now\n")

    top = oci.Layer()
    top.file("replaced", "a file now\n")
    top.directory("data/tree/").file("data/tree/again", "again\n")
    top.file("missing/parents/file", "made\n")
    return [base, middle, top]


def make_busybox(path):
    return oci.write_docker_archive(path + ".tar", [busybox_image()])


def make_rich(path):
    return oci.write_oci_layout(path, [oci.Image(rich_layers(), name="localhost/rich:latest", config=oci.BUSYBOX_CONFIG)])


def make_rich_docker(path):
    return oci.write_docker_archive(path + ".tar", [
        oci.Image(rich_layers(), name="localhost/rich:docker", config=oci.BUSYBOX_CONFIG)], style="docker")


def make_layers120(path):
    layers = [oci.busybox_layer()]
    for number in range(1, 120):
        layers.append(oci.Layer().directory("layers/").file(f"layers/{number:03}", f"{number}\n").file("last", f"{number}\n"))
    return oci.write_oci_layout(path, [oci.Image(layers, name="localhost/layers120:latest", config=oci.BUSYBOX_CONFIG)])


def compressed(how):
    def make(path):
        return oci.write_oci_layout(path, [busybox_image(f"localhost/busybox:{how or 'plain'}", compression=how)])
    return make


def make_user_by_name(path):
    config = dict(oci.BUSYBOX_CONFIG, User="app", WorkingDir="/home/app")
    return oci.write_oci_layout(path, [busybox_image("localhost/user-by-name:latest", config=config)])


def make_configured(path):
    """Every field of the config that `run` honours."""
    layer = oci.busybox_layer()
    layer.directory("data/", mode=0o750, uid=1000, gid=50).file("data/seed", "from the image\n", uid=1000, gid=50)
    layer.file("bin/entry", '#!/bin/sh\necho "entry:$*"\n', mode=0o755)
    config = {
        "Env": oci.BUSYBOX_CONFIG["Env"] + ["COLOR=blue", "EMPTY="], "Entrypoint": ["/bin/entry"], "Cmd": ["one", "two"],
        "User": "1000:50", "WorkingDir": "/work/dir", "Volumes": {"/data": {}}, "ExposedPorts": {"80/tcp": {}, "53/udp": {}},
        "Labels": {"maker": "tests", "version": "3"}, "StopSignal": "SIGUSR1",
    }
    image = oci.Image([layer], name="localhost/configured:latest", config=config, author="tests")
    return oci.write_oci_layout(path, [image])


def run(*argv, **more):
    more.setdefault("stdout", sys.stderr)
    subprocess.run(argv, check=True, **more)


def skopeo(*arguments):
    run("skopeo", "--insecure-policy", *arguments)


def by_skopeo(transport, tag, *options):
    """The busybox image as skopeo writes it."""
    def make(path):
        target = path if transport == "oci" else path + ".tar"
        with tempfile.TemporaryDirectory(dir=os.path.dirname(path)) as work:
            oci.write_oci_layout(work + "/source", [busybox_image("source")])
            name = f"{target}:localhost/busybox:{tag}"
            skopeo("copy", "-q", *options, f"oci:{work}/source:source", f"{transport}:{name}")
        return target
    return make


def make_by_umoci(path):
    """busybox with a second layer that umoci made from a changed bundle."""
    with tempfile.TemporaryDirectory(dir=os.path.dirname(path)) as work:
        oci.write_oci_layout(path, [busybox_image("base")])
        image = path + ":base"
        rootless = [] if os.geteuid() == 0 else ["--rootless"]
        run("umoci", "unpack", *rootless, "--image", image, work + "/bundle")
        rootfs = work + "/bundle/rootfs"
        with open(rootfs + "/umoci", "w") as file:
            file.write("umoci was here\n")
        os.unlink(rootfs + "/bin/yes")
        run("umoci", "repack", "--image", path + ":umoci", work + "/bundle")
        run("umoci", "config", "--image", path + ":umoci", "--config.env", "MADE_BY=umoci", "--config.user", "1000:1000")
        run("umoci", "rm", "--image", image)
        run("chmod", "-R", "u+rwX", work)
    return path


def by_containers_storage(program, save):
    """Runs `program` (buildah, podman) on a store of its own, in its own user namespace when not root."""
    def make(path):
        with tempfile.TemporaryDirectory(prefix="k", dir="/var/tmp") as work:  # podman: at most 50 characters
            source = oci.write_docker_archive(work + "/source.tar", [busybox_image("localhost/source:latest")])
            store = f"--storage-driver vfs --root {work}/root --runroot {work}/run"
            script = save.format(program=f"{program} {store}", source=source, work=work, path=path)
            with open(work + "/policy.json", "w") as file:
                file.write('{"default": [{"type": "insecureAcceptAnything"}]}')
            outside = [] if os.geteuid() == 0 else ["buildah", "unshare"]
            environment = dict(os.environ, TMPDIR=work, BUILDAH_ISOLATION="chroot", STORAGE_DRIVER="vfs")
            # The stores hold files of subordinate ids: the same namespace must remove them.
            run(*outside, "sh", "-euc", script + f"\nrm -rf {work}/root {work}/run", env=environment)
        return path + ".tar"
    return make


BUILDAH = """
c=$({program} from -q --pull-never --signature-policy {work}/policy.json docker-archive:{source})
m=$({program} mount $c)
echo 'buildah was here' > $m/buildah; rm $m/bin/yes; mkdir -p $m/srv/a; chown 1000:50 $m/srv/a
{program} umount $c >/dev/null
{program} config --env MADE_BY=buildah --user app --workingdir /srv --label maker=buildah --cmd 'cat /buildah' $c
{program} commit -q --signature-policy {work}/policy.json $c oci-archive:{path}.tar:localhost/busybox:buildah
"""
PODMAN_LOAD = """
{program} load -q --signature-policy {work}/policy.json -i {source} >/dev/null
{program} tag localhost/source:latest docker.io/library/busybox:podman localhost/second:podman
"""
PODMAN_DOCKER = PODMAN_LOAD + "{program} save -q -m -o {path}.tar docker.io/library/busybox:podman localhost/second:podman"
PODMAN_OCI = PODMAN_LOAD + "{program} save -q --format oci-archive -o {path}.tar docker.io/library/busybox:podman"


def debootstrap(path, *, variant="essential", include=(), customize=()):
    """A plain tar of a Debian root file system, without package lists."""
    mode = "root" if os.geteuid() == 0 else "unshare"
    command = ["mmdebstrap", "--quiet", f"--mode={mode}", f"--variant={variant}", "--aptopt=APT::Install-Recommends=false",
               "--dpkgopt=path-exclude=/usr/share/man/*", "--customize-hook=rm -rf $1/var/lib/apt/lists/* $1/var/cache/apt/*.bin"]
    command += [f"--include={','.join(include)}"] if include else []
    command += [f"--customize-hook={hook}" for hook in customize]
    run(*command, "bookworm", path, env=dict(os.environ, SOURCE_DATE_EPOCH=str(oci.EPOCH)))


def make_debian(path):
    """Debian without apt: bash, coreutils, dpkg, login."""
    with tempfile.TemporaryDirectory(dir=os.path.dirname(path)) as work:
        debootstrap(work + "/root.tar", include=["passwd"])
        with open(work + "/root.tar", "rb") as file:
            layer = oci.RawLayer(file.read())
        config = {"Env": oci.BUSYBOX_CONFIG["Env"], "Cmd": ["bash"]}
        return oci.write_docker_archive(path + ".tar", [oci.Image([layer], name="docker.io/library/debian:latest", config=config,
                                                                  compression="")])


def make_rootfs_tar(path):
    """A plain root file system for `import`."""
    with open(path + ".tar", "wb") as file:
        file.write(oci.busybox_layer().tar())
    return path + ".tar"


IMAGES = {
    "busybox": make_busybox,
    "rich": make_rich,
    "rich-docker": make_rich_docker,
    "layers120": make_layers120,
    "plain": compressed(""),
    "gzip": compressed("gzip"),
    "zstd": compressed("zstd"),
    "xz": compressed("xz"),
    "bzip2": compressed("bzip2"),
    "user-by-name": make_user_by_name,
    "configured": make_configured,
    "rootfs": make_rootfs_tar,
    "skopeo-docker-archive": by_skopeo("docker-archive", "skopeo-docker"),
    "skopeo-oci-archive": by_skopeo("oci-archive", "skopeo-oci"),
    "skopeo-oci": by_skopeo("oci", "skopeo-dir"),
    "skopeo-zstd": by_skopeo("oci", "skopeo-zstd", "--dest-compress-format", "zstd"),
    "umoci": make_by_umoci,
    "buildah": by_containers_storage("buildah", BUILDAH),
    "podman-docker-archive": by_containers_storage("podman", PODMAN_DOCKER),
    "podman-oci-archive": by_containers_storage("podman", PODMAN_OCI),
    "debian": make_debian,
}


def cache_directory(sources):
    digest = hashlib.sha256()
    for source in sources:
        with open(source, "rb") as file:
            digest.update(file.read())
    parent = os.environ.get("KNARR_IMAGES", "/var/tmp/knarr-images")
    return os.path.join(parent, digest.hexdigest()[:16])


SOURCES = [os.path.join(HERE, "images.py"), os.path.join(HERE, "oci.py")]


def image_path(name, makers=None, sources=None):
    """The path of an image, made now if need be. Concurrent callers wait for the first."""
    directory = cache_directory(sources or SOURCES)
    os.makedirs(directory, exist_ok=True)
    mark = os.path.join(directory, name + ".path")
    if os.path.exists(mark):
        with open(mark) as file:
            return file.read()
    with open(os.path.join(directory, ".lock-" + name), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(mark):
            with open(mark) as file:
                return file.read()
        path = os.path.join(directory, name)
        for leftover in (path, path + ".tar"):
            shutil.rmtree(leftover, ignore_errors=True)
            if os.path.exists(leftover):
                os.unlink(leftover)
        made = (makers or IMAGES)[name](path)
        subprocess.run(["chmod", "-R", "a+rX", made], check=True)
        with open(mark + ".new", "w") as file:
            file.write(made)
        os.rename(mark + ".new", mark)
        return made


def main(arguments, makers=None, sources=None):
    makers = makers or IMAGES
    if arguments == ["--list"]:
        print("\n".join(makers))
        return 0
    unknown = [name for name in arguments if name not in makers]
    if unknown or not arguments:
        print(__doc__ if not unknown else f"make_images: no image {unknown[0]}", file=sys.stderr)
        return 2
    for name in arguments:
        print(image_path(name, makers, sources))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
