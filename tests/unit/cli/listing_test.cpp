// SPDX-License-Identifier: Apache-2.0
// ps, images, volume ls, history, inspect and the verbs that remove: over a store made by hand, through the
// real table of verbs. No container is started.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <deque>

#include "cli/program_table.h"
#include "cli/text.h"
#include "engine/engine.h"
#include "engine/monitor/record_files.h"
#include "engine/record.h"
#include "engine/time_format.h"
#include "tests/support/temporary_directory.h"

namespace knarr::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr std::int64_t minute_ns = 60 * engine::ns_per_second;

struct Result {
  int status;
  std::string out, errors;
  std::vector<std::string> lines() const {
    if (out.empty()) return {};
    return split(std::string_view(out).substr(0, out.size() - 1), "\n");
  }
};

std::string repeat(char digit) {
  return std::string(64, digit);
}

class Listing : public ::testing::Test {
 protected:
  Listing() { setenv("TZ", "UTC", 1); }

  Result run(std::vector<std::string> words) const {
    std::vector<std::string> line = {"knarr", "--root", engine_.store().root(), "--runroot",
                                     engine_.paths().run_root};
    line.insert(line.end(), words.begin(), words.end());
    std::vector<const char*> argv;
    for (const std::string& word : line) argv.push_back(word.c_str());
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    const int status = run_program(knarr_program, static_cast<int>(argv.size()), argv.data());
    std::string out = ::testing::internal::GetCapturedStdout();
    return {status, std::move(out), ::testing::internal::GetCapturedStderr()};
  }
  std::vector<std::string> lines(std::vector<std::string> words) const {
    return run(std::move(words)).lines();
  }

  // Made `minutes` ago, of the image "localhost/base:1".
  engine::ContainerConfig make(char digit, const std::string& name, int minutes,
                               const std::map<std::string, std::string>& labels = {}) {
    engine::ContainerConfig config;
    config.id = repeat(digit);
    config.name = name;
    config.created = engine::render_rfc3339_nano(now_ - minutes * minute_ns, engine::TimeZone::utc);
    config.image_id = repeat('f');
    config.image_name = "localhost/base:1";
    config.command = {"sleep", "100"};
    config.labels = labels;
    return config;
  }
  void add(const engine::ContainerConfig& config) const {
    engine_.containers().create({.id = config.id,
                                 .name = config.name,
                                 .config_json = render_config(config),
                                 .summary = render_summary(summarize(config)),
                                 .durability = sys::Durability::none});
  }
  void set_exited(char digit, int code, int minutes) const {
    const engine::StatusRecord record{.started_ns = now_ - 2 * minutes * minute_ns,
                                      .finished_ns = now_ - minutes * minute_ns,
                                      .exit_code = code};
    engine::monitor::update_status(engine_.containers().path(repeat(digit)).c_str(),
                                   [&](engine::StatusRecord& status) { status = record; });
  }
  // This process plays the monitor and the init.
  void set_running(char digit, int minutes) {
    const engine::StatusRecord record{.started_ns = now_ - minutes * minute_ns};
    engine::monitor::update_status(engine_.containers().path(repeat(digit)).c_str(),
                                   [&](engine::StatusRecord& status) { status = record; });
    const std::string directory = engine_.run_directory(repeat(digit));
    sys::make_directories(AT_FDCWD, directory, 0700);
    run_directories_.push_back(sys::open_directory(AT_FDCWD, directory));
    const sys::ProcessId self = sys::identify(::getpid());
    monitors_.emplace_back(run_directories_.back().get(), engine::LivePids{.monitor = self, .init = self});
  }
  // web runs, db has exited with 3, job was only created, old has exited with 0.
  void add_four() {
    add(make('a', "web", 10, {{"tier", "front"}}));
    set_running('a', 5);
    add(make('b', "db", 30, {{"tier", "back"}, {"x", ""}}));
    set_exited('b', 3, 2);
    add(make('c', "job", 1));
    engine::ContainerConfig old = make('d', "old", 200);
    old.image_id = repeat('e');
    old.image_name = "docker.io/library/debian:latest";
    old.command = {"a", "command", "that", "is", "rather", "long"};
    add(old);
    set_exited('d', 0, 100);
  }
  storage::Image add_image(char digit, const std::vector<std::string>& names, int minutes,
                           std::uint64_t size = 1000) {
    storage::Image image;
    image.id = repeat(digit);
    image.manifest = {"sha256", repeat('1')};
    image.created = engine::render_rfc3339_nano(now_ - minutes * minute_ns, engine::TimeZone::utc);
    image.architecture = "amd64";
    image.os = "linux";
    image.config.cmd = {"sh"};
    image.config.labels = {{"maker", "me"}};
    image.history = {{.created = image.created, .created_by = "ADD file", .comment = "first"},
                     {.created = image.created, .created_by = "CMD [\"sh\"]", .empty_layer = true}};
    image.size = size;
    std::vector<storage::Reference> references;
    for (const std::string& name : names) references.push_back(storage::parse_reference(name));
    engine_.images().add_image(image, "{}", "{}", references);
    return image;
  }
  void add_volume(const std::string& name, bool anonymous = false) const {
    engine_.volumes().create_volume({.name = name,
                                     .created = engine::render_rfc3339_nano(now_, engine::TimeZone::utc),
                                     .labels = {{"for", name}},
                                     .anonymous = anonymous});
  }

