# SPDX-License-Identifier: Apache-2.0
"""Container images written byte by byte, without privilege and without a container tool.

A Layer collects tar entries in order; an Image is layers and a config; write_oci_layout, write_oci_archive
and write_docker_archive put images on disk as registries' tools do. Nothing is checked: the tests of hostile
input need to write what no tool would.
"""

import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"

EPOCH = 1700000000  # all files and images carry this time: the same script makes the same bytes


def sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def canonical(document) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def compress(data: bytes, how: str) -> bytes:
    if how == "":
        return data
    if how == "gzip":
        return gzip.compress(data, compresslevel=6, mtime=0)
    program = {"zstd": ["zstd", "-q", "-3", "-c"], "xz": ["xz", "-1", "-c"], "bzip2": ["bzip2", "-c"]}[how]
    return subprocess.run(program, input=data, stdout=subprocess.PIPE, check=True).stdout


class Layer:
    """One layer's tar. Paths are written as given, so "../x" and "/x" are possible."""

    def __init__(self):
        self._buffer = io.BytesIO()
        self._tar = tarfile.open(fileobj=self._buffer, mode="w", format=tarfile.PAX_FORMAT)
        self._bytes = None

    def entry(self, name, type=tarfile.REGTYPE, content=b"", mode=0o644, uid=0, gid=0, link="", xattrs=None,
              major=0, minor=0, size=None, pax=None, mtime=EPOCH):
        info = tarfile.TarInfo(name)
        info.type, info.mode, info.uid, info.gid, info.linkname = type, mode, uid, gid, link
        info.mtime, info.devmajor, info.devminor = mtime, major, minor
        info.size = len(content) if size is None else size
        info.pax_headers = dict(pax or {})
        for key, value in (xattrs or {}).items():
            # tarfile encodes pax values as UTF-8 and falls back to surrogates for other bytes.
            info.pax_headers["SCHILY.xattr." + key] = value.decode("utf-8", "surrogateescape")
        self._tar.addfile(info, io.BytesIO(content) if content else None)
        return self

    def directory(self, name, mode=0o755, **more):
        return self.entry(name, tarfile.DIRTYPE, mode=mode, **more)

    def file(self, name, content="", mode=0o644, **more):
        data = content.encode() if isinstance(content, str) else content
        return self.entry(name, content=data, mode=mode, **more)

    def symlink(self, name, target, **more):
        return self.entry(name, tarfile.SYMTYPE, link=target, mode=0o777, **more)

    def hardlink(self, name, target, **more):
        return self.entry(name, tarfile.LNKTYPE, link=target, **more)

    def device(self, name, type=tarfile.CHRTYPE, major=1, minor=3, **more):
        return self.entry(name, type, major=major, minor=minor, **more)

    def fifo(self, name, **more):
        return self.entry(name, tarfile.FIFOTYPE, **more)

    def whiteout(self, name):
        head, tail = os.path.split(name)
        return self.file(os.path.join(head, ".wh." + tail))

    def opaque(self, name):
        return self.file(os.path.join(name, ".wh..wh..opq"))

    def raw(self, data: bytes):
        """Bytes no tar writer would produce; the archive's end is still written after them."""
        self._buffer.write(data)
        self._tar.offset += len(data)
        return self

    def tar(self) -> bytes:
        if self._bytes is None:
            self._tar.close()
            self._bytes = self._buffer.getvalue()
        return self._bytes


class RawLayer:
    """A layer whose tar is made elsewhere."""

    def __init__(self, data: bytes):
        self._data = data

    def tar(self) -> bytes:
        return self._data


class Image:
    def __init__(self, layers, name="", config=None, compression="gzip", architecture="amd64", history=None,
                 docker=False, **fields):
        self.layers, self.name, self.docker = list(layers), name, docker
        self.compression = compression
        self.tars = [layer.tar() for layer in self.layers]
        self.blobs = [compress(tar, compression) for tar in self.tars]
        self.config = {
            "architecture": architecture, "os": "linux", "created": "2023-11-14T22:13:20Z",
            "config": config or {},
            "rootfs": {"type": "layers", "diff_ids": [sha256(tar) for tar in self.tars]},
            "history": history if history is not None else [
                {"created": "2023-11-14T22:13:20Z", "created_by": f"layer {i}"} for i in range(len(self.tars))],
        }
        self.config.update(fields)

    def config_bytes(self) -> bytes:
        return canonical(self.config)

    def layer_type(self) -> str:
        if self.docker:
            return "application/vnd.docker.image.rootfs.diff.tar.gzip"
        return OCI_LAYER + {"": "", "gzip": "+gzip", "zstd": "+zstd"}.get(self.compression, "")

    def manifest(self) -> dict:
        config = self.config_bytes()
        return {
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST if self.docker else OCI_MANIFEST,
            "config": {"mediaType": "application/vnd.docker.container.image.v1+json" if self.docker else OCI_CONFIG,
                       "digest": sha256(config), "size": len(config)},
            "layers": [{"mediaType": self.layer_type(), "digest": sha256(blob), "size": len(blob)}
                       for blob in self.blobs],
        }


