// SPDX-License-Identifier: Apache-2.0
#include "storage/registry/registries_conf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/storage/error_text.h"
#include "tests/unit/storage/temporary_store.h"

namespace knarr::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

RegistriesConfig parse(const std::string& toml) {
  return parse_registries_conf(toml, "r.conf");
}

std::string refusal(const std::string& toml) {
  return error_text<InvalidArgument>([&] { parse(toml); });
}

// "place", "place insecure", "mirror place", ... in the order to try.
std::vector<std::string> sources(const std::string& toml, const std::string& name) {
  std::vector<std::string> texts;
  for (const PullSource& source : plan_pull(parse(toml), normalize(parse_reference(name)))) {
    texts.push_back(concat(source.is_mirror ? "mirror " : "", render(source.reference),
                           source.insecure ? " insecure" : ""));
  }
  return texts;
}

std::vector<std::string> meanings(const RegistriesConfig& config, const std::string& name) {
  std::vector<std::string> names;
  for (const Reference& full : resolve_short_name(config, parse_reference(name)))
    names.push_back(render(full));
  return names;
}

const std::string hex64(64, 'a');

// ---- documents ----

TEST(RegistriesConf, GlobalSettingsAreRead) {
  const RegistriesConfig config = parse(R"(
unqualified-search-registries = ["docker.io", "registry.example:5000/team/"]
credential-helpers = ["containers-auth.json", "pass"]
short-name-mode = "enforcing"
something-else = 1
)");
  EXPECT_THAT(config.search, ElementsAre("docker.io", "registry.example:5000/team"));
  EXPECT_THAT(config.credential_helpers, ElementsAre("containers-auth.json", "pass"));
  EXPECT_EQ(config.short_name_mode, ShortNameMode::enforcing);
  EXPECT_EQ(config.file, "r.conf");
}

TEST(RegistriesConf, AnEmptyDocumentChangesNothing) {
  const RegistriesConfig config = parse("short-name-mode = ''");
  EXPECT_THAT(config.search, IsEmpty());
  EXPECT_EQ(config.short_name_mode, ShortNameMode::permissive);
  EXPECT_THAT(config.registries, IsEmpty());
}

TEST(RegistriesConf, WhatIsWrongIsNamedWithItsLine) {
  EXPECT_THAT(refusal("\nx = "), HasSubstr("r.conf:2: "));
  EXPECT_EQ(refusal("\nunqualified-search-registries = 'a'"),
            "r.conf:2: unqualified-search-registries must be an array of strings");
  EXPECT_EQ(refusal("unqualified-search-registries = ['a', 1]"),
            "r.conf:1: each element of unqualified-search-registries must be a string");
  EXPECT_THAT(refusal("unqualified-search-registries = ['']"), HasSubstr("is empty"));
  EXPECT_THAT(refusal("unqualified-search-registries = ['https://a']"),
              HasSubstr("URI schemes are not supported"));
  EXPECT_THAT(refusal("short-name-mode = 'maybe'"), HasSubstr("invalid short-name mode: \"maybe\""));
  EXPECT_EQ(refusal("[[registry]]\nlocation='a.b'\ninsecure='yes'"),
            "r.conf:3: insecure must be true or false");
  EXPECT_THAT(refusal("registry = ['a']"), HasSubstr("must be an array of tables"));
  EXPECT_THAT(refusal("aliases = 1"), HasSubstr("aliases must be a table"));
}

TEST(RegistriesConf, Version1IsRefusedByName) {
  for (const std::string list : {"search", "insecure", "block"}) {
    EXPECT_EQ(refusal("[registries." + list + "]\nregistries = ['a.b']"),
              "r.conf: [registries." + list + "] is version 1 of this format, which is no longer supported");
  }
}

TEST(RegistriesConf, PrefixAndLocationStandForEachOther) {
  const RegistriesConfig config = parse(
      "[[registry]]\nlocation='a.b/'\n[[registry]]\nprefix='*.c.d'\n[[registry]]\nprefix='e'\nlocation='f/"
      "g'");
  ASSERT_EQ(config.registries.size(), 3u);
  EXPECT_EQ(config.registries[0].prefix, "a.b");
  EXPECT_EQ(config.registries[1].location, "");
  EXPECT_EQ(config.registries[2].location, "f/g");
}

