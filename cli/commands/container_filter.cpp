// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/container_filter.h"

#include <algorithm>
#include <memory>

#include "cli/commands/filter.h"
#include "cli/commands/network_view.h"
#include "cli/flags.h"
#include "cli/quote.h"
#include "cli/text.h"
#include "engine/images.h"
#include "engine/time_format.h"
#include "rootless/sys/error.h"

namespace knarr::cli {

namespace {

constexpr std::string_view known_filters =
    "ancestor before command exited expose id label label! name network publish since status until volume";
constexpr std::string_view later_filters = "annotation health pod restart-policy should-start-on-boot";

using Test = std::function<bool(const ListedContainer&)>;

bool is_hex(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Test match_pattern(const std::string& expression, std::string engine::Summary::*field) {
  const auto pattern = std::make_shared<Pattern>(expression);
  return [pattern, field](const ListedContainer& container) {
    return pattern->matches(container.summary.*field);
  };
}

Test match_id(const std::string& value) {
  if (!is_hex(value)) return match_pattern(value, &engine::Summary::id);
  return [value](const ListedContainer& container) { return container.summary.id.starts_with(value); };
}

// States that this engine never has are known all the same: no container is in them.
Test match_status(const std::string& value) {
  const std::string name = value == "stopped" ? "exited" : value == "configured" ? "created" : value;
  constexpr std::string_view states = "created initialized running paused exited removing stopping unknown";
  if (name.empty() || !contains(split(states, " "), name)) {
    throw InvalidArgument(concat("unknown container state ", quote_go(value)));
  }
  return
      [name](const ListedContainer& container) { return engine::state_name(container.status.state) == name; };
}

Test match_exit_code(const std::string& value) {
  const auto code = parse_integer(value);
  if (!code) throw InvalidArgument(concat("invalid exit code ", quote_go(value), " for filter exited"));
  return [code = *code](const ListedContainer& container) {
    return container.status.state == engine::State::exited && container.status.exit_code == code;
  };
}

// By the image's id where it is known here, and by the words of the container's record.
Test match_ancestor(const engine::Engine& engine, const std::string& value) {
  std::string id;
  try {
    if (const auto image = engine::find_image(engine, value)) id = image->id;
  } catch (const InvalidArgument&) {
    // No reference: it can only be the beginning of an id.
  }
  return [id, value](const ListedContainer& container) {
    const engine::Summary& summary = container.summary;
    if (!id.empty() && summary.image_id == id) return true;
    return summary.image == value || summary.image == value + ":latest" ||
           (is_hex(value) && summary.image_id.starts_with(value));
  };
}

std::int64_t creation_time(const engine::Engine& engine, const std::string& name) {
  const std::string id = engine.containers().get_id(name);
  const auto summary = find_summary(engine, id);
  return summary ? engine::parse_rfc3339(summary->created).value_or(0) : 0;
}

// By the name or the id; of a network that is gone by the name.
Test match_network(const engine::Engine& engine, const std::string& value) {
  const auto network = engine.networks().find(value);
  return [name = network ? network->name : value](const ListedContainer& container) {
    return contains(split(container.summary.networks, ","), name);
  };
}

using ReadPorts = std::vector<engine::PortMapping> (*)(const engine::Engine&, const engine::ContainerConfig&);

std::vector<engine::PortMapping> exposed_ports(const engine::Engine& engine,
                                               const engine::ContainerConfig& config) {
  std::vector<engine::PortMapping> ports = current_ports(engine, config);
  for (const engine::ExposedPorts& exposed : config.exposed) {
    ports.push_back({.container_port = exposed.first, .count = exposed.count, .protocol = exposed.protocol});
  }
  return ports;
}

// "80", "80/udp", "8000-8010": by the port on either side.
Test match_port(const engine::Engine& engine, const std::string& value, ReadPorts read) {
  return [&engine, read, wanted = engine::parse_exposed(value)](const ListedContainer& container) {
    const auto lies_in = [&](std::uint16_t first, std::uint16_t count) {
      return first != 0 && first < wanted.first + wanted.count && wanted.first < first + count;
    };
    try {
      const auto ports = read(engine, engine.load_config(container.summary.id));
      return std::any_of(ports.begin(), ports.end(), [&](const engine::PortMapping& port) {
        return port.protocol == wanted.protocol &&
               (lies_in(port.container_port, port.count) || lies_in(port.host_port, port.count));
      });
    } catch (const NotFound&) {
      return false;  // removed meanwhile
    }
  };
}

// The summary has the destinations only; names and host paths are in the configuration.
Test match_volume(const engine::Engine& engine, const std::string& value) {
  return [&engine, value](const ListedContainer& container) {
    if (contains(split(container.summary.mounts, ","), value)) return true;
    try {
      const engine::ContainerConfig config = engine.load_config(container.summary.id);
      return std::any_of(config.mounts.begin(), config.mounts.end(), [&](const engine::MountRequest& mount) {
        return mount.source == value || mount.destination == value;
      });
    } catch (const NotFound&) {
      return false;  // removed meanwhile
    }
  };
}

// A summary that could not hold all labels says so.
bool container_has_label(const engine::Engine& engine, const ListedContainer& container,
                         const std::string& value) {
  if (has_label(container.summary.labels, value)) return true;
  if (!container.summary.truncated) return false;
  try {
    return has_label(engine.load_config(container.summary.id).labels, value);
  } catch (const NotFound&) {
    return false;
  }
}

}  // namespace

ContainerFilter::ContainerFilter(const engine::Engine& engine, const std::vector<std::string>& texts) {
  for (const auto& [name, values] : parse_filters(texts, known_filters, later_filters))
    add(engine, name, values);
}

void ContainerFilter::add(const engine::Engine& engine, const std::string& name,
                          const std::vector<std::string>& values) {
  if (name == "status" || name == "exited") asks_for_state_ = true;
  std::vector<Test> alternatives;
  for (const std::string& value : values) alternatives.push_back(make_test(engine, name, value));
  if (name == "label" || name == "label!") {
    tests_.insert(tests_.end(), alternatives.begin(), alternatives.end());
    return;
  }
  tests_.push_back([alternatives](const ListedContainer& container) {
    return std::any_of(alternatives.begin(), alternatives.end(),
                       [&](const Test& test) { return test(container); });
  });
}

ContainerFilter::Test ContainerFilter::make_test(const engine::Engine& engine, const std::string& name,
                                                 const std::string& value) {
  if (name == "ancestor") return match_ancestor(engine, value);
  if (name == "command") return match_pattern(value, &engine::Summary::command);
  if (name == "exited") return match_exit_code(value);
  if (name == "id") return match_id(value);
  if (name == "name") return match_pattern(value, &engine::Summary::name);
  if (name == "network") return match_network(engine, value);
  if (name == "publish") return match_port(engine, value, current_ports);
  if (name == "expose") return match_port(engine, value, exposed_ports);
  if (name == "status") return match_status(value);
  if (name == "volume") return match_volume(engine, value);
  if (name == "label" || name == "label!") {
    const bool wanted = name == "label";
    return [&engine, value, wanted](const ListedContainer& container) {
      return container_has_label(engine, container, value) == wanted;
    };
  }
  const std::int64_t time = name == "until" ? parse_filter_time(value) : creation_time(engine, value);
  if (name == "since")
    return [time](const ListedContainer& container) { return container.created_ns > time; };
  return [time](const ListedContainer& container) { return container.created_ns < time; };
}

bool ContainerFilter::matches(const ListedContainer& container) const {
  return std::all_of(tests_.begin(), tests_.end(), [&](const Test& test) { return test(container); });
}

}  // namespace knarr::cli
