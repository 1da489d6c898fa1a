// SPDX-License-Identifier: Apache-2.0
#include "storage/registry/openpgp.h"

#include <sys/mman.h>

#include <cstdlib>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "rootless/sys/process.h"
#include "rootless/sys/program.h"
#include "storage/content/base64.h"

namespace knarr::storage {
namespace {

constexpr std::string_view armor_begin = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
constexpr std::string_view armor_end = "-----END PGP PUBLIC KEY BLOCK-----";

// The next line, without its end; `text` goes on behind it.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t'))
    line.remove_suffix(1);
  return line;
}

// Behind the first line of a block: headers, an empty line, base64, "=" and a checksum, the last line.
std::string read_block(std::string_view& text) {
  while (!text.empty() && !take_line(text).empty()) {
  }
  std::string encoded;
  for (;;) {
    if (text.empty()) throw InvalidArgument("a key in ASCII armor has no end");
    const std::string_view line = take_line(text);
    if (line == armor_end) break;
    // The checksum finds what a mail has torn; here a torn key verifies nothing.
    if (!line.starts_with('=')) encoded += line;
  }
  const auto packets = decode_base64(encoded);
  if (!packets) throw InvalidArgument("a key in ASCII armor is no base64");
  return *packets;
}

// A file that gpgv opens by its number, so that nothing of it stays on the disk.
sys::UniqueFd make_keyring(const std::vector<std::string>& keys) {
  sys::UniqueFd file(::memfd_create("keyring", 0));  // no MFD_CLOEXEC: gpgv shall have it
  if (!file) throw_errno("creating a file in memory");
  for (const std::string& key : keys) sys::write_all(file.get(), key, "a keyring");
  return file;
}

std::string find_gpgv() {
  const char* const path = std::getenv("PATH");
  std::string program = sys::find_program("gpgv", path == nullptr ? "/usr/bin:/bin" : path);
  if (!program.empty()) return program;
  NotFound error("verifying a signature: there is no program gpgv in PATH");
  error.set_hint("it is in the package gpgv, or gnupg2");
  throw error;
}

// The words of a status line: "[GNUPG:] GOODSIG KEY NAME" is GOODSIG.
std::string_view status_word(std::string_view line) {
  constexpr std::string_view mark = "[GNUPG:] ";
  if (!line.starts_with(mark)) return {};
  line.remove_prefix(mark.size());
  return line.substr(0, line.find(' '));
}

std::string_view explain(std::string_view word) {
  if (word == "BADSIG") return "it does not fit what it signs";
  if (word == "ERRSIG") return "it is not by a key of the policy";
  if (word == "EXPSIG") return "it has expired";
  if (word == "EXPKEYSIG") return "its key has expired";
  if (word == "REVKEYSIG") return "its key was revoked";
  if (word == "NODATA" || word == "BADARMOR" || word == "UNEXPECTED") return "it is no OpenPGP message";
  return {};
}

}  // namespace

std::string read_openpgp_keys(std::string_view text) {
  if (text.find(armor_begin) == std::string_view::npos) return std::string(text);
  std::string packets;
  while (!text.empty()) {
    if (take_line(text) == armor_begin) packets += read_block(text);
  }
  return packets;
}

std::string why_not_signed(std::string_view status) {
  int good = 0, valid = 0, begun = 0, contents = 0;
  while (!status.empty()) {
    const std::string_view word = status_word(take_line(status));
    if (const std::string_view reason = explain(word); !reason.empty()) return std::string(reason);
    good += word == "GOODSIG" ? 1 : 0;
    valid += word == "VALIDSIG" ? 1 : 0;
    begun += word == "NEWSIG" ? 1 : 0;
    contents += word == "PLAINTEXT" ? 1 : 0;
  }
  if (begun == 0) return "it has no signature";
  // Of several contents or signatures nobody could say which belong together.
  const bool is_one = good == 1 && valid == 1 && begun == 1 && contents == 1;
  return is_one ? "" : "it is not one content with one signature";
}

SignedMessage open_signed_message(std::string_view message, const std::vector<std::string>& keys) {
  const std::string program = find_gpgv();
  const sys::UniqueFd keyring = make_keyring(keys);
  // An empty home: the user's own settings say nothing of the policy's keys.
  const sys::FilterResult result =
      sys::run_filter({program, "--quiet", "--homedir", "/nonexistent", "--keyring",
                       concat("/proc/self/fd/", keyring.get()), "--status-fd", "2", "--output", "-"},
                      sys::own_environment(), message);
  SignedMessage opened{why_not_signed(result.errors), {}};
  if (opened.refusal.empty() && result.status.code != 0)
    opened.refusal = concat("gpgv ends with status ", result.status.code);
  if (opened.refusal.empty()) opened.content = result.output;
  return opened;
}

}  // namespace knarr::storage