TEST(RegistriesConf, RegistriesThatMeanNothingAreRefused) {
  EXPECT_THAT(refusal("[[registry]]\ninsecure=true"), HasSubstr("needs a prefix or a location"));
  EXPECT_THAT(refusal("[[registry]]\nprefix='a.b'"), HasSubstr("a.b needs a location"));
  for (const std::string prefix : {"a.*.b", "*.a.b/c", "*.a.b:50", "*.*.b", "*a.b"}) {
    EXPECT_THAT(refusal("[[registry]]\nlocation='x.y'\nprefix='" + prefix + "'"),
                HasSubstr("a wildcard is only"))
        << prefix;
  }
  EXPECT_THAT(refusal("[[registry]]\nlocation='http://a.b'"), HasSubstr("URI schemes are not supported"));
  EXPECT_THAT(refusal("[[registry]]\nlocation='a.b'\npull-from-mirror='all'"), HasSubstr("registry.mirror"));
  EXPECT_THAT(refusal("[[registry]]\nlocation='a.b'\n[[registry.mirror]]\ninsecure=true"),
              HasSubstr("a mirror needs a location"));
  EXPECT_THAT(
      refusal("[[registry]]\nlocation='a.b'\n[[registry.mirror]]\nlocation='c'\npull-from-mirror='x'"),
      HasSubstr("not one of all, digest-only, tag-only"));
  EXPECT_THAT(refusal("[[registry]]\nlocation='a.b'\nmirror-by-digest-only=true\n"
                      "[[registry.mirror]]\nlocation='c'\npull-from-mirror='all'"),
              HasSubstr("contradicts mirror-by-digest-only of registry a.b"));
}

TEST(RegistriesConf, OnePrefixTwiceMustAgreeAndTheFirstCounts) {
  const std::string twice =
      "[[registry]]\nprefix='a.b'\nlocation='c'\n[[registry]]\nprefix='a.b'\nlocation='d'\n";
  const RegistriesConfig config = parse(twice);
  ASSERT_EQ(config.registries.size(), 1u);
  EXPECT_EQ(config.registries[0].location, "c");
  EXPECT_THAT(refusal(twice + "insecure=true"), HasSubstr("conflicting 'insecure' setting"));
  EXPECT_THAT(refusal(twice + "blocked=true"), HasSubstr("conflicting 'blocked' setting"));
}

TEST(RegistriesConf, OneLocationUnderTwoPrefixesMustAgree) {
  EXPECT_THAT(
      refusal(
          "[[registry]]\nprefix='a'\nlocation='x.y'\n[[registry]]\nprefix='b'\nlocation='x.y'\nblocked=true"),
      HasSubstr("registry x.y is defined multiple times with conflicting 'blocked' setting"));
}

TEST(RegistriesConf, ALaterDocumentReplacesWhatItNames) {
  RegistriesConfig config = parse(R"(
unqualified-search-registries = ["a.b"]
credential-helpers = ["pass"]
[[registry]]
location = "one.example"
insecure = true
[[registry]]
location = "two.example"
[aliases]
"kept" = "a.b/kept"
"gone" = "a.b/gone"
"moved" = "a.b/moved"
)");
  merge_registries_conf(config, R"(
unqualified-search-registries = []
[[registry]]
location = "one.example"
[[registry]]
location = "three.example"
[aliases]
"gone" = ""
"moved" = "c.d/moved"
)",
                        "later.conf");
  EXPECT_THAT(config.search, IsEmpty());
  EXPECT_EQ(config.file, "later.conf");
  EXPECT_THAT(config.credential_helpers, ElementsAre("pass"));
  EXPECT_THAT(config.aliases, UnorderedElementsAre(Pair("kept", "a.b/kept"), Pair("moved", "c.d/moved")));
  ASSERT_EQ(config.registries.size(), 3u);
  EXPECT_FALSE(config.registries[0].insecure);
}