  test::TemporaryDirectory directory_;
  engine::Engine engine_{{.paths = {.root = directory_.path("root"), .runroot = directory_.path("run")}}};
  const std::int64_t now_ = engine::wall_clock_ns();
  std::deque<sys::UniqueFd> run_directories_;
  std::deque<engine::monitor::PidsFile> monitors_;
};

using Ps = Listing;

TEST_F(Ps, ShowsWhatRuns) {
  add_four();
  EXPECT_THAT(
      lines({"ps"}),
      ElementsAre(
          "CONTAINER ID  IMAGE             COMMAND     CREATED         STATUS        PORTS       NAMES",
          "aaaaaaaaaaaa  localhost/base:1  sleep 100   10 minutes ago  Up 5 minutes              web"));
}

TEST_F(Ps, ShowsAllOldestFirst) {
  add_four();
  const std::string table = join(lines({"ps", "-a", "--noheading"}), "\n") + '\n';
  EXPECT_EQ(
      table,
      R"(dddddddddddd  docker.io/library/debian:latest  a command that is...  3 hours ago         Exited (0) 2 hours ago                old
bbbbbbbbbbbb  localhost/base:1                 sleep 100             30 minutes ago      Exited (3) 2 minutes ago              db
aaaaaaaaaaaa  localhost/base:1                 sleep 100             10 minutes ago      Up 5 minutes                          web
cccccccccccc  localhost/base:1                 sleep 100             About a minute ago  Created                               job
)");
}

TEST_F(Ps, AnEmptyListIsItsTitles) {
  EXPECT_EQ(run({"ps"}).out,
            "CONTAINER ID  IMAGE       COMMAND     CREATED     STATUS      PORTS       NAMES\n");
  EXPECT_EQ(run({"ps", "-q"}).out, "");
  EXPECT_EQ(run({"ps", "--format", "json"}).out, "[]\n");
  EXPECT_EQ(run({"ps", "--format", "{{.Names}}"}).out, "");
}

TEST_F(Ps, FormatTableIsTheTable) {
  add_four();
  EXPECT_EQ(run({"ps", "--format", "table"}).out, run({"ps"}).out);
}

TEST_F(Ps, CanShowIdsOnlyAndWhole) {
  add_four();
  EXPECT_THAT(lines({"ps", "-q"}), ElementsAre("aaaaaaaaaaaa"));
  EXPECT_THAT(lines({"ps", "-q", "--no-trunc"}), ElementsAre(repeat('a')));
}

