// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/engine_access.h"
#include "cli/commands/verbs.h"
#include "cli/text.h"
#include "engine/container_ids.h"
#include "engine/time_format.h"
#include "storage/volume/volume_mount.h"

namespace knarr::cli {

namespace {

constexpr auto flags = std::to_array<Flag>({
    text_flag("driver", 'd', "DRIVER", "Who provides the volume")
        .with_default("local")
        .one_of("local")
        .not_yet("local"),
    natural_flag("gid", 0, "GID", "Group of the volume's directory").not_yet(),
    toggle("ignore", 0, "Do not mind a volume that exists already"),
    array_flag("label", 'l', "NAME=VALUE", "Add a label"),
    text_flag("name", 0, "NAME", "Name of the volume, as docker wants it").unlisted(),
    array_flag("opt", 'o', "NAME=VALUE", "What is mounted: type=tmpfs or bind, device=, o=mount options"),
    natural_flag("uid", 0, "UID", "Owner of the volume's directory").not_yet(),
});
static_assert(is_well_formed(flags));

storage::Volume wanted_volume(const Arguments& arguments) {
  storage::Volume volume;
  volume.name = arguments.positional().empty() ? arguments.text("name") : arguments.at(0);
  if (volume.name.empty()) {
    volume.name = engine::random_container_id();
    volume.anonymous = true;
  }
  volume.created = engine::render_rfc3339_nano(engine::wall_clock_ns(), engine::TimeZone::utc);
  for (const std::string& text : arguments.list("label")) {
    const KeyValue label = split_key_value(text);
    volume.labels[label.key] = label.value;
  }
  for (const std::string& text : arguments.list("opt")) {
    const KeyValue option = split_key_value(text);
    volume.options[option.key] = option.value;
  }
  storage::parse_volume_options(volume);  // an error now rather than at the first start
  return volume;
}

int run(const Invocation& invocation, const Arguments& arguments) {
  const engine::Engine engine = open_engine(invocation);
  const storage::Volume wanted = wanted_volume(arguments);
  const storage::VolumeStore volumes = engine.volumes();
  const storage::Volume volume =
      arguments.boolean("ignore") ? volumes.ensure_volume(wanted) : volumes.create_volume(wanted);
  invocation.out.line(volume.name);
  return 0;
}

}  // namespace

constinit const Verb volume_create_verb = {
    .paths = {"volume create"},
    .usage = "[options] [NAME]",
    .summary = "Make a volume",
    .examples =
        "volume create data\nvolume create -o type=tmpfs -o o=size=64m scratch\n"
        "volume create -o type=bind -o device=/srv/data data",
    .flags = flags,
    .max_arguments = 1,
    .topic = Topic::volumes,
    .run = run,
};

}  // namespace knarr::cli
