// SPDX-License-Identifier: Apache-2.0
#include "storage/registry/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/content/base64.h"
#include "storage/content/hash.h"
#include "tests/unit/storage/error_text.h"
#include "tests/unit/storage/signing_key.h"
#include "tests/unit/storage/temporary_store.h"

namespace knarr::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string hex64(64, 'a');
const std::string accept = R"([{"type":"insecureAcceptAnything"}])";

Policy parse(const std::string& json) {
  return parse_policy(json, "policy.json");
}
std::string refusal(const std::string& json) {
  return error_text<InvalidArgument>([&] { parse(json); });
}
// A policy of this one requirement.
std::string requiring(const std::string& requirement) {
  return concat(R"({"default":[)", requirement, "]}");
}

// ---- documents ----

TEST(Policy, TheMostSpecificScopeCounts) {
  const Policy policy =
      parse(concat(R"({"default":[{"type":"reject"}],"transports":{"docker":{)", R"("":)", accept,
                   R"(,"quay.io":[{"type":"reject"}],"quay.io/team":)", accept,
                   R"(,"quay.io/team/app:1":[{"type":"reject"}],"*.corp.test":)", accept, "}}}"));
  const auto scope = [&](const std::string& name, const std::string& transport = "docker") {
    return find_scope(policy, transport, registry_scopes(normalize(parse_reference(name)))).name;
  };
  EXPECT_EQ(scope("quay.io/other/app"), "docker:quay.io");
  EXPECT_EQ(scope("quay.io/team/app:2"), "docker:quay.io/team");
  EXPECT_EQ(scope("quay.io/teams"), "docker:quay.io");
  EXPECT_EQ(scope("quay.io/team/app:1"), "docker:quay.io/team/app:1");
  EXPECT_EQ(scope("quay.io:5000/team/app"), "docker");
  EXPECT_EQ(scope("a.b.corp.test:5000/x"), "docker:*.corp.test");
  EXPECT_EQ(scope("corp.test/x"), "docker");
  EXPECT_EQ(scope("quay.io/team/app", "oci"), "default");
}

TEST(RegistryScopes, GoFromTheImageToEveryHost) {
  EXPECT_THAT(registry_scopes(parse_reference("a.b.test:5000/team/app:1")),
              ElementsAre("a.b.test:5000/team/app:1", "a.b.test:5000/team/app", "a.b.test:5000/team",
                          "a.b.test:5000", "*.b.test", "*.test"));
  EXPECT_THAT(registry_scopes(parse_reference("localhost/app@sha256:" + hex64)),
              ElementsAre("localhost/app@sha256:" + hex64, "localhost/app", "localhost"));
}

TEST(Policy, WhatIsNotUnderstoodIsRefused) {
  EXPECT_THAT(refusal("{}"), HasSubstr("policy.json.default"));
  EXPECT_THAT(refusal("[]"), HasSubstr("policy.json"));
  EXPECT_THAT(refusal(R"({"default":[]})"), HasSubstr("must not be empty"));
  EXPECT_EQ(refusal(concat(R"({"default":)", accept, R"(,"defualt":1})")),
            "policy.json.defualt: unknown member");
  EXPECT_EQ(refusal(concat(R"({"default":)", accept, R"(,"default":)", accept, "}")),
            "policy.json: member \"default\" is there twice");
  EXPECT_EQ(refusal(requiring(R"({"type":"insecureAcceptAnything","keyPath":"/x"})")),
            "policy.json.default[0].keyPath: unknown member");
  EXPECT_THAT(refusal(requiring(R"({"type":"acceptAnything"})")),
              HasSubstr("unknown type \"acceptAnything\""));
  EXPECT_THAT(refusal(concat(R"({"default":)", accept, R"(,"transports":{"docker":{"quay.io":[]}}})")),
              HasSubstr("policy.json.transports.docker"));
}