struct FilterCase {
  std::vector<std::string> filters;
  std::vector<std::string> names;
};
class PsFilter : public Listing, public ::testing::WithParamInterface<FilterCase> {};
TEST_P(PsFilter, ChoosesContainers) {
  add_four();
  std::vector<std::string> words = {"ps", "-a", "--format", "{{.Names}}"};
  for (const std::string& filter : GetParam().filters) words.insert(words.end(), {"--filter", filter});
  const Result result = run(words);
  EXPECT_EQ(result.errors, "");
  EXPECT_EQ(result.lines(), GetParam().names);
}
INSTANTIATE_TEST_SUITE_P(
    Filters, PsFilter,
    ::testing::Values(FilterCase{{"name=^d"}, {"db"}}, FilterCase{{"name=b"}, {"db", "web", "job"}},
                      FilterCase{{"name=web", "name=old"}, {"old", "web"}}, FilterCase{{"id=bbb"}, {"db"}},
                      FilterCase{{"id=^[ab]+$"}, {"db", "web"}}, FilterCase{{"status=exited"}, {"old", "db"}},
                      FilterCase{{"status=running", "status=created"}, {"web", "job"}},
                      FilterCase{{"status=paused"}, {}}, FilterCase{{"exited=3"}, {"db"}},
                      FilterCase{{"label=tier"}, {"db", "web"}}, FilterCase{{"label=tier=back"}, {"db"}},
                      FilterCase{{"label=tier", "label=x"}, {"db"}},
                      FilterCase{{"label!=tier"}, {"old", "job"}},
                      FilterCase{{"ancestor=docker.io/library/debian"}, {"old"}},
                      FilterCase{{"ancestor=localhost/base:1"}, {"db", "web", "job"}},
                      FilterCase{{"ancestor=ffff"}, {"db", "web", "job"}},
                      FilterCase{{"before=web"}, {"old", "db"}}, FilterCase{{"since=db"}, {"web", "job"}},
                      FilterCase{{"until=20m"}, {"old", "db"}}, FilterCase{{"command=^a"}, {"old"}},
                      FilterCase{{"name=b", "status=exited"}, {"db"}}, FilterCase{{"volume=/data"}, {}}));

TEST_F(Ps, RefusesFiltersItDoesNotKnow) {
  EXPECT_THAT(run({"ps", "--filter", "bla"}).errors, StartsWith("Error: invalid filter \"bla\""));
  EXPECT_THAT(run({"ps", "--filter", "bla=x"}).errors,
              StartsWith("Error: \"bla\" is an invalid filter\nhint: "));
  EXPECT_EQ(run({"ps", "--filter", "health=healthy"}).errors,
            "Error: --filter health= is not supported yet\n");
  EXPECT_EQ(run({"ps", "--filter", "status=foo"}).errors, "Error: unknown container state \"foo\"\n");
  EXPECT_THAT(run({"ps", "--filter", "name=["}).errors,
              StartsWith("Error: invalid regular expression \"[\": "));
  EXPECT_EQ(run({"ps", "--filter", "name=["}).status, 125);
}

TEST_F(Ps, FindsVolumesByNameAndByPlace) {
  engine::ContainerConfig config = make('a', "web", 1);
  config.mounts = {{.source = "data", .destination = "/srv"}};
  add(config);
  add(make('b', "db", 1));
  EXPECT_THAT(lines({"ps", "-aq", "--filter", "volume=data"}), ElementsAre("aaaaaaaaaaaa"));
  EXPECT_THAT(lines({"ps", "-aq", "--filter", "volume=/srv"}), ElementsAre("aaaaaaaaaaaa"));
}

TEST_F(Ps, SortsByAColumn) {
  add_four();
  const auto sorted = [&](const char* key) {
    return join(lines({"ps", "-a", "--sort", key, "--format", "{{.Names}}"}), " ");
  };
  EXPECT_EQ(sorted("created"), "old db web job");
  EXPECT_EQ(sorted("names"), "db job old web");
  EXPECT_EQ(sorted("id"), "web db job old");
  EXPECT_EQ(sorted("image"), "old db web job");
  EXPECT_EQ(sorted("status"), "job old db web");
  EXPECT_THAT(
      run({"ps", "--sort", "bogus"}).errors,
      StartsWith("Error: invalid argument \"bogus\" for \"--sort\" flag: choose from command, created, id"));
}

TEST_F(Ps, ShowsTheLastOnesMade) {
  add_four();
  EXPECT_THAT(lines({"ps", "-n", "2", "--format", "{{.Names}}"}), ElementsAre("web", "job"));
  EXPECT_THAT(lines({"ps", "-l", "--format", "{{.Names}}"}), ElementsAre("job"));
  EXPECT_THAT(lines({"ps", "-n", "0", "-q"}), IsEmpty());
}

