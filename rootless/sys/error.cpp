// SPDX-License-Identifier: Apache-2.0
#include "rootless/sys/error.h"

#include <cctype>
#include <cstring>

namespace knarr {

void Error::add_context(std::string_view context) {
  message_ = concat(context, ": ", message_);
}

SysError::SysError(int code, std::string_view message)
    : Error(concat(message, ": ", errno_words(code))), code_(code) {}

std::string errno_words(int code) {
  std::string words = ::strerror(code);
  // "Operation not permitted" reads as a sentence of its own; inside a chain it must not. Acronyms stay.
  if (words.size() > 1 && std::islower(static_cast<unsigned char>(words[1]))) {
    words[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(words[0])));
  }
  return words;
}

void throw_sys_error(int code, std::string_view message) {
  throw SysError(code, message);
}

}  // namespace knarr
