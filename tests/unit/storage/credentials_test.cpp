// SPDX-License-Identifier: Apache-2.0
#include "storage/registry/credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "storage/content/base64.h"
#include "tests/unit/storage/error_text.h"
#include "tests/unit/storage/temporary_store.h"

namespace knarr::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(Base64, IsThatOfTheRfc) {
  for (const auto& [plain, encoded] :
       std::vector<std::pair<std::string, std::string>>{{"", ""},
                                                        {"f", "Zg=="},
                                                        {"fo", "Zm8="},
                                                        {"foo", "Zm9v"},
                                                        {"foobar", "Zm9vYmFy"},
                                                        {"\xff\xfe", "//4="}}) {
    EXPECT_EQ(encode_base64(plain), encoded);
    EXPECT_EQ(decode_base64(encoded), plain);
  }
  EXPECT_EQ(decode_base64("Zm9v\r\nYmFy\n"), "foobar");
}

TEST(Base64, WhatIsNoneIsRefused) {
  for (const std::string text :
       {"Zg", "Zg=", "Z===", "====", "Zm9v!mFy", "Zm=v", "Zg==Zg==", " Zm9v", "Zm-_"}) {
    EXPECT_EQ(decode_base64(text), std::nullopt) << text;
  }
}

TEST(CredentialKey, IsAHostOrANamespaceOrTheHostOfAnUrl) {
  for (const auto& [text, key] :
       std::vector<std::pair<std::string, std::string>>{{"a.test", "a.test"},
                                                        {"a.test:5000/", "a.test:5000"},
                                                        {"host", "host"},
                                                        {"docker.io/vendor", "docker.io/vendor"},
                                                        {"a.test/team/app", "a.test/team/app"},
                                                        {"https://a.test:5000/v2/", "a.test:5000"},
                                                        {"http://a.test", "a.test"}}) {
    EXPECT_EQ(render(parse_credential_key(text)), key) << text;
  }
  EXPECT_EQ(parse_credential_key("a.test/team/app").host, "a.test");
}

TEST(CredentialKey, WhatNamesNoRegistryIsRefused) {
  const auto refusal = [](const std::string& text) {
    return error_text<InvalidArgument>([&] { parse_credential_key(text); });
  };
  EXPECT_THAT(refusal(""), HasSubstr("names no registry"));
  EXPECT_THAT(refusal("https://"), HasSubstr("names no registry"));
  EXPECT_EQ(refusal("a.test/x:1"), "reference \"a.test/x:1\" contains tag or digest");
  EXPECT_EQ(refusal("team/x"), "\"team/x\": \"team\" is not a registry");
  EXPECT_THAT(refusal("a.test/X"), HasSubstr("must be lowercase"));
}

class CredentialsTest : public ::testing::Test {
 protected:
  TemporaryDirectory directory_;
  ConfigPlaces places_ = make_places();
  AuthOptions options_;

  ConfigPlaces make_places() {
    ConfigPlaces places;
    places.home = path("home");
    places.config_home = path("home/.config");
    places.runtime_dir = path("run");
    places.system = path("etc");
    places.docker = path("etc/docker");
    places.system_run = path("run-containers");
    places.user = 1000;
    places.environment["PATH"] = concat(path("bin"), ":/usr/bin:/bin");
    sys::make_directories(AT_FDCWD, path("run"), 0700);
    return places;
  }
  std::string path(const std::string& name) const { return directory_.path() + "/" + name; }
  std::string write(const std::string& name, std::string_view content, mode_t mode = 0600) const {
    const std::string file = path(name);
    sys::make_directories(AT_FDCWD, file.substr(0, file.rfind('/')), 0755);
    sys::replace_file(AT_FDCWD, file, content, mode, sys::Durability::none);
    return file;
  }
  std::string read(const std::string& name) const { return sys::read_file(AT_FDCWD, path(name)); }
  bool exists(const std::string& name) const { return sys::stat_at(AT_FDCWD, path(name)).has_value(); }

