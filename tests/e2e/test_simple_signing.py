# SPDX-License-Identifier: Apache-2.0
"""signedBy of policy.json: simple signatures that skopeo makes by GPG keys, in directories and on servers beside the registry."""

import base64
import json
import os
import shutil
import subprocess
import tempfile

import oci
import pytest
from file_server import FileServer
from test_policy import policy, pull, refused  # noqa: F401 (a fixture)


class Key:
    """A GPG key in a home of its own."""

    def __init__(self, directory, expires="never", when=None):
        """`when`: it is made and signs at that time, 20200101T000000."""
        self.time = ["--faked-system-time", when + "!"] if when else []
        self.home = tempfile.mkdtemp(prefix="gpg-", dir="/tmp")  # the agent's socket needs a short path
        self.gpg("--quick-generate-key", "Signer <signer@example.com>", "ed25519", "sign", expires)
        listed = self.gpg("--with-colons", "--list-keys").decode()
        self.fingerprint = next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr"))
        self.public, self.armored = os.path.join(directory, "key.gpg"), os.path.join(directory, "key.asc")
        for path, options in ((self.public, []), (self.armored, ["--armor"])):
            with open(path, "wb") as file:
                file.write(self.gpg(*options, "--export"))
            os.chmod(path, 0o644)

    def gpg(self, *arguments, **more):
        try:
            return subprocess.run(["gpg", "--homedir", self.home, "--batch", "--passphrase", "", *self.time, *arguments],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True, **more).stdout
        finally:
            self.end_agent()

    def end_agent(self):
        """It would stay, and count as a process the engine has left."""
        subprocess.run(["gpgconf", "--homedir", self.home, "--kill", "all"], check=True)

    def sign(self, content):
        return self.gpg("--local-user", self.fingerprint, "--sign", input=content)

    def close(self):
        shutil.rmtree(self.home, ignore_errors=True)


@pytest.fixture(scope="module")
def make_key():
    keys = []

    def make(directory, **how):
        keys.append(Key(directory, **how))
        return keys[-1]
    yield make
    for key in keys:
        key.close()


@pytest.fixture(scope="module")
def key(make_key, work):
    directory = os.path.join(work, "signing-key")
    os.makedirs(directory, exist_ok=True)
    return make_key(directory)


def configure(engine, text):
    directory = engine.home + "/.config/containers/registries.d"
    os.makedirs(directory, exist_ok=True)
    with open(directory + "/test.yaml", "w") as file:
        file.write(text)
    return directory


@pytest.fixture
def lookaside(fresh, scratch):
    """The directory signatures are in, and the engine knows it."""
    directory = scratch + "/lookaside"
    os.mkdir(directory)
    configure(fresh, f"default-docker:\n  lookaside: file://{directory}  # for all\n")
    return directory


def push_image(registry, reference, content):
    return registry.push_image(reference, oci.Image([oci.Layer().file("a", content)]))


def push_signed(registry, reference, content, key, lookaside, *options):
    """Signed by skopeo, which keeps signatures where its registries.d says."""
    with tempfile.TemporaryDirectory(prefix="registries-", dir="/tmp") as configuration:
        with open(configuration + "/staging.yaml", "w") as file:
            file.write(f"default-docker:\n  lookaside-staging: file://{lookaside}\n")
        with tempfile.TemporaryDirectory(prefix="layout-", dir="/tmp") as layout:
            oci.write_oci_layout(layout, [oci.Image([oci.Layer().file("a", content)])])
            name = registry.name(reference)
            subprocess.run(["skopeo", "--insecure-policy", "--registries.d", configuration, "copy", "-q", "--dest-tls-verify=false",
                            "--sign-by", key.fingerprint, *options, f"oci:{layout}", f"docker://{name}"],
                           env={**os.environ, "GNUPGHOME": key.home}, check=True)
            key.end_agent()
    for path, _, files in os.walk(lookaside):
        os.chmod(path, 0o755)
        for file in files:
            os.chmod(os.path.join(path, file), 0o644)
    return name


