// SPDX-License-Identifier: Apache-2.0
// The environment and the labels of a container: image, flags and files merged. All pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/request.h"
#include "storage/image/image.h"

namespace knarr::engine {

constexpr std::string_view default_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// NAME=VALUE strings with unique names; the first setting of a name fixes its place.
class Environment {
 public:
  void set(std::string_view name, std::string_view value);
  void set_entry(std::string_view entry);  // NAME=VALUE; without '=' nothing happens
  void unset(std::string_view name);
  void clear() { entries_.clear(); }
  std::optional<std::string_view> find(std::string_view name) const;
  const std::vector<std::string>& entries() const { return entries_; }

 private:
  std::vector<std::string> entries_;
};

// One --env or one line of an env file. NAME=VALUE; NAME takes the caller's value, if there is one; PREFIX*
// takes all of the caller's variables that start so. Only words of the user come here: the same in an image
// would hand host secrets to whoever wrote it.
void apply_user_entry(Environment& environment, std::string_view entry,
                      const std::vector<std::string>& host_env, std::string_view flag);

// An env file: a setting a line, leading blanks and lines starting with '#' are skipped, nothing is quoted.
// Returns the lines with a meaning. Throws InvalidArgument naming file and line.
std::vector<std::string> parse_env_file(const TextFile& file);

// --env-merge: replaces $NAME, ${NAME}, ${NAME:-word} and ${NAME:+word}; quotes and backslashes work as in a
// shell word. Throws InvalidArgument.
std::string expand_word(std::string_view word, const Environment& environment);

std::vector<std::string> plan_environment(const CreateRequest& request, const storage::ImageConfig& image);
// What of a container's environment an image made of it shall have: not what the engine sets itself, nor the
// caller's proxies, whose addresses may hold passwords.
std::vector<std::string> committed_environment(const std::vector<std::string>& environment,
                                               const std::vector<std::string>& of_image);
std::map<std::string, std::string> plan_labels(const CreateRequest& request,
                                               const storage::ImageConfig& image);
std::map<std::string, std::string> plan_annotations(const CreateRequest& request);

}  // namespace knarr::engine
