// SPDX-License-Identifier: Apache-2.0
// Env files of users, environments of images, words of --env-merge: names are never empty and never twice,
// and nothing of the caller's environment gets in through the image.
#include "engine/request/environment.h"

#include <cstdint>
#include <set>
#include <string_view>

#include "engine/request/values.h"
#include "rootless/sys/error.h"
#include "tests/fuzz/check.h"

using namespace knarr;
using namespace knarr::engine;

namespace {

constexpr const char* secret = "only-the-caller-knows";

void check(const std::vector<std::string>& environment) {
  std::set<std::string> names;
  for (const std::string& entry : environment) {
    const std::size_t equals = entry.find('=');
    FUZZ_CHECK(equals != std::string::npos && equals > 0);
    FUZZ_CHECK(names.insert(entry.substr(0, equals)).second);
  }
}

CreateRequest request_of_someone_with_a_secret() {
  CreateRequest request;
  request.host_env = {concat("SECRET=", secret), "A=a"};
  return request;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (text.find(secret) != std::string::npos) return 0;

  storage::ImageConfig image;
  image.env = split(text, '\n');
  const auto of_image = plan_environment(request_of_someone_with_a_secret(), image);
  check(of_image);
  for (const std::string& entry : of_image) FUZZ_CHECK(entry.find(secret) == std::string::npos);

  try {
    CreateRequest request = request_of_someone_with_a_secret();
    request.env_files = {{"fuzz.env", text}};
    check(plan_environment(request, {}));
  } catch (const InvalidArgument&) {
  }
  try {
    Environment environment;
    environment.set("A", "a");
    expand_word(text, environment);
  } catch (const InvalidArgument&) {
  }
  return 0;
}
