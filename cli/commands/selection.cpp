// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/selection.h"

#include <algorithm>

#include "cli/commands/container_filter.h"
#include "cli/commands/container_list.h"
#include "cli/commands/host_files.h"
#include "cli/errors.h"
#include "rootless/sys/error.h"

namespace knarr::cli {

namespace {

bool has_flag(const Arguments& arguments, std::string_view name) {
  return arguments.knows(name) && arguments.given(name);
}

Chosen find_named(const engine::Engine& engine, const std::string& name) {
  return {name, engine.containers().find_id(name).value_or("")};
}

std::vector<Chosen> choose_named(const engine::Engine& engine, const Arguments& arguments,
                                 const Choice& choice) {
  std::vector<Chosen> chosen;
  for (const std::string& name : arguments.positional()) chosen.push_back(find_named(engine, name));
  if (!arguments.knows("cidfile")) return chosen;
  for (const std::string& path : arguments.list("cidfile")) {
    try {
      chosen.push_back(find_named(engine, read_id_file(path)));
    } catch (const NotFound&) {
      if (!choice.ignore_missing) throw;
    } catch (const SysError& error) {
      if (!choice.ignore_missing || error.code() != ENOENT) throw;
    }
  }
  return chosen;
}

std::vector<Chosen> choose_matching(const engine::Engine& engine, const Arguments& arguments,
                                    const Choice& choice) {
  const ContainerFilter filter(
      engine, arguments.knows("filter") ? arguments.list("filter") : std::vector<std::string>{});
  std::vector<Chosen> chosen;
  for (const ListedContainer& container :
       choice.only_running ? list_running(engine) : list_containers(engine)) {
    if (filter.matches(container)) chosen.push_back({container.summary.id, container.summary.id});
  }
  return chosen;
}

}  // namespace

std::vector<Chosen> choose_containers(const engine::Engine& engine, const Arguments& arguments,
                                      const Choice& choice) {
  const bool all = has_flag(arguments, "all") && arguments.boolean("all");
  const bool latest = has_flag(arguments, "latest") && arguments.boolean("latest");
  const bool filtered = has_flag(arguments, "filter");
  const bool named = !arguments.positional().empty();
  if ((all || latest || filtered) && named) {
    throw UsageError(concat("no names are allowed with --", all ? "all" : latest ? "latest" : "filter"));
  }
  if (all && latest) throw UsageError("--all and --latest cannot be used together");
  if (all || filtered) return choose_matching(engine, arguments, choice);
  if (latest) {
    const std::string id = latest_container(engine);
    return {{id, id}};
  }
  if (!named && !has_flag(arguments, "cidfile")) throw UsageError("you must provide at least one name or id");
  return choose_named(engine, arguments, choice);
}

int act_on_each(Output& out, const std::vector<Chosen>& containers,
                const std::function<std::string(const Chosen&)>& act, const FailureStatus& failures) {
  int status = 0;
  const auto report = [&](const Error& error, int failure) {
    out.flush();  // in the order things happened
    print_error(error);
    status = failure;
  };
  for (const Chosen& container : containers) {
    try {
      if (container.id.empty()) {
        throw NotFound(
            concat("no container with name or ID \"", container.name, "\" found: no such container"));
      }
      const std::string line = act(container);
      if (!line.empty()) out.line(line);
    } catch (const NotFound& error) {
      report(error, failures.missing);
    } catch (const Conflict& error) {
      report(error, failures.conflict);
    } catch (const Error& error) {
      report(error, engine_failure);
    }
  }
  return status;
}

std::string choose_one(const engine::Engine& engine, const Arguments& arguments) {
  const bool latest = has_flag(arguments, "latest") && arguments.boolean("latest");
  if (latest) return latest_container(engine);
  if (arguments.positional().empty()) throw UsageError("you must provide a container name or ID");
  return engine.containers().get_id(arguments.at(0));
}

std::string latest_container(const engine::Engine& engine) {
  const std::vector<ListedContainer> containers = list_summaries(engine);
  const auto latest = std::max_element(
      containers.begin(), containers.end(),
      [](const ListedContainer& a, const ListedContainer& b) { return a.created_ns < b.created_ns; });
  if (latest == containers.end()) throw NotFound("there are no containers");
  return latest->summary.id;
}

}  // namespace knarr::cli