TEST(RegistriesConf, AliasesGoFromShortNamesToRepositories) {
  EXPECT_THAT(refusal("[aliases]\n'a:1' = 'b.c/d'"), HasSubstr("without registry, tag and digest"));
  EXPECT_THAT(refusal("[aliases]\n'a.b/c' = 'b.c/d'"), HasSubstr("without registry, tag and digest"));
  EXPECT_THAT(refusal("[aliases]\n'localhost/c' = 'b.c/d'"), HasSubstr("without registry, tag and digest"));
  EXPECT_THAT(refusal("[aliases]\n'a' = 'd/e'"), HasSubstr("must name registry and repository"));
  EXPECT_THAT(refusal("[aliases]\n'a' = 'b.c/d:1'"), HasSubstr("no tag or digest"));
  EXPECT_THAT(refusal("[aliases]\n'a' = 1"), HasSubstr("alias a must be a string"));
  EXPECT_THAT(refusal("[aliases]\n'A' = 'b.c/d'"), HasSubstr("must be lowercase"));
}

// ---- which table counts ----

TEST(FindRegistry, TheLongestPrefixThatEndsAtASeparatorCounts) {
  const RegistriesConfig config = parse(R"(
[[registry]]
location = "example.com"
[[registry]]
location = "example.com/team"
[[registry]]
location = "example.com/team/app:1"
[[registry]]
prefix = "*.example.com"
[[registry]]
prefix = "*.deep.example.com"
[[registry]]
location = "port.test:5000"
)");
  const auto found = [&](std::string_view name) {
    const RegistryEntry* entry = find_registry(config, name);
    return entry == nullptr ? std::string("none") : entry->prefix;
  };
  EXPECT_EQ(found("example.com"), "example.com");
  EXPECT_EQ(found("example.com/x:1"), "example.com");
  EXPECT_EQ(found("example.com:5000/x"), "example.com");
  EXPECT_EQ(found("example.com/team"), "example.com/team");
  EXPECT_EQ(found("example.com/team/app:2"), "example.com/team");
  EXPECT_EQ(found("example.com/team/app:1"), "example.com/team/app:1");
  EXPECT_EQ(found("example.com/teams/app"), "example.com");
  EXPECT_EQ(found("example.community/x"), "none");
  EXPECT_EQ(found("a.example.com/x"), "*.example.com");
  EXPECT_EQ(found("a.b.example.com:80/x"), "*.example.com");
  EXPECT_EQ(found("a.deep.example.com/x"), "*.deep.example.com");
  EXPECT_EQ(found("deep.example.com/x"), "*.example.com");
  EXPECT_EQ(found("badexample.com/x"), "none");
  EXPECT_EQ(found("other.test/a.example.com/x"), "none");
  EXPECT_EQ(found("port.test/x"), "none");
  EXPECT_EQ(found("port.test:5000/x"), "port.test:5000");
}

// ---- pulls and pushes ----

TEST(PlanPull, WithoutATableThePlaceItselfIsAsked) {
  EXPECT_THAT(sources("", "docker.io/alpine"), ElementsAre("docker.io/library/alpine:latest"));
}

TEST(PlanPull, MirrorsComeFirstInTheirOrder) {
  const std::string toml = R"(
[[registry]]
prefix = "example.com/foo"
location = "internal.example.net/bar"
insecure = true
[[registry.mirror]]
location = "mirror-0.local/mirror-for-foo"
[[registry.mirror]]
location = "mirror-1.local/mirrors/foo"
insecure = true
)";
  EXPECT_THAT(sources(toml, "example.com/foo/image:1"),
              ElementsAre("mirror mirror-0.local/mirror-for-foo/image:1",
                          "mirror mirror-1.local/mirrors/foo/image:1 insecure",
                          "internal.example.net/bar/image:1 insecure"));
  EXPECT_THAT(sources(toml, "example.com/fool:1"), ElementsAre("example.com/fool:1"));
}

TEST(PlanPull, MirrorsMayServeOnlyTagsOrOnlyDigests) {
  const std::string toml = R"(
[[registry]]
location = "a.test"
[[registry.mirror]]
location = "digests.test"
pull-from-mirror = "digest-only"
[[registry.mirror]]
location = "tags.test"
pull-from-mirror = "tag-only"
[[registry.mirror]]
location = "both.test"
)";
  const std::string digest = "@sha256:" + hex64;
  EXPECT_THAT(sources(toml, "a.test/x:1"),
              ElementsAre("mirror tags.test/x:1", "mirror both.test/x:1", "a.test/x:1"));
  EXPECT_THAT(
      sources(toml, "a.test/x" + digest),
      ElementsAre("mirror digests.test/x" + digest, "mirror both.test/x" + digest, "a.test/x" + digest));
  const std::string by_digest =
      "[[registry]]\nlocation='a.test'\nmirror-by-digest-only=true\n[[registry.mirror]]\nlocation='m.test'";
  EXPECT_THAT(sources(by_digest, "a.test/x:1"), ElementsAre("a.test/x:1"));
  EXPECT_THAT(sources(by_digest, "a.test/x" + digest),
              ElementsAre("mirror m.test/x" + digest, "a.test/x" + digest));
}

