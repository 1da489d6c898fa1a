// SPDX-License-Identifier: Apache-2.0
#include "engine/in_r.h"

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "rootless/sys/process.h"

namespace knarr::engine {

namespace {

// What comes through the pipe: a mark, then the text, or message, NUL and hint of an error.
constexpr char answer_mark = 'a', error_mark = 'e';

std::string ask_in_child(const Engine& engine, const std::function<std::string()>& ask) {
  try {
    engine.enter_r();
    return answer_mark + ask();
  } catch (const Error& error) {
    return error_mark + error.message() + '\0' + error.hint();
  }
}

[[noreturn]] void throw_error_of_child(const std::string& text) {
  const std::size_t end = text.find('\0');
  Error error(text.substr(1, end - 1));
  error.set_hint(text.substr(end + 1));
  throw error;
}

}  // namespace

std::string read_in_r(const Engine& engine, const std::function<std::string()>& ask) {
  sys::Pipe answer = sys::make_pipe();
  const pid_t child = sys::fork_child([&] {
    sys::write_all(answer.write.get(), ask_in_child(engine, ask), "the pipe to the command");
    return 0;
  });
  answer.write.reset();
  const std::string text = sys::read_all(answer.read.get(), "the answer of a child");
  if (sys::wait_child(child).code != 0 || text.empty())
    throw Error("a process that worked in the user namespace was killed");
  if (text[0] == error_mark) throw_error_of_child(text);
  return text.substr(1);
}

void run_in_r(const Engine& engine, const std::function<void()>& act) {
  read_in_r(engine, [&act] {
    act();
    return std::string();
  });
}

}  // namespace knarr::engine
