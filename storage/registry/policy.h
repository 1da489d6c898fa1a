// SPDX-License-Identifier: Apache-2.0
// Which images may be taken from where, and whose signatures they need (containers-policy.json(5)).
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "rootless/sys/error.h"
#include "storage/reference.h"
#include "storage/registry/registries_conf.h"
#include "storage/transport.h"

namespace knarr::storage {

// What a signature has to say of the image's name.
enum class IdentityMatch {
  exact,
  repo_digest_or_exact,  // an image asked for by digest may be signed under any tag
  repository,
  exact_reference,
  exact_repository,
  remapped
};

struct SignedIdentity {
  IdentityMatch match = IdentityMatch::repo_digest_or_exact;
  Reference reference;                // exact_reference, exact_repository
  std::string prefix, signed_prefix;  // remapped
};

enum class RequirementType { accept_anything, reject, signed_by, sigstore_signed };

struct PolicyRequirement {
  RequirementType type = RequirementType::reject;
  std::vector<std::string> key_paths;
  std::vector<std::string> key_data;  // decoded
  SignedIdentity identity;
  std::string unsupported;  // a member that we cannot judge by, "fulcio"; the image is refused then
};
using PolicyRequirements = std::vector<PolicyRequirement>;

struct Policy {
  std::string file;  // empty: there is none
  PolicyRequirements default_requirements;
  std::map<std::string, std::map<std::string, PolicyRequirements>> transports;  // transport → scope
};

// Pure. Unknown, double and missing members are errors that name their place: a policy that is not understood
// protects nothing. Throws InvalidArgument.
Policy parse_policy(std::string_view json, const std::string& file);
// `file`: --signature-policy; empty: ~/.config/containers/policy.json or else /etc/containers/policy.json,
// /usr/share/containers/policy.json. Without any of them everything is accepted.
Policy load_policy(const ConfigPlaces& places, const std::string& file);

// The scopes of an image in a registry, most specific first: itself, its repository, the namespaces and hosts
// around it, "*.host". Pure.
std::vector<std::string> registry_scopes(const Reference& reference);

struct PolicyScope {
  const PolicyRequirements& requirements;
  std::string name;  // for errors: "default", "docker", "docker:quay.io/team"
};
PolicyScope find_scope(const Policy& policy, const std::string& transport,
                       const std::vector<std::string>& scopes);

// A signature of cosign: `signature` (base64) is over the bytes of `payload`, a "simple signing" document.
struct SigstoreSignature {
  std::string payload;
  std::string signature;
};

// What such a document claims: this manifest is the image of that name.
struct SignatureClaim {
  Digest manifest;
  std::string name;
};
// `type`: what the document must call itself. Strict as the policy is. Throws InvalidArgument.
SignatureClaim parse_signature_claim(std::string_view json, std::string_view type);

// Whether a signature for `signed_name` is one for `reference`. Pure.
bool matches_identity(const SignedIdentity& identity, const Reference& reference,
                      const std::string& signed_name);

// Whether `signature` (raw) over `message` is by the key: PEM, of ECDSA, RSA (PKCS #1 v1.5), both with
// SHA-256, or Ed25519. Throws InvalidArgument for what is no such key.
bool verify_signature(const std::string& pem_key, std::string_view message, std::string_view signature);

// The scopes of an image in a file or directory (`name.path` is absolute), most specific first: itself, and
// the directories around it. A docker-archive has none. Pure.
std::vector<std::string> transport_scopes(const TransportName& name);

// An image that is to be taken in.
struct PolicySubject {
  std::string transport = "docker";
  Reference reference;  // full, as the user asked for it: not a mirror's
  std::string_view manifest;
  // Called only when the policy asks for such signatures; each throws what fetching throws.
  std::function<std::vector<SigstoreSignature>()> fetch_sigstore_signatures;
  // Simple ones, which are messages of OpenPGP that hold what they sign.
  std::function<std::vector<std::string>()> fetch_simple_signatures;
};

// The image may not be taken in.
class PolicyRejection : public Error {
 public:
  using Error::Error;
};
// Throws PolicyRejection that names the file, the scope and the reason.
void check_policy(const Policy& policy, const PolicySubject& subject);
// The same for an image that has no signatures: one that is not in a registry. Of standard input the path is
// empty.
void check_transport_policy(const Policy& policy, const TransportName& name);
// The same for a tree that becomes an image: "tarball" is what the other engines call that transport.
void check_import_policy(const Policy& policy, const std::string& path);

}  // namespace knarr::storage