TEST_F(Ps, TemplatesSeeWhatPeopleRead) {
  add_four();
  EXPECT_THAT(lines({"ps", "-a", "--filter", "name=db", "--format",
                     "{{.ID}}|{{.Names}}|{{.Image}}|{{.Command}}|{{.RunningFor}}|{{.Status}}|{{.State}}|{{."
                     "ExitCode}}|{{.Labels}}|{{.Label \"tier\"}}|{{.Pid}}"}),
              ElementsAre("bbbbbbbbbbbb|db|localhost/base:1|sleep 100|30 minutes ago|Exited (3) 2 minutes "
                          "ago|exited|3|map[tier:back x:]|back|0"));
  EXPECT_THAT(run({"ps", "--format", "{{.Foo}}"}).errors,
              HasSubstr("at <.Foo>: can't evaluate field Foo in type Container"));
  EXPECT_THAT(lines({"ps", "--format", "table {{.ID}} {{.Names}}"}),
              ElementsAre("CONTAINER ID  NAMES", "aaaaaaaaaaaa  web"));
}

TEST_F(Ps, JsonHasPodmansKeys) {
  add(make('b', "db", 30, {{"x", ""}}));
  set_exited('b', 3, 2);
  const std::string out = run({"ps", "-a", "--format", "json"}).out;
  EXPECT_THAT(out, StartsWith("[\n    {\n        \"AutoRemove\": false,"));
  for (const char* part :
       {"\"Id\": \"bbbb", "\"Names\": [\n            \"db\"\n        ]",
        "\"Command\": [\n            \"sleep\",\n            \"100\"", "\"ExitCode\": 3", "\"Exited\": true",
        "\"State\": \"exited\"", "\"Labels\": {\n            \"x\": \"\"", "\"Pid\": 0"}) {
    EXPECT_THAT(out, HasSubstr(part));
  }
}

TEST_F(Ps, ShowsTheNamespacesOfAProcess) {
  add_four();
  char link[64] = {};
  ASSERT_GT(::readlink("/proc/self/ns/net", link, sizeof link - 1), 0);
  const std::string number = std::string(link).substr(5, std::string(link).size() - 6);
  EXPECT_THAT(lines({"ps", "--format", "{{.NET}}"}), ElementsAre(number));
  EXPECT_THAT(run({"ps", "--ns"}).out, HasSubstr(number));
}

TEST_F(Ps, AMonitorThatWasKilledLeavesNoTime) {
  add(make('b', "db", 30));
  engine::monitor::update_status(engine_.containers().path(repeat('b')).c_str(),
                                 [&](engine::StatusRecord& status) { status.started_ns = now_ - minute_ns; });
  EXPECT_THAT(lines({"ps", "-a", "--format", "{{.Status}}"}), ElementsAre("Exited (137)"));
}

using Images = Listing;

TEST_F(Images, AreShownNewestFirstWithARowForEachName) {
  add_image('a', {"localhost/base:1", "docker.io/library/base:2"}, 60, 1'997'940);
  add_image('b', {}, 30, 11'331);
  EXPECT_THAT(lines({"images"}),
              ElementsAre("REPOSITORY              TAG         IMAGE ID      CREATED            SIZE",
                          "<none>                  <none>      bbbbbbbbbbbb  30 minutes ago     11.3 kB",
                          "docker.io/library/base  2           aaaaaaaaaaaa  About an hour ago  2 MB",
                          "localhost/base          1           aaaaaaaaaaaa  About an hour ago  2 MB"));
}

TEST_F(Images, CanBeFiltered) {
  add_image('a', {"localhost/base:1", "docker.io/library/debian:12"}, 60);
  add_image('b', {}, 30);
  const auto ids = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"images", "-q"});
    return join(lines(words), " ");
  };
  EXPECT_EQ(ids({}), "bbbbbbbbbbbb aaaaaaaaaaaa");
  EXPECT_EQ(ids({"--filter", "dangling=true"}), "bbbbbbbbbbbb");
  EXPECT_EQ(ids({"--filter", "reference=debian"}), "aaaaaaaaaaaa");
  EXPECT_EQ(ids({"--filter", "reference=deb*:1?"}), "aaaaaaaaaaaa");
  EXPECT_EQ(ids({"--filter", "reference=ubuntu"}), "");
  EXPECT_EQ(ids({"--filter", "since=debian:12"}), "bbbbbbbbbbbb");
  EXPECT_EQ(ids({"--filter", "until=45m"}), "aaaaaaaaaaaa");
  EXPECT_EQ(ids({"--filter", "label=maker=me", "--filter", "id=b"}), "bbbbbbbbbbbb");
  EXPECT_EQ(ids({"debian"}), "aaaaaaaaaaaa");
  EXPECT_EQ(ids({"localhost/base:1"}), "aaaaaaaaaaaa");
  EXPECT_EQ(ids({"other"}), "");
}