def signature_file(lookaside, registry, reference):
    repository = reference.rpartition(":")[0]
    return f"{lookaside}/{repository}@{registry.digest(reference).replace(':', '=')}/signature-1"


def write_signature(lookaside, registry, reference, data):
    path = signature_file(lookaside, registry, reference)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


def claim(name, digest):
    return json.dumps({"critical": {"type": "atomic container signature", "image": {"docker-manifest-digest": digest},
                                    "identity": {"docker-reference": name}}, "optional": {"creator": "a test"}}).encode()


def by(key, identity=None, **more):
    requirement = {"type": "signedBy", "keyType": "GPGKeys", **(more or {"keyPath": key.public})}
    return [{**requirement, "signedIdentity": identity} if identity else requirement]


@pytest.mark.parametrize("form", ["public", "armored"])
def test_what_skopeo_signed_is_taken(fresh, registry, key, lookaside, policy, form):
    name = push_signed(registry, f"simple/{form}:1", "signed", key, lookaside)
    option = policy({registry.address: by(key, keyPath=getattr(key, form))})
    assert pull(fresh, option, name)


def test_the_key_may_stand_in_the_policy(fresh, registry, key, lookaside, policy):
    name = push_signed(registry, "simple/data:1", "signed", key, lookaside)
    with open(key.public, "rb") as file:
        data = base64.b64encode(file.read()).decode()
    assert pull(fresh, policy({registry.address: by(key, keyData=data)}), name)


def test_another_key_is_refused(fresh, registry, key, make_key, lookaside, policy, scratch):
    name = push_signed(registry, "simple/stranger:1", "signed", key, lookaside)
    error = refused(fresh, policy({registry.address: by(make_key(scratch))}), name)
    assert "none of the signatures was accepted: of a signature: it is not by a key of the policy" in error


def test_one_good_signature_is_enough(fresh, registry, key, make_key, lookaside, policy, scratch):
    name = push_signed(registry, "simple/two:1", "signed", make_key(scratch), lookaside)
    first = signature_file(lookaside, registry, "simple/two:1")
    with open(first.replace("signature-1", "signature-2"), "wb") as file:
        file.write(key.sign(claim(name, registry.digest("simple/two:1"))))
    assert pull(fresh, policy({registry.address: by(key)}), name)


def test_without_a_signature_it_is_refused(fresh, registry, key, lookaside, policy):
    name = push_image(registry, "simple/bare:1", "unsigned")
    assert "a signature was required, but there is none" in refused(fresh, policy({registry.address: by(key)}), name)


def test_a_changed_image_is_refused(fresh, registry, key, lookaside, policy):
    name = push_signed(registry, "simple/changed:1", "signed", key, lookaside)
    signed = registry.digest("simple/changed:1")
    with open(signature_file(lookaside, registry, "simple/changed:1"), "rb") as file:
        signature = file.read()
    push_image(registry, "simple/changed:1", "changed")
    write_signature(lookaside, registry, "simple/changed:1", signature)
    error = refused(fresh, policy({registry.address: by(key)}), name)
    assert f"a signature is for {signed}, not {registry.digest('simple/changed:1')}" in error


@pytest.mark.parametrize("what", ["torn", "other bytes", "not signed", "no simple signature"])
def test_what_is_no_signature_is_refused(fresh, registry, key, lookaside, policy, what):
    reference = f"simple/{what.replace(' ', '-')}:1"
    name = push_signed(registry, reference, what, key, lookaside)
    good = claim(name, registry.digest(reference))
    data = {"torn": key.sign(good)[:-40], "other bytes": b"hello",
            "not signed": key.gpg("--store", input=good), "no simple signature": key.sign(b'{"critical": {}}')}[what]
    write_signature(lookaside, registry, reference, data)
    assert "none of the signatures was accepted" in refused(fresh, policy({registry.address: by(key)}), name)


