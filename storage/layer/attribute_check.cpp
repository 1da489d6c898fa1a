// SPDX-License-Identifier: Apache-2.0
#include "storage/layer/attribute_check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <cerrno>
#include <cstdio>
#include <limits>
#include <map>
#include <optional>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"
#include "storage/layer/entry_path.h"
#include "storage/layer/tree_files.h"
#include "storage/layer/tree_item.h"

namespace knarr::storage {
namespace {

constexpr int max_links = 40;                      // as path_resolution(7)
constexpr std::size_t max_differences = 1u << 12;  // that wait for a later entry to explain them

std::string octal(std::uint32_t mode) {
  char text[16];
  std::snprintf(text, sizeof text, "0%o", mode);
  return text;
}

// What an entry asks for, in the tree as it is.
struct Found {
  int directory = -1;  // that it lies in
  std::string name;
  std::string path;  // canonical, for errors
  struct stat info {};
};

std::uint32_t file_type(TarType type) {
  switch (type) {
    case TarType::symlink:
      return S_IFLNK;
    case TarType::directory:
      return S_IFDIR;
    case TarType::fifo:
      return S_IFIFO;
    case TarType::character_device:
      return S_IFCHR;
    case TarType::block_device:
      return S_IFBLK;
    case TarType::file:
    case TarType::hard_link:
      break;
  }
  return S_IFREG;
}

const char* type_name(std::uint32_t mode) {
  switch (mode & S_IFMT) {
    case S_IFLNK:
      return "a link";
    case S_IFDIR:
      return "a directory";
    case S_IFIFO:
      return "a FIFO";
    case S_IFCHR:
      return "a character device";
    case S_IFBLK:
      return "a block device";
    default:
      return "a file";
  }
}

// nullopt: it has none of that name, or the file system has no attributes at all.
struct Attribute {
  bool is_supported = true;
  std::optional<std::string> value;
};

Attribute read_attribute(const Found& found, const std::string& name) {
  const sys::UniqueFd fd(
      ::openat(found.directory, found.name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd) throw_errno("opening ", found.path);
  std::string value(64u << 10, '\0');  // XATTR_SIZE_MAX
  const ssize_t size = ::fgetxattr(fd.get(), name.c_str(), value.data(), value.size());
  if (size < 0 && errno == ENOTSUP) return {false, std::nullopt};
  if (size < 0) return {true, std::nullopt};
  value.resize(static_cast<std::size_t>(size));
  return {true, std::move(value)};
}

// Coarser clocks of file systems cut the fraction off, and what they cannot express they move.
bool is_same_time(const std::timespec& wanted, const std::timespec& found) {
  const bool is_common = wanted.tv_sec >= std::numeric_limits<std::int32_t>::min() &&
                         wanted.tv_sec <= std::numeric_limits<std::int32_t>::max();
  if (!is_common) return true;
  return wanted.tv_sec == found.tv_sec && (wanted.tv_nsec == found.tv_nsec || found.tv_nsec == 0);
}

class AttributeCheck {
 public:
  AttributeCheck(AssembledTar& tar, int tree_fd)
      : tar_(tar), reader_(tar), tree_fd_(tree_fd), files_(tree_fd) {}

  std::string run() {
    for (TarEntry entry; reader_.next(entry) && differences_.size() < max_differences;) check(entry);
    return differences_.empty() ? std::string() : differences_.begin()->second.words;
  }

 private:
  // An entry may differ because a later one has changed what it made: each entry withdraws what was said
  // about its name, about what lay below it and about links to it.
  struct Difference {
    std::string words;
    std::string link_target;
  };

  void check(TarEntry& entry) {
    const SplitPlace place = place_of(entry);
    const WhiteoutName whiteout = parse_whiteout(place.path);
    if (whiteout.kind == Whiteout::reserved) return;
    if (whiteout.kind != Whiteout::none) return check_whiteout(whiteout, parent_of(place.path));
    withdraw(place.path, entry.type);
    say(place.path, compare(entry, find(place.path), place.link_target), place.link_target);
  }

  SplitPlace place_of(const TarEntry& entry) {
    if (std::optional<SplitPlace> place = tar_.take_place(reader_.position())) return *std::move(place);
    SplitPlace place{clean_entry_path(entry.path), {}};
    if (entry.type == TarType::hard_link) place.link_target = clean_entry_path(entry.link);
    return place;
  }

  void say(const std::string& path, const std::string& words, const std::string& link_target = {}) {
    if (!words.empty())
      differences_[path] = {concat(quote_name(path.empty() ? "/" : path), ' ', words), link_target};
  }

  void withdraw(const std::string& path, TarType type) {
    const auto is_about = [&](const std::string& other) {
      if (other == path) return true;
      return type != TarType::directory && other.size() > path.size() && other.starts_with(path) &&
             other[path.size()] == '/';
    };
    std::erase_if(differences_, [&](const auto& each) {
      return is_about(each.first) || (!each.second.link_target.empty() && is_about(each.second.link_target));
    });
  }

  // ---- one entry ----

  std::string compare(TarEntry& entry, const std::optional<Found>& found, const std::string& link_target) {
    if (is_left_out(entry)) return {};
    if (!found) return "is missing";
    if (entry.type == TarType::hard_link) return compare_hard_link(*found, link_target);
    const std::uint32_t type = file_type(entry.type);
    if ((found->info.st_mode & S_IFMT) != type)
      return concat("is ", type_name(found->info.st_mode), ", not ", type_name(type));
    if (std::string words = compare_content(entry, *found); !words.empty()) return words;
    const Attributes wanted = take_attributes(entry);
    if (std::string words = compare_mode(entry.type, wanted.mode, *found); !words.empty()) return words;
    if (std::string words = compare_owner(entry.type, wanted, *found); !words.empty()) return words;
    if (!is_same_time(wanted.mtime, found->info.st_mtim))
      return concat("is of ", found->info.st_mtim.tv_sec, ", not of ", wanted.mtime.tv_sec,
                    " (seconds since 1970)");
    if (entry.type != TarType::file && entry.type != TarType::directory) return {};
    return compare_attributes(wanted, *found);
  }

  bool is_left_out(const TarEntry& entry) const {
    const bool is_device = entry.type == TarType::character_device || entry.type == TarType::block_device;
    if (!is_device) return false;
    return !policy_.in_initial_namespace || (entry.device_major == 0 && entry.device_minor == 0);
  }

  static std::string compare_content(const TarEntry& entry, const Found& found) {
    if (entry.type == TarType::file && entry.size != static_cast<std::uint64_t>(found.info.st_size))
      return concat("has ", found.info.st_size, " bytes, not ", entry.size);
    if (entry.type == TarType::symlink && sys::read_link(found.directory, found.name) != entry.link)
      return concat("links to ", quote_name(sys::read_link(found.directory, found.name).value_or("")),
                    ", not to ", quote_name(entry.link));
    const bool is_device = entry.type == TarType::character_device || entry.type == TarType::block_device;
    if (is_device && found.info.st_rdev != makedev(entry.device_major, entry.device_minor))
      return "is another device";
    return {};
  }

  static std::string compare_mode(TarType type, std::uint32_t wanted, const Found& found) {
    if (type == TarType::symlink) return {};
    const bool is_node = type != TarType::file && type != TarType::directory;
    const std::uint32_t mask = is_node ? 0777 : 07777;
    if ((found.info.st_mode & mask) == (wanted & mask)) return {};
    return concat("has mode ", octal(found.info.st_mode & mask), ", not ", octal(wanted & mask));
  }

  std::string compare_owner(TarType type, const Attributes& wanted, const Found& found) const {
    if (found.info.st_uid == wanted.uid && found.info.st_gid == wanted.gid) return {};
    // Where one id was mapped, all belongs to it; only files and directories carry a note of the owner.
    if (found.info.st_uid == 0 && found.info.st_gid == 0) {
      if (type != TarType::file && type != TarType::directory) return {};
      const Attribute note = read_attribute(found, "user.containers.override_stat");
      const std::string text = concat(wanted.uid, ':', wanted.gid, ':', octal(wanted.mode));
      if (policy_.single_id && !note.is_supported) return {};
      if (note.value == text) return {};
    }
    return concat("belongs to ", found.info.st_uid, ':', found.info.st_gid, ", not to ", wanted.uid, ':',
                  wanted.gid);
  }

  static std::string compare_attributes(const Attributes& wanted, const Found& found) {
    for (const TarXattr& xattr : wanted.xattrs) {
      const Attribute attribute = read_attribute(found, xattr.name);
      if (!attribute.is_supported || attribute.value == xattr.value) continue;
      return concat(attribute.value ? "has another attribute " : "lacks its attribute ", xattr.name);
    }
    return {};
  }

  std::string compare_hard_link(const Found& found, const std::string& target) {
    const std::optional<Found> other = find(target);
    if (other && other->info.st_ino == found.info.st_ino && other->info.st_dev == found.info.st_dev)
      return {};
    return concat("is no other name of ", quote_name(target));
  }

  // A whiteout hides what lower layers have; where this layer has something of that name, that does.
  void check_whiteout(const WhiteoutName& whiteout, std::string_view parent) {
    const bool is_opaque = whiteout.kind == Whiteout::opaque;
    std::string path(parent);
    if (!is_opaque) path += concat(parent.empty() ? "" : "/", whiteout.hidden);
    const std::optional<Found> found = find(path);
    if (!found) return say(path, is_opaque ? "is missing" : "does not hide what is below");
    if (!S_ISDIR(found->info.st_mode)) return;
    if (read_attribute(*found, "user.overlay.opaque").value != "y") say(path, "does not hide what is below");
  }

  // ---- the tree ----

  std::optional<Found> find(const std::string& path) {
    Found found;
    if (path.empty()) {
      found.directory = tree_fd_;
      found.name = ".";
    } else {
      found.name = leaf_of(path);
      found.path = path;
      found.directory = files_.open_parent(path);
      if (found.directory < 0) return std::nullopt;
    }
    const auto info = sys::stat_at(found.directory, found.name, AT_SYMLINK_NOFOLLOW);
    if (!info) return std::nullopt;
    found.info = *info;
    return found;
  }

  AssembledTar& tar_;
  TarReader reader_;
  int tree_fd_;
  TreeFiles files_;
  TreePolicy policy_ = policy_of_this_process();
  std::map<std::string, Difference> differences_;
};

}  // namespace

std::string find_attribute_difference(AssembledTar& tar, int tree_fd) {
  return AttributeCheck(tar, tree_fd).run();
}

}  // namespace knarr::storage
