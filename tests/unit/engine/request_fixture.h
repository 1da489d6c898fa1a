// SPDX-License-Identifier: Apache-2.0
// Requests, images and machines for the tests of planning.
#pragma once

#include <string>

#include "engine/request.h"
#include "engine/spec/spec.h"
#include "rootless/sys/error.h"

namespace knarr::engine {

// The message of the `Expected` error that `act` throws; says so when it throws none or another one.
template <typename Expected, typename Act>
std::string error_text(Act&& act) {
  try {
    act();
  } catch (const Expected& error) {
    return error.message();
  } catch (const std::exception& error) {
    return std::string("(error of another type: ") + error.what() + ")";
  }
  return "(no error)";
}

inline rootless::HostFacts rootless_host() {
  rootless::HostFacts host;
  host.uid = host.gid = 1000;
  host.user_name = "me";
  host.home = "/home/me";
  host.r_maps.uids = {{0, 1000, 1}, {1, 100000, 65536}};
  host.r_maps.gids = {{0, 1000, 1}, {1, 100000, 65536}};
  return host;
}

inline rootless::HostFacts single_id_host() {
  rootless::HostFacts host = rootless_host();
  host.r_maps.uids = host.r_maps.gids = {{0, 1000, 1}};
  return host;
}

inline rootless::HostFacts rootful_host() {
  rootless::HostFacts host;
  host.user_name = "root";
  host.rootful = true;
  host.r_maps.uids = host.r_maps.gids = {{0, 0, 4294967295}};
  return host;
}

inline storage::Image plain_image() {
  storage::Image image;
  image.id = std::string(64, 'b');
  image.os = "linux";
  image.architecture = "amd64";
  image.names = {"docker.io/library/debian:latest"};
  image.config.cmd = {"bash"};
  return image;
}

inline CreateRequest plain_request() {
  CreateRequest request;
  request.image = "debian";
  request.current_directory = "/home/me/work";
  request.host_env = {"HOME=/home/me", "SECRET=s3cret", "SECRET_TOO=t", "EMPTY=", "TERM=vt100"};
  return request;
}

inline const std::string test_id = std::string(60, 'c') + "0123";

inline ContainerConfig plan(const CreateRequest& request, const storage::Image& image = plain_image(),
                            const rootless::HostFacts& host = rootless_host()) {
  return plan_config(request, image, host, "2026-11-23T12:00:00.000000001Z", test_id, "web");
}

}  // namespace knarr::engine
