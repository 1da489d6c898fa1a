# SPDX-License-Identifier: Apache-2.0
"""What policy.json lets in: by scope, and by signatures of cosign's form, which openssl makes here."""

import base64
import json
import os
import subprocess
import urllib.parse
import urllib.request

import oci
import pytest

PAYLOAD_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json"
ACCEPT, REJECT = [{"type": "insecureAcceptAnything"}], [{"type": "reject"}]


@pytest.fixture(scope="module")
def image(registry):
    """The name of an image of one small layer, and its digest."""
    name = registry.push_image("policy/app:1", oci.Image([oci.Layer().file("a", "content")]))
    return name, registry.digest("policy/app:1")


class Key:
    def __init__(self, directory, *kind):
        self.private, self.public = directory + "/key.pem", directory + "/key.pub"
        subprocess.run(["openssl", "genpkey", *kind, "-out", self.private], check=True, stderr=subprocess.DEVNULL)
        subprocess.run(["openssl", "pkey", "-in", self.private, "-pubout", "-out", self.public], check=True)

    def sign(self, payload):
        signed = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.private], input=payload, stdout=subprocess.PIPE, check=True)
        return base64.b64encode(signed.stdout).decode()


@pytest.fixture
def key(scratch):
    return Key(scratch, "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")


def upload(registry, repository, blob):
    """A descriptor of the blob, which the registry has now."""
    base = f"http://{registry.address}/v2/{repository}/blobs/uploads/"
    with urllib.request.urlopen(urllib.request.Request(base, method="POST")) as answer:
        place = urllib.parse.urljoin(base, answer.headers["Location"])
    digest = oci.sha256(blob)
    request = urllib.request.Request(f"{place}&digest={digest}", blob, {"Content-Type": "application/octet-stream"}, method="PUT")
    urllib.request.urlopen(request).close()
    return {"digest": digest, "size": len(blob)}


def attach(registry, repository, digest, *signatures):
    """`signatures`: (payload, signature in base64)."""
    layers = [{**upload(registry, repository, payload), "mediaType": PAYLOAD_TYPE, "annotations": {"dev.cosignproject.cosign/signature": signature}}
              for payload, signature in signatures]
    config = {**upload(registry, repository, b"{}"), "mediaType": "application/vnd.oci.image.config.v1+json"}
    manifest = {"schemaVersion": 2, "mediaType": oci.OCI_MANIFEST, "config": config, "layers": layers}
    url = f"http://{registry.address}/v2/{repository}/manifests/{digest.replace(':', '-')}.sig"
    urllib.request.urlopen(urllib.request.Request(url, oci.canonical(manifest), {"Content-Type": oci.OCI_MANIFEST}, method="PUT")).close()


def attach_as_referrer(registry, repository, digest, *signatures):
    """The same as OCI 1.1 has it; this registry knows no referrers, so they are listed under a tag of that name."""
    attach(registry, repository, digest, *signatures)
    reference = digest.replace(":", "-")
    base = f"http://{registry.address}/v2/{repository}/manifests/"
    with urllib.request.urlopen(urllib.request.Request(f"{base}{reference}.sig", headers={"Accept": oci.OCI_MANIFEST})) as answer:
        manifest = answer.read()
    signature = oci.sha256(manifest)
    urllib.request.urlopen(urllib.request.Request(base + signature, manifest, {"Content-Type": oci.OCI_MANIFEST}, method="PUT")).close()
    entries = [{"mediaType": oci.OCI_MANIFEST, "artifactType": kind, "digest": signature, "size": len(manifest)}
               for kind in ("application/spdx+json", "application/vnd.dev.cosign.artifact.sig.v1+json")]
    index = oci.canonical({"schemaVersion": 2, "mediaType": oci.OCI_INDEX, "manifests": entries})
    urllib.request.urlopen(urllib.request.Request(base + reference, index, {"Content-Type": oci.OCI_INDEX}, method="PUT")).close()
    # Another one under the tag: what counts must be the referrer.
    attach(registry, repository, digest, (b"{}", "bm9uZQ=="))


def payload(name, digest):
    repository = name.rsplit(":", 1)[0]
    return json.dumps({"critical": {"identity": {"docker-reference": repository}, "image": {"docker-manifest-digest": digest},
                                    "type": "cosign container image signature"}, "optional": None}).encode()


