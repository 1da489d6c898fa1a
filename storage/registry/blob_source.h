// SPDX-License-Identifier: Apache-2.0
// The bytes of a blob of known size over connections that may break.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "storage/registry/http.h"

namespace knarr::storage {

// Asks for the bytes from `offset` on ("Range: bytes=OFFSET-" unless it is 0).
using OpenAt = std::function<HttpStream(std::uint64_t offset)>;

// Reads from `offset` to `size`. Opens with the first read; goes on where a broken connection ended, also
// with a server that knows no ranges. Throws InvalidArgument when the server has another size, NotFound when
// it has no such blob, TransferError when attempts no longer get anywhere.
ByteSource read_blob_from(OpenAt open, std::uint64_t offset, std::uint64_t size, const RetryPolicy& retry);

void add_range(HttpRequest& request, std::uint64_t offset);

// How many bytes of an answer lie before the one at `offset`: none for a range as asked for, all of them
// where ranges are ignored. nullopt when the answer is to a range that was not asked for, or says that there
// is none. Throws InvalidArgument for a blob of another size. Pure.
std::optional<std::uint64_t> bytes_to_skip(int status, const HttpHeaders& headers, std::uint64_t offset,
                                           std::uint64_t size);

}  // namespace knarr::storage