TEST_F(Images, JsonShowsAnImageOnce) {
  add_image('a', {"localhost/base:1", "localhost/other:2"}, 60);
  const std::string out = run({"images", "--sort", "tag", "--format", "json"}).out;
  EXPECT_EQ(split(out, "\"Id\":").size(), 2u);
  EXPECT_THAT(out, HasSubstr("\"RepoDigests\": [\n            \"localhost/base@sha256:111"));
  EXPECT_THAT(out, HasSubstr("\"CreatedAt\": \"2"));
}

TEST_F(Images, TemplatesSeeARowForEachName) {
  add_image('a', {"localhost/base:1", "localhost/other:2"}, 60, 2'000'000);
  EXPECT_THAT(lines({"images", "--format", "{{.Repository}}:{{.Tag}} {{.ID}} {{.Size}}"}),
              ElementsAre("localhost/base:1 aaaaaaaaaaaa 2 MB", "localhost/other:2 aaaaaaaaaaaa 2 MB"));
}

TEST_F(Images, HaveAHistory) {
  add_image('a', {"localhost/base:1"}, 60);
  EXPECT_THAT(lines({"history", "base:1"}),
              ElementsAre("ID            CREATED            CREATED BY  SIZE        COMMENT",
                          "aaaaaaaaaaaa  About an hour ago  CMD [\"sh\"]  0 B         ",
                          "<missing>     About an hour ago  ADD file    0 B         first"));
  EXPECT_THAT(lines({"history", "-q", "--no-trunc", "base:1"}), ElementsAre(repeat('a'), "<missing>"));
}

TEST_F(Images, GetAndLoseNames) {
  add_image('a', {"localhost/base:1"}, 60);
  EXPECT_EQ(run({"tag", "base:1", "two", "reg:5000/x:y"}).status, 0);
  const auto names = [&] {
    return join(lines({"images", "--sort", "repository", "--format", "{{.Repository}}:{{.Tag}}"}), " ");
  };
  EXPECT_EQ(names(), "localhost/base:1 localhost/two:latest reg:5000/x:y");
  EXPECT_EQ(run({"untag", "two", "base:1"}).status, 0);
  EXPECT_EQ(names(), "localhost/two:latest reg:5000/x:y");
  EXPECT_EQ(run({"untag", "two"}).status, 0);
  EXPECT_EQ(names(), "<none>:<none>");
  EXPECT_EQ(run({"untag", "nope"}).status, 125);
}

TEST_F(Images, AreRemovedWithTheirLastName) {
  add_image('a', {"localhost/base:1", "localhost/other:2"}, 60);
  EXPECT_EQ(run({"rmi", "other:2"}).out, "Untagged: localhost/other:2\n");
  EXPECT_EQ(run({"rmi", "base:1"}).out, concat("Untagged: localhost/base:1\nDeleted: ", repeat('a'), '\n'));
  const Result gone = run({"rmi", "base:1"});
  EXPECT_EQ(gone.status, 1);
  EXPECT_EQ(gone.errors, "Error: base:1: image not known\n");
  EXPECT_EQ(run({"rmi", "-f", "base:1"}).status, 0);
}

TEST_F(Images, InUseStay) {
  add_image('f', {"localhost/base:1"}, 60);
  add(make('a', "web", 10));
  const Result result = run({"rmi", "base:1"});
  EXPECT_EQ(result.status, 2);
  EXPECT_THAT(result.errors, StartsWith(concat("Error: image used by ", repeat('a'), ": image is in use")));
  EXPECT_EQ(run({"image", "exists", "base:1"}).status, 0);
}

TEST_F(Images, WithSeveralNamesAreNotRemovedById) {
  add_image('a', {"localhost/base:1", "localhost/other:2"}, 60);
  EXPECT_EQ(run({"rmi", repeat('a')}).status, 2);
  EXPECT_THAT(run({"rmi", "-f", repeat('a')}).out, HasSubstr("Deleted: "));
}

