// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/image_view.h"

#include <algorithm>

#include "cli/text.h"
#include "engine/images.h"
#include "engine/record.h"
#include "engine/time_format.h"
#include "rootless/sys/error.h"
#include "storage/image/image_checks.h"
#include "storage/overlay/driver.h"

namespace knarr::cli {

namespace {

using templates::Value;

constexpr const char* none = "<none>";

// {"/data": {}}, as the image configuration has sets.
Value make_set(const std::vector<std::string>& keys) {
  Value set = Value::map();
  for (const std::string& key : keys) set.set(key, Value::map());
  return set;
}

Value health_check_value(const storage::HealthCheck& check) {
  Value value = Value::structure("Healthcheck");
  value.set("Test", check.test);
  if (check.start_period != 0) value.set("StartPeriod", check.start_period);
  if (check.interval != 0) value.set("Interval", check.interval);
  if (check.timeout != 0) value.set("Timeout", check.timeout);
  if (check.retries != 0) value.set("Retries", check.retries);
  return value;
}

Value time_value(const std::string& rfc3339) {
  const auto ns = engine::parse_rfc3339(rfc3339);
  return ns ? Value::time(*ns) : Value::zero_time();
}

Value history_value(const std::vector<storage::ImageHistory>& history) {
  Value list = Value::list();
  for (const storage::ImageHistory& entry : history) {
    Value item = Value::structure("History");
    item.set("created", time_value(entry.created));
    if (!entry.created_by.empty()) item.set("created_by", entry.created_by);
    if (!entry.author.empty()) item.set("author", entry.author);
    if (!entry.comment.empty()) item.set("comment", entry.comment);
    if (entry.empty_layer) item.set("empty_layer", true);
    list.push_back(item);
  }
  return list;
}

// The layers' trees, topmost first: what the kernel's overlay gets.
Value graph_driver_value(const engine::Engine& engine, const storage::Image& image) {
  const std::vector<std::string> trees = engine::layer_trees(engine, image);
  Value data = Value::map();
  if (!trees.empty()) data.set("UpperDir", trees.front());
  if (trees.size() > 1) data.set("LowerDir", join({trees.begin() + 1, trees.end()}, ":"));
  return Value::structure("GraphDriver")
      .set("Name", storage::driver_name(engine.overlay().driver))
      .set("Data", data);
}

Value root_fs_value(const storage::Image& image) {
  std::vector<std::string> layers;
  for (const storage::Digest& layer : image.layers) layers.push_back(render(layer));
  return Value::structure("RootFS").set("Type", "layers").set("Layers", layers);
}

}  // namespace

ImageName split_image_name(const std::string& full_name) {
  const std::size_t at = full_name.find('@');
  const std::string name = full_name.substr(0, at);
  const std::size_t colon = name.rfind(':');
  const bool is_tag = colon != std::string::npos && name.find('/', colon) == std::string::npos;
  if (!is_tag) return {name.empty() ? none : name, none};
  return {name.substr(0, colon), name.substr(colon + 1)};
}

storage::Image as_image(const storage::ManifestList& list) {
  storage::Image image;
  image.id = list.id;
  image.manifest = list.digest;
  image.manifest_type = storage::oci_index_type;
  image.created = engine::render_rfc3339_nano(list.created * engine::ns_per_second, engine::TimeZone::utc);
  image.size = list.size;
  image.names = list.names;
  return image;
}

bool is_list(const storage::Image& image) {
  return image.manifest_type == storage::oci_index_type;
}

bool is_made_of(const storage::Image& image, const storage::Image& parent) {
  const auto begins_with = [](const auto& whole, const auto& part) {
    return part.size() <= whole.size() && std::equal(part.begin(), part.end(), whole.begin());
  };
  return !parent.history.empty() && parent.history.size() < image.history.size() &&
         begins_with(image.history, parent.history) && begins_with(image.layers, parent.layers);
}

std::int64_t image_created_ns(const storage::Image& image) {
  return engine::parse_rfc3339(image.created).value_or(0);
}

std::vector<std::string> repository_digests(const storage::Image& image) {
  std::vector<std::string> digests;
  if (image.manifest.hex.empty()) return digests;
  std::vector<storage::Digest> documents{image.manifest};
  documents.insert(documents.end(), image.indexes.begin(), image.indexes.end());
  for (const std::string& name : image.names) {
    for (const storage::Digest& document : documents) {
      const std::string digest = concat(split_image_name(name).repository, '@', render(document));
      if (!contains(digests, digest)) digests.push_back(digest);
    }
  }
  return digests;
}

std::vector<std::string> repository_tags(const storage::Image& image) {
  std::vector<std::string> tags;
  for (const std::string& name : image.names) {
    if (name.find('@') == std::string::npos) tags.push_back(name);
  }
  return tags;
}

std::map<std::string, std::vector<std::string>> containers_by_image(const engine::Engine& engine) {
  std::map<std::string, std::vector<std::string>> containers;
  for (const engine::Summary& summary : engine.summaries()) {
    if (!summary.image_id.empty()) containers[summary.image_id].push_back(summary.id);
  }
  return containers;
}

Value image_config_value(const storage::ImageConfig& config) {
  Value value = Value::structure("ImageConfig");
  // As in the image specification, what is empty is left out; templates see it all the same.
  const auto set = [&](std::string_view name, bool empty, Value member) {
    empty ? value.set_hidden(name, std::move(member)) : value.set(name, std::move(member));
  };
  set("User", config.user.empty(), config.user);
  set("ExposedPorts", config.exposed_ports.empty(), make_set(config.exposed_ports));
  set("Env", config.env.empty(), config.env);
  set("Entrypoint", config.entrypoint.empty(), config.entrypoint);
  set("Cmd", config.cmd.empty(), config.cmd);
  set("Volumes", config.volumes.empty(), make_set(config.volumes));
  set("WorkingDir", config.working_dir.empty(), config.working_dir);
  set("Labels", config.labels.empty(), config.labels);
  set("StopSignal", config.stop_signal.empty(), config.stop_signal);
  return value;
}

Value inspect_image(const engine::Engine& engine, const storage::Image& image) {
  Value value = Value::structure("Image");
  value.set("Id", image.id)
      .set_hidden("ID", image.id)
      .set("Digest", image.manifest.hex.empty() ? "" : render(image.manifest))
      .set("RepoTags", repository_tags(image))
      .set("RepoDigests", repository_digests(image))
      .set("Parent", "")
      .set("Comment", image.comment)
      .set("Created", time_value(image.created))
      .set("Config", image_config_value(image.config))
      .set("Version", "")
      .set("Author", image.author)
      .set("Architecture", image.architecture)
      .set("Os", image.os);
  if (!image.variant.empty()) value.set("Variant", image.variant);
  value.set("Size", image.size)
      .set("VirtualSize", image.size)
      .set("GraphDriver", graph_driver_value(engine, image))
      .set("RootFS", root_fs_value(image))
      .set("Labels", image.config.labels)
      .set("Annotations", Value::map())
      .set("ManifestType", image.manifest_type)
      .set("User", image.config.user)
      .set("History", history_value(image.history))
      .set("NamesHistory", image.names);
  if (image.config.health_check) value.set("Healthcheck", health_check_value(*image.config.health_check));
  return value;
}

}  // namespace knarr::cli
