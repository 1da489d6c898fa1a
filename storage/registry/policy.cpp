// SPDX-License-Identifier: Apache-2.0
#include "storage/registry/policy.h"

#include "rootless/sys/file.h"
#include "storage/content/base64.h"
#include "storage/content/hash.h"
#include "storage/registry/openpgp.h"

namespace knarr::storage {
namespace {

// ---- identities ----

std::string repository_of(const Reference& reference) {
  return concat(reference.domain, '/', reference.path);
}

bool names_image(const Reference& reference) {
  return !reference.tag.empty() || reference.digest.has_value();
}

Reference parse_signed_name(const std::string& name) {
  Reference reference = parse_reference(name);
  if (reference.domain.empty()) reference.domain = "docker.io";
  Reference full = normalize(reference);
  if (!names_image(reference)) full.tag.clear();
  return full;
}

bool matches_repo_digest_or_exact(const Reference& wanted, const Reference& claimed) {
  if (!names_image(claimed)) return false;
  if (!wanted.tag.empty()) return claimed == wanted;
  return wanted.digest && repository_of(claimed) == repository_of(wanted);
}

Reference remap(const SignedIdentity& identity, const Reference& reference) {
  const std::string repository = repository_of(reference);
  const std::string& prefix = identity.prefix;
  const bool matches = repository.starts_with(prefix) &&
                       (repository.size() == prefix.size() || repository[prefix.size()] == '/');
  if (!matches) return reference;
  return parse_reference(identity.signed_prefix + render(reference).substr(prefix.size()));
}

// ---- evaluation ----

constexpr std::string_view cosign_type = "cosign container image signature";
constexpr std::string_view simple_type = "atomic container signature";
constexpr std::string_view no_signature = "a signature was required, but there is none";

class Judge {
 public:
  Judge(const Policy& policy, const PolicySubject& subject)
      : subject_(subject),
        scope_(find_scope(policy, subject.transport, registry_scopes(subject.reference))),
        file_(policy.file) {}

  void check() const {
    for (const PolicyRequirement& requirement : scope_.requirements) check(requirement);
  }

 private:
  void check(const PolicyRequirement& requirement) const {
    if (!requirement.unsupported.empty())
      reject(concat("it asks for ", requirement.unsupported, ", which is not supported"));
    switch (requirement.type) {
      case RequirementType::accept_anything:
        return;
      case RequirementType::reject:
        reject("it rejects all images");
      case RequirementType::signed_by:
        return check_signed_by(requirement);
      case RequirementType::sigstore_signed:
        return check_sigstore(requirement);
    }
  }

  [[noreturn]] void reject(std::string_view reason) const {
    throw PolicyRejection(concat("image ", render(subject_.reference), " is rejected by the policy for \"",
                                 scope_.name, "\" in ", file_, ": ", reason));
  }

  void check_sigstore(const PolicyRequirement& requirement) const {
    const std::vector<std::string> keys = read_keys(requirement);
    require_good_one(subject_.fetch_sigstore_signatures(), [&](const SigstoreSignature& signature) {
      return why_sigstore_refused(requirement, keys, signature);
    });
  }

  void check_signed_by(const PolicyRequirement& requirement) const {
    std::vector<std::string> keys = read_keys(requirement);
    for (std::string& key : keys) key = read_openpgp_keys(key);
    require_good_one(subject_.fetch_simple_signatures(), [&](const std::string& signature) {
      return why_simple_refused(requirement, keys, signature);
    });
  }

  // One good signature is enough. `why_refused`: empty when it is one.
  template <typename Signature, typename WhyRefused>
  void require_good_one(const std::vector<Signature>& signatures, const WhyRefused& why_refused) const {
    std::string reasons;
    for (const Signature& signature : signatures) {
      const std::string reason = why_refused(signature);
      if (reason.empty()) return;
      reasons += concat(reasons.empty() ? "" : "; ", reason);
    }
    reject(reasons.empty() ? std::string(no_signature)
                           : concat("none of the signatures was accepted: ", reasons));
  }

  static std::vector<std::string> read_keys(const PolicyRequirement& requirement) {
    std::vector<std::string> keys = requirement.key_data;
    for (const std::string& path : requirement.key_paths) keys.push_back(sys::read_file(AT_FDCWD, path));
    return keys;
  }

  // Nothing in the payload is looked at before its signature is verified.
  std::string why_sigstore_refused(const PolicyRequirement& requirement, const std::vector<std::string>& keys,
                                   const SigstoreSignature& signature) const {
    const auto raw = decode_base64(signature.signature);
    if (!raw) return "a signature is no base64";
    if (!is_by_one_of(keys, signature.payload, *raw)) return "a signature is not by a key of the policy";
    return why_payload_differs(requirement, signature.payload, cosign_type);
  }

  std::string why_simple_refused(const PolicyRequirement& requirement, const std::vector<std::string>& keys,
                                 const std::string& signature) const {
    const SignedMessage message = open_signed_message(signature, keys);
    if (!message.refusal.empty()) return "of a signature: " + message.refusal;
    return why_payload_differs(requirement, message.content, simple_type);
  }