TEST(PlanPull, AWildcardWithoutLocationRewritesOnlyMirrors) {
  const std::string toml =
      "[[registry]]\nprefix='*.corp.test'\ninsecure=true\n[[registry.mirror]]\nlocation='m.test/corp'";
  EXPECT_THAT(sources(toml, "a.corp.test/x:1"),
              ElementsAre("mirror m.test/corp/x:1", "a.corp.test/x:1 insecure"));
}

TEST(PlanPull, DockerHubIsMirroredWithItsLibrary) {
  const std::string toml = "[[registry]]\nlocation='docker.io'\n[[registry.mirror]]\nlocation='m.test:5000'";
  EXPECT_THAT(sources(toml, "docker.io/alpine"),
              ElementsAre("mirror m.test:5000/library/alpine:latest", "docker.io/library/alpine:latest"));
}

TEST(PlanPull, ALocationThatMakesNoReferenceIsNamed) {
  EXPECT_THAT(error_text<InvalidArgument>(
                  [] { sources("[[registry]]\nprefix='a.test/x'\nlocation='b.test/X'", "a.test/x/y:1"); }),
              HasSubstr("rewriting a.test/x/y:1 as r.conf has it: \"b.test/X/y:1\""));
}

TEST(PlanPull, BlockedRegistriesAreNamedWithTheirFile) {
  const std::string toml =
      "[[registry]]\nlocation='a.test'\nblocked=true\n[[registry]]\nlocation='a.test/open'";
  EXPECT_EQ(error_text<InvalidArgument>(
                [&] { sources("[[registry]]\nlocation='a.test'\nblocked=true", "a.test/x"); }),
            "registry a.test is blocked in r.conf");
  EXPECT_THAT(sources(toml, "a.test/open/x:1"), ElementsAre("a.test/open/x:1"));
}

TEST(PlanPush, GoesToThePlaceItselfAndHeedsInsecureAndBlocked) {
  const RegistriesConfig config = parse(R"(
[[registry]]
location = "away.test"
prefix = "here.test"
insecure = true
[[registry.mirror]]
location = "m.test"
[[registry]]
location = "closed.test"
blocked = true
)");
  const PullSource place = plan_push(config, parse_reference("here.test/x:1"));
  EXPECT_EQ(render(place.reference), "here.test/x:1");
  EXPECT_TRUE(place.insecure);
  EXPECT_EQ(error_text<InvalidArgument>([&] { plan_push(config, parse_reference("closed.test/x:1")); }),
            "registry closed.test is blocked in r.conf");
}

TEST(RegistryHost, OnlyDockerHubIsElsewhere) {
  EXPECT_EQ(registry_host("docker.io"), "registry-1.docker.io");
  EXPECT_EQ(registry_host("quay.io"), "quay.io");
}

// ---- short names ----

TEST(ResolveShortName, AFullNameMeansItself) {
  EXPECT_THAT(meanings(parse("[aliases]\n'x' = 'a.test/x'"), "docker.io/x"),
              ElementsAre("docker.io/library/x:latest"));
}

TEST(ResolveShortName, AnAliasAloneCountsAndKeepsTagAndDigest) {
  const RegistriesConfig config =
      parse("unqualified-search-registries=['s.test']\n[aliases]\n'x' = 'docker.io/x'\n'n/y' = 'a.test/y'");
  EXPECT_THAT(meanings(config, "x"), ElementsAre("docker.io/library/x:latest"));
  EXPECT_THAT(meanings(config, "x:3"), ElementsAre("docker.io/library/x:3"));
  EXPECT_THAT(meanings(config, "n/y@sha256:" + hex64), ElementsAre("a.test/y@sha256:" + hex64));
  EXPECT_THAT(meanings(config, "y"), ElementsAre("s.test/y:latest"));
}