@pytest.fixture
def policy(scratch):
    """policy({scope: requirements}, default) is the option that names such a policy."""
    def write(scopes, default=REJECT):
        path = scratch + "/policy.json"
        with open(path, "w") as file:
            json.dump({"default": default, "transports": {"docker": scopes}}, file)
        return f"--signature-policy={path}"
    return write


def pull(engine, policy, name):
    return engine("pull", "-q", "--tls-verify=false", policy, name)


def refused(engine, policy, name):
    error = engine.error("pull", "-q", "--tls-verify=false", "--retry=0", policy, name)
    assert engine("images", "-q") == ""
    return error


def by(key):
    return [{"type": "sigstoreSigned", "keyPath": key.public, "signedIdentity": {"type": "matchRepository"}}]


def test_the_most_specific_scope_decides(fresh, registry, image, policy):
    name, _ = image
    error = refused(fresh, policy({registry.address: ACCEPT, registry.address + "/policy": REJECT}), name)
    assert error == (f'Error: image {name} is rejected by the policy for "docker:{registry.address}/policy" in '
                     f"{policy({registry.address: ACCEPT, registry.address + '/policy': REJECT}).split('=')[1]}: it rejects all images")
    assert pull(fresh, policy({registry.address: REJECT, name: ACCEPT}), name)


def test_the_users_policy_counts_for_run_too(fresh, image):
    name, _ = image
    os.makedirs(fresh.home + "/.config/containers")
    with open(fresh.home + "/.config/containers/policy.json", "w") as file:
        json.dump({"default": REJECT}, file)
    assert "rejected by the policy" in fresh.error("run", "--tls-verify=false", "--retry=0", name, "true")


def test_a_policy_that_is_not_understood_lets_nothing_in(fresh, registry, image, policy, scratch):
    option = policy({})
    with open(scratch + "/policy.json", "w") as file:
        file.write('{"default": [{"type": "insecureAcceptAnything"}], "defualt": []}')
    assert "defualt: unknown member" in refused(fresh, option, image[0])


@pytest.mark.parametrize("kind", [("EC", "ec_paramgen_curve:P-256"), ("EC", "ec_paramgen_curve:P-384"), ("RSA", "rsa_keygen_bits:2048")])
def test_a_signed_image_is_taken(fresh, registry, scratch, policy, kind):
    algorithm, option = kind
    key = Key(scratch, "-algorithm", algorithm, "-pkeyopt", option)
    repository = f"signed/{option.split(':')[1].lower()}"
    name = registry.push_image(repository + ":1", oci.Image([oci.Layer().file("a", option)]))
    digest = registry.digest(repository + ":1")
    signed = payload(name, digest)
    attach(registry, repository, digest, (signed, key.sign(signed)))
    assert pull(fresh, policy({registry.address: by(key)}), name)


def test_a_signature_may_refer_to_the_image(fresh, registry, key, policy):
    name = registry.push_image("referred/app:1", oci.Image([oci.Layer().file("a", "referred")]))
    digest = registry.digest("referred/app:1")
    signed = payload(name, digest)
    attach_as_referrer(registry, "referred/app", digest, (signed, key.sign(signed)))
    assert pull(fresh, policy({registry.address: by(key)}), name)


def test_what_is_not_signed_by_the_key_is_refused(fresh, registry, key, policy, scratch):
    name = registry.push_image("unsigned/app:1", oci.Image([oci.Layer().file("a", "unsigned")]))
    digest = registry.digest("unsigned/app:1")
    option = policy({registry.address: by(key)})
    assert "a signature was required, but there is none" in refused(fresh, option, name)
    os.mkdir(scratch + "/other")
    other = Key(scratch + "/other", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
    good, strange = payload(name, digest), payload(name, "sha256:" + "0" * 64)
    attach(registry, "unsigned/app", digest, (good, other.sign(good)), (good, "no base64!"), (strange, key.sign(strange)))
    error = refused(fresh, option, name)
    assert "is not by a key of the policy" in error and "is no base64" in error and f"a signature is for sha256:{'0' * 64}" in error


def test_an_image_by_digest_needs_its_signature_too(fresh, registry, key, policy):
    name = registry.push_image("digest/app:1", oci.Image([oci.Layer().file("a", "by digest")]))
    digest = registry.digest("digest/app:1")
    by_digest = f"{name.rsplit(':', 1)[0]}@{digest}"
    option = policy({registry.address: by(key)})
    assert "a signature was required" in refused(fresh, option, by_digest)
    signed = payload(name, digest)
    attach(registry, "digest/app", digest, (signed, key.sign(signed)))
    assert pull(fresh, option, by_digest)
