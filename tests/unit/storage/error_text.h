// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "rootless/sys/error.h"

namespace knarr::storage {

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

}  // namespace knarr::storage