TEST(Policy, KeysAreNamedInOneWay) {
  EXPECT_THAT(refusal(requiring(R"({"type":"sigstoreSigned"})")), HasSubstr("needs keyPath"));
  EXPECT_THAT(refusal(requiring(R"({"type":"sigstoreSigned","keyPath":"/x","keyData":"YQ=="})")),
              HasSubstr("exactly one of"));
  EXPECT_THAT(refusal(requiring(R"({"type":"sigstoreSigned","keyData":"!"})")), HasSubstr("is no base64"));
  EXPECT_THAT(refusal(requiring(R"({"type":"sigstoreSigned","keyPaths":[]})")),
              HasSubstr("must not be empty"));
  EXPECT_THAT(refusal(requiring(R"({"type":"signedBy","keyPath":"/x"})")), HasSubstr("keyType"));
  EXPECT_THAT(refusal(requiring(R"({"type":"signedBy","keyType":"X509Certificates","keyPath":"/x"})")),
              HasSubstr("only GPGKeys is possible"));
  const PolicyRequirement read =
      parse(requiring(R"({"type":"signedBy","keyType":"GPGKeys","keyPaths":["/a","/b"]})"))
          .default_requirements[0];
  EXPECT_THAT(read.key_paths, ElementsAre("/a", "/b"));
  EXPECT_EQ(read.identity.match, IdentityMatch::repo_digest_or_exact);
}

TEST(Policy, IdentitiesAreCheckedWhenRead) {
  const auto identity = [](const std::string& json) {
    return requiring(concat(R"({"type":"sigstoreSigned","keyPath":"/x","signedIdentity":)", json, "}"));
  };
  EXPECT_THAT(refusal(identity(R"({"type":"matchSome"})")), HasSubstr("unknown type \"matchSome\""));
  EXPECT_THAT(refusal(identity(R"({"type":"matchExact","prefix":"a"})")),
              HasSubstr("prefix: unknown member"));
  EXPECT_THAT(refusal(identity(R"({"type":"exactReference","dockerReference":"a.test/x"})")),
              HasSubstr("needs a tag or a digest"));
  EXPECT_THAT(refusal(identity(R"({"type":"exactRepository"})")), HasSubstr("dockerRepository"));
  EXPECT_THAT(refusal(identity(R"({"type":"remapIdentity","prefix":"a.test/x:1","signedPrefix":"b.test"})")),
              HasSubstr("no tag and no digest"));
  EXPECT_NO_THROW(
      parse(identity(R"({"type":"remapIdentity","prefix":"a.test:5000","signedPrefix":"b.test/x"})")));
}

TEST(PolicyFile, TheUsersComesFirstAndNoneAcceptsAll) {
  const TemporaryDirectory directory;
  const std::string& top = directory.path();
  ConfigPlaces places;
  places.config_home = top + "/config";
  places.system = top + "/etc";
  places.vendor = top + "/usr";
  const auto write = [&](const std::string& path) {
    sys::make_directories(AT_FDCWD, path.substr(0, path.rfind('/')), 0755);
    sys::replace_file(AT_FDCWD, path, requiring(R"({"type":"reject"})"), 0644, sys::Durability::none);
    return path;
  };
  EXPECT_EQ(load_policy(places, "").file, "");
  EXPECT_NO_THROW(check_policy(load_policy(places, ""), {.reference = parse_reference("a.test/x:1")}));
  const std::string system = write(top + "/etc/policy.json");
  EXPECT_EQ(load_policy(places, "").file, system);
  const std::string user = write(top + "/config/containers/policy.json");
  EXPECT_EQ(load_policy(places, "").file, user);
  EXPECT_EQ(load_policy(places, write(top + "/given.json")).file, top + "/given.json");
  EXPECT_THAT(error_text<SysError>([&] { load_policy(places, top + "/none.json"); }), HasSubstr("none.json"));
}

// ---- identities ----

