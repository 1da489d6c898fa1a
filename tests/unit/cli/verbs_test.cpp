// SPDX-License-Identifier: Apache-2.0
// The real table of verbs: that it is whole, and that run's flags are podman's.
#include <gmock/gmock.h>

#include <set>

#include "cli/help.h"
#include "cli/program_table.h"
#include "cli/text.h"

namespace knarr::cli {
namespace {

const Verb& verb(std::string_view path) {
  const Verb* found = find_verb(knarr_program, path);
  if (found == nullptr) throw Error(concat("no verb ", path));
  return *found;
}

TEST(Verbs, NoTwoAnswerToOneName) {
  std::set<std::string_view> seen;
  for (const Verb* known : knarr_program.verbs) {
    for (const std::string_view path : known->paths) {
      if (path.empty()) continue;
      EXPECT_TRUE(seen.insert(path).second) << path;
    }
  }
}

TEST(Verbs, AreWellFormedAndFitTheProgramsFlags) {
  for (const Verb* known : knarr_program.verbs) {
    EXPECT_TRUE(is_well_formed(known->flags)) << known->paths[0];
    for (const Flag& flag : known->flags) {
      // As in podman, where the one is a directory and the other a configuration.
      if (known->paths[0] == "commit" && flag.name == "config") continue;
      EXPECT_EQ(find_flag({{}, knarr_program.flags}, flag.name), nullptr)
          << known->paths[0] << ": --" << std::string_view(flag.name) << " hides the program's";
    }
  }
}

TEST(Verbs, EveryoneHasASummaryAndSaysWhatItTakes) {
  for (const Verb* known : knarr_program.verbs) {
    EXPECT_FALSE(known->summary.empty()) << known->paths[0];
    EXPECT_FALSE(known->summary.ends_with('.')) << known->paths[0];
    EXPECT_TRUE(known->flags.empty() || !known->usage.empty()) << known->paths[0];
  }
}

TEST(Verbs, InAGroupTheGroupIsKnown) {
  for (const Verb* known : knarr_program.verbs) {
    for (const std::string_view path : known->paths) {
      const std::size_t space = path.find(' ');
      if (space == std::string_view::npos) continue;
      EXPECT_NE(find_group(knarr_program, path.substr(0, space)), nullptr) << path;
    }
  }
}

TEST(Verbs, OnlyArchivesAndRegistriesLiveInOtherPrograms) {
  std::vector<std::string> elsewhere;
  for (const Verb* known : knarr_program.verbs) {
    if (known->run == nullptr) elsewhere.emplace_back(concat(known->helper, ' ', known->paths[0]));
  }
  EXPECT_THAT(
      elsewhere,
      ::testing::UnorderedElementsAre(
          "knarr-store commit", "knarr-store export", "knarr-store import", "knarr-store load",
          "knarr-store save", "knarr-store system adopt", "knarr-store system check", "knarr-registry login",
          "knarr-registry logout", "knarr-registry pull", "knarr-registry push", "knarr-registry search",
          "knarr-registry manifest add", "knarr-registry manifest annotate", "knarr-registry manifest create",
          "knarr-registry manifest exists", "knarr-registry manifest inspect", "knarr-registry manifest push",
          "knarr-registry manifest remove", "knarr-registry manifest rm"));
}

TEST(Help, LinesAreAtMost120Wide) {
  for (const Verb* known : knarr_program.verbs) {
    const std::string help = render_verb_help("knarr", concat("knarr ", known->paths[0]), *known);
    for (const std::string& line : split(help, "\n"))
      EXPECT_LE(line.size(), 120u) << known->paths[0] << ": " << line;
  }
}

// The flags of podman 5's run and create; each is known here, if only to be refused by name.
constexpr std::string_view podman_flags =
    "add-host annotation arch attach authfile blkio-weight blkio-weight-device cap-add cap-drop cert-dir "
    "cgroup-conf "
    "cgroup-parent cgroupns cgroups chrootdirs cidfile conmon-pidfile cpu-period cpu-quota cpu-rt-period "
    "cpu-rt-runtime cpu-shares cpus cpuset-cpus cpuset-mems creds decryption-key device device-cgroup-rule "
    "device-read-bps device-read-iops device-write-bps device-write-iops disable-content-trust dns "
    "dns-option "
    "dns-search entrypoint env env-file env-host env-merge expose gidmap gpus group-add group-entry "
    "health-cmd "
    "health-interval health-log-destination health-max-log-count health-max-log-size health-on-failure "
    "health-retries "
    "health-start-period health-startup-cmd health-startup-interval health-startup-retries "
    "health-startup-success "
    "health-startup-timeout health-timeout hostname hosts-file hostuser http-proxy image-volume init "
    "init-path "
    "interactive ip ip6 ipc label label-file log-driver log-opt mac-address memory memory-reservation "
    "memory-swap "
    "memory-swappiness mount name network network-alias no-healthcheck no-hostname no-hosts oom-kill-disable "
    "oom-score-adj os passwd-entry personality pid pidfile pids-limit platform pod pod-id-file privileged "
    "publish "
    "publish-all pull quiet rdt-class read-only read-only-tmpfs replace requires restart retry retry-delay "
    "rm rootfs "
    "sdnotify seccomp-policy secret security-opt shm-size shm-size-systemd stop-signal stop-timeout "
    "subgidname "
    "subuidname sysctl systemd timeout tls-verify tmpfs tty tz uidmap ulimit umask unsetenv unsetenv-all "
    "user userns "
    "uts variant volume volumes-from workdir";

TEST(Run, KnowsEveryFlagOfPodmans) {
  for (const std::string& name : split(podman_flags, " ")) {
    EXPECT_NE(find_flag({.own = verb("run").flags}, name), nullptr) << "run --" << name;
    EXPECT_NE(find_flag({.own = verb("create").flags}, name), nullptr) << "create --" << name;
  }
  for (const char* name : {"detach", "detach-keys", "passwd", "preserve-fds", "rmi", "sig-proxy"}) {
    EXPECT_NE(find_flag({.own = verb("run").flags}, name), nullptr) << "run --" << name;
  }
}

TEST(Run, HasPodmansLetters) {
  constexpr std::pair<char, std::string_view> letters[] = {
      {'a', "attach"},      {'c', "cpu-shares"}, {'d', "detach"}, {'e', "env"},     {'h', "hostname"},
      {'i', "interactive"}, {'l', "label"},      {'m', "memory"}, {'p', "publish"}, {'q', "quiet"},
      {'t', "tty"},         {'u', "user"},       {'v', "volume"}, {'w', "workdir"}, {'P', "publish-all"}};
  for (const auto& [letter, name] : letters) {
    const Flag* flag = find_shorthand({.own = verb("run").flags}, letter);
    ASSERT_NE(flag, nullptr) << letter;
    EXPECT_EQ(flag->name, name);
  }
}

TEST(Run, AcceptsWhatAsksForNothing) {
  const auto error_of = [](std::vector<const char*> words) -> std::string {
    try {
      parse_flags({verb("run").flags, knarr_program.flags, false}, words);
      return "";
    } catch (const Error& error) {
      return error.message();
    }
  };
  EXPECT_EQ(error_of({"--restart=no", "--health-cmd=none", "--no-healthcheck", "--pull=never",
                      "--sdnotify=ignore", "x"}),
            "");
  EXPECT_EQ(error_of({"--memory", "1g", "x"}), "--memory is not supported yet");
  EXPECT_EQ(error_of({"-p", "80:80", "x"}), "");
  EXPECT_EQ(error_of({"--pull=always", "x"}), "");
  EXPECT_EQ(error_of({"--healthcheck-command", "true", "x"}), "--health-cmd is not supported yet");
}

}  // namespace
}  // namespace knarr::cli
