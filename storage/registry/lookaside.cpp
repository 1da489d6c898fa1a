// SPDX-License-Identifier: Apache-2.0
#include "storage/registry/lookaside.h"

#include <algorithm>
#include <optional>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "storage/registry/documents_json.h"
#include "storage/registry/policy.h"

namespace knarr::storage {
namespace {

constexpr std::string_view file_scheme = "file://";
constexpr std::size_t max_signature_bytes = 4u << 20;
// Each is a request and a verification.
constexpr int max_signatures = 128;

std::optional<std::string> read_file_url(const std::string& url) {
  return sys::read_file_if_exists(AT_FDCWD, url.substr(file_scheme.size()), max_signature_bytes);
}

class SignatureReader {
 public:
  explicit SignatureReader(const RetryPolicy& retry) : retry_(retry), client_({}) {}

  // nullopt: there is none.
  std::optional<std::string> read(const std::string& url) {
    return with_context("reading signature " + url, [&]() -> std::optional<std::string> {
      if (url.starts_with(file_scheme)) return read_file_url(url);
      HttpReply reply = fetch_with_retries(client_, {.url = parse_url(url)}, max_signature_bytes, retry_);
      if (reply.status == 404) return std::nullopt;
      if (reply.status != 200) throw Error(describe_status(reply.status, reply.body));
      return std::move(reply.body);
    });
  }

 private:
  RetryPolicy retry_;
  HttpClient client_;
};

// Nobody has said where signatures are: they are where the other engines put those they make.
std::string own_directory(const ConfigPlaces& places) {
  return concat(file_scheme, places.rootful ? "/var/lib" : places.home + "/.local/share",
                "/containers/sigstore");
}

}  // namespace

LookasideConfig load_lookaside_config(const ConfigPlaces& places) {
  LookasideConfig config;
  for (const std::string& base : {places.config_home + "/containers", places.system, places.vendor}) {
    const std::string directory = base + "/registries.d";
    if (!sys::stat_at(AT_FDCWD, directory)) continue;
    std::vector<std::string> names = sys::list_directory(AT_FDCWD, directory);
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) {
      if (!name.ends_with(".yaml")) continue;
      const std::string file = concat(directory, '/', name);
      merge_registries_d(config, sys::read_file(AT_FDCWD, file), file);
    }
    break;
  }
  return config;
}

std::string lookaside_url(const LookasideConfig& config, const ConfigPlaces& places, const Reference& name,
                          const Digest& manifest) {
  std::string base = config.fallback;
  for (const std::string& scope : registry_scopes(name)) {
    const auto found = config.places.find(scope);
    if (found == config.places.end()) continue;
    base = found->second;
    break;
  }
  if (base.empty()) base = own_directory(places);
  while (base.ends_with('/')) base.pop_back();
  return concat(base, '/', name.path, '@', manifest.algorithm, '=', manifest.hex);
}

std::vector<std::string> fetch_simple_signatures(const ConfigPlaces& places, const Reference& name,
                                                 const Digest& manifest, const RetryPolicy& retry) {
  const std::string url = lookaside_url(load_lookaside_config(places), places, name, manifest);
  SignatureReader reader(retry);
  std::vector<std::string> signatures;
  for (int number = 1;; ++number) {
    auto signature = reader.read(concat(url, "/signature-", number));
    if (!signature) return signatures;
    if (number > max_signatures)
      throw InvalidArgument(concat("image has more than ", max_signatures, " signatures"));
    signatures.push_back(*std::move(signature));
  }
}

}  // namespace knarr::storage
