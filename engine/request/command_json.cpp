// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/request/command.h"
#include "rootless/sys/error.h"

namespace knarr::engine {

std::vector<std::string> parse_entrypoint(std::string_view text) {
  if (text.empty()) return {};
  if (text.front() == '[') {
    const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
    const bool strings =
        json.is_array() && std::all_of(json.begin(), json.end(), [](const nlohmann::json& word) {
          return word.is_string() && word.get_ref<const std::string&>().find('\0') == std::string::npos;
        });
    if (strings) return json.get<std::vector<std::string>>();
  }
  // As podman: "[" and "[ -f x" are programs too.
  return {std::string(text)};
}

void plan_command(const CreateRequest& request, const storage::ImageConfig& image, ContainerConfig& config) {
  config.entrypoint = request.entrypoint ? parse_entrypoint(*request.entrypoint) : image.entrypoint;
  config.command = request.command;
  if (request.command.empty() && !request.entrypoint) config.command = image.cmd;
  if (config.entrypoint.empty() && config.command.empty()) {
    throw InvalidArgument("no command or entrypoint provided, and no CMD or ENTRYPOINT from image");
  }
}

}  // namespace knarr::engine