  // {"auths": {KEY: {"auth": base64 of "USER:p"}}}
  static std::string auths(const std::vector<std::pair<std::string, std::string>>& users) {
    std::string entries;
    for (const auto& [key, user] : users) {
      entries +=
          concat(entries.empty() ? "" : ",", '"', key, "\":{\"auth\":\"", encode_base64(user + ":p"), "\"}");
    }
    return concat("{\"auths\":{", entries, "}}");
  }
  std::string user(const std::string& host, const std::string& repository = "") const {
    const auto found = find_credentials(places_, options_, host, repository);
    return found ? found->username : "(none)";
  }
  void use_file(std::string_view content) { options_.auth_file = write("auth.json", content); }

  // A helper that keeps one file per server; a server named "locked" it cannot open.
  void install_helper(const std::string& name) const {
    static constexpr std::string_view script = R"sh(
input=$(cat)
echo "$1 $input" >> ../asked
file=$(echo "$input" | sed 's/.*"ServerURL":"\([^"]*\)".*/\1/' | tr / _)
[ "$file" = locked ] && { echo "the key ring is locked"; exit 1; }
case $1 in
store) echo "$input" > "$file" ;;
get) cat "$file" 2>/dev/null || { echo "credentials not found in native keychain"; exit 1; } ;;
erase) rm "$file" ;;
list) echo '{'; for f in *; do [ -e "$f" ] && printf '"%s":"u",' "$f"; done; echo '"last":"u"}' ;;
esac
)sh";
    sys::make_directories(AT_FDCWD, path("kept"), 0700);
    write("bin/docker-credential-" + name, concat("#!/bin/sh\ncd ", path("kept"), " || exit 1", script),
          0755);
  }
  std::string asked() const { return exists("asked") ? read("asked") : ""; }
};

// ---- reading ----

TEST_F(CredentialsTest, WithoutFilesTheUserIsAnonymous) {
  EXPECT_EQ(user("a.test"), "(none)");
}