TEST(ResolveShortName, EachSearchRegistryIsAnAnswer) {
  const RegistriesConfig config = parse("unqualified-search-registries=['docker.io', 's.test/team']");
  EXPECT_THAT(meanings(config, "x:1"), ElementsAre("docker.io/library/x:1", "s.test/team/x:1"));
  EXPECT_THAT(meanings(config, "n/x"), ElementsAre("docker.io/n/x:latest", "s.test/team/n/x:latest"));
}

TEST(ResolveShortName, EnforcingRefusesToChoose) {
  const std::string enforcing = "short-name-mode='enforcing'\nunqualified-search-registries=";
  EXPECT_THAT(meanings(parse(enforcing + "['s.test']"), "x"), ElementsAre("s.test/x:latest"));
  EXPECT_THAT(error_text<InvalidArgument>([&] { meanings(parse(enforcing + "['s.test', 't.test']"), "x"); }),
              HasSubstr("may mean s.test/x:latest, t.test/x:latest"));
}

TEST(ResolveShortName, WithoutAnswerTheUserIsToldWhereToSaySo) {
  EXPECT_EQ(
      error_text<InvalidArgument>([] { meanings(parse(""), "x:1"); }),
      "short-name \"x:1\" did not resolve to an alias and no unqualified-search registries are defined in "
      "r.conf");
  EXPECT_THAT(error_text<InvalidArgument>([] { meanings(RegistriesConfig{}, "x"); }),
              HasSubstr("there is no registries.conf"));
}

// ---- files ----

class RegistriesFiles : public ::testing::Test {
 protected:
  TemporaryDirectory directory_;
  ConfigPlaces places_ = make_places();

  ConfigPlaces make_places() {
    ConfigPlaces places;
    const std::string top = directory_.path();
    places.home = top + "/home";
    places.config_home = top + "/home/.config";
    places.cache_home = top + "/home/.cache";
    places.system = top + "/etc";
    places.vendor = top + "/usr";
    places.system_cache = top + "/cache";
    places.user = 1000;
    return places;
  }
  std::string write(const std::string& name, std::string_view content) {
    const std::string path = directory_.path() + "/" + name;
    sys::make_directories(AT_FDCWD, path.substr(0, path.rfind('/')), 0755);
    sys::replace_file(AT_FDCWD, path, content, 0644, sys::Durability::none);
    return path;
  }
  static std::string search(std::string_view registry) {
    return concat("unqualified-search-registries = ['", registry, "']\n");
  }
  RegistriesConfig load() { return load_registries_config(places_); }
};

TEST_F(RegistriesFiles, NoneIsNoError) {
  EXPECT_THAT(load().search, IsEmpty());
  EXPECT_EQ(load().file, "");
}

TEST_F(RegistriesFiles, OneMainFileCounts) {
  write("usr/registries.conf", search("vendor.test"));
  EXPECT_THAT(load().search, ElementsAre("vendor.test"));
  write("etc/registries.conf", search("system.test"));
  EXPECT_THAT(load().search, ElementsAre("system.test"));
  const std::string user =
      write("home/.config/containers/registries.conf", "[[registry]]\nlocation='u.test'");
  EXPECT_THAT(load().search, IsEmpty());
  EXPECT_EQ(load().file, user);
}

TEST_F(RegistriesFiles, DropInsFollowInTheOrderOfTheirNames) {
  write("etc/registries.conf", search("main.test"));
  write("etc/registries.conf.d/10-a.conf", search("a.test") + "[aliases]\n'x' = 'a.test/x'");
  write("home/.config/containers/registries.conf.d/05-b.conf",
        search("b.test") + "[aliases]\n'x' = 'b.test/x'");
  write("etc/registries.conf.d/99-ignored.txt", "no toml =");
  EXPECT_THAT(load().search, ElementsAre("a.test"));
  EXPECT_THAT(load().aliases, ElementsAre(Pair("x", "a.test/x")));
  write("home/.config/containers/registries.conf.d/10-a.conf", "");
  EXPECT_THAT(load().search, ElementsAre("b.test"));
}

