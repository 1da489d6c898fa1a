// SPDX-License-Identifier: Apache-2.0
// --filter for containers. Values of one name are alternatives (of `label` they must all match), filters of
// different names must all match.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/commands/container_list.h"
#include "engine/engine.h"

namespace knarr::cli {

class ContainerFilter {
 public:
  // Looks up the images and containers that `ancestor`, `before` and `since` name. Throws InvalidArgument.
  ContainerFilter(const engine::Engine& engine, const std::vector<std::string>& texts);

  bool matches(const ListedContainer& container) const;
  // `status` and `exited` are about all containers, `ps` without -a too.
  bool asks_for_state() const { return asks_for_state_; }

 private:
  using Test = std::function<bool(const ListedContainer&)>;

  void add(const engine::Engine& engine, const std::string& name, const std::vector<std::string>& values);
  Test make_test(const engine::Engine& engine, const std::string& name, const std::string& value);

  std::vector<Test> tests_;
  bool asks_for_state_ = false;
};

}  // namespace knarr::cli