TEST_F(Images, PruneTakesThoseWithoutANameOrUse) {
  add_image('f', {"localhost/used:1"}, 60);
  add_image('a', {"localhost/unused:1"}, 60);
  add_image('b', {}, 60);
  add(make('c', "web", 10));
  EXPECT_THAT(lines({"image", "prune", "-f"}), ElementsAre(repeat('b')));
  EXPECT_THAT(lines({"image", "prune", "-f", "-a"}), ElementsAre(repeat('a')));
  EXPECT_THAT(lines({"images", "-q"}), ElementsAre("ffffffffffff"));
}

using Volumes = Listing;

TEST_F(Volumes, AreMadeListedAndRemoved) {
  EXPECT_EQ(run({"volume", "create", "--label", "a=b", "data"}).out, "data\n");
  EXPECT_EQ(run({"volume", "create", "data"}).status, 125);
  EXPECT_EQ(run({"volume", "create", "--ignore", "data"}).out, "data\n");
  EXPECT_EQ(run({"volume", "create"}).out.size(), 65u);
  EXPECT_THAT(lines({"volume", "ls", "--filter", "label=a"}),
              ElementsAre("DRIVER      VOLUME NAME", "local       data"));
  EXPECT_EQ(run({"volume", "inspect", "-f", "{{.Name}} {{.Labels.a}} {{.Scope}}", "data"}).out,
            "data b local\n");
  EXPECT_EQ(run({"volume", "rm", "data"}).out, "data\n");
  EXPECT_EQ(run({"volume", "rm", "data"}).status, 1);
  EXPECT_EQ(run({"volume", "rm", "-f", "data"}).status, 0);
  EXPECT_EQ(run({"volume", "exists", "data"}).status, 1);
}

TEST_F(Volumes, InUseStay) {
  add_volume("data");
  engine::ContainerConfig config = make('a', "web", 1);
  config.mounts = {{.source = "data", .destination = "/srv"}};
  add(config);
  EXPECT_EQ(run({"volume", "rm", "data"}).status, 2);
  EXPECT_THAT(lines({"volume", "ls", "-q", "--filter", "dangling=true"}), IsEmpty());
  EXPECT_THAT(lines({"volume", "ls", "-q", "--filter", "dangling=false"}), ElementsAre("data"));
  EXPECT_THAT(lines({"volume", "prune", "-f", "--all"}), IsEmpty());
}

TEST_F(Volumes, InUseGoWithTheirContainersByForce) {
  add_volume("data");
  for (const char digit : {'a', 'b'}) {
    engine::ContainerConfig config = make(digit, concat("user-", digit), 1);
    config.mounts = {{.source = "data", .destination = "/srv"}};
    add(config);
  }
  EXPECT_EQ(run({"volume", "rm", "-f", "data"}).out, "data\n");
  EXPECT_THAT(lines({"ps", "-aq"}), IsEmpty());
}

TEST_F(Volumes, PruneTakesAnonymousOnesOnlyUnlessAllAreMeant) {
  add_volume("named");
  add_volume("anonymous", true);
  EXPECT_THAT(lines({"volume", "prune", "--dry-run", "--all"}), ElementsAre("anonymous", "named"));
  EXPECT_THAT(lines({"volume", "prune", "-f"}), ElementsAre("anonymous"));
  EXPECT_THAT(lines({"volume", "prune", "-f", "--all"}), ElementsAre("named"));
}

using Inspect = Listing;

TEST_F(Inspect, FindsContainersThenImagesThenVolumes) {
  add_image('e', {"localhost/thing:latest", "localhost/base:1"}, 60);
  add_volume("thing");
  EXPECT_EQ(run({"inspect", "-f", "{{.Architecture}}", "thing"}).out, "amd64\n");
  add(make('a', "thing", 1));
  EXPECT_EQ(run({"inspect", "-f", "{{.State.Status}}", "thing"}).out, "created\n");
  EXPECT_EQ(run({"inspect", "-t", "volume", "-f", "{{.Driver}}", "thing"}).out, "local\n");
  EXPECT_EQ(run({"inspect", "-t", "image", "-f", "{{.RepoTags}}", "thing"}).out,
            "[localhost/base:1 localhost/thing:latest]\n");
}

TEST_F(Inspect, ShowsWhatItFindsAndFailsForTheRest) {
  add(make('a', "web", 1));
  const Result result = run({"inspect", "-f", "{{.Name}}", "web", "nope"});
  EXPECT_EQ(result.status, 125);
  EXPECT_EQ(result.out, "web\n");
  EXPECT_EQ(result.errors, "Error: no such object: \"nope\"\n");
  EXPECT_EQ(run({"container", "inspect", "nope"}).out, "[]\n");
}

