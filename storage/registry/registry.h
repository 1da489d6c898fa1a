// SPDX-License-Identifier: Apache-2.0
// One repository of one registry, by the OCI distribution specification (and what older registries of docker
// do). Errors name the host, the act and the cause.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/image/image_config_json.h"
#include "storage/registry/documents_json.h"
#include "storage/registry/http.h"
#include "storage/registry/token.h"

namespace knarr::storage {

struct RegistryOptions {
  std::string host;  // as references name it: "docker.io", "registry:5000"
  bool insecure = false;
  std::optional<Credentials> credentials;
  Certificates certificates;
  RetryPolicy retry;
};

struct FetchedManifest {
  std::string media_type;
  Digest digest;
  std::string bytes;
};

struct ManifestHead {
  std::string media_type;
  std::optional<Digest> digest;  // nullopt: the registry does not say
};

// The registry does not take what it was sent to an upload: it has forgotten it, has other bytes, or wants
// to know their number first.
class UploadRejected : public Error {
 public:
  using Error::Error;
};

// What a registry may be asked for, and which type a manifest has: by the Content-Type it came with, which
// must agree with what it says of itself. Throws InvalidArgument, Unsupported for what is no image manifest.
// Pure.
std::string manifest_type(std::string_view content_type, std::string_view bytes);

// Threads may share it. Connects with the first request: TLS, or plain HTTP where it is insecure and has no
// TLS. Must outlive the sources it gives.
class Registry {
 public:
  Registry(RegistryOptions options, std::string repository);

  const std::string& host() const { return options_.host; }
  const std::string& repository() const { return repository_; }
  std::string place() const { return options_.host + '/' + repository_; }

  // ---- reading ----

  // `reference`: a tag or a digest. The bytes are verified against the digest asked for, and against the one
  // the registry names. NotFound: "manifest unknown".
  FetchedManifest get_manifest(const std::string& reference);
  std::optional<ManifestHead> head_manifest(const std::string& reference);  // nullopt: there is none
  // From `offset` to `size`, fetched from the first read on, over broken connections; not verified.
  ByteSource open_blob(const Digest& digest, std::uint64_t size, std::uint64_t offset = 0);
  // One request of that, whatever its answer.
  HttpStream open_blob_at(const Digest& digest, std::uint64_t offset);
  // The whole of a small blob, verified.
  std::string get_blob(const Digest& digest, std::uint64_t size);
  std::vector<std::string> list_tags();
  // Manifests that refer to this one; by the fall-back tag where the registry has no such list.
  std::vector<Descriptor> list_referrers(const Digest& digest);

  // ---- writing ----

  // `reference`: a tag or a digest. Throws when the registry takes it for something else.
  void put_manifest(const std::string& reference, const std::string& media_type, const std::string& bytes);
  // With the rights to push.
  bool has_blob(const Digest& digest);
  // Whether the registry had the blob in its repository `from` and could let it be here too.
  bool mount_blob(const Digest& digest, const std::string& from);
  // A blob at hand, in one request.
  void upload_blob(const Digest& digest, const std::string& bytes);
  // A blob that is made while it is sent (upload_stream() does all of it): begin, append, finish. These two
  // make one attempt: what was taken must not be sent twice. They throw UploadRejected.
  struct UploadSession {
    Url location;
    std::uint64_t size = 0;  // so far
  };
  UploadSession begin_upload();
  // `size` of what `open` gives; nullopt: it ends when it ends, which some registries do not take.
  void append_upload(UploadSession& session, const OpenBytes& open, std::optional<std::uint64_t> size);
  void finish_upload(const UploadSession& session, const Digest& digest);
  // What has come of a session whose connection broke. nullopt: the registry does not know, or not for sure.
  std::optional<UploadSession> find_upload(const UploadSession& session);

  // ---- the registry as such ----

  // Throws unless the registry knows these credentials.
  void check_login();
  std::vector<std::string> list_repositories();
  // By the search of docker's first registries; where there is none, repositories whose name has `term`.
  std::vector<SearchResult> search(const std::string& term, int limit);

 private:
  Url connect();
  void ping(const Url& base);
  std::string name_of(const std::string& reference) const;  // NAME:TAG or NAME@DIGEST
  HttpRequest request(std::string method, const std::string& path_below_repository);
  HttpStream open(HttpRequest request, Scopes scopes, const RetryPolicy& retry);
  HttpReply fetch(HttpRequest request, Scopes scopes, std::size_t max_body);
  [[noreturn]] void fail(const HttpReply& reply) const;
  std::vector<std::string> list_pages(HttpRequest request, const Scopes& scopes,
                                      std::vector<std::string> (*parse)(std::string_view));
  std::optional<std::vector<Descriptor>> read_referrers(const Digest& digest);
  std::optional<UploadSession> start_upload(const std::string& query, const Scopes& scopes);
  void cancel_upload(const UploadSession& session) noexcept;
  HttpReply send_once(HttpRequest request);

  RegistryOptions options_;
  std::string repository_;
  HttpClient client_;
  Authorizer authorizer_;
  std::mutex mutex_;
  std::optional<Url> base_;  // https://host/v2/, once it has answered
};

}  // namespace knarr::storage