def test_an_expired_key_signs_nothing(fresh, registry, make_key, lookaside, policy, scratch):
    key = make_key(scratch, when="20200101T000000", expires="1d")
    name = push_image(registry, "simple/expired:1", "expired")
    write_signature(lookaside, registry, "simple/expired:1", key.sign(claim(name, registry.digest("simple/expired:1"))))
    assert "its key has expired" in refused(fresh, policy({registry.address: by(key)}), name)


@pytest.mark.parametrize("rule, accepted", [
    (None, True), ({"type": "matchExact"}, True), ({"type": "matchRepository"}, True),
    ({"type": "exactReference", "dockerReference": "quay.io/other/name:1"}, False),
    ({"type": "exactRepository", "dockerRepository": "quay.io/other/name"}, False)])
def test_the_name_that_was_signed_counts(fresh, registry, key, lookaside, policy, rule, accepted):
    name = push_signed(registry, "simple/named:1", "named", key, lookaside)
    option = policy({registry.address: by(key, rule)})
    if accepted:
        assert pull(fresh, option, name)
    else:
        assert f"a signature is for the name {name}" in refused(fresh, option, name)


@pytest.mark.parametrize("rule", [
    {"type": "exactReference", "dockerReference": "quay.io/team/app:1"}, {"type": "exactRepository", "dockerRepository": "quay.io/team/app"},
    "remap"])
def test_a_mirror_has_the_signatures_of_another_name(fresh, registry, key, lookaside, policy, rule):
    name = push_image(registry, "team/app:1", "mirrored")
    write_signature(lookaside, registry, "team/app:1", key.sign(claim("quay.io/team/app:1", registry.digest("team/app:1"))))
    assert "a signature is for the name quay.io/team/app:1" in refused(fresh, policy({registry.address: by(key)}), name)
    if rule == "remap":
        rule = {"type": "remapIdentity", "prefix": registry.address, "signedPrefix": "quay.io"}
    assert pull(fresh, policy({registry.address: by(key, rule)}), name)


def test_signatures_may_be_on_a_server(fresh, registry, key, scratch, policy):
    directory = scratch + "/served"
    os.mkdir(directory)
    name = push_signed(registry, "simple/served:1", "served", key, directory)

    with FileServer(directory) as server:
        configure(fresh, f"docker:\n  {registry.address}/simple:\n    sigstore: {server.url}/\n"
                         f"  {registry.address}:\n    lookaside: file:///nowhere\n")
        option = policy({registry.address: by(key)})
        assert pull(fresh, option, name)
        bare = push_image(registry, "simple/not-served:1", "unsigned")
        fresh("rmi", "--all")
        assert "there is none" in refused(fresh, option, bare)
    assert server.url in refused(fresh, option, name)


@pytest.mark.parametrize("text, complaint", [
    ("docker: [1", "test.yaml:"), ("docker:\n  a.b:\n    lookaside: /no/url\n", "test.yaml:3: \"/no/url\" is no URL"),
    ("default-docker: text\n", "expected names with values")])
def test_a_configuration_that_is_not_understood(fresh, registry, key, policy, text, complaint):
    configure(fresh, text)
    name = push_image(registry, "simple/config:1", "config")
    assert complaint in refused(fresh, policy({registry.address: by(key)}), name)


def test_an_image_of_an_index_needs_its_own_signature(fresh, registry, key, lookaside, policy):
    from test_pull import ARCHITECTURE
    image = oci.Image([oci.Layer().file("a", "of an index")], architecture=ARCHITECTURE)
    name = registry.push_index("simple/index:1", [({"architecture": ARCHITECTURE, "os": "linux"}, image)])
    option = policy({registry.address: by(key)})
    assert "there is none" in refused(fresh, option, name)
    index = json.loads(subprocess.run(["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{name}"], stdout=subprocess.PIPE,
                                      check=True).stdout)
    digest = index["manifests"][0]["digest"]
    path = f"{lookaside}/simple/index@{digest.replace(':', '=')}"
    os.makedirs(path)
    with open(path + "/signature-1", "wb") as file:
        file.write(key.sign(claim(name, digest)))
    assert pull(fresh, option, name)