TEST_F(Inspect, HasPodmansKeysInPodmansOrder) {
  engine::ContainerConfig config = make('a', "web", 1, {{"k", "v"}});
  config.mounts = {{.source = "data", .destination = "/srv", .read_only = true}};
  config.cap_add = {"NET_ADMIN"};
  add(config);
  const std::string out = run({"inspect", "web"}).out;
  constexpr std::string_view keys =
      "Id Created Path Args State Image ImageDigest ImageName Rootfs Pod ResolvConfPath HostnamePath "
      "HostsPath StaticDir "
      "OCIConfigPath OCIRuntime ConmonPidFile PidFile Name RestartCount Driver MountLabel ProcessLabel "
      "AppArmorProfile "
      "EffectiveCaps BoundingCaps ExecIDs GraphDriver Mounts Dependencies NetworkSettings Namespace IsInfra "
      "IsService "
      "KubeExitCodePropagation lockNumber Config HostConfig";
  std::size_t at = 0;
  for (const std::string& key : split(keys, " ")) {
    at = out.find(concat("\n        \"", key, "\": "), at);
    ASSERT_NE(at, std::string::npos) << key;
  }
  EXPECT_EQ(
      run({"inspect", "-f", "{{range .Mounts}}{{.Type}} {{.Name}} {{.Destination}} {{.RW}}{{end}}", "web"})
          .out,
      "volume data /srv false\n");
  EXPECT_EQ(
      run({"inspect", "-f", "{{.Config.Labels.k}} {{.Path}} {{.Args}} {{len .BoundingCaps}}", "web"}).out,
      "v sleep [100] 12\n");
}

using Remove = Listing;

TEST_F(Remove, EndsWithOneForAMissingContainerAndTwoForARunningOne) {
  add_four();
  EXPECT_EQ(run({"rm", "nope"}).status, 1);
  EXPECT_EQ(run({"rm", "web"}).status, 2);
  const Result result = run({"rm", "nope", "job"});
  EXPECT_EQ(result.status, 1);
  EXPECT_EQ(result.out, "job\n");
  EXPECT_EQ(result.errors, "Error: no container with name or ID \"nope\" found: no such container\n");
  EXPECT_EQ(run({"rm", "-f", "nope"}).status, 0);
  EXPECT_EQ(run({"rm", "-i", "nope"}).status, 0);
}

TEST_F(Remove, ByFilterAndByFile) {
  add_four();
  EXPECT_THAT(lines({"rm", "--filter", "exited=3"}), ElementsAre(repeat('b')));
  sys::create_file(AT_FDCWD, directory_.path("cid"), repeat('c'), 0600, sys::Durability::none);
  EXPECT_THAT(lines({"rm", "--cidfile", directory_.path("cid")}), ElementsAre(repeat('c')));
  EXPECT_THAT(run({"rm", "--all", "job"}).errors,
              StartsWith("Error: no names are allowed with --all\nSee 'knarr rm --help'"));
}

TEST_F(Remove, PruneTakesWhatDoesNotRun) {
  add_four();
  EXPECT_THAT(lines({"container", "prune", "-f", "--filter", "until=20m"}),
              ::testing::UnorderedElementsAre(repeat('b'), repeat('d')));
  EXPECT_THAT(lines({"container", "prune", "-f"}), ElementsAre(repeat('c')));
  EXPECT_THAT(lines({"ps", "-aq"}), ElementsAre("aaaaaaaaaaaa"));
}

using System = Listing;

TEST_F(System, DfCountsWhatIsThere) {
  add_image('f', {"localhost/base:1"}, 5);
  add_image('b', {"localhost/other:1"}, 5);
  add(make('a', "web", 10));
  set_running('a', 5);
  add(make('b', "db", 30));
  add_volume("data");
  EXPECT_THAT(
      lines({"system", "df", "--format", "{{.Type}} {{.Total}} {{.Active}} {{.TotalCount}} {{.RawSize}}"}),
      ElementsAre("Images 2 1 2 0", "Containers 2 1 2 0", "Local Volumes 1 0 1 0"));
  EXPECT_THAT(run({"system", "df", "-v", "--format", "json"}).errors, HasSubstr("cannot combine"));
}

