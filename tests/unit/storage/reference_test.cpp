// SPDX-License-Identifier: Apache-2.0
#include "storage/reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/storage/error_text.h"

namespace knarr::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;

const std::string hex64(64, 'a');

std::string refusal(const std::string& text) {
  return error_text<InvalidArgument>([&] { parse_reference(text); });
}

TEST(ParseReference, TakesAReferenceApart) {
  const Reference full = parse_reference("registry.example:5000/team/app:1.2@sha256:" + hex64);
  EXPECT_EQ(full.domain, "registry.example:5000");
  EXPECT_EQ(full.path, "team/app");
  EXPECT_EQ(full.tag, "1.2");
  EXPECT_EQ(full.digest, (Digest{"sha256", hex64}));
}

TEST(ParseReference, FirstComponentIsADomainOnlyWhenItLooksLikeOne) {
  EXPECT_EQ(parse_reference("team/app"), (Reference{"", "team/app", "", {}}));
  EXPECT_EQ(parse_reference("localhost/app"), (Reference{"localhost", "app", "", {}}));
  EXPECT_EQ(parse_reference("host:1/app"), (Reference{"host:1", "app", "", {}}));
  EXPECT_EQ(parse_reference("[::1]:5000/app:x"), (Reference{"[::1]:5000", "app", "x", {}}));
  EXPECT_EQ(parse_reference("Quay.IO/app"), (Reference{"Quay.IO", "app", "", {}}));
}

TEST(ParseReference, WithoutASlashEverythingIsAName) {
  EXPECT_EQ(parse_reference("localhost"), (Reference{"", "localhost", "", {}}));
  EXPECT_EQ(parse_reference("debian.x:12"), (Reference{"", "debian.x", "12", {}}));
}

TEST(ParseReference, RenderIsItsInverse) {
  for (const std::string text : {"debian", "debian:Tag_1.x-y", "a.b/c/d__e-f---g.h", "localhost/x:1"}) {
    EXPECT_EQ(render(parse_reference(text)), text);
  }
  EXPECT_EQ(render(parse_reference("a/b@sha512:" + hex64 + hex64)), "a/b@sha512:" + hex64 + hex64);
}

TEST(ParseReference, UpperCaseNamesAreToldToBeLowercase) {
  EXPECT_EQ(refusal("Debian"), "\"Debian\": invalid reference format: repository name must be lowercase");
  EXPECT_THAT(refusal("FOO/bar"), EndsWith("repository name must be lowercase"));
  EXPECT_THAT(refusal("quay.io/Foo/bar:x"), EndsWith("repository name must be lowercase"));
}

TEST(ParseReference, RefusesWhatTheGrammarHasNoPlaceFor) {
  for (const std::string text : {" a",
                                 "a ",
                                 "a//b",
                                 "/a",
                                 "a/",
                                 "a:",
                                 "a:b:c",
                                 "a:-x",
                                 "a:.x",
                                 "a___b",
                                 "a..b",
                                 "a._b",
                                 "-a",
                                 "a-",
                                 "_a",
                                 "a_/b",
                                 "a/./b",
                                 "../a",
                                 "a/../b",
                                 "http://a/b",
                                 "a.b:c/d",
                                 "a.b:/d",
                                 "foo_bar.com/x",
                                 ".a.b/c",
                                 "a.-b/c",
                                 "[::g]:1/x",
                                 "x@",
                                 "x@sha256",
                                 "x@sha256:",
                                 "x@sha256:12",
                                 "@sha256:",
                                 "a\nb",
                                 "a\xc3\xa9"}) {
    EXPECT_THAT(refusal(text), testing::HasSubstr("invalid reference format: ")) << text;
  }
  EXPECT_THAT(refusal(""), EndsWith("repository name must have at least one component"));
  EXPECT_THAT(refusal("quay.io/"), EndsWith("repository name must have at least one component"));
  EXPECT_THAT(refusal(std::string("a\0b", 3)), EndsWith("is not a repository name"));
}

TEST(ParseReference, DigestsAreCheckedBeforeUse) {
  EXPECT_THAT(refusal("x@md5:d41d8cd98f00b204e9800998ecf8427e"), EndsWith("unsupported digest algorithm"));
  EXPECT_THAT(refusal("x@sha256:../../etc"), EndsWith("\"sha256:../../etc\" is not a digest"));
  EXPECT_THAT(refusal("x@sha256:" + std::string(64, 'A')), EndsWith("is not a digest"));
}

TEST(ParseReference, LengthsAreLimited) {
  EXPECT_NO_THROW(parse_reference(std::string(255, 'a')));
  EXPECT_THAT(refusal(std::string(256, 'a')),
              EndsWith("repository name must not be more than 255 characters"));
  EXPECT_NO_THROW(parse_reference("a:" + std::string(128, 'T')));
  EXPECT_THAT(refusal("a:" + std::string(129, 'T')), EndsWith("the tag is longer than 128 characters"));
}

std::string normal(const std::string& text) {
  return render(normalize(parse_reference(text)));
}

TEST(Normalize, GivesTheFullNameAnImageIsKnownBy) {
  EXPECT_EQ(normal("web"), "localhost/web:latest");
  EXPECT_EQ(normal("me/web:1"), "localhost/me/web:1");
  EXPECT_EQ(normal("docker.io/debian"), "docker.io/library/debian:latest");
  EXPECT_EQ(normal("index.docker.io/debian:12"), "docker.io/library/debian:12");
  EXPECT_EQ(normal("docker.io/me/web"), "docker.io/me/web:latest");
  EXPECT_EQ(normal("quay.io/web"), "quay.io/web:latest");
}

TEST(Normalize, ADigestNeedsNoTag) {
  EXPECT_EQ(normal("quay.io/web@sha256:" + hex64), "quay.io/web@sha256:" + hex64);
}

TEST(LocalCandidates, ShortNamesAreLookedForHereThenOnDockerHub) {
  const auto names = [](const std::string& text) {
    std::vector<std::string> rendered;
    for (const Reference& candidate : local_candidates(parse_reference(text)))
      rendered.push_back(render(candidate));
    return rendered;
  };
  EXPECT_THAT(names("web"), ElementsAre("localhost/web:latest", "docker.io/library/web:latest"));
  EXPECT_THAT(names("me/web:1"), ElementsAre("localhost/me/web:1", "docker.io/me/web:1"));
  EXPECT_THAT(names("docker.io/web"), ElementsAre("docker.io/library/web:latest"));
  EXPECT_THAT(names("quay.io/web"), ElementsAre("quay.io/web:latest"));
}

TEST(EscapeName, MakesOneFileNameThatCanBeReadBack) {
  EXPECT_EQ(escape_name("docker.io/library/debian:latest"), "docker.io%2Flibrary%2Fdebian:latest");
  EXPECT_EQ(escape_name(".."), "%2E.");
  for (const std::string name : {"a/b", "100%", "%2F", "..", ".", "a\nb", "", "\x7f", "%", "x%2"}) {
    const std::string escaped = escape_name(name);
    EXPECT_EQ(unescape_name(escaped), name);
    EXPECT_EQ(escaped.find('/'), std::string::npos);
  }
}

TEST(UnescapeName, LeavesWhatIsNoEscapeAlone) {
  EXPECT_EQ(unescape_name("a%zz%2"), "a%zz%2");
}

}  // namespace
}  // namespace knarr::storage
