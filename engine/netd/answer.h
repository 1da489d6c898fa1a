// SPDX-License-Identifier: Apache-2.0
// What a query of a container gets: an answer from the files, or somebody else's.
#pragma once

#include <optional>
#include <string>

#include "engine/netd/message.h"
#include "engine/netd/name_files.h"

namespace knarr::engine::netd {

struct Asker {
  std::string network;
  netns::IpAddress address;
};

// nullopt: it is for the servers outside to answer. `turn` says which of several addresses comes first.
std::optional<Bytes> answer_query(ByteView bytes, const Query& query, const Asker& asker,
                                  const NameFiles& files, unsigned turn);

}  // namespace knarr::engine::netd