TEST_F(System, PruneTakesContainersAndImagesUnderTheirHeadings) {
  add_image('f', {"localhost/base:1"}, 5);
  add_image('b', {}, 5);
  add(make('a', "web", 10));
  set_running('a', 5);
  add(make('b', "db", 30));
  add_volume("data");
  EXPECT_THAT(lines({"system", "prune", "-f"}),
              ElementsAre("Deleted Containers", repeat('b'), "Deleted Images", repeat('b'),
                          "Total reclaimed space: 0B"));
  EXPECT_THAT(lines({"system", "prune", "-f", "--all", "--volumes"}),
              ElementsAre("Deleted Volumes", "data", "Total reclaimed space: 0B"));
}

TEST_F(System, PruneObeysFilters) {
  add(make('a', "web", 10, {{"keep", ""}}));
  add(make('b', "db", 30));
  EXPECT_THAT(lines({"system", "prune", "-f", "--filter", "label!=keep"}),
              ElementsAre("Deleted Containers", repeat('b'), "Total reclaimed space: 0B"));
  EXPECT_THAT(run({"system", "prune", "--external", "--all"}).errors, HasSubstr("cannot be combined"));
}

TEST_F(System, PruneKeepsVolumesOfAContainerNobodyCanRead) {
  add(make('a', "web", 10));
  set_running('a', 5);
  engine_.containers().replace(repeat('a'), "config.json", "{", sys::Durability::none);
  add_volume("data");
  const Result result = run({"system", "prune", "-f", "--volumes"});
  EXPECT_THAT(result.errors, HasSubstr("no volume is removed"));
  EXPECT_TRUE(engine_.volumes().has_volume("data"));
}

TEST_F(System, PruneTakesWhatEndedCommandsLeft) {
  sys::make_directory(engine_.store().fd(), "staging/left", 0700);
  sys::create_file(engine_.store().fd(), "staging/left/part", "12345", 0600, sys::Durability::none);
  EXPECT_THAT(lines({"system", "prune", "--external"}), ElementsAre("Total reclaimed space: 5B"));
  EXPECT_FALSE(sys::stat_at(engine_.store().fd(), "staging/left"));
}

TEST_F(System, ResetLeavesNothing) {
  add_image('f', {"localhost/base:1"}, 5);
  add(make('b', "db", 30));
  EXPECT_EQ(run({"system", "reset", "-f"}).errors, "");
  EXPECT_FALSE(sys::stat_at(AT_FDCWD, engine_.store().root()));
}

TEST_F(Ps, ADamagedSummaryIsMadeFromTheConfiguration) {
  add_four();
  engine_.containers().replace(repeat('b'), "summary", "", sys::Durability::none);
  EXPECT_THAT(lines({"ps", "-a", "--filter", "name=db", "--format", "{{.Names}} {{.Image}}"}),
              ElementsAre("db localhost/base:1"));
}

TEST_F(Ps, WarnsOfAContainerThatLostBothItsRecords) {
  add_four();
  engine_.containers().replace(repeat('b'), "summary", "", sys::Durability::none);
  engine_.containers().replace(repeat('b'), "config.json", "", sys::Durability::none);
  const Result result = run({"ps", "-a", "--format", "{{.Names}}"});
  EXPECT_THAT(result.lines(), ElementsAre("old", "web", "job"));
  EXPECT_THAT(result.errors, HasSubstr("bbbbbbbbbbbb"));
  EXPECT_EQ(run({"rm", "db"}).errors, "");
}

TEST_F(Listing, CompletionKnowsTheObjects) {
  add_four();
  add_image('e', {"docker.io/library/debian:12"}, 60);
  EXPECT_THAT(lines({"__complete", "--", "rm", "d"}),
              ElementsAre("db\tlocalhost/base:1", "dddddddddddd\told", ":none"));
  EXPECT_THAT(lines({"__complete", "--", "stop", ""}), ElementsAre("web\tlocalhost/base:1", ":none"));
  EXPECT_THAT(lines({"__complete", "--", "run", "deb"}), ElementsAre("debian:12\teeeeeeeeeeee", ":none"));
  EXPECT_THAT(lines({"__complete", "--", "run", "--env-file", ""}), ElementsAre(":files"));
}

}  // namespace
}  // namespace knarr::cli