def _put_blob(directory, data: bytes, digest=None):
    folder = os.path.join(directory, "blobs", "sha256")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, (digest or sha256(data)).split(":", 1)[1]), "wb") as file:
        file.write(data)


def write_oci_layout(directory, images, manifests=None, index=None):
    """`manifests`: bytes instead of the images' own; `index`: a document instead of the one for them."""
    os.makedirs(directory, exist_ok=True)
    entries = []
    for number, image in enumerate(images):
        manifest = manifests[number] if manifests else canonical(image.manifest())
        for blob in image.blobs + [image.config_bytes(), manifest]:
            _put_blob(directory, blob)
        entry = {"mediaType": OCI_MANIFEST, "digest": sha256(manifest), "size": len(manifest),
                 "platform": {"architecture": image.config["architecture"], "os": "linux"}}
        if image.name:
            entry["annotations"] = {"org.opencontainers.image.ref.name": image.name}
        entries.append(entry)
    document = index if index is not None else {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
    with open(os.path.join(directory, "index.json"), "wb") as file:
        file.write(document if isinstance(document, bytes) else canonical(document))
    with open(os.path.join(directory, "oci-layout"), "wb") as file:
        file.write(canonical({"imageLayoutVersion": "1.0.0"}))
    return directory


def tar_directory(directory, path):
    with tarfile.open(path, "w") as archive:
        for name in sorted(os.listdir(directory)):
            archive.add(os.path.join(directory, name), name)
    return path


def write_docker_archive(path, images, style="skopeo", members=None):
    """style "skopeo": <diffid>.tar; "docker": <id>/layer.tar with a `repositories` file, as docker save wrote it
    for years. `members`: (name, bytes) to write instead of or after the image's own."""
    written, manifest, repositories = {}, [], {}
    for image in images:
        config = image.config_bytes()
        config_name = sha256(config).split(":")[1] + ".json"
        names = []
        for tar in image.tars:
            digest = sha256(tar).split(":")[1]
            name = f"{digest}.tar" if style == "skopeo" else f"{digest}/layer.tar"
            if style == "docker":
                written[f"{digest}/VERSION"] = b"1.0"
                written[f"{digest}/json"] = canonical({"id": digest})
            written[name] = tar
            names.append(name)
        written[config_name] = config
        tags = [image.name] if image.name else None
        manifest.append({"Config": config_name, "RepoTags": tags, "Layers": names})
        if image.name:
            repository, _, tag = image.name.rpartition(":")
            repositories.setdefault(repository, {})[tag] = names[-1].split("/")[0].split(".")[0]
    written["manifest.json"] = canonical(manifest)
    if style == "docker":
        written["repositories"] = canonical(repositories)
    written.update(members or {})
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in written.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), EPOCH
            archive.addfile(info, io.BytesIO(data))
    return path


def busybox_layer() -> Layer:
    """A root file system of one program: Debian's static busybox under all its names."""
    program = "/bin/busybox"
    applets = subprocess.run([program, "--list"], stdout=subprocess.PIPE, check=True, text=True).stdout.split()
    layer = Layer()
    for name in ("bin", "etc", "home", "root", "usr", "usr/bin", "usr/local", "var", "var/lib"):
        layer.directory(name + "/", mode=0o700 if name == "root" else 0o755)
    layer.directory("tmp/", mode=0o1777)
    with open(program, "rb") as file:
        layer.file("bin/busybox", file.read(), mode=0o755)
    for applet in applets:
        if applet != "busybox":
            layer.symlink("bin/" + applet, "busybox")
    layer.file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"
                             "daemon:x:1:1:daemon:/usr/sbin:/bin/false\n"
                             "app:x:1000:1000:app:/home/app:/bin/sh\n"
                             "nobody:x:65534:65534:nobody:/:/bin/false\n")
    layer.file("etc/group", "root:x:0:\ndaemon:x:1:\nstaff:x:50:app\naudio:x:29:app\napp:x:1000:\n"
                            "nogroup:x:65534:\n")
    layer.directory("home/app/", uid=1000, gid=1000)
    return layer


BUSYBOX_CONFIG = {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"], "Cmd": ["sh"]}