TEST_F(CredentialsTest, PlacesAreTriedInTheirOrder) {
  write("home/.dockercfg", R"({"https://a.test/v1/": {"auth": "bGVnYWN5OnA="}})");
  EXPECT_EQ(user("a.test"), "legacy");
  write("home/.docker/config.json", auths({{"a.test", "docker"}}));
  EXPECT_EQ(user("a.test"), "docker");
  write("home/.config/containers/auth.json", auths({{"a.test", "config"}}));
  EXPECT_EQ(user("a.test"), "config");
  write("run/containers/auth.json", auths({{"b.test", "runtime"}}));
  EXPECT_EQ(user("a.test"), "config");
  write("run/containers/auth.json", auths({{"a.test", "runtime"}}));
  EXPECT_EQ(user("a.test"), "runtime");
}

TEST_F(CredentialsTest, WithoutARuntimeDirectoryThereIsOneBelowRun) {
  places_.runtime_dir.clear();
  write("run-containers/1000/auth.json", auths({{"a.test", "u"}}));
  EXPECT_EQ(user("a.test"), "u");
}

TEST_F(CredentialsTest, AFileThatIsNamedIsTheOnlyOne) {
  write("run/containers/auth.json", auths({{"a.test", "runtime"}, {"b.test", "runtime"}}));
  places_.environment["DOCKER_CONFIG"] = path("docker");
  EXPECT_EQ(user("a.test"), "runtime");  // there is no such file yet
  write("docker/config.json", auths({{"a.test", "docker"}}));
  EXPECT_EQ(user("a.test"), "docker");
  EXPECT_EQ(user("b.test"), "(none)");
  places_.environment["REGISTRY_AUTH_FILE"] = write("environment.json", auths({{"a.test", "environment"}}));
  EXPECT_EQ(user("a.test"), "environment");
  use_file(auths({{"a.test", "option"}}));
  EXPECT_EQ(user("a.test"), "option");
  options_.compat_file = path("docker/config.json");
  EXPECT_THAT(error_text<InvalidArgument>([&] { user("a.test"); }), HasSubstr("cannot be used together"));
  options_.auth_file.clear();
  EXPECT_EQ(user("a.test"), "docker");
}

TEST_F(CredentialsTest, TheMostSpecificKeyCounts) {
  use_file(auths({{"a.test", "host"}, {"a.test/team", "team"}, {"a.test/team/app", "app"}}));
  EXPECT_EQ(user("a.test"), "host");
  EXPECT_EQ(user("a.test", "other/app"), "host");
  EXPECT_EQ(user("a.test", "team/other"), "team");
  EXPECT_EQ(user("a.test", "teams"), "host");
  EXPECT_EQ(user("a.test", "team/app"), "app");
  EXPECT_EQ(user("a.test", "team/app/part"), "app");
  EXPECT_EQ(user("a.test:5000", "team/app"), "(none)");
}

// As podman answers for the same file.
TEST_F(CredentialsTest, DockersOldKeysMatchByTheirHost) {
  use_file(auths({{"https://index.docker.io/v1/", "hub"},
                  {"http://h.test:5000", "http"},
                  {"https://x.test/v2/", "https"},
                  {"plain.test/v1/", "no host"}}));
  EXPECT_EQ(user("docker.io", "library/debian"), "hub");
  EXPECT_EQ(user("index.docker.io"), "hub");
  EXPECT_EQ(user("registry-1.docker.io"), "hub");
  EXPECT_EQ(user("h.test:5000", "a/b"), "http");
  EXPECT_EQ(user("x.test"), "https");
  EXPECT_EQ(user("plain.test"), "(none)");
  use_file(auths({{"docker.io", "exact"}, {"https://index.docker.io/v1/", "hub"}}));
  EXPECT_EQ(user("docker.io"), "exact");
}

TEST_F(CredentialsTest, EntriesComeInSeveralForms) {
  use_file(R"({"auths": {
    "colon.test": {"auth": "dTphOmI="},
    "zeros.test": {"auth": "dTpwAAA="},
    "token.test": {"auth": "dTo=", "identitytoken": "refresh"},
    "fields.test": {"username": "u", "password": "p"},
    "empty.test": {},
    "null.test": null
  }})");
  const auto found = [&](const std::string& host) { return find_credentials(places_, options_, host, ""); };
  EXPECT_EQ(found("colon.test")->password, "a:b");
  EXPECT_EQ(found("zeros.test")->password, "p");
  EXPECT_EQ(found("token.test")->identity_token, "refresh");
  EXPECT_EQ(found("fields.test")->password, "p");
  EXPECT_EQ(found("empty.test"), std::nullopt);
  EXPECT_EQ(found("null.test"), std::nullopt);
}

TEST_F(CredentialsTest, DamagedFilesAreNamed) {
  use_file(
      R"({"auths": {"bad.test": {"auth": "!!!"}, "word.test": {"auth": "YWJj"}, "good.test": {"auth": "dTpw"}}})");
  EXPECT_EQ(user("good.test"), "u");
  EXPECT_EQ(error_text<InvalidArgument>([&] { user("bad.test"); }),
            options_.auth_file + ": auths.bad.test.auth is not the base64 of user:password");
  EXPECT_THAT(error_text<InvalidArgument>([&] { user("word.test"); }), HasSubstr("word.test"));
  use_file("[]");
  EXPECT_THAT(error_text<InvalidArgument>([&] { user("a.test"); }),
              HasSubstr("auth.json: expected an object"));
  use_file(R"({"auths": [1]})");
  EXPECT_THAT(error_text<InvalidArgument>([&] { user("a.test"); }),
              HasSubstr("auth.json.auths: expected an object"));
  use_file("");
  EXPECT_EQ(user("a.test"), "(none)");
}

TEST_F(CredentialsTest, AFileToReadMustBeThere) {
  EXPECT_NO_THROW(check_auth_file(options_));
  options_.auth_file = path("none.json");
  EXPECT_THAT(error_text<NotFound>([&] { check_auth_file(options_); }),
              HasSubstr("credential file is not accessible: " + options_.auth_file));
}

// ---- helpers ----

