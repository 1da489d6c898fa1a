// SPDX-License-Identifier: Apache-2.0
// What a container sends to port 53, and what a server outside answers: any bytes are answered or left alone,
// and an answer belongs to its query.
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "engine/netd/answer.h"
#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "rootless/sys/process.h"
#include "tests/fuzz/check.h"

using namespace knarr;
using namespace knarr::engine::netd;

namespace {

// A network with one container; left behind in /tmp for the few moments until the process ends.
class Files {
 public:
  Files() {
    char place[] = "/tmp/fuzz-dns-XXXXXX";
    FUZZ_CHECK(::mkdtemp(place) != nullptr);
    place_ = place;
    const auto self = sys::identify(::getpid());
    write("web/network", "bridge b\nsubnet 10.89.0.0/24\nhost 169.254.1.2\ndns yes\n");
    write("web/names/db/c1", concat(self.pid, ' ', self.start_time, "\n10.89.0.2\nfd00::2\n"));
    write("web/leases/10.89.0.2", concat(self.pid, ' ', self.start_time, " c1\n"));
  }
  ~Files() { sys::remove_tree(AT_FDCWD, place_); }
  const std::string& place() const { return place_; }

 private:
  void write(const std::string& name, const std::string& content) {
    const std::string path = concat(place_, '/', name);
    sys::make_directories(AT_FDCWD, path.substr(0, path.rfind('/')), 0700);
    sys::replace_file(AT_FDCWD, path, content, 0600, sys::Durability::none);
  }
  std::string place_;
};

void check_answer(const Bytes& answer, ByteView query) {
  FUZZ_CHECK(answer.size() >= header_size && answer.size() <= 65535);
  FUZZ_CHECK(message_id(answer) == message_id(query) && (answer[2] & 0x80) != 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Files files;
  static const NameFiles names(files.place());
  const ByteView bytes(data, size);
  const ParsedQuery parsed = parse_query(bytes);
  if (!parsed.query) {
    if (!parsed.rejection.empty()) check_answer(parsed.rejection, bytes);
    return 0;
  }
  FUZZ_CHECK(parsed.query->question_end <= size);
  if (auto answer =
          answer_query(bytes, *parsed.query, {"web", *netns::parse_ip("10.89.0.2")}, names, size & 7)) {
    check_answer(*answer, bytes);
    FUZZ_CHECK(answers(*answer, bytes, *parsed.query));
    fit_into_datagram(*answer, *parsed.query);
    FUZZ_CHECK(answer->size() <= parsed.query->longest_answer);
  }
  check_answer(build_failure(bytes, Rcode::server_failure), bytes);
  // The query as a server's answer to itself.
  FUZZ_CHECK(!answers(bytes, bytes, *parsed.query));
  return 0;
}