  std::string why_payload_differs(const PolicyRequirement& requirement, const std::string& payload,
                                  std::string_view type) const {
    try {
      return why_claim_differs(requirement, parse_signature_claim(payload, type));
    } catch (const InvalidArgument& error) {
      return error.message();
    }
  }

  static bool is_by_one_of(const std::vector<std::string>& keys, std::string_view payload,
                           std::string_view signature) {
    for (const std::string& key : keys) {
      if (verify_signature(key, payload, signature)) return true;
    }
    return false;
  }

  std::string why_claim_differs(const PolicyRequirement& requirement, const SignatureClaim& claim) const {
    const Digest digest = digest_of(subject_.manifest, claim.manifest.algorithm);
    if (digest != claim.manifest)
      return concat("a signature is for ", render(claim.manifest), ", not ", render(digest));
    if (!matches_identity(requirement.identity, subject_.reference, claim.name)) {
      return concat("a signature is for the name ", claim.name);
    }
    return {};
  }

  const PolicySubject& subject_;
  PolicyScope scope_;
  std::string file_;
};

// Of what has no signatures.
void require_unsigned(const Policy& policy, const PolicyScope& scope, const std::string& what) {
  for (const PolicyRequirement& requirement : scope.requirements) {
    if (requirement.type == RequirementType::accept_anything && requirement.unsupported.empty()) continue;
    const bool is_reject = requirement.type == RequirementType::reject;
    throw PolicyRejection(concat("image ", what, " is rejected by the policy for \"", scope.name, "\" in ",
                                 policy.file, ": ", is_reject ? "it rejects all images" : no_signature));
  }
}

}  // namespace

Policy load_policy(const ConfigPlaces& places, const std::string& file) {
  const std::string chosen = file.empty() ? places.variable("CONTAINERS_SIGNATURE_POLICY") : file;
  if (!chosen.empty()) return parse_policy(sys::read_file(AT_FDCWD, chosen), chosen);
  for (const std::string& directory : {places.config_home + "/containers", places.system, places.vendor}) {
    const std::string path = directory + "/policy.json";
    if (const auto text = sys::read_file_if_exists(AT_FDCWD, path)) return parse_policy(*text, path);
  }
  // The other engines refuse to work then; people write this very policy to make them go on.
  Policy policy;
  policy.default_requirements = {{.type = RequirementType::accept_anything}};
  return policy;
}

std::vector<std::string> registry_scopes(const Reference& reference) {
  std::vector<std::string> scopes;
  std::string name = repository_of(reference);
  if (reference.digest) scopes.push_back(concat(name, '@', render(*reference.digest)));
  if (!reference.tag.empty()) scopes.push_back(concat(name, ':', reference.tag));
  for (;;) {
    scopes.push_back(name);
    const std::size_t slash = name.rfind('/');
    if (slash == std::string::npos) break;
    name.resize(slash);
  }
  name = name.substr(0, name.find(':'));
  for (std::size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1)) {
    scopes.push_back(concat("*", name.substr(dot)));
  }
  return scopes;
}

PolicyScope find_scope(const Policy& policy, const std::string& transport,
                       const std::vector<std::string>& scopes) {
  const auto known = policy.transports.find(transport);
  if (known == policy.transports.end()) return {policy.default_requirements, "default"};
  for (const std::string& scope : scopes) {
    const auto found = known->second.find(scope);
    if (found != known->second.end()) return {found->second, concat(transport, ':', scope)};
  }
  const auto all = known->second.find("");
  if (all != known->second.end()) return {all->second, transport};
  return {policy.default_requirements, "default"};
}

bool matches_identity(const SignedIdentity& identity, const Reference& reference,
                      const std::string& signed_name) {
  const Reference claimed = parse_signed_name(signed_name);
  switch (identity.match) {
    case IdentityMatch::exact:
      return names_image(claimed) && claimed == reference;
    case IdentityMatch::repo_digest_or_exact:
      return matches_repo_digest_or_exact(reference, claimed);
    case IdentityMatch::repository:
      return repository_of(claimed) == repository_of(reference);
    case IdentityMatch::exact_reference:
      return claimed == identity.reference;
    case IdentityMatch::exact_repository:
      return repository_of(claimed) == repository_of(identity.reference);
    case IdentityMatch::remapped:
      return matches_repo_digest_or_exact(remap(identity, reference), claimed);
  }
  return false;
}

void check_policy(const Policy& policy, const PolicySubject& subject) {
  Judge(policy, subject).check();
}

std::vector<std::string> transport_scopes(const TransportName& name) {
  std::vector<std::string> scopes;
  if (name.transport == Transport::docker_archive || name.transport == Transport::containers_storage)
    return scopes;
  if (!name.reference.empty()) scopes.push_back(concat(name.path, ':', name.reference));
  for (std::string path = name.path; path.size() > 1; path.resize(path.rfind('/'))) scopes.push_back(path);
  return scopes;
}

void check_transport_policy(const Policy& policy, const TransportName& name) {
  const std::string transport(transport_name(name.transport));
  require_unsigned(policy, find_scope(policy, transport, transport_scopes(name)),
                   concat(transport, ':', name.path.empty() ? "-" : name.path));
}

void check_import_policy(const Policy& policy, const std::string& path) {
  require_unsigned(policy, find_scope(policy, "tarball", {}), path);
}

}  // namespace knarr::storage