TEST_F(CredentialsTest, AHelperNamedForAHostIsAskedAboutIt) {
  install_helper("fake");
  write("kept/a.test", R"({"ServerURL":"a.test","Username":"kept","Secret":"s"})");
  use_file(R"({"credHelpers": {"a.test": "fake", "b.test": "fake"}, "auths": {"b.test": {"auth": "dTpw"}}})");
  EXPECT_EQ(user("a.test", "team/app"), "kept");
  EXPECT_EQ(user("b.test"), "(none)");  // the file's own password is not used then
  EXPECT_EQ(user("c.test"), "(none)");
  EXPECT_EQ(asked(), "get a.test\nget b.test\n");
}

TEST_F(CredentialsTest, AStoreIsAskedBeforeTheFilesEntries) {
  install_helper("fake");
  write("kept/a.test", R"({"Username":"kept","Secret":"s"})");
  write("kept/https:__index.docker.io_v1_", R"({"Username":"<token>","Secret":"refresh"})");
  use_file(R"({"credsStore": "fake", "auths": {"a.test": {}, "b.test": {"auth": "dTpw"}}})");
  EXPECT_EQ(user("a.test"), "kept");
  EXPECT_EQ(user("b.test"), "u");
  EXPECT_EQ(find_credentials(places_, options_, "docker.io", "")->identity_token, "refresh");
}

TEST_F(CredentialsTest, OnlyAStoreMayBeMissing) {
  use_file(R"({"credsStore": "desktop.exe", "auths": {"a.test": {"auth": "dTpw"}}})");
  EXPECT_EQ(user("a.test"), "u");
  use_file(R"({"credHelpers": {"a.test": "desktop.exe"}})");
  EXPECT_EQ(error_text<NotFound>([&] { user("a.test"); }),
            "credential helper docker-credential-desktop.exe is not in PATH");
  use_file(R"({"credHelpers": {"a.test": "../bin/sh"}})");
  EXPECT_THAT(error_text<InvalidArgument>([&] { user("a.test"); }),
              HasSubstr("is not the name of a credential"));
}

TEST_F(CredentialsTest, AHelperThatFailsSaysWhy) {
  install_helper("fake");
  use_file(R"({"credHelpers": {"locked": "fake"}})");
  EXPECT_EQ(error_text<Error>([&] { user("locked"); }), "docker-credential-fake get: the key ring is locked");
  write("bin/docker-credential-mute", "#!/bin/sh\nexit 3\n", 0755);
  use_file(R"({"credHelpers": {"a.test": "mute"}})");
  EXPECT_EQ(error_text<Error>([&] { user("a.test"); }), "docker-credential-mute get: exit status 3");
  write("bin/docker-credential-wild", "#!/bin/sh\necho nonsense\n", 0755);
  use_file(R"({"credHelpers": {"a.test": "wild"}})");
  EXPECT_THAT(error_text<InvalidArgument>([&] { user("a.test"); }), HasSubstr("docker-credential-wild"));
}

TEST_F(CredentialsTest, HelpersOfRegistriesConfAreAskedInTheirOrder) {
  install_helper("fake");
  write("kept/a.test", R"({"Username":"kept","Secret":"s"})");
  write("run/containers/auth.json", auths({{"a.test", "file"}, {"locked", "file"}}));
  options_.helpers = {"containers-auth.json", "fake"};
  EXPECT_EQ(user("a.test"), "file");
  options_.helpers = {"fake", "containers-auth.json"};
  EXPECT_EQ(user("a.test"), "kept");
  EXPECT_EQ(user("locked"), "file");  // one that fails does not hide the next
  options_.helpers = {"fake"};
  EXPECT_THAT(error_text<Error>([&] { user("locked"); }), HasSubstr("the key ring is locked"));
}

// ---- writing ----

