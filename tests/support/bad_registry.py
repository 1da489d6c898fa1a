# SPDX-License-Identifier: Apache-2.0
"""A registry that misbehaves on demand, and remembers every request.

    with BadRegistry() as bad:
        name = bad.add("box:1", oci.Image(...))
        bad.fault("blob", cut(1000), times=1)        # the first blob breaks off after 1000 bytes
        ...
        assert bad.count("blob", digest) == 2

It speaks the distribution API over HTTP, or TLS with an `authority` (registry.Authority), runs in threads of the
caller, and keeps everything in memory. A fault changes the right answer before it is sent; documents that are wrong
in themselves are added as they are (add_manifest, add_blob).
"""

import base64
import contextlib
import dataclasses
import hashlib
import http.server
import json
import os
import re
import socket
import ssl
import sys
import threading
import time
import urllib.parse
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import oci  # noqa: E402

CHUNK = 16 * 1024
CODES = {400: "DIGEST_INVALID", 401: "UNAUTHORIZED", 403: "DENIED", 404: "NAME_UNKNOWN", 416: "BLOB_UPLOAD_INVALID", 429: "TOOMANYREQUESTS"}


@dataclasses.dataclass
class Request:
    method: str
    path: str
    query: dict
    headers: dict  # names in lower case
    body: bytes = b""
    kind: str = "other"  # ping, manifest, blob, tags, token, upload
    repository: str = ""
    reference: str = ""  # a tag, a digest, the id of an upload
    status: int = 0  # what it was answered


@dataclasses.dataclass
class Answer:
    status: int
    body: bytes = b""
    headers: dict = dataclasses.field(default_factory=dict)
    cut: int | None = None  # the connection breaks off after so many bytes of the body
    rate: float | None = None  # bytes a second
    endless: bool = False  # the body repeats for ever
    hold: threading.Event | None = None  # nothing is sent before it is set


@dataclasses.dataclass
class Fault:
    kind: str
    change: object  # (Request, Answer) -> None
    times: int | None
    reference: str | None
    method: str

    def meets(self, request):
        return (self.times != 0 and request.kind == self.kind and request.method == self.method
                and self.reference in (None, request.reference))


# What can be wrong with an answer.

def cut(after):
    def change(request, answer):
        answer.cut = after
    return change


def status(code, **headers):
    """An error, and nothing is done. Underscores in names of headers are dashes."""
    def change(request, answer):
        answer.status, answer.body = code, error_body(code)
        answer.headers = {name.replace("_", "-"): value for name, value in headers.items()}
    change.instead = True
    return change


def header(name, value):
    """`value` None: the header is left out."""
    def change(request, answer):
        answer.headers.pop(name, None)
        if value is not None:
            answer.headers[name] = value
    return change


def body(data):
    def change(request, answer):
        answer.body = data
        answer.headers.pop("Docker-Content-Digest", None)
    return change


def corrupt(request, answer):
    """One bit of the last byte is wrong."""
    answer.body = answer.body[:-1] + bytes([answer.body[-1] ^ 1])


def slow(bytes_per_second):
    def change(request, answer):
        answer.rate = bytes_per_second
    return change


def hold(event):
    """Nothing is sent before `event` is set."""
    def change(request, answer):
        answer.hold = event
    return change


def endless(request, answer):
    answer.endless = True
    answer.headers.update({"Content-Length": None, "Connection": "close"})


def redirect(base):
    """Elsewhere, by the same path."""
    def change(request, answer):
        answer.status, answer.body, answer.headers = 307, b"", {"Location": base + request.path}
    return change


def without_range(request, answer, blob):
    """The whole blob with 200, whatever was asked for."""
    answer.status, answer.body = 200, blob
    answer.headers.pop("Content-Range", None)


def ignore_range(registry):
    def change(request, answer):
        without_range(request, answer, registry.blobs[request.reference])
    return change