TEST_F(RegistriesFiles, RootAndOthersHaveDropInsOfTheirOwn) {
  write("etc/registries.rootful.conf.d/a.conf", search("root.test"));
  write("etc/registries.rootless.conf.d/a.conf", search("user.test"));
  EXPECT_THAT(load().search, ElementsAre("user.test"));
  write("etc/registries.rootless.conf.d/1000/b.conf", search("me.test"));
  write("etc/registries.rootless.conf.d/1001/c.conf", search("another.test"));
  EXPECT_THAT(load().search, ElementsAre("me.test"));
  places_.rootful = true;
  EXPECT_THAT(load().search, ElementsAre("root.test"));
}

TEST_F(RegistriesFiles, TheEnvironmentNamesTheOnlyFileAndTheLast) {
  write("etc/registries.conf", search("main.test"));
  write("etc/registries.conf.d/a.conf", "[aliases]\n'x' = 'a.test/x'");
  places_.environment["CONTAINERS_REGISTRIES_CONF_OVERRIDE"] =
      write("last.conf", "[[registry]]\nlocation='l.test'");
  EXPECT_THAT(load().search, ElementsAre("main.test"));
  EXPECT_EQ(load().registries.size(), 1u);
  places_.environment["CONTAINERS_REGISTRIES_CONF"] = write("only.conf", search("only.test"));
  EXPECT_THAT(load().search, ElementsAre("only.test"));
  EXPECT_THAT(load().aliases, IsEmpty());
  EXPECT_EQ(load().registries.size(), 1u);
  places_.environment["CONTAINERS_REGISTRIES_CONF"] = directory_.path() + "/none.conf";
  EXPECT_THAT(error_text<SysError>([&] { load(); }), HasSubstr("none.conf: no such file"));
}

TEST_F(RegistriesFiles, RecordedAliasesComeLast) {
  write("etc/registries.conf", "[aliases]\n'x' = 'a.test/x'");
  write("home/.cache/containers/short-name-aliases.conf", "[aliases]\n'x' = 'recorded.test/x'");
  write("cache/short-name-aliases.conf", "[aliases]\n'x' = 'root.test/x'");
  EXPECT_THAT(load().aliases, ElementsAre(Pair("x", "recorded.test/x")));
  places_.rootful = true;
  EXPECT_THAT(load().aliases, ElementsAre(Pair("x", "root.test/x")));
  places_.environment["CONTAINERS_SHORT_NAME_ALIASING"] = "off";
  EXPECT_THAT(load().aliases, IsEmpty());
  EXPECT_EQ(load().short_name_mode, ShortNameMode::disabled);
}

TEST(ShortNames, OnlyWhatIsAmbiguousIsAskedFor) {
  const auto asked = [](const std::string& toml, const std::string& name) {
    return list_ambiguous_names(parse(toml), parse_reference(name)).size();
  };
  const std::string search = "unqualified-search-registries=['s.test', 't.test']\n";
  EXPECT_EQ(asked(search, "x"), 2u);
  EXPECT_EQ(asked(search + "short-name-mode='enforcing'", "n/x:1"), 2u);
  EXPECT_EQ(asked(search + "short-name-mode='disabled'", "x"), 0u);
  EXPECT_EQ(asked(search + "[aliases]\nx='a.test/x'", "x:2"), 0u);
  EXPECT_EQ(asked(search, "s.test/x"), 0u);
  EXPECT_EQ(asked("unqualified-search-registries=['s.test']", "x"), 0u);
}

TEST(RecordedAliases, JoinThoseThatAreThere) {
  const std::string first = add_alias("", "f", "x", "a.test/x");
  EXPECT_EQ(first, "[aliases]\n  \"x\" = \"a.test/x\"\n");
  EXPECT_EQ(add_alias(first, "f", "n/a", "b.test:5000/a"),
            "[aliases]\n  \"n/a\" = \"b.test:5000/a\"\n  \"x\" = \"a.test/x\"\n");
  EXPECT_EQ(add_alias(first, "f", "x", "c.test/x"), "[aliases]\n  \"x\" = \"c.test/x\"\n");
  EXPECT_THROW(add_alias("no toml", "f", "x", "a.test/x"), InvalidArgument);
}

}  // namespace
}  // namespace knarr::storage