TEST_F(CredentialsTest, LoginWritesWhereItIsReadFirst) {
  EXPECT_EQ(store_credentials(places_, options_, "a.test", {"u", "p:q"}), path("run/containers/auth.json"));
  EXPECT_EQ(read("run/containers/auth.json"),
            "{\n\t\"auths\": {\n\t\t\"a.test\": {\n\t\t\t\"auth\": \"dTpwOnE=\"\n\t\t}\n\t}\n}\n");
  EXPECT_EQ(find_credentials(places_, options_, "a.test", "x")->password, "p:q");
  struct stat file;
  ASSERT_EQ(::stat(path("run/containers/auth.json").c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 07777, 0600u);
}

TEST_F(CredentialsTest, WritingKeepsWhatWeDoNotKnow) {
  use_file(R"({"HttpHeaders": {"X": "1"}, "auths": {"a.test": {"auth": "dTpw"}, "b.test": {"email": "e"}}})");
  ASSERT_EQ(::chmod(options_.auth_file.c_str(), 0644), 0);
  store_credentials(places_, options_, "a.test/team", {"v", "q"});
  EXPECT_EQ(user("a.test", "team"), "v");
  EXPECT_EQ(user("a.test"), "u");
  EXPECT_TRUE(erase_credentials(places_, options_, "a.test"));
  EXPECT_THAT(read("auth.json"), HasSubstr("\"X\": \"1\""));
  EXPECT_THAT(read("auth.json"), HasSubstr("\"email\": \"e\""));
  EXPECT_EQ(user("a.test"), "(none)");
  EXPECT_EQ(user("a.test", "team"), "v");
  EXPECT_EQ(sys::stat_at(AT_FDCWD, options_.auth_file)->st_mode & 07777, 0600u);
}

TEST_F(CredentialsTest, ALinkIsFollowedAndStays) {
  write("real.json", auths({{"a.test", "u"}}));
  options_.auth_file = path("link.json");
  ASSERT_EQ(::symlink("real.json", options_.auth_file.c_str()), 0);
  store_credentials(places_, options_, "b.test", {"v", "p"});
  EXPECT_THAT(read("real.json"), HasSubstr("b.test"));
  EXPECT_EQ(sys::read_link(AT_FDCWD, options_.auth_file), "real.json");
}

TEST_F(CredentialsTest, ManyLoginsAtOnceAreAllThere) {
  const std::vector<int> statuses = race(8, [&](int i) {
    store_credentials(places_, options_, concat("h", i, ".test"), {"u", "p"});
    return 0;
  });
  EXPECT_THAT(statuses, ::testing::Each(0));
  for (int i = 0; i < 8; ++i) EXPECT_EQ(user(concat("h", i, ".test")), "u");
}

TEST_F(CredentialsTest, DockersFileGetsDockersKeys) {
  options_.compat_file = path("docker/config.json");
  store_credentials(places_, options_, "docker.io", {"u", "p"});
  EXPECT_THAT(read("docker/config.json"), HasSubstr("\"https://index.docker.io/v1/\""));
  EXPECT_EQ(user("docker.io"), "u");
  EXPECT_TRUE(erase_credentials(places_, options_, "docker.io"));
  EXPECT_FALSE(erase_credentials(places_, options_, "docker.io"));
  EXPECT_THAT(error_text<Unsupported>([&] {
                store_credentials(places_, options_, "a.test/b", {"u", "p"});
              }),
              HasSubstr("not for a.test/b"));
}

TEST_F(CredentialsTest, ErasingTakesKeysToTheLetter) {
  use_file(auths({{"a.test", "host"}, {"a.test/team", "team"}, {"https://b.test/v1/", "old"}}));
  EXPECT_FALSE(erase_credentials(places_, options_, "a.test/other"));
  EXPECT_TRUE(erase_credentials(places_, options_, "a.test"));
  EXPECT_EQ(user("a.test", "team"), "team");
  EXPECT_TRUE(erase_credentials(places_, options_, "b.test"));
  EXPECT_FALSE(erase_credentials(places_, options_, "b.test"));
  EXPECT_FALSE(erase_credentials(places_, options_, "c.test"));
}

TEST_F(CredentialsTest, ErasingAllLeavesOnlySettings) {
  install_helper("fake");
  write("kept/h.test", R"({"Username":"kept","Secret":"s"})");
  use_file(R"({"credHelpers": {"h.test": "fake"}, "auths": {"a.test": {"auth": "dTpw"}}})");
  erase_all_credentials(places_, options_);
  EXPECT_EQ(user("a.test"), "(none)");
  EXPECT_EQ(user("h.test"), "(none)");
  EXPECT_FALSE(exists("kept/h.test"));
  EXPECT_THAT(read("auth.json"), HasSubstr("credHelpers"));
}

TEST_F(CredentialsTest, AHelperKeepsThePasswordsOfItsHost) {
  install_helper("fake");
  use_file(R"({"credHelpers": {"a.test": "fake"}})");
  EXPECT_EQ(store_credentials(places_, options_, "a.test", {"u", "secret"}), "docker-credential-fake");
  EXPECT_THAT(read("auth.json"), Not(HasSubstr("auths")));
  EXPECT_EQ(find_credentials(places_, options_, "a.test", "")->password, "secret");
  EXPECT_THAT(error_text<Unsupported>([&] {
                store_credentials(places_, options_, "a.test/b", {"u", "p"});
              }),
              HasSubstr("not of a.test/b"));
  EXPECT_TRUE(erase_credentials(places_, options_, "a.test"));
  EXPECT_FALSE(erase_credentials(places_, options_, "a.test"));
}

TEST_F(CredentialsTest, HelpersOfRegistriesConfKeepPasswordsUnlessAFileIsNamed) {
  install_helper("fake");
  options_.helpers = {"fake", "containers-auth.json"};
  EXPECT_EQ(store_credentials(places_, options_, "a.test", {"u", "p"}), "docker-credential-fake");
  EXPECT_EQ(store_credentials(places_, options_, "locked", {"u", "p"}), path("run/containers/auth.json"));
  EXPECT_TRUE(erase_credentials(places_, options_, "a.test"));
  options_.auth_file = path("named.json");
  EXPECT_EQ(store_credentials(places_, options_, "a.test", {"u", "p"}), options_.auth_file);
}

// ---- certificates ----

class CertificatesTest : public CredentialsTest {
 protected:
  std::vector<std::string> authorities(const std::string& directory = "") {
    return find_certificates(places_, directory, "h.test:5000").authorities;
  }
};

TEST_F(CertificatesTest, TheFirstDirectoryOfTheHostCounts) {
  EXPECT_THAT(authorities(), IsEmpty());
  const std::string docker = write("etc/docker/certs.d/h.test:5000/ca.crt", "");
  EXPECT_THAT(authorities(), ElementsAre(docker));
  const std::string system = write("etc/certs.d/h.test:5000/ca.crt", "");
  EXPECT_THAT(authorities(), ElementsAre(system));
  const std::string user = write("home/.config/containers/certs.d/h.test:5000/b.crt", "");
  const std::string more = write("home/.config/containers/certs.d/h.test:5000/a.crt", "");
  write("home/.config/containers/certs.d/h.test/other.crt", "");
  EXPECT_THAT(authorities(), ElementsAre(more, user));
  const std::string given = write("given/x.crt", "");
  EXPECT_THAT(authorities(path("given")), ElementsAre(given));
  EXPECT_THAT(error_text<NotFound>([&] { authorities(path("none")); }), HasSubstr(path("none")));
}

TEST_F(CertificatesTest, AClientCertificateComesWithItsKey) {
  const std::string certificate = write("given/client.cert", "");
  EXPECT_EQ(error_text<InvalidArgument>([&] { authorities(path("given")); }),
            "missing key client.key for " + certificate);
  const std::string key = write("given/client.key", "");
  const Certificates found = find_certificates(places_, path("given"), "h.test");
  EXPECT_EQ(found.client_certificate, certificate);
  EXPECT_EQ(found.client_key, key);
  const std::string lonely = write("given/lonely.key", "");
  EXPECT_EQ(error_text<InvalidArgument>([&] { authorities(path("given")); }),
            "missing certificate lonely.cert for " + lonely);
}

}  // namespace
}  // namespace knarr::storage
