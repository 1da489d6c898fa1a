// SPDX-License-Identifier: Apache-2.0
#include "storage/image/change.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "rootless/sys/error.h"
#include "storage/image/string_array_json.h"

namespace knarr::storage {
namespace {

constexpr std::string_view blanks = " \t";

std::string_view trim(std::string_view text) {
  const std::size_t start = std::min(text.find_first_not_of(blanks), text.size());
  text.remove_prefix(start);
  return text.substr(0, text.find_last_not_of(blanks) + 1);
}

std::string to_upper(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return upper;
}

// Words apart by blanks, with the quotes and backslashes of a shell but no expansion.
std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  std::optional<std::string> word;
  char quote = '\0';
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool is_blank = blanks.find(c) != std::string_view::npos;
    if (quote == '\0' && is_blank) {
      if (word) words.push_back(*std::exchange(word, std::nullopt));
      continue;
    }
    if (!word) word.emplace();
    if (c == '\\' && quote != '\'' && i + 1 < text.size()) {
      *word += text[++i];
    } else if (c == quote) {
      quote = '\0';
    } else if (quote == '\0' && (c == '"' || c == '\'')) {
      quote = c;
    } else {
      *word += c;
    }
  }
  if (quote != '\0') throw InvalidArgument("a quote is not closed");
  if (word) words.push_back(std::move(*word));
  return words;
}

using Pair = std::pair<std::string, std::string>;

std::vector<Pair> parse_pairs(std::string_view text) {
  const std::size_t first_end = std::min(text.find_first_of(" \t="), text.size());
  if (first_end == text.size()) throw InvalidArgument("expected NAME=VALUE");
  // The old form: one name, and everything after the blank is its value.
  if (text[first_end] != '=')
    return {{std::string(text.substr(0, first_end)), std::string(trim(text.substr(first_end)))}};
  std::vector<Pair> pairs;
  for (const std::string& word : split_words(text)) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos && !pairs.empty()) {
      pairs.back().second += " " + word;  // podman takes `ENV a=b c` for one value
      continue;
    }
    if (equals == 0 || equals == std::string::npos) throw InvalidArgument("expected NAME=VALUE");
    pairs.push_back({word.substr(0, equals), word.substr(equals + 1)});
  }
  return pairs;
}

std::vector<std::string> parse_command(std::string_view text) {
  if (auto array = parse_string_array(text)) return *std::move(array);
  return {"/bin/sh", "-c", std::string(text)};
}

void set_env(std::vector<std::string>& env, const Pair& pair) {
  const std::string prefix = pair.first + "=";
  const auto old =
      std::find_if(env.begin(), env.end(), [&](const std::string& v) { return v.starts_with(prefix); });
  if (old != env.end()) {
    *old = prefix + pair.second;
  } else {
    env.push_back(prefix + pair.second);
  }
}

void add_sorted(std::vector<std::string>& set, std::string value) {
  const auto place = std::lower_bound(set.begin(), set.end(), value);
  if (place == set.end() || *place != value) set.insert(place, std::move(value));
}

void add_port(std::vector<std::string>& ports, const std::string& word) {
  const std::size_t slash = std::min(word.find('/'), word.size());
  const std::string number = word.substr(0, slash);
  const std::string protocol = slash < word.size() ? word.substr(slash + 1) : "tcp";
  const bool is_number =
      !number.empty() && number.size() <= 5 && number.find_first_not_of("0123456789") == std::string::npos;
  const bool is_protocol = protocol == "tcp" || protocol == "udp" || protocol == "sctp";
  if (!is_number || std::stoi(number) < 1 || std::stoi(number) > 65535 || !is_protocol) {
    throw InvalidArgument(concat('"', word, "\" is no port"));
  }
  add_sorted(ports, number + "/" + protocol);
}

void add_volumes(ImageConfig& config, std::string_view value) {
  auto paths = parse_string_array(value);
  if (!paths) paths = split_words(value);
  for (std::string& path : *paths) {
    if (path.empty()) throw InvalidArgument("an empty path");
    add_sorted(config.volumes, std::move(path));
  }
}

void set_working_dir(ImageConfig& config, std::string_view value) {
  if (value.starts_with('/')) {
    config.working_dir = value;
  } else {
    const bool has_slash = config.working_dir.ends_with('/') || config.working_dir.empty();
    config.working_dir =
        concat(config.working_dir.empty() ? "/" : config.working_dir, has_slash ? "" : "/", value);
  }
}

void apply(ImageConfig& config, const std::string& name, std::string_view value) {
  if (name == "CMD") {
    config.cmd = parse_command(value);
  } else if (name == "ENTRYPOINT") {
    config.entrypoint = parse_command(value);
  } else if (name == "ENV") {
    for (const Pair& pair : parse_pairs(value)) set_env(config.env, pair);
  } else if (name == "EXPOSE") {
    for (const std::string& word : split_words(value)) add_port(config.exposed_ports, word);
  } else if (name == "LABEL") {
    for (Pair& pair : parse_pairs(value)) config.labels[pair.first] = std::move(pair.second);
  } else if (name == "ONBUILD") {
    config.on_build.emplace_back(value);
  } else if (name == "STOPSIGNAL") {
    config.stop_signal = value;
  } else if (name == "USER") {
    config.user = value;
  } else if (name == "VOLUME") {
    add_volumes(config, value);
  } else if (name == "WORKDIR") {
    set_working_dir(config, value);
  } else {
    throw InvalidArgument(
        "expected CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME or WORKDIR");
  }
}

}  // namespace

void apply_change(ImageConfig& config, std::string_view instruction) {
  with_context(concat("change \"", instruction, '"'), [&] {
    const std::string_view text = trim(instruction);
    const std::size_t end = std::min(text.find_first_of(" \t="), text.size());
    const std::string_view value = trim(text.substr(std::min(end + 1, text.size())));
    if (value.empty()) throw InvalidArgument("expected an instruction and its value");
    apply(config, to_upper(text.substr(0, end)), value);
  });
}

void merge_config(ImageConfig& config, const ImageConfig& over) {
  for (const std::string& entry : over.env) {
    const std::size_t equals = std::min(entry.find('='), entry.size());
    set_env(config.env, {entry.substr(0, equals), entry.substr(std::min(equals + 1, entry.size()))});
  }
  const auto replace = [](auto& old, const auto& value) {
    if (!value.empty()) old = value;
  };
  replace(config.entrypoint, over.entrypoint);
  replace(config.cmd, over.cmd);
  replace(config.user, over.user);
  replace(config.working_dir, over.working_dir);
  replace(config.stop_signal, over.stop_signal);
  for (const auto& [name, value] : over.labels) config.labels[name] = value;
  for (const std::string& port : over.exposed_ports) add_sorted(config.exposed_ports, port);
  for (const std::string& volume : over.volumes) add_sorted(config.volumes, volume);
  if (over.health_check) config.health_check = over.health_check;
  config.on_build.insert(config.on_build.end(), over.on_build.begin(), over.on_build.end());
}

}  // namespace knarr::storage
