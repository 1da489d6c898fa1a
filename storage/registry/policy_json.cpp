// SPDX-License-Identifier: Apache-2.0
// policy.json, and the documents that signatures sign.
#include <algorithm>
#include <set>

#include "storage/content/base64.h"
#include "storage/meta/json_reader.h"
#include "storage/registry/policy.h"

namespace knarr::storage {
namespace {

// ---- strictness ----

// Of equal members one would count and a reader might look at the other.
void refuse_double_members(std::string_view text, const std::string& file) {
  std::vector<std::set<std::string>> open_objects;
  const auto look = [&](int, Json::parse_event_t event, const Json& value) {
    if (event == Json::parse_event_t::object_start) open_objects.emplace_back();
    if (event == Json::parse_event_t::object_end) open_objects.pop_back();
    if (event == Json::parse_event_t::key && !open_objects.back().insert(value.get<std::string>()).second) {
      throw InvalidArgument(concat(file, ": member \"", value.get<std::string>(), "\" is there twice"));
    }
    return true;
  };
  [[maybe_unused]] const Json ignored = Json::parse(text, look);
}

Json parse_strictly(std::string_view text, const std::string& name) {
  Json document = parse_json(text, name);  // bounds length and depth first
  refuse_double_members(text, name);
  return document;
}

void allow_members(const JsonReader& object, std::initializer_list<std::string_view> allowed) {
  for (const auto& [key, value] : object.as_object()) {
    if (std::find(allowed.begin(), allowed.end(), key) == allowed.end()) value.fail("unknown member");
  }
}

// ---- identities ----

// As docker has it, a name without a registry is docker.io's.
Reference read_docker_name(const JsonReader& text) {
  try {
    Reference reference = parse_reference(text.as_string());
    if (reference.domain.empty()) reference.domain = "docker.io";
    const bool names_image = !reference.tag.empty() || reference.digest;
    reference = normalize(reference);
    if (!names_image) reference.tag.clear();
    return reference;
  } catch (const InvalidArgument& error) {
    text.fail(error.message());
  }
}

std::string read_prefix(const JsonReader& text) {
  const std::string prefix = text.as_string();
  const std::size_t slash = prefix.find('/');
  if (prefix.empty()) text.fail("must not be empty");
  if (slash == std::string::npos) return prefix;
  const Reference reference = read_docker_name(text);
  if (!reference.tag.empty() || reference.digest) text.fail("must have no tag and no digest");
  if (reference.domain != prefix.substr(0, slash)) text.fail("must begin with a registry");
  return prefix;
}

SignedIdentity read_identity(const JsonReader& reader) {
  static const std::map<std::string, IdentityMatch> matches = {
      {"matchExact", IdentityMatch::exact},
      {"matchRepoDigestOrExact", IdentityMatch::repo_digest_or_exact},
      {"matchRepository", IdentityMatch::repository},
      {"exactReference", IdentityMatch::exact_reference},
      {"exactRepository", IdentityMatch::exact_repository},
      {"remapIdentity", IdentityMatch::remapped}};
  const JsonReader type = reader.get("type");
  const auto found = matches.find(type.as_string());
  if (found == matches.end()) type.fail(concat("unknown type \"", type.as_string(), '"'));
  SignedIdentity identity{.match = found->second};
  switch (identity.match) {
    case IdentityMatch::exact_reference:
      allow_members(reader, {"type", "dockerReference"});
      identity.reference = read_docker_name(reader.get("dockerReference"));
      if (identity.reference.tag.empty() && !identity.reference.digest) {
        reader.get("dockerReference").fail("needs a tag or a digest");
      }
      break;
    case IdentityMatch::exact_repository:
      allow_members(reader, {"type", "dockerRepository"});
      identity.reference = read_docker_name(reader.get("dockerRepository"));
      break;
    case IdentityMatch::remapped:
      allow_members(reader, {"type", "prefix", "signedPrefix"});
      identity.prefix = read_prefix(reader.get("prefix"));
      identity.signed_prefix = read_prefix(reader.get("signedPrefix"));
      break;
    default:
      allow_members(reader, {"type"});
  }
  return identity;
}

// ---- requirements ----

std::string read_base64(const JsonReader& text) {
  const auto bytes = decode_base64(text.as_string());
  if (!bytes) text.fail("is no base64");
  return *bytes;
}

void read_keys(const JsonReader& reader, PolicyRequirement& requirement) {
  int ways = 0;
  if (const auto path = reader.find("keyPath")) {
    ++ways;
    requirement.key_paths = {path->as_string()};
  }
  if (const auto paths = reader.find("keyPaths")) {
    ++ways;
    requirement.key_paths = paths->as_strings();
    if (requirement.key_paths.empty()) paths->fail("must not be empty");
  }
  if (const auto data = reader.find("keyData")) {
    ++ways;
    requirement.key_data = {read_base64(*data)};
  }
  if (const auto all = reader.find("keyDatas")) {
    ++ways;
    for (const JsonReader& data : all->as_array()) requirement.key_data.push_back(read_base64(data));
    if (requirement.key_data.empty()) all->fail("must not be empty");
  }
  if (ways > 1) reader.fail("exactly one of keyPath, keyPaths, keyData and keyDatas is possible");
  if (ways == 0 && requirement.unsupported.empty()) reader.fail("needs keyPath, keyPaths or keyData");
}

void read_signed_by(const JsonReader& reader, PolicyRequirement& requirement) {
  allow_members(reader, {"type", "keyType", "keyPath", "keyPaths", "keyData", "signedIdentity"});
  const JsonReader type = reader.get("keyType");
  if (type.as_string() != "GPGKeys") type.fail("only GPGKeys is possible");
  read_keys(reader, requirement);
}

void read_sigstore_signed(const JsonReader& reader, PolicyRequirement& requirement) {
  allow_members(reader,
                {"type", "keyPath", "keyPaths", "keyData", "keyDatas", "fulcio", "pki", "rekorPublicKeyPath",
                 "rekorPublicKeyPaths", "rekorPublicKeyData", "rekorPublicKeyDatas", "signedIdentity"});
  for (const char* member : {"fulcio", "pki", "rekorPublicKeyPath", "rekorPublicKeyPaths",
                             "rekorPublicKeyData", "rekorPublicKeyDatas"}) {
    if (requirement.unsupported.empty() && reader.has(member)) requirement.unsupported = member;
  }
  read_keys(reader, requirement);
}

PolicyRequirement read_requirement(const JsonReader& reader) {
  const JsonReader type_reader = reader.get("type");
  const std::string type = type_reader.as_string();
  PolicyRequirement requirement;
  if (type == "insecureAcceptAnything") {
    requirement.type = RequirementType::accept_anything;
    allow_members(reader, {"type"});
  } else if (type == "reject") {
    allow_members(reader, {"type"});
  } else if (type == "signedBy") {
    requirement.type = RequirementType::signed_by;
    read_signed_by(reader, requirement);
  } else if (type == "sigstoreSigned") {
    requirement.type = RequirementType::sigstore_signed;
    read_sigstore_signed(reader, requirement);
  } else {
    type_reader.fail(concat("unknown type \"", type, '"'));
  }
  if (const auto identity = reader.find("signedIdentity")) requirement.identity = read_identity(*identity);
  return requirement;
}

PolicyRequirements read_requirements(const JsonReader& reader) {
  PolicyRequirements requirements;
  for (const JsonReader& element : reader.as_array()) requirements.push_back(read_requirement(element));
  // None at all would accept everything, which has a name of its own.
  if (requirements.empty()) reader.fail("the list of requirements must not be empty");
  return requirements;
}

}  // namespace

Policy parse_policy(std::string_view json, const std::string& file) {
  const Json document = parse_strictly(json, file);
  const JsonReader reader(document, file);
  allow_members(reader, {"default", "transports"});
  Policy policy;
  policy.file = file;
  policy.default_requirements = read_requirements(reader.get("default"));
  const auto transports = reader.find("transports");
  if (!transports) return policy;
  for (const auto& [transport, scopes] : transports->as_object()) {
    for (const auto& [scope, requirements] : scopes.as_object()) {
      policy.transports[transport][scope] = read_requirements(requirements);
    }
  }
  return policy;
}

SignatureClaim parse_signature_claim(std::string_view json, std::string_view type) {
  constexpr const char* name = "signature";
  const Json document = parse_strictly(json, name);
  const JsonReader reader(document, name);
  allow_members(reader, {"critical", "optional"});
  const JsonReader critical = reader.get("critical");
  allow_members(critical, {"type", "image", "identity"});
  if (critical.get("type").as_string() != type) critical.get("type").fail(concat("expected \"", type, '"'));
  const JsonReader image = critical.get("image");
  allow_members(image, {"docker-manifest-digest"});
  const JsonReader identity = critical.get("identity");
  allow_members(identity, {"docker-reference"});
  const auto digest = parse_digest(image.get("docker-manifest-digest").as_string());
  if (!digest) image.get("docker-manifest-digest").fail("is no digest");
  return {*digest, identity.get("docker-reference").as_string()};
}

}  // namespace knarr::storage