TEST(MatchesIdentity, IsWhatTheManualSays) {
  const std::string digest = "@sha256:" + hex64;
  struct Case {
    SignedIdentity identity;
    std::string wanted, claimed;
    bool matches;
  };
  const auto is = [](IdentityMatch match) { return SignedIdentity{.match = match}; };
  const auto reference = [](IdentityMatch match, const std::string& text) {
    return SignedIdentity{.match = match, .reference = parse_reference(text)};
  };
  const auto remapping = [](const std::string& prefix, const std::string& signed_prefix) {
    return SignedIdentity{.match = IdentityMatch::remapped, .prefix = prefix, .signed_prefix = signed_prefix};
  };
  using enum IdentityMatch;
  for (const Case& one : std::vector<Case>{
           {is(exact), "a.test/x:1", "a.test/x:1", true},
           {is(exact), "a.test/x:1", "a.test/x:2", false},
           {is(exact), "a.test/x:1", "a.test/x", false},
           {is(exact), "a.test/x" + digest, "a.test/x:1", false},
           {is(exact), "docker.io/library/x:1", "x:1", true},
           {is(repo_digest_or_exact), "a.test/x:1", "a.test/x:1", true},
           {is(repo_digest_or_exact), "a.test/x:1", "a.test/x:2", false},
           {is(repo_digest_or_exact), "a.test/x:1", "a.test/x", false},
           {is(repo_digest_or_exact), "a.test/x" + digest, "a.test/x:2", true},
           {is(repo_digest_or_exact), "a.test/x" + digest, "a.test/x", false},
           {is(repo_digest_or_exact), "a.test/x" + digest, "a.test/y:2", false},
           {is(repo_digest_or_exact), "a.test/x:1" + digest, "a.test/x:2", false},
           {is(repository), "a.test/x:1", "a.test/x", true},
           {is(repository), "a.test/x:1", "a.test/x:9", true},
           {is(repository), "a.test/x:1", "b.test/x:1", false},
           {reference(exact_reference, "v.test/x:1"), "a.test/x:1", "v.test/x:1", true},
           {reference(exact_reference, "v.test/x:1"), "a.test/x:1", "v.test/x:2", false},
           {reference(exact_repository, "v.test/x"), "a.test/x:1", "v.test/x:2", true},
           {reference(exact_repository, "v.test/x"), "a.test/x:1", "v.test/y:2", false},
           {remapping("m.test:5000/v", "v.test"), "m.test:5000/v/app:1", "v.test/app:1", true},
           {remapping("m.test:5000/v", "v.test"), "m.test:5000/v/app:1", "m.test:5000/v/app:1", false},
           {remapping("m.test:5000/v", "v.test"), "m.test:5000/vv/app:1", "m.test:5000/vv/app:1", true},
           {remapping("m.test:5000/v", "v.test"), "m.test:5000/v/app" + digest, "v.test/app:7", true},
       }) {
    EXPECT_EQ(matches_identity(one.identity, parse_reference(one.wanted), one.claimed), one.matches)
        << one.wanted << " signed as " << one.claimed;
  }
}

// ---- signatures ----

std::string claim(const std::string& manifest, const std::string& name,
                  const std::string& type = "cosign container image signature") {
  return concat(R"({"critical":{"identity":{"docker-reference":")", name,
                R"("},"image":{"docker-manifest-digest":")", render(digest_of(manifest)), R"("},"type":")",
                type, R"("},"optional":{"creator":"a test"}})");
}

TEST(SignatureClaim, IsReadStrictly) {
  const std::string type = "cosign container image signature";
  EXPECT_EQ(parse_signature_claim(claim("m", "a.test/x"), type).name, "a.test/x");
  EXPECT_EQ(parse_signature_claim(claim("m", "a.test/x"), type).manifest, digest_of("m"));
  EXPECT_THAT(error_text<InvalidArgument>([&] { parse_signature_claim(claim("m", "x", "other"), type); }),
              HasSubstr("expected \"" + type + '"'));
  for (
      const std::string json :
      {R"({})", R"({"critical":{}})", R"({"critical":{"type":"cosign container image signature"}})",
       R"({"critical":{"type":"cosign container image signature","image":{"docker-manifest-digest":"x"},"identity":{"docker-reference":"a"}}})",
       R"({"critical":{"type":"cosign container image signature","extra":1}})"}) {
    EXPECT_NE(error_text<InvalidArgument>([&] { parse_signature_claim(json, type); }), "(no error)") << json;
  }
}

