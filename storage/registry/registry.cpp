// SPDX-License-Identifier: Apache-2.0
#include "storage/registry/registry.h"

#include <algorithm>
#include <array>

#include "storage/content/hash.h"
#include "storage/image/image_checks.h"
#include "storage/layer/tar_header.h"
#include "storage/registry/blob_source.h"

namespace knarr::storage {
namespace {

constexpr std::size_t max_answer_bytes = 8u << 20;
constexpr std::size_t max_list_entries = 200'000;
constexpr std::string_view accepted_manifests =
    "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json";

HttpOptions http_options(const RegistryOptions& options) {
  return {.insecure = options.insecure,
          .certificates = options.certificates,
          .home = parse_url(concat("https://", registry_host(options.host), "/"))};
}

bool is_manifest_type(std::string_view type) {
  return is_index_type(type) || type == oci_manifest_type || type == docker_manifest_type;
}

// What says no more than that it is a document.
bool is_vague(std::string_view type) {
  return type.empty() || type == "application/json" || type == "text/plain" ||
         type == "application/octet-stream";
}

std::optional<Digest> promised_digest(const HttpHeaders& headers) {
  const std::string text = headers.get("Docker-Content-Digest");
  if (text.empty()) return std::nullopt;
  std::optional<Digest> digest = parse_digest(text);
  if (!digest) throw InvalidArgument(concat("the registry names a digest that is none: ", quote_name(text)));
  return digest;
}

}  // namespace

std::string manifest_type(std::string_view content_type, std::string_view bytes) {
  const std::string given = media_type_of(content_type);
  if (given.starts_with("application/vnd.docker.distribution.manifest.v1+")) {
    throw Unsupported(
        "its manifest is of schema version 1, which is no longer supported: push the image anew");
  }
  const std::string own = read_media_type(bytes);
  const std::string type = is_vague(given) ? own : given;
  if (!own.empty() && type != own) {
    throw InvalidArgument(concat("the manifest came with the media type ", quote_name(type),
                                 " and says it is ", quote_name(own)));
  }
  if (type.empty()) return std::string(looks_like_index(bytes) ? oci_index_type : oci_manifest_type);
  if (!is_manifest_type(type)) throw Unsupported(concat("it is no image but ", quote_name(type)));
  return type;
}

Registry::Registry(RegistryOptions options, std::string repository)
    : options_(std::move(options)),
      repository_(std::move(repository)),
      client_(http_options(options_)),
      authorizer_(client_, options_.host, options_.credentials, options_.retry) {}

std::string Registry::name_of(const std::string& reference) const {
  return concat(place(), reference.find(':') == std::string::npos ? ':' : '@', reference);
}

// ---- requests ----

// Who is asked first tells how to prove who asks.
void Registry::ping(const Url& base) {
  const HttpReply reply = client_.fetch({.url = base}, max_answer_bytes);
  if (reply.status != 200 && reply.status != 401) {
    if (is_worth_repeating(reply.status))
      throw TransferError(describe_status(reply.status, reply.body), true, asked_delay(reply.headers));
    throw Error(describe_status(reply.status, reply.body));
  }
  if (is_same_origin(reply.url, base))
    authorizer_.learn(reply.headers, base.scheme == "http" || options_.insecure);
}

Url Registry::connect() {
  const std::lock_guard lock(mutex_);
  if (base_) return *base_;
  const Url secure = parse_url(concat("https://", registry_host(options_.host), "/v2/"));
  const Url plain = parse_url(concat("http://", registry_host(options_.host), "/v2/"));
  return with_context(concat("pinging registry ", options_.host), [&] {
    for (int attempt = 1;; ++attempt) {
      try {
        ping(secure);
        return *(base_ = secure);
      } catch (const TransferError& error) {
        if (options_.insecure) {
          try {
            ping(plain);
            return *(base_ = plain);
          } catch (const TransferError&) {
            // The first error tells more: TLS is what was expected.
          }
        }
        if (!error.is_transient() || attempt > options_.retry.count) throw;
        wait_before_retry(options_.retry, attempt, error.retry_after());
      }
    }
  });
}

HttpRequest Registry::request(std::string method, const std::string& path_below_repository) {
  return {.method = std::move(method),
          .url = resolve_url(connect(), concat(repository_, '/', path_below_repository))};
}

HttpStream Registry::open(HttpRequest request, Scopes scopes, const RetryPolicy& retry) {
  const Url base = connect();
  for (bool is_first = true;; is_first = false) {
    // An upload may go to a place of its own, whose address is the permission.
    if (is_same_origin(request.url, base)) request.authorization = authorizer_.authorize(scopes);
    HttpStream stream = open_with_retries(client_, request, retry);
    if (stream.status() != 401 || !is_first || !is_same_origin(stream.url(), base)) return stream;
    authorizer_.forget(scopes);
    authorizer_.learn(stream.headers(), base.scheme == "http" || options_.insecure);
    for (const std::string& scope : authorizer_.demanded_scopes()) {
      if (std::find(scopes.begin(), scopes.end(), scope) == scopes.end()) scopes.push_back(scope);
    }
  }
}

HttpReply Registry::fetch(HttpRequest request, Scopes scopes, std::size_t max_body) {
  for (int attempt = 1;; ++attempt) {
    HttpStream stream = open(request, scopes, options_.retry);
    try {
      HttpReply reply{stream.status(), stream.headers(), stream.url(), {}};
      reply.body = stream.read_all(max_body);
      return reply;
    } catch (const TransferError& error) {
      if (!error.is_transient() || attempt > options_.retry.count) throw;
      wait_before_retry(options_.retry, attempt);
    }
  }
}

void Registry::fail(const HttpReply& reply) const {
  if (reply.status == 401 || reply.status == 403) throw_refused(options_.host, reply.status, reply.body);
  throw Error(describe_status(reply.status, reply.body));
}

// ---- reading ----

FetchedManifest Registry::get_manifest(const std::string& reference) {
  return with_context("reading manifest of " + name_of(reference), [&] {
    HttpRequest get = request("GET", "manifests/" + reference);
    get.headers.add("Accept", std::string(accepted_manifests));
    const HttpReply reply = fetch(std::move(get), {pull_scope(repository_)}, max_manifest_bytes);
    if (reply.status == 404) throw NotFound("manifest unknown");
    if (reply.status != 200) fail(reply);
    FetchedManifest manifest;
    manifest.bytes = reply.body;
    const auto promised = promised_digest(reply.headers);
    const auto wanted = parse_digest(reference);
    if (promised) verify_digest(manifest.bytes, *promised, "the manifest");
    if (wanted) verify_digest(manifest.bytes, *wanted, "the manifest");
    manifest.digest = wanted ? *wanted : digest_of(manifest.bytes);
    manifest.media_type = manifest_type(reply.headers.get("Content-Type"), manifest.bytes);
    return manifest;
  });
}

std::optional<ManifestHead> Registry::head_manifest(const std::string& reference) {
  return with_context("looking for manifest of " + name_of(reference), [&]() -> std::optional<ManifestHead> {
    HttpRequest head = request("HEAD", "manifests/" + reference);
    head.headers.add("Accept", std::string(accepted_manifests));
    const HttpReply reply = fetch(std::move(head), {pull_scope(repository_)}, 0);
    if (reply.status == 404) return std::nullopt;
    if (reply.status != 200) fail(reply);
    return ManifestHead{media_type_of(reply.headers.get("Content-Type")), promised_digest(reply.headers)};
  });
}

HttpStream Registry::open_blob_at(const Digest& digest, std::uint64_t offset) {
  HttpRequest get = request("GET", "blobs/" + render(digest));
  add_range(get, offset);
  return open(std::move(get), {pull_scope(repository_)}, options_.retry);
}

ByteSource Registry::open_blob(const Digest& digest, std::uint64_t size, std::uint64_t offset) {
  const auto open_at = [this, digest](std::uint64_t from) { return open_blob_at(digest, from); };
  ByteSource source = read_blob_from(open_at, offset, size, options_.retry);
  return [this, digest, source = std::move(source)](char* buffer, std::size_t room) {
    try {
      return source(buffer, room);
    } catch (Error& error) {
      error.add_context(concat("reading blob ", render(digest), " in ", place()));
      throw;
    }
  };
}

std::string Registry::get_blob(const Digest& digest, std::uint64_t size) {
  std::string bytes;
  const ByteSource source = open_blob(digest, size);
  char buffer[16u << 10];
  while (const std::size_t got = source(buffer, sizeof buffer)) bytes.append(buffer, got);
  verify_digest(bytes, digest, concat("blob ", render(digest), " of ", place()));
  return bytes;
}

bool Registry::has_blob(const Digest& digest) {
  return with_context(concat("looking for blob ", render(digest), " in ", place()), [&] {
    // For a repository that is yet to be made nobody may pull.
    const HttpReply reply = fetch(request("HEAD", "blobs/" + render(digest)), {push_scope(repository_)}, 0);
    if (reply.status == 404) return false;
    if (reply.status != 200) fail(reply);
    return true;
  });
}

std::vector<std::string> Registry::list_pages(HttpRequest request, const Scopes& scopes,
                                              std::vector<std::string> (*parse)(std::string_view)) {
  std::vector<std::string> all;
  for (;;) {
    const HttpReply reply = fetch(request, scopes, max_answer_bytes);
    if (reply.status == 404) throw NotFound("the registry does not know it");
    if (reply.status != 200) fail(reply);
    std::vector<std::string> page = parse(reply.body);
    const bool was_empty = page.empty();
    std::move(page.begin(), page.end(), std::back_inserter(all));
    const std::string next = find_next_link(reply.headers.all("Link"));
    if (next.empty() || was_empty) return all;
    if (all.size() > max_list_entries) throw InvalidArgument("the registry's list does not end");
    Url url = resolve_url(reply.url, next);
    if (url.text == request.url.text) return all;
    request.url = std::move(url);
  }
}

std::vector<std::string> Registry::list_tags() {
  return with_context(concat("listing the tags of ", place()), [&] {
    return list_pages(request("GET", "tags/list"), {pull_scope(repository_)}, parse_tags);
  });
}

std::optional<std::vector<Descriptor>> Registry::read_referrers(const Digest& digest) {
  HttpRequest get = request("GET", "referrers/" + render(digest));
  get.headers.add("Accept", std::string(oci_index_type));
  const HttpReply reply = fetch(std::move(get), {pull_scope(repository_)}, max_manifest_bytes);
  // Who has no such list answers 404, or takes the path for something else.
  if (reply.status == 404 || media_type_of(reply.headers.get("Content-Type")) != oci_index_type) {
    return std::nullopt;
  }
  if (reply.status != 200) fail(reply);
  return parse_index(reply.body).manifests;
}

std::vector<Descriptor> Registry::list_referrers(const Digest& digest) {
  if (auto listed = with_context(concat("listing what refers to ", render(digest), " in ", place()),
                                 [&] { return read_referrers(digest); })) {
    return *std::move(listed);
  }
  try {
    return parse_index(get_manifest(concat(digest.algorithm, '-', digest.hex)).bytes).manifests;
  } catch (const NotFound&) {
    return {};
  }
}

// ---- writing ----

void Registry::put_manifest(const std::string& reference, const std::string& media_type,
                            const std::string& bytes) {
  with_context("writing manifest of " + name_of(reference), [&] {
    HttpRequest put = request("PUT", "manifests/" + reference);
    put.headers.add("Content-Type", media_type);
    put.body = bytes;
    const HttpReply reply = fetch(std::move(put), {push_scope(repository_)}, max_answer_bytes);
    if (reply.status / 100 != 2) fail(reply);
    if (const auto stored = promised_digest(reply.headers)) verify_digest(bytes, *stored, "the manifest");
  });
}

std::optional<Registry::UploadSession> Registry::start_upload(const std::string& query,
                                                              const Scopes& scopes) {
  const HttpReply reply = fetch(request("POST", "blobs/uploads/" + query), scopes, max_answer_bytes);
  if (reply.status == 201) return std::nullopt;
  if (reply.status != 202) fail(reply);
  const std::string location = reply.headers.get("Location");
  if (location.empty()) throw Error("the registry names no place to upload to");
  return UploadSession{resolve_url(reply.url, location)};
}

bool Registry::mount_blob(const Digest& digest, const std::string& from) {
  return with_context(concat("mounting blob ", render(digest), " of ", from, " in ", place()), [&] {
    const std::string query = concat("?mount=", escape_form(render(digest)), "&from=", escape_form(from));
    const auto session = start_upload(query, {push_scope(repository_), pull_scope(from)});
    // Where it cannot be mounted the registry has begun an upload.
    if (session) cancel_upload(*session);
    return !session;
  });
}

void Registry::cancel_upload(const UploadSession& session) noexcept {
  try {
    send_once({.method = "DELETE", .url = session.location});
  } catch (const Error&) {
    // The registry forgets it in time.
  }
}

Registry::UploadSession Registry::begin_upload() {
  return with_context(concat("beginning an upload to ", place()), [&] {
    std::optional<UploadSession> session = start_upload("", {push_scope(repository_)});
    if (!session) throw Error("the registry calls it done before it began");
    return *std::move(session);
  });
}

HttpReply Registry::send_once(HttpRequest request) {
  HttpStream stream = open(std::move(request), {push_scope(repository_)}, {.count = 0});
  HttpReply reply{stream.status(), stream.headers(), stream.url(), stream.read_all(max_answer_bytes)};
  if (reply.status / 100 == 2) return reply;
  const std::string words = describe_status(reply.status, reply.body);
  if (is_worth_repeating(reply.status)) throw TransferError(words, true, asked_delay(reply.headers));
  for (const int rejection : {400, 404, 411, 416, 501}) {
    if (reply.status == rejection) throw UploadRejected(words);
  }
  fail(reply);
}

void Registry::append_upload(UploadSession& session, const OpenBytes& open,
                             std::optional<std::uint64_t> size) {
  with_context(concat("uploading to ", place()), [&] {
    HttpRequest patch{.method = "PATCH", .url = session.location, .upload = open, .upload_size = size};
    patch.headers.add("Content-Type", "application/octet-stream");
    const HttpReply reply = send_once(std::move(patch));
    const std::string location = reply.headers.get("Location");
    if (!location.empty()) session.location = resolve_url(reply.url, location);
  });
}

void Registry::finish_upload(const UploadSession& session, const Digest& digest) {
  with_context(concat("uploading blob ", render(digest), " to ", place()), [&] {
    HttpRequest put{.method = "PUT", .url = add_query(session.location, "digest", render(digest))};
    put.patience = std::chrono::minutes(15);  // while the registry moves and verifies it
    send_once(std::move(put));
  });
}

std::optional<Registry::UploadSession> Registry::find_upload(const UploadSession& session) {
  try {
    const HttpReply reply = fetch({.url = session.location}, {push_scope(repository_)}, max_answer_bytes);
    const auto last = parse_upload_range(reply.headers.get("Range"));
    // "0-0" may mean one byte or none.
    if (reply.status / 100 != 2 || !last || *last == 0) return std::nullopt;
    const std::string location = reply.headers.get("Location");
    return UploadSession{location.empty() ? session.location : resolve_url(reply.url, location), *last + 1};
  } catch (const Error&) {
    return std::nullopt;  // the next request of the upload says what is wrong
  }
}

void Registry::upload_blob(const Digest& digest, const std::string& bytes) {
  for (int attempt = 1;; ++attempt) {
    const UploadSession session = begin_upload();
    try {
      return with_context(concat("uploading blob ", render(digest), " to ", place()), [&] {
        HttpRequest put{.method = "PUT", .url = add_query(session.location, "digest", render(digest))};
        put.headers.add("Content-Type", "application/octet-stream");
        put.body = bytes;
        put.patience = std::chrono::minutes(15);
        send_once(std::move(put));
      });
    } catch (const TransferError& error) {
      if (!error.is_transient() || attempt > options_.retry.count) throw;
      wait_before_retry(options_.retry, attempt, error.retry_after());
    }
  }
}

// ---- the registry as such ----

void Registry::check_login() {
  with_context(concat("logging in to ", options_.host), [&] {
    const HttpReply reply = fetch({.url = connect()}, {}, max_answer_bytes);
    if (reply.status != 200) fail(reply);
  });
}

std::vector<std::string> Registry::list_repositories() {
  return with_context(concat("listing the repositories of ", options_.host), [&] {
    return list_pages({.url = resolve_url(connect(), "_catalog")}, {catalog_scope}, parse_catalog);
  });
}

std::vector<SearchResult> Registry::search(const std::string& term, int limit) {
  // Docker's hub searches at the address it had before it became a registry.
  const Url base = options_.host == "docker.io" ? parse_url("https://index.docker.io/") : connect();
  Url url = add_query(add_query(resolve_url(base, "/v1/search"), "q", term), "n", std::to_string(limit));
  const HttpReply reply = with_context(concat("searching ", options_.host),
                                       [&] { return fetch({.url = std::move(url)}, {}, max_answer_bytes); });
  if (reply.status == 200) return parse_search(reply.body);
  std::vector<SearchResult> found;
  for (std::string& name : list_repositories()) {
    if (name.find(term) != std::string::npos) found.push_back({.name = std::move(name)});
  }
  if (found.size() > static_cast<std::size_t>(limit)) found.resize(static_cast<std::size_t>(limit));
  return found;
}

}  // namespace knarr::storage
