// SPDX-License-Identifier: Apache-2.0
// Signatures of OpenPGP. gpgv(1) verifies them: a program that knows the keys it is given and no others, has
// no agent, and asks no network. It is on every Debian, whose packages it verifies.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "storage/digest.h"

namespace knarr::storage {

// Public keys as files have them, in ASCII armor or bare; returns them bare. Throws InvalidArgument. Pure.
std::string read_openpgp_keys(std::string_view text);

// By what gpgv tells of a message (--status-fd): empty when it has one signature, and that is a good one,
// else why it is not accepted. Pure.
std::string why_not_signed(std::string_view status);

struct SignedMessage {
  std::string refusal;  // empty: it is signed
  std::string content;
};
// `message` has its content and a signature by one of the keys (bare). Throws NotFound when there is no gpgv.
SignedMessage open_signed_message(std::string_view message, const std::vector<std::string>& keys);

}  // namespace knarr::storage