def wrong_content_range(registry):
    """206 and a Content-Range of the start, with the start's bytes, whatever was asked for."""
    def change(request, answer):
        if answer.status == 206:
            blob = registry.blobs[request.reference]
            answer.body = blob[:len(answer.body)]
            answer.headers["Content-Range"] = f"bytes 0-{len(answer.body) - 1}/{len(blob)}"
    return change


def refuse_range(request, answer):
    if "range" in request.headers:
        status(416)(request, answer)


def cut_upload(after):
    """The connection breaks off after so many bytes of the request's body; a PATCH keeps these."""
    def change(request, answer):
        raise AssertionError("met before there is an answer")
    change.upload_limit = after
    return change


def want_length(code, early=False):
    """Bodies whose length is not told beforehand are refused; `early`: before they are read, and the connection ends."""
    def change(request, answer):
        pass  # the body had a length
    change.refuses_chunks = code
    change.early = early
    return change


def expire_tokens(registry):
    """From this answer on no token given so far is good."""
    def change(request, answer):
        registry.tokens.clear()
    return change


def error_body(code, message="of the tests"):
    name = CODES.get(code, "UNKNOWN")
    return json.dumps({"errors": [{"code": name, "message": message}]}).encode()


class BadRegistry:
    """`credentials`: (user, password) that `auth` "basic" or "bearer" demands; None with "bearer": anybody gets a token."""

    def __init__(self, authority=None, credentials=None, auth=None):
        self.authority, self.credentials, self.auth = authority, credentials, auth or ("basic" if credentials else None)
        self.expires_in = 300
        self.identity_token = None  # a refresh token that POST /token takes
        self.blobs, self.manifests, self.tags = {}, {}, {}  # manifests: (repository, digest) -> (bytes, media type)
        self.links = set()  # (repository, digest): where a blob may be read; repository None: everywhere
        self.requests, self.served, self.uploads, self.tokens = [], {}, {}, set()
        self._faults, self._changed = [], threading.Condition()
        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.registry = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.address = f"127.0.0.1:{self._server.server_port}"
        self.url = ("https" if authority else "http") + "://" + self.address

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    # What it has.

    def name(self, reference):
        return f"{self.address}/{reference}"

    def add(self, reference, image):
        """An oci.Image; returns its full name."""
        for blob in image.blobs + [image.config_bytes()]:
            self.add_blob(blob, repository=reference.partition(":")[0])
        self.add_manifest(reference, image.manifest())
        return self.name(reference)

    def add_layout(self, reference, directory):
        """The first image of an OCI layout; returns its full name."""
        blobs = os.path.join(directory, "blobs", "sha256")
        for name in os.listdir(blobs):
            with open(os.path.join(blobs, name), "rb") as file:
                self.add_blob(file.read(), repository=reference.partition(":")[0])
        with open(os.path.join(directory, "index.json")) as file:
            descriptor = json.load(file)["manifests"][0]
        self.add_manifest(reference, self.blobs[descriptor["digest"]], descriptor["mediaType"])
        return self.name(reference)

    def add_blob(self, data, digest=None, repository=None):
        digest = digest or oci.sha256(data)
        self.blobs[digest] = data
        self.links.add((repository, digest))
        return digest

    def add_blobs_of(self, other):
        """What `other` redirects to."""
        self.blobs.update(other.blobs)
        self.links.update(other.links)

    def blob(self, repository, digest):
        return self.blobs[digest] if {(repository, digest), (None, digest)} & self.links else None

    def add_manifest(self, reference, document, media_type=None, digest=None):
        """`document`: bytes, or what is written as JSON; `reference`: NAME:TAG or NAME. Returns the digest."""
        data = document if isinstance(document, bytes) else oci.canonical(document)
        if media_type is None:
            media_type = document["mediaType"]
        repository, _, tag = reference.partition(":")
        digest = digest or oci.sha256(data)
        self.manifests[repository, digest] = (data, media_type)
        if tag:
            self.tags[repository, tag] = digest
        return digest

    def fault(self, kind, change, times=None, reference=None, method="GET"):
        """Changes the answers to `times` (None: all) requests of that kind that are authorized. Faults added later see
        what earlier ones left."""
        fault = Fault(kind, change, times, reference, method)
        with self._changed:
            self._faults.append(fault)
        return fault

    # What happened.

    def asked(self, kind, reference=None, method=None):
        """The requests of a kind so far."""
        with self._changed:
            return [request for request in self.requests if request.kind == kind and reference in (None, request.reference)
                    and method in (None, request.method)]

    def count(self, kind, reference=None, method=None):
        return len(self.asked(kind, reference, method))

    def forget(self):
        """As if nothing had been asked yet."""
        with self._changed:
            self.requests.clear()
            self.served.clear()

    def wait_for(self, condition, seconds=20):
        """Waits for a condition about requests or served bytes."""
        with self._changed:
            assert self._changed.wait_for(condition, seconds), f"it did not come true in {seconds} s; asked: {self.requests}"

    # For the handler.

    def record(self, request):
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()

    def count_served(self, digest, size):
        with self._changed:
            self.served[digest] = self.served.get(digest, 0) + size
            self._changed.notify_all()

    def take_changes(self, request):
        """What is to be wrong with the answer to this request."""
        with self._changed:
            chosen = [fault for fault in self._faults if fault.meets(request)]
            for fault in chosen:
                if fault.times is not None:
                    fault.times -= 1
        return [fault.change for fault in chosen]

    def basic_is_right(self, text):
        scheme, _, encoded = text.partition(" ")
        return scheme.lower() == "basic" and base64.b64decode(encoded).decode() == ":".join(self.credentials)

    def token_is_right(self, text):
        scheme, _, token = text.partition(" ")
        with self._changed:
            return scheme.lower() == "bearer" and token in self.tokens

    def new_token(self):
        token = "token-" + uuid.uuid4().hex
        with self._changed:
            self.tokens.add(token)
        return token


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request, client_address):
        error = sys.exc_info()[1]
        if not isinstance(error, (OSError, ssl.SSLError)):  # clients go away; that is what is tested
            super().handle_error(request, client_address)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        # What was counted as served but never arrived fits in here.
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024)
        self.registry = self.server.registry
        if self.registry.authority:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.registry.authority.server_certificate, self.registry.authority.server_key)
            self.request = context.wrap_socket(self.request, server_side=True)
        super().setup()

    def log_message(self, *arguments):
        pass

    def answer_request(self):
        request = self.parsed_request()
        authorized = request.kind == "token" or self.may(request)
        changes = self.registry.take_changes(request) if authorized else []
        refusals = [change for change in changes if hasattr(change, "refuses_chunks") and "transfer-encoding" in request.headers]
        if refusals:
            return self.refuse_chunks(request, refusals[0])
        limits = [change.upload_limit for change in changes if hasattr(change, "upload_limit")]
        request.body = self.request_body(limits[0] if limits else None)
        self.registry.record(request)
        if limits:
            return self.break_off(request)
        if not authorized:
            answer = self.challenge(request)
        elif any(hasattr(change, "instead") for change in changes):
            answer = Answer(500)
        else:
            answer = self.right_answer(request)
        for change in changes:
            change(request, answer)
        request.status = answer.status
        self.send(request, answer)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = answer_request

    def parsed_request(self):
        url = urllib.parse.urlsplit(self.path)
        query = {name: values[-1] for name, values in urllib.parse.parse_qs(url.query, keep_blank_values=True).items()}
        request = Request(self.command, url.path, query, {name.lower(): value for name, value in self.headers.items()})
        found = re.fullmatch(r"/v2/(.+)/(manifests|blobs|tags|blobs/uploads)/([^/]*)", url.path)
        if found:
            request.repository, request.reference = found.group(1), found.group(3)
            request.kind = {"manifests": "manifest", "blobs": "blob", "tags": "tags", "blobs/uploads": "upload"}[found.group(2)]
            if found.group(2) == "blobs" and found.group(3) == "uploads":
                request.kind, request.reference = "upload", ""
        elif url.path in ("/v2/", "/v2"):
            request.kind = "ping"
        elif url.path == "/token":
            request.kind = "token"
        return request

    def request_body(self, limit):
        body = b""
        for chunk in self.body_chunks():
            body += chunk
            if limit is not None and len(body) >= limit:
                return body[:limit]
        return body

    def body_chunks(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            while size := self.chunk_size():
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return
        left = int(self.headers.get("Content-Length", 0))
        while left:
            chunk = self.rfile.read(min(left, CHUNK))
            if not chunk:
                return
            left -= len(chunk)
            yield chunk

    def chunk_size(self):
        line = self.rfile.readline()
        if not line:
            raise ConnectionError("the client went away in the middle of its request")
        return int(line.split(b";")[0], 16)

    def refuse_chunks(self, request, change):
        if change.early:
            self.close_connection = True
        else:
            self.request_body(None)
        self.registry.record(request)
        request.status = change.refuses_chunks
        self.send(request, failure(request.status))

    def break_off(self, request):
        if request.method == "PATCH":
            self.registry.uploads[request.reference] += request.body
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    # The right answers.

    def right_answer(self, request):
        answers = {"token": self.token, "ping": self.ping, "manifest": self.manifest, "blob": self.blob, "tags": self.list_tags, "upload": self.upload}
        return answers.get(request.kind, lambda request: failure(404))(request)

    def may(self, request):
        authorization = request.headers.get("authorization", "")
        if self.registry.auth == "basic":
            return self.registry.basic_is_right(authorization)
        return self.registry.auth is None or self.registry.token_is_right(authorization)

    def challenge(self, request):
        if self.registry.auth == "basic":
            return failure(401, {"WWW-Authenticate": 'Basic realm="tests"'})
        actions = "pull" if request.method in ("GET", "HEAD") else "pull,push"
        scope = f',scope="repository:{request.repository}:{actions}"' if request.repository else ""
        return failure(401, {"WWW-Authenticate": f'Bearer realm="{self.registry.url}/token",service="tests"{scope}'})

    def token(self, request):
        credentials = self.registry.credentials
        form = {name: values[-1] for name, values in urllib.parse.parse_qs(request.body.decode()).items()}
        if request.method == "POST":
            right = form.get("grant_type") == "refresh_token" and form.get("refresh_token") == self.registry.identity_token is not None
            right = right or form.get("grant_type") == "password" and (form.get("username"), form.get("password")) == credentials
        else:
            right = credentials is None or self.registry.basic_is_right(request.headers.get("authorization", ""))
        if not right:
            return failure(401)
        token = self.registry.new_token()
        return document({"token": token, "access_token": token, "expires_in": self.registry.expires_in})

    def ping(self, request):
        return document({})

    def list_tags(self, request):
        names = sorted(tag for repository, tag in self.registry.tags if repository == request.repository)
        return document({"name": request.repository, "tags": names}) if names else failure(404)

    def manifest(self, request):
        if request.method == "PUT":
            return self.put_manifest(request)
        digest = self.registry.tags.get((request.repository, request.reference), request.reference)
        data, media_type = self.registry.manifests.get((request.repository, digest), (None, None))
        if data is None:
            return Answer(404, json.dumps({"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}).encode())
        return Answer(200, data, {"Content-Type": media_type, "Docker-Content-Digest": digest})

    def put_manifest(self, request):
        tag = "" if ":" in request.reference else ":" + request.reference
        digest = self.registry.add_manifest(request.repository + tag, request.body, request.headers.get("content-type", ""))
        if ":" in request.reference and digest != request.reference:
            return failure(400)
        return Answer(201, b"", {"Location": request.path, "Docker-Content-Digest": digest})

    def blob(self, request):
        data = self.registry.blob(request.repository, request.reference)
        if data is None:
            return Answer(404, json.dumps({"errors": [{"code": "BLOB_UNKNOWN", "message": "blob unknown"}]}).encode())
        answer = Answer(200, data, {"Content-Type": "application/octet-stream", "Docker-Content-Digest": request.reference,
                                    "Accept-Ranges": "bytes"})
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
        if found:
            first, last = int(found.group(1)), min(int(found.group(2) or len(data) - 1), len(data) - 1)
            if first > last:
                return failure(416, {"Content-Range": f"bytes */{len(data)}"})
            answer.status, answer.body = 206, data[first:last + 1]
            answer.headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
        return answer

    # Uploads.

    def upload(self, request):
        uploads = self.registry.uploads
        if request.method == "POST":
            source, digest = request.query.get("from"), request.query.get("mount")
            if digest and source and self.registry.blob(source, digest):
                self.registry.links.add((request.repository, digest))
                return self.blob_created(request, digest)
            identity = uuid.uuid4().hex
            uploads[identity] = b""
            return self.upload_goes_on(request, identity)
        if request.reference not in uploads:
            return failure(404)
        if request.method == "DELETE":
            del uploads[request.reference]
            return Answer(204)
        if request.method == "PATCH" and not self.continues(request):
            return failure(416, {"Range": f"0-{max(len(uploads[request.reference]) - 1, 0)}"})
        uploads[request.reference] += request.body
        if request.method != "PUT":  # PATCH, and GET which asks how far it is
            return self.upload_goes_on(request, request.reference, 204 if request.method == "GET" else 202)
        digest = request.query.get("digest", "")
        if "sha256:" + hashlib.sha256(uploads[request.reference]).hexdigest() != digest:
            return failure(400)
        self.registry.add_blob(uploads.pop(request.reference), digest, request.repository)
        return self.blob_created(request, digest)

    def continues(self, request):
        found = re.match(r"(\d+)-", request.headers.get("content-range", ""))
        return not found or int(found.group(1)) == len(self.registry.uploads[request.reference])

    def upload_goes_on(self, request, identity, code=202):
        size = len(self.registry.uploads[identity])
        return Answer(code, b"", {"Location": f"/v2/{request.repository}/blobs/uploads/{identity}?state=of-the-tests",
                                  "Docker-Upload-UUID": identity, "Range": f"0-{max(size - 1, 0)}"})

    def blob_created(self, request, digest):
        return Answer(201, b"", {"Location": f"/v2/{request.repository}/blobs/{digest}", "Docker-Content-Digest": digest})

    # Sending.

    def send(self, request, answer):
        if answer.hold:
            answer.hold.wait(60)
        self.send_response(answer.status)
        headers = {"Docker-Distribution-API-Version": "registry/2.0", "Content-Length": str(len(answer.body)), **answer.headers}
        for name, value in headers.items():
            if value is not None and not (name == "Content-Length" and answer.status == 204):
                self.send_header(name, value)
        self.end_headers()
        if request.method == "HEAD":
            return
        complete = self.send_body(request, answer)
        if not complete or answer.endless:
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

    def send_body(self, request, answer):
        data = answer.body if answer.cut is None else answer.body[:answer.cut]
        start, sent = time.monotonic(), 0
        while sent < len(data) or answer.endless:
            chunk = data[sent % len(data):][:CHUNK] if answer.endless else data[sent:sent + CHUNK]
            if answer.rate:
                time.sleep(max(0, start + sent / answer.rate - time.monotonic()))
            self.wfile.write(chunk)
            sent += len(chunk)
            if request.kind == "blob":
                self.registry.count_served(request.reference, len(chunk))
        return answer.cut is None


def failure(code, headers=None):
    return Answer(code, error_body(code), {"Content-Type": "application/json", **(headers or {})})


def document(value):
    return Answer(200, json.dumps(value).encode(), {"Content-Type": "application/json"})
