// SPDX-License-Identifier: Apache-2.0
// What of networks comes from users, other programs and crashes: definitions, run records, leases, names, and
// the words of --network and --publish.
#include <cstdint>
#include <string_view>

#include "engine/network/leases.h"
#include "engine/network/live_network.h"
#include "engine/network/names.h"
#include "engine/network/network_json.h"
#include "engine/network/run_record.h"
#include "engine/request/networks.h"
#include "rootless/sys/error.h"
#include "tests/fuzz/check.h"

using namespace knarr;
using namespace knarr::engine;

namespace {

template <typename Act>
void refuse_by_name(Act act) {
  try {
    act();
  } catch (const Error&) {
    // In words.
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  refuse_by_name([&] {
    const Network network = parse_network(text);
    FUZZ_CHECK(parse_network(render_network(network)) == network);
  });
  if (const auto record = parse_network_record(text)) {
    const auto again = parse_network_record(render_network_record(*record));
    FUZZ_CHECK(again && again->networks.size() == record->networks.size() && again->ports == record->ports);
  }
  if (const auto live = parse_live_network(text))
    FUZZ_CHECK(parse_live_network(render_live_network(*live)) == live);
  if (const auto lease = parse_lease(text)) FUZZ_CHECK(parse_lease(render_lease(*lease)) == lease);
  if (const auto entry = parse_name_entry(text))
    FUZZ_CHECK(parse_name_entry(render_name_entry(*entry)) == entry);
  if (const auto name = canonical_name(text)) {
    FUZZ_CHECK(name->find('/') == std::string::npos && name->front() != '.');
    FUZZ_CHECK(canonical_name(*name) == name);
  }
  refuse_by_name([&] {
    const PortMapping mapping = parse_publish(text);
    FUZZ_CHECK(mapping.count >= 1 && mapping.container_port >= 1);
    FUZZ_CHECK(std::uint32_t{mapping.container_port} + mapping.count - 1 <= UINT16_MAX);
    FUZZ_CHECK(std::uint32_t{mapping.host_port} + mapping.count - 1 <= UINT16_MAX);
  });
  refuse_by_name(
      [&] { FUZZ_CHECK(parse_exposed(render_exposed(parse_exposed(text))) == parse_exposed(text)); });
  refuse_by_name([&] { FUZZ_CHECK(!parse_network_attachment(text).network.empty()); });
  return 0;
}