TEST(VerifySignature, KnowsTheKindsOfKeysThatCosignMakes) {
  for (const SigningKey::Kind kind :
       {SigningKey::p256, SigningKey::p384, SigningKey::rsa, SigningKey::ed25519}) {
    const SigningKey key(kind), other(kind);
    const std::string signature = key.sign("message");
    EXPECT_TRUE(verify_signature(key.public_pem(), "message", signature)) << kind;
    EXPECT_FALSE(verify_signature(key.public_pem(), "massage", signature)) << kind;
    EXPECT_FALSE(verify_signature(other.public_pem(), "message", signature)) << kind;
    EXPECT_FALSE(verify_signature(key.public_pem(), "message", "")) << kind;
  }
  EXPECT_THAT(error_text<InvalidArgument>([] { verify_signature("no key", "m", "s"); }),
              HasSubstr("no public key"));
}

class CheckPolicy : public ::testing::Test {
 protected:
  const SigningKey key_{SigningKey::p256};
  const std::string manifest_ = R"({"schemaVersion":2})";
  std::vector<SigstoreSignature> signatures_;
  int fetched_ = 0, fetched_simple_ = 0;

  SigstoreSignature sign(const std::string& payload) const {
    return {payload, encode_base64(key_.sign(payload))};
  }
  std::string outcome(const std::string& requirement, const std::string& name = "a.test/x:1") {
    const Policy policy = parse(requiring(requirement));
    const PolicySubject subject{.reference = parse_reference(name),
                                .manifest = manifest_,
                                .fetch_sigstore_signatures = [this] { return ++fetched_, signatures_; },
                                .fetch_simple_signatures = [this]() -> std::vector<std::string> {
                                  ++fetched_simple_;
                                  return {};
                                }};
    return error_text<PolicyRejection>([&] { check_policy(policy, subject); });
  }
  std::string by_key(const std::string& identity = R"({"type":"matchRepository"})") const {
    return concat(R"({"type":"sigstoreSigned","keyData":")", encode_base64(key_.public_pem()),
                  R"(","signedIdentity":)", identity, "}");
  }
};

TEST_F(CheckPolicy, AcceptingAndRejectingNeedNoSignatures) {
  EXPECT_EQ(outcome(R"({"type":"insecureAcceptAnything"})"), "(no error)");
  EXPECT_EQ(
      outcome(R"({"type":"reject"})"),
      "image a.test/x:1 is rejected by the policy for \"default\" in policy.json: it rejects all images");
  EXPECT_EQ(fetched_, 0);
}

TEST_F(CheckPolicy, AllRequirementsCount) {
  EXPECT_THAT(outcome(R"({"type":"insecureAcceptAnything"},{"type":"reject"})"),
              HasSubstr("it rejects all images"));
}

TEST_F(CheckPolicy, OneGoodSignatureIsEnough) {
  EXPECT_THAT(outcome(by_key()), HasSubstr("a signature was required, but there is none"));
  signatures_ = {
      {"nonsense", "!"}, sign(claim("another manifest", "a.test/x")), sign(claim(manifest_, "a.test/x"))};
  EXPECT_EQ(outcome(by_key()), "(no error)");
}

TEST_F(CheckPolicy, ASignatureMustBeForThisManifestAndName) {
  signatures_ = {sign(claim("another manifest", "a.test/x"))};
  EXPECT_THAT(outcome(by_key()), HasSubstr("a signature is for " + render(digest_of("another manifest"))));
  signatures_ = {sign(claim(manifest_, "a.test/y"))};
  EXPECT_THAT(outcome(by_key()), HasSubstr("a signature is for the name a.test/y"));
  signatures_ = {sign(claim(manifest_, "a.test/x"))};
  EXPECT_THAT(outcome(by_key(R"({"type":"matchRepoDigestOrExact"})")), HasSubstr("for the name a.test/x"));
}

TEST_F(CheckPolicy, ASignatureMustBeByTheKeyOfItsPayload) {
  const SigningKey other(SigningKey::p256);
  const std::string payload = claim(manifest_, "a.test/x");
  signatures_ = {{payload, encode_base64(other.sign(payload))}};
  EXPECT_THAT(outcome(by_key()), HasSubstr("is not by a key of the policy"));
  signatures_ = {{payload + " ", encode_base64(key_.sign(payload))}};
  EXPECT_THAT(outcome(by_key()), HasSubstr("is not by a key of the policy"));
  signatures_ = {sign(claim(manifest_, "a.test/x", "atomic container signature"))};
  EXPECT_THAT(outcome(by_key()), HasSubstr("expected \"cosign container image signature\""));
}

