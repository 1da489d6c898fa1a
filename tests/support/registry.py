# SPDX-License-Identifier: Apache-2.0
"""A registry to talk to: Debian's docker-registry on a free port of the loopback, with a storage of its own.

usage: registry [--tls] [--client-certificate] [--htpasswd USER:PASSWORD] [--directory DIRECTORY] [SOURCE=NAME[:TAG]...]

Prints its address, and with --tls the directory of certificates that clients need (--cert-dir); runs until its
standard input closes. SOURCE is an image of make_images, or what skopeo understands (oci:DIRECTORY,
oci-archive:FILE, docker-archive:FILE); NAME is what it is called here.
"""

import argparse
import json
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import images  # noqa: E402
import oci  # noqa: E402

PROGRAM = "docker-registry"
PATIENCE = 20  # seconds until it must listen


class Authority:
    """A certificate authority of the tests: `certificates` is what --cert-dir wants, with `client` a key to show too."""

    def __init__(self, directory, client=False):
        self.directory = directory
        self.certificates = os.path.join(directory, "certificates")
        os.makedirs(self.certificates)
        self.certificate = os.path.join(self.certificates, "ca.crt")
        self.key = os.path.join(directory, "ca.key")
        self._openssl("req", "-x509", *self._new_key(self.key), "-days", "2", "-subj", "/CN=authority of the tests", "-out", self.certificate)
        self.server_certificate, self.server_key = self.sign("server", "/CN=localhost", "subjectAltName=IP:127.0.0.1,DNS:localhost")
        if client:
            shown = self.sign("client", "/CN=client of the tests", "extendedKeyUsage=clientAuth")
            for path, suffix in zip(shown, ("cert", "key")):
                shutil.copy(path, os.path.join(self.certificates, "client." + suffix))

    @staticmethod
    def _new_key(path):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path]

    @staticmethod
    def _openssl(*arguments):
        done = subprocess.run(["openssl", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert done.returncode == 0, done.stdout

    def sign(self, name, subject, extension):
        """Paths of a new certificate and of its key."""
        base = os.path.join(self.directory, name)
        self._openssl("req", *self._new_key(base + ".key"), "-subj", subject, "-addext", extension, "-out", base + ".request")
        self._openssl("x509", "-req", "-in", base + ".request", "-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial",
                      "-days", "2", "-copy_extensions", "copy", "-out", base + ".certificate")
        return base + ".certificate", base + ".key"


class Registry:
    """`credentials`: (user, password) that it wants; `client_certificate`: it wants one of its authority."""

    def __init__(self, directory, tls=False, credentials=None, client_certificate=False):
        self.directory, self.credentials = directory, credentials
        self.authority = None
        if tls or client_certificate:
            os.makedirs(os.path.join(directory, "tls"))
            self.authority = Authority(os.path.join(directory, "tls"), client_certificate)
        self._log = []
        path = os.path.join(directory, "config.yml")
        with open(path, "w") as file:
            json.dump(self._config(client_certificate), file)  # JSON is YAML
        # What ends without a word to anybody, as a killed test does, takes its registry along.
        self._process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", PROGRAM, "serve", path], stdin=subprocess.DEVNULL,
                                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, bufsize=0)
        try:
            self.port = self._wait_until_it_listens()
        except BaseException:
            self.close()
            raise
        self.address = f"127.0.0.1:{self.port}"
        self._drain = threading.Thread(target=self._read_log, daemon=True)
        self._drain.start()

    def _config(self, client_certificate):
        config = {
            "version": 0.1, "log": {"level": "info", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": os.path.join(self.directory, "storage")}, "delete": {"enabled": True}},
            "http": {"addr": "127.0.0.1:0", "secret": "of the tests"},
        }
        if self.authority:
            config["http"]["tls"] = {"certificate": self.authority.server_certificate, "key": self.authority.server_key}
            if client_certificate:
                config["http"]["tls"]["clientcas"] = [self.authority.certificate]
        if self.credentials:
            path = os.path.join(self.directory, "htpasswd")
            made = subprocess.run(["htpasswd", "-B", "-C", "4", "-n", "-i", self.credentials[0]], input=self.credentials[1].encode(),
                                  stdout=subprocess.PIPE, check=True)
            with open(path, "wb") as file:
                file.write(made.stdout)
            config["auth"] = {"htpasswd": {"realm": "tests", "path": path}}
        return config

    def _wait_until_it_listens(self):
        """Its port, which it says once it accepts connections."""
        stream, deadline, text = self._process.stderr, time.monotonic() + PATIENCE, b""
        while True:
            found = re.search(rb"listening on 127\.0\.0\.1:(\d+)", text)
            if found:
                return int(found.group(1))
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([stream], [], [], left)[0]:
                raise AssertionError(f"{PROGRAM} does not listen after {PATIENCE} s: {text.decode(errors='replace')}")
            data = os.read(stream.fileno(), 65536)
            if not data:
                raise AssertionError(f"{PROGRAM} ended: {text.decode(errors='replace')}")
            text += data

    def _read_log(self):
        for line in self._process.stderr:
            self._log.append(line.decode(errors="replace"))
            del self._log[:-200]

    @property
    def log(self):
        return "".join(self._log)

    @property
    def pid(self):
        return self._process.pid

    @property
    def certificates(self):
        """The directory for --cert-dir."""
        return self.authority.certificates

    def name(self, reference):
        return f"{self.address}/{reference}"

    def client_options(self, prefix=""):
        """What skopeo must be told to talk to it; "dest-" or "src-" when there are two sides."""
        options = [f"--{prefix}cert-dir={self.certificates}"] if self.authority else [f"--{prefix}tls-verify=false"]
        return options + ([f"--{prefix}creds={':'.join(self.credentials)}"] if self.credentials else [])

    def push(self, source, reference, *options):
        """Copies an image in with skopeo; returns the full name. `source`: of make_images, or a skopeo transport.
        Options: --all, --format v2s2, ... Layers stay as they are."""
        if ":" not in source:
            path = images.image_path(source)
            source = f"oci:{path}" if os.path.isdir(path) else f"docker-archive:{path}"
        name = self.name(reference)
        images.skopeo("copy", "-q", *self.client_options("dest-"), *options, source, f"docker://{name}")
        return name

    def push_image(self, reference, image, *options):
        """The same for an oci.Image."""
        with tempfile.TemporaryDirectory(prefix="image-", dir=self.directory) as layout:
            oci.write_oci_layout(layout, [image])
            return self.push(f"oci:{layout}", reference, *options)

    def push_index(self, reference, platforms):
        """An index with an image for each of `platforms`: [(platform, oci.Image)...]; returns the full name."""
        with tempfile.TemporaryDirectory(prefix="index-", dir=self.directory) as layout:
            write_index_layout(layout, platforms)
            return self.push(f"oci:{layout}:index", reference, "--all")

    def digest(self, reference):
        """What the manifest of `reference` is called here."""
        out = subprocess.run(["skopeo", "inspect", "--raw", *self.client_options(), f"docker://{self.name(reference)}"],
                             stdout=subprocess.PIPE, check=True).stdout
        return oci.sha256(out)

    def close(self):
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()


def index_of(platforms):
    """The index document for [(platform, oci.Image)...]."""
    entries = []
    for platform, image in platforms:
        manifest = oci.canonical(image.manifest())
        entries.append({"mediaType": image.manifest()["mediaType"], "digest": oci.sha256(manifest), "size": len(manifest), "platform": platform})
    return {"schemaVersion": 2, "mediaType": oci.OCI_INDEX, "manifests": entries}


def write_index_layout(directory, platforms):
    """An OCI layout whose only entry, `index`, is an index."""
    index = oci.canonical(index_of(platforms))
    top = {"mediaType": oci.OCI_INDEX, "digest": oci.sha256(index), "size": len(index),
           "annotations": {"org.opencontainers.image.ref.name": "index"}}
    oci.write_oci_layout(directory, [image for _, image in platforms], index={"schemaVersion": 2, "manifests": [top]})
    with open(os.path.join(directory, "blobs", "sha256", top["digest"].split(":")[1]), "wb") as file:
        file.write(index)


def main(arguments):
    parser = argparse.ArgumentParser(prog="registry", usage=__doc__.split("usage: ")[1].split("\n")[0])
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--client-certificate", action="store_true")
    parser.add_argument("--htpasswd", type=lambda text: tuple(text.split(":", 1)))
    parser.add_argument("--directory")
    parser.add_argument("images", nargs="*")
    options = parser.parse_args(arguments)
    directory = tempfile.mkdtemp(prefix="registry-", dir=options.directory or "/var/tmp")
    registry = None
    try:
        registry = Registry(directory, options.tls, options.htpasswd, options.client_certificate)
        for pair in options.images:
            source, _, reference = pair.partition("=")
            registry.push(source, reference or f"{source}:latest")
        print(registry.address)
        if registry.authority:
            print(registry.certificates)
        sys.stdout.flush()
        while os.read(0, 4096):
            pass
    finally:
        if registry:
            registry.close()
        shutil.rmtree(directory, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
