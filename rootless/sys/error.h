// SPDX-License-Identifier: Apache-2.0
// The errors of the engine. Each says what was wrong once; every level that knows something new adds one
// context in front: "starting container \"web\": mounting overlay at /: operation not permitted".
#pragma once

#include <cerrno>
#include <exception>
#include <filesystem>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace knarr {

class Error : public std::exception {
 public:
  explicit Error(std::string message) : message_(std::move(message)) {}

  const char* what() const noexcept override { return message_.c_str(); }
  const std::string& message() const { return message_; }
  // What the user can do about it, if we know; empty otherwise. Printed on a line of its own.
  const std::string& hint() const { return hint_; }

  void add_context(std::string_view context);
  void set_hint(std::string hint) { hint_ = std::move(hint); }

 private:
  std::string message_;
  std::string hint_;
};

// A system call failed; code() is its errno.
class SysError : public Error {
 public:
  // message: what was being done, without the errno's words; they are appended here.
  SysError(int code, std::string_view message);
  int code() const { return code_; }

 private:
  int code_;
};

class NotFound : public Error {  // the named object does not exist
 public:
  using Error::Error;
};
class Conflict : public Error {  // the object exists already, is in use or is in the wrong state
 public:
  using Error::Error;
};
class InvalidArgument : public Error {  // the caller's input is at fault
 public:
  using Error::Error;
};
class Unsupported : public Error {  // understood, but this build, kernel or version cannot do it
 public:
  using Error::Error;
};

// The errno's words in lower case, as errors print them ("no such file or directory").
std::string errno_words(int code);

// Joins strings, characters, numbers and paths. Not a stream: iostreams cost start-up time in every command.
template <typename... Parts>
std::string concat(const Parts&... parts) {
  std::string joined;
  const auto append = [&joined](const auto& part) {
    using Part = std::decay_t<decltype(part)>;
    if constexpr (std::is_same_v<Part, char>) {
      joined += part;
    } else if constexpr (std::is_arithmetic_v<Part>) {
      joined += std::to_string(part);
    } else if constexpr (std::is_same_v<Part, std::filesystem::path>) {
      joined += part.native();
    } else {
      joined += std::string_view(part);
    }
  };
  (append(parts), ...);
  return joined;
}

[[noreturn]] void throw_sys_error(int code, std::string_view message);

// Throws SysError for the current errno, which is read before the parts are formatted.
template <typename... Parts>
[[noreturn]] void throw_errno(const Parts&... parts) {
  const int code = errno;
  throw_sys_error(code, concat(parts...));
}

// Runs `act`; an Error that leaves it gets `context` in front.
template <typename Act>
decltype(auto) with_context(std::string_view context, Act&& act) {
  try {
    return std::forward<Act>(act)();
  } catch (Error& error) {
    error.add_context(context);
    throw;
  }
}

}  // namespace knarr