TEST_F(CheckPolicy, AKeyMayBeInAFile) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/key.pub";
  const std::string requirement = concat(R"({"type":"sigstoreSigned","keyPath":")", path,
                                         R"(","signedIdentity":{"type":"matchRepository"}})");
  signatures_ = {sign(claim(manifest_, "a.test/x"))};
  EXPECT_THAT(outcome(requirement), HasSubstr("error of another type: opening " + path));
  sys::replace_file(AT_FDCWD, path, key_.public_pem(), 0644, sys::Durability::none);
  EXPECT_EQ(outcome(requirement), "(no error)");
}

TEST_F(CheckPolicy, WhatWeCannotVerifyIsRefusedByName) {
  signatures_ = {sign(claim(manifest_, "a.test/x"))};
  EXPECT_THAT(outcome(R"({"type":"sigstoreSigned","fulcio":{"oidcIssuer":"x"}})"),
              HasSubstr("fulcio, which is not supported"));
  EXPECT_THAT(outcome(concat(R"({"type":"sigstoreSigned","keyData":")", encode_base64(key_.public_pem()),
                             R"(","rekorPublicKeyPath":"/x"})")),
              HasSubstr("rekorPublicKeyPath, which is not supported"));
  EXPECT_EQ(fetched_, 0);
}

TEST_F(CheckPolicy, SimpleSignaturesAreAskedForOnlyBySignedBy) {
  const std::string requirement = R"({"type":"signedBy","keyType":"GPGKeys","keyData":"a2V5"})";
  EXPECT_THAT(outcome(requirement), HasSubstr("a signature was required, but there is none"));
  EXPECT_EQ(fetched_, 0);
  EXPECT_EQ(fetched_simple_, 1);
  EXPECT_THAT(outcome(R"({"type":"signedBy","keyType":"GPGKeys","keyPath":"/nowhere/key"})"),
              HasSubstr("/nowhere/key"));
}

TEST(TransportScopes, ThePathAndWhatIsAroundIt) {
  EXPECT_THAT(transport_scopes({Transport::oci, "/a/b", "x:1"}),
              testing::ElementsAre("/a/b:x:1", "/a/b", "/a"));
  EXPECT_THAT(transport_scopes({Transport::dir, "/a", ""}), testing::ElementsAre("/a"));
  EXPECT_THAT(transport_scopes({Transport::docker_archive, "/a", ""}), testing::IsEmpty());
}

TEST(TransportPolicy, WhatAsksForSignaturesRefusesFiles) {
  const Policy policy = parse_policy(R"({"default": [{"type": "reject"}], "transports": {"oci": {
      "/good": [{"type": "insecureAcceptAnything"}]}, "dir": {"": [{"type": "insecureAcceptAnything"}]}}})",
                                     "policy.json");
  check_transport_policy(policy, TransportName{Transport::oci, "/good/layout", ""});
  check_transport_policy(policy, TransportName{Transport::dir, "/any", ""});
  EXPECT_THROW(check_transport_policy(policy, TransportName{Transport::oci, "/bad", ""}), PolicyRejection);
  EXPECT_THROW(check_transport_policy(policy, TransportName{Transport::docker_archive, "/good/a", ""}),
               PolicyRejection);
  EXPECT_THROW(check_import_policy(policy, "/a.tar"), PolicyRejection);
  EXPECT_EQ(
      error_text<PolicyRejection>([&] {
        check_transport_policy(policy, {Transport::oci_archive, "", ""});
      }),
      "image oci-archive:- is rejected by the policy for \"default\" in policy.json: it rejects all images");
}

TEST(TransportPolicy, ATreeHasARuleOfItsOwn) {
  check_import_policy(parse_policy(R"({"default": [{"type": "reject"}], "transports": {"tarball": {
      "": [{"type": "insecureAcceptAnything"}]}}})",
                                   "policy.json"),
                      "/a.tar");
}

}  // namespace
}  // namespace knarr::storage
