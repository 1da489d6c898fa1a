// SPDX-License-Identifier: Apache-2.0
#include "engine/request/mounts.h"

#include <algorithm>
#include <cstdint>

#include "engine/request/values.h"
#include "rootless/sys/error.h"

namespace knarr::engine {

namespace {

using Type = MountRequest::Type;

bool is_propagation(std::string_view word) {
  constexpr std::string_view words[] = {"shared",  "slave",  "private",  "unbindable",
                                        "rshared", "rslave", "rprivate", "runbindable"};
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

// Words that contradict each other or come twice are the user's mistake: which one counts is anybody's guess.
class OnlyOnce {
 public:
  OnlyOnce(std::string_view flag, std::string_view text) : flag_(flag), text_(text) {}
  void note(std::string_view kind) {
    if (std::find(seen_.begin(), seen_.end(), kind) != seen_.end()) {
      fail_flag(flag_, text_, concat("invalid options: can only specify 1 '", kind, "' option"));
    }
    seen_.push_back(kind);
  }

 private:
  std::string_view flag_, text_;
  std::vector<std::string_view> seen_;
};

// The words that --volume, --mount and --tmpfs share; false for another word.
bool apply_access_word(MountRequest& mount, std::string_view word, OnlyOnce& once) {
  if (word == "ro" || word == "rw") {
    once.note("rw|ro");
    mount.read_only = word == "ro";
  } else if (word == "exec" || word == "noexec") {
    once.note("exec|noexec");
    (word == "exec" ? mount.exec : mount.no_exec) = true;
  } else if (word == "suid" || word == "nosuid") {
    once.note("suid|nosuid");
    (word == "suid" ? mount.suid : mount.no_suid) = true;
  } else if (word == "dev" || word == "nodev") {
    once.note("dev|nodev");
    (word == "dev" ? mount.dev : mount.no_dev) = true;
  } else if (is_propagation(word)) {
    once.note("[r]shared|[r]private|[r]slave|[r]unbindable");
    mount.propagation = word;
  } else {
    return false;
  }
  return true;
}

bool apply_volume_word(MountRequest& mount, std::string_view word, OnlyOnce& once) {
  if (word == "z" || word == "Z") {
    once.note("z|Z");
    mount.relabel = true;
  } else if (word == "U") {
    once.note("U");
    mount.chown = true;
  } else if (word == "O") {
    once.note("O");
    mount.overlay = true;
  } else if ((word.starts_with("upperdir=") && word.size() > 9) ||
             (word.starts_with("workdir=") && word.size() > 8)) {
    const bool is_upper = word.starts_with("upperdir=");
    once.note(is_upper ? "upperdir" : "workdir");
    (is_upper ? mount.upper : mount.work) = word.substr(word.find('=') + 1);
  } else if (word == "copy" || word == "nocopy") {
    once.note("copy|nocopy");
    mount.copy_up = word == "copy";
  } else if (word == "bind" || word == "rbind") {
    once.note("bind|rbind");
    mount.non_recursive = word == "bind";
  } else if (word.starts_with("subpath=") && word.size() > 8) {
    once.note("subpath");
    mount.subpath = word.substr(8);
  } else {
    return false;
  }
  return true;
}

void check_volume_word_is_possible(std::string_view word, std::string_view flag, std::string_view text) {
  if (word == "idmap" || word.starts_with("idmap=")) {
    throw Unsupported(concat("--", flag, " ", text, ": idmapped mounts (idmap) are not supported"));
  }
}

// What ends here is a C string later: half of a path is another path.
void check_no_nul(std::string_view flag, std::string_view text) {
  if (text.find('\0') != std::string_view::npos) fail_flag(flag, text, "a NUL byte in a path");
}

std::string checked_destination(std::string_view destination, std::string_view flag, std::string_view text) {
  if (destination.empty()) fail_flag(flag, text, "container directory cannot be empty");
  if (destination.front() != '/') {
    fail_flag(flag, text, concat("invalid container path \"", destination, "\", must be an absolute path"));
  }
  std::string cleaned = clean_path(destination);
  if (cleaned == "/") fail_flag(flag, text, "the container's root directory cannot be a mount point");
  return cleaned;
}

std::string checked_subpath(std::string_view subpath, std::string_view flag, std::string_view text) {
  const std::string cleaned = clean_path(subpath);
  if (subpath.empty() || subpath.front() == '/' || cleaned == ".." || cleaned.starts_with("../")) {
    fail_flag(flag, text, concat("invalid subpath \"", subpath, "\": it must stay within the source"));
  }
  return cleaned;
}

void check_volume_name(std::string_view name, std::string_view flag, std::string_view text) {
  if (!is_object_name(name)) {
    fail_flag(
        flag, text,
        concat("volume name \"", name, "\": names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*: invalid argument"));
  }
}

void check_volume_consistency(const MountRequest& mount, std::string_view flag, std::string_view text) {
  if (mount.overlay && mount.type == Type::volume && mount.source.empty()) {
    fail_flag(flag, text, "an overlay (O) needs a source");
  }
  if (mount.upper.empty() != mount.work.empty()) fail_flag(flag, text, "must set both upperdir and workdir");
  if (!mount.upper.empty() && !mount.overlay) fail_flag(flag, text, "upperdir and workdir belong to 'O'");
  for (const std::string* path : {&mount.upper, &mount.work}) {
    if (!path->empty() && path->front() != '/')
      fail_flag(flag, text, "upperdir and workdir are absolute paths");
  }
  if (mount.chown && mount.type == Type::image)
    fail_flag(flag, text, "the owner of an image cannot be changed");
  if (mount.overlay && mount.read_only) fail_flag(flag, text, "'O' and 'ro' contradict each other");
  if (!mount.subpath.empty() && mount.overlay)
    fail_flag(flag, text, "'O' and 'subpath' contradict each other");
}

bool apply_copy_up_word(MountRequest& mount, std::string_view word, OnlyOnce& once) {
  if (mount.type != Type::tmpfs || (word != "tmpcopyup" && word != "notmpcopyup")) return false;
  once.note("tmpcopyup|notmpcopyup");
  mount.copy_up = word == "tmpcopyup";
  return true;
}

// What tmpfs(5) takes beyond the words all mounts share.
bool is_tmpfs_option(std::string_view word) {
  constexpr std::string_view words[] = {"noatime",     "atime",  "nodiratime", "relatime",
                                        "strictatime", "noswap", "inode32",    "inode64"};
  if (std::find(std::begin(words), std::end(words), word) != std::end(words)) return true;
  constexpr std::string_view keys[] = {
      "size=", "mode=", "uid=", "gid=", "nr_inodes=", "nr_blocks=", "huge=", "mpol="};
  return std::any_of(std::begin(keys), std::end(keys), [word](std::string_view key) {
    return word.starts_with(key) && word.size() > key.size();
  });
}

// --- --mount ---

struct MountWord {
  std::string key;
  std::optional<std::string> value;
};

// key=value,key,...; a field may be quoted as in CSV, "" within quotes is one quote.
std::vector<MountWord> split_mount(std::string_view text) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"' && quoted && i + 1 < text.size() && text[i + 1] == '"') {
      fields.back() += '"';
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  if (quoted) fail_flag("mount", text, "a quote is not closed");
  std::vector<MountWord> words;
  for (const std::string& field : fields) {
    if (auto parts = split_once(field, '=')) {
      words.push_back({std::move(parts->first), std::move(parts->second)});
    } else {
      words.push_back({field, std::nullopt});
    }
  }
  return words;
}

class MountParser {
 public:
  MountParser(const CreateRequest& request, std::string_view text)
      : request_(request), text_(text), once_("mount", text) {}

  MountRequest parse() {
    std::vector<MountWord> words = split_mount(text_);
    read_type(words);
    for (const MountWord& word : words) {
      if (word.key != "type") apply(word);
    }
    finish();
    return mount_;
  }

 private:
  [[noreturn]] void fail(std::string_view reason) const { fail_flag("mount", text_, reason); }

  void read_type(const std::vector<MountWord>& words) {
    std::string type = "volume";
    for (const MountWord& word : words) {
      if (word.key == "type") type = word.value.value_or("");
    }
    if (type == "bind") {
      mount_.type = Type::bind;
    } else if (type == "volume") {
      mount_.type = Type::volume;
    } else if (type == "tmpfs") {
      mount_.type = Type::tmpfs;
    } else if (type == "ramfs") {
      mount_.type = Type::ramfs;
    } else if (type == "devpts") {
      mount_.type = Type::devpts;
    } else if (type == "image") {
      mount_.type = Type::image;
      mount_.read_only = true;
    } else if (type == "glob" || type == "artifact") {
      throw Unsupported(concat("--mount ", text_, ": mounts of type ", type, " are not supported"));
    } else {
      fail(concat("invalid filesystem type \"", type, "\""));
    }
  }

  bool is_memory() const { return mount_.type == Type::tmpfs || mount_.type == Type::ramfs; }
  bool has_source() const { return !is_memory() && mount_.type != Type::devpts; }

  std::string value_of(const MountWord& word) const {
    if (!word.value || word.value->empty()) fail(concat(word.key, ": a value is needed"));
    return *word.value;
  }
  bool truth_of(const MountWord& word) const {
    if (!word.value) return true;
    const auto truth = parse_bool(*word.value);
    if (!truth) fail(concat(word.key, ": expected true or false, not \"", *word.value, "\""));
    return *truth;
  }

  void apply(const MountWord& word) {
    if (apply_place(word) || apply_common(word)) return;
    if (is_memory() && apply_memory(word)) return;
    if (mount_.type == Type::devpts && apply_devpts(word)) return;
    if (has_source() && apply_source_options(word)) return;
    fail(concat("\"", word.key, "\": invalid mount option"));
  }

  bool apply_place(const MountWord& word) {
    if (word.key == "src" || word.key == "source") {
      if (!has_source()) fail(concat("\"", word.key, "\": invalid mount option: this type has no source"));
      once_.note("source");
      mount_.source = word.value.value_or("");
    } else if (word.key == "dst" || word.key == "dest" || word.key == "destination" || word.key == "target") {
      once_.note("destination");
      mount_.destination = checked_destination(word.value.value_or(""), "mount", text_);
    } else {
      return false;
    }
    return true;
  }

  bool apply_common(const MountWord& word) {
    if (word.key == "ro" || word.key == "readonly") {
      once_.note("rw|ro");
      mount_.read_only = truth_of(word);
    } else if (word.key == "rw" || word.key == "readwrite") {
      once_.note("rw|ro");
      mount_.read_only = !truth_of(word);
    } else if (word.key == "consistency") {
      // A hint for virtual machines on other systems; on Linux every mount is consistent.
    } else {
      return !word.value && apply_access_word(mount_, word.key, once_);
    }
    return true;
  }

  bool apply_memory(const MountWord& word) {
    if (word.key == "tmpfs-size" || word.key == "size") {
      mount_.options.push_back("size=" + value_of(word));
    } else if (word.key == "tmpfs-mode" || word.key == "mode") {
      if (!parse_octal(value_of(word))) fail(concat(word.key, ": expected an octal mode"));
      mount_.options.push_back("mode=" + *word.value);
    } else {
      return !word.value && apply_copy_up_word(mount_, word.key, once_);
    }
    return true;
  }

  bool apply_devpts(const MountWord& word) {
    if (word.key != "uid" && word.key != "gid" && word.key != "mode" && word.key != "max") return false;
    const std::string value = value_of(word);
    const bool number = word.key == "mode" ? parse_octal(value).has_value()
                                           : parse_unsigned(value, UINT32_MAX - 1).has_value();
    if (!number) fail(concat(word.key, ": expected a number"));
    mount_.options.push_back(concat(word.key, "=", value));
    return true;
  }

  bool apply_source_options(const MountWord& word) {
    if (word.key == "bind-propagation") {
      if (!is_propagation(value_of(word))) fail(concat("invalid propagation \"", *word.value, "\""));
      mount_.propagation = *word.value;
    } else if (word.key == "bind-nonrecursive") {
      mount_.non_recursive = truth_of(word);
    } else if (word.key == "relabel") {
      if (value_of(word) != "shared" && *word.value != "private")
        fail("relabel: must be 'private' or 'shared'");
      mount_.relabel = true;
    } else if (word.key == "U" || word.key == "chown") {
      mount_.chown = truth_of(word);
    } else if (word.key == "subpath" || word.key == "volume-subpath") {
      mount_.subpath = value_of(word);
    } else if (word.key == "volume-nocopy") {
      mount_.copy_up = !truth_of(word);
    } else if (word.key == "idmap") {
      throw Unsupported(concat("--mount ", text_, ": idmapped mounts (idmap) are not supported"));
    } else {
      return !word.value && apply_volume_word(mount_, word.key, once_);
    }
    return true;
  }

  void finish() {
    if (mount_.destination.empty()) {
      if (mount_.type != Type::devpts) fail("must set volume destination");
      mount_.destination = "/dev/pts";
    }
    if (mount_.type == Type::bind) {
      if (mount_.source.empty()) fail("must set source for a bind mount");
      mount_.source = absolute_host_path(request_, mount_.source);
    }
    if (mount_.type == Type::image && mount_.source.empty())
      fail("must set source and target for an image mount");
    if (mount_.type == Type::volume && !mount_.source.empty())
      check_volume_name(mount_.source, "mount", text_);
    if (!mount_.subpath.empty()) mount_.subpath = checked_subpath(mount_.subpath, "mount", text_);
    check_volume_consistency(mount_, "mount", text_);
  }

  const CreateRequest& request_;
  std::string_view text_;
  OnlyOnce once_;
  MountRequest mount_;
};

// --- merging ---

class MountMerger {
 public:
  explicit MountMerger(const std::string& container_id) : container_id_(container_id) {}

  bool covers(std::string_view destination) const {
    return std::any_of(mounts_.begin(), mounts_.end(),
                       [&](const MountRequest& mount) { return mount.destination == destination; });
  }

  // The same mount twice is one; two different ones at a place are a mistake.
  void add(const MountRequest& mount, std::string_view flag, std::string_view text) {
    for (const MountRequest& present : mounts_) {
      if (present.destination != mount.destination) continue;
      if (present == mount) return;
      fail_flag(flag, text, concat(mount.destination, ": duplicate mount destination"));
    }
    mounts_.push_back(mount);
  }

  void add_if_free(const MountRequest& mount) {
    if (!covers(mount.destination)) mounts_.push_back(mount);
  }

  std::vector<MountRequest> finish() {
    std::size_t index = 0;
    for (MountRequest& mount : mounts_) {
      if (mount.type != Type::volume || !mount.source.empty()) continue;
      mount.source = anonymous_volume_name(container_id_, index++);
      mount.anonymous = true;
    }
    return std::move(mounts_);
  }

 private:
  const std::string& container_id_;
  std::vector<MountRequest> mounts_;
};

void add_volumes_from(MountMerger& merger, const CreateRequest& request) {
  for (const VolumesFrom& from : request.volumes_from) {
    const VolumesFromSpec spec = parse_volumes_from(from.text);
    for (MountRequest mount : from.mounts) {
      if (mount.type != Type::volume && mount.type != Type::bind) continue;
      if (spec.read_only || spec.read_write) mount.read_only = spec.read_only;
      // It stays the other container's: this one must not remove it.
      mount.anonymous = false;
      merger.add_if_free(mount);
    }
  }
}

void add_image_volumes(MountMerger& merger, const CreateRequest& request, const storage::ImageConfig& image) {
  const std::string& mode = request.image_volume;
  if (mode == "ignore") return;
  if (!mode.empty() && mode != "bind" && mode != "anonymous" && mode != "tmpfs") {
    fail_flag("image-volume", mode, "must be bind, anonymous, tmpfs or ignore");
  }
  for (const std::string& path : image.volumes) {
    MountRequest mount;
    mount.type = mode == "tmpfs" ? Type::tmpfs : Type::volume;
    mount.destination = clean_path("/" + path);
    mount.exec = true;
    mount.copy_up = mount.type == Type::volume;
    if (mount.destination != "/") merger.add_if_free(mount);
  }
}

std::uint64_t mix(std::uint64_t value) {  // splitmix64's finalizer: a bijection
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
  return value ^ (value >> 31);
}

}  // namespace

MountRequest parse_volume(const CreateRequest& request, std::string_view text) {
  check_no_nul("volume", text);
  const std::vector<std::string> parts = split(text, ':');
  if (parts.size() > 3) {
    fail_flag("volume", text, "incorrect volume format, should be [host-dir:]ctr-dir[:option]");
  }
  MountRequest mount;
  mount.destination = checked_destination(parts.size() == 1 ? parts[0] : parts[1], "volume", text);
  if (parts.size() > 1) {
    if (parts[0].empty()) fail_flag("volume", text, "host directory cannot be empty");
    const bool is_path = parts[0].front() == '/' || parts[0].front() == '.';
    mount.type = is_path ? Type::bind : Type::volume;
    mount.source = is_path ? absolute_host_path(request, parts[0]) : parts[0];
    if (!is_path) check_volume_name(mount.source, "volume", text);
  }
  OnlyOnce once("volume", text);
  for (const std::string& word : parts.size() == 3 ? split(parts[2], ',') : std::vector<std::string>{}) {
    check_volume_word_is_possible(word, "volume", text);
    if (!apply_access_word(mount, word, once) && !apply_volume_word(mount, word, once)) {
      fail_flag("volume", text, concat("invalid option type \"", word, "\""));
    }
  }
  if (!mount.subpath.empty()) mount.subpath = checked_subpath(mount.subpath, "volume", text);
  check_volume_consistency(mount, "volume", text);
  return mount;
}

MountRequest parse_mount(const CreateRequest& request, std::string_view text) {
  check_no_nul("mount", text);
  return MountParser(request, text).parse();
}

MountRequest parse_tmpfs(std::string_view text) {
  check_no_nul("tmpfs", text);
  const std::size_t colon = text.find(':');
  MountRequest mount;
  mount.type = Type::tmpfs;
  mount.destination = checked_destination(text.substr(0, colon), "tmpfs", text);
  if (colon == std::string_view::npos) return mount;
  OnlyOnce once("tmpfs", text);
  for (const std::string& word : split(text.substr(colon + 1), ',')) {
    if (is_tmpfs_option(word)) {
      mount.options.push_back(word);
    } else if (!apply_copy_up_word(mount, word, once) && !apply_access_word(mount, word, once)) {
      fail_flag("tmpfs", text, concat("unknown mount option \"", word, "\""));
    }
  }
  return mount;
}

DeviceRequest parse_device(std::string_view text) {
  check_no_nul("device", text);
  const auto is_permissions = [](std::string_view word) {
    return !word.empty() && word.size() <= 3 && word.find_first_not_of("rwm") == std::string_view::npos;
  };
  const std::vector<std::string> parts = split(text, ':');
  if (parts.size() > 3 || parts[0].empty()) fail_flag("device", text, "expected SOURCE[:DESTINATION][:rwm]");
  if (parts[0].front() != '/') {
    if (parts[0].find('=') != std::string::npos) {
      throw Unsupported(concat("--device ", text, ": devices by CDI name are not supported"));
    }
    fail_flag("device", text, "a device is an absolute path");
  }
  DeviceRequest device{.source = clean_path(parts[0]), .destination = clean_path(parts[0])};
  std::size_t next = 1;
  if (next < parts.size() && !is_permissions(parts[next])) {
    device.destination = checked_destination(parts[next++], "device", text);
  }
  if (next < parts.size()) {
    if (!is_permissions(parts[next])) {
      fail_flag("device", text, concat("invalid device mode: ", parts[next]));
    }
    device.permissions = parts[next++];
  }
  if (next < parts.size()) fail_flag("device", text, "expected SOURCE[:DESTINATION][:rwm]");
  return device;
}

VolumesFromSpec parse_volumes_from(std::string_view text) {
  const std::size_t colon = text.find(':');
  VolumesFromSpec spec{.container = std::string(text.substr(0, colon))};
  if (spec.container.empty()) fail_flag("volumes-from", text, "a container is needed");
  if (colon == std::string_view::npos) return spec;
  for (const std::string& word : split(text.substr(colon + 1), ',')) {
    if (word == "ro") {
      spec.read_only = true;
    } else if (word == "rw") {
      spec.read_write = true;
    } else if (word != "z" && word != "Z") {
      fail_flag("volumes-from", text, concat("invalid option \"", word, "\", expected ro, rw, z or Z"));
    }
  }
  if (spec.read_only && spec.read_write)
    fail_flag("volumes-from", text, "'ro' and 'rw' contradict each other");
  return spec;
}

std::vector<MountRequest> plan_mount_requests(const CreateRequest& request, const storage::ImageConfig& image,
                                              const std::string& container_id) {
  MountMerger merger(container_id);
  for (const std::string& text : request.mounts) merger.add(parse_mount(request, text), "mount", text);
  for (const std::string& text : request.volumes) merger.add(parse_volume(request, text), "volume", text);
  for (const std::string& text : request.tmpfs) merger.add(parse_tmpfs(text), "tmpfs", text);
  add_volumes_from(merger, request);
  add_image_volumes(merger, request, image);
  return merger.finish();
}

std::string anonymous_volume_name(const std::string& container_id, std::size_t index) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string name;
  std::uint64_t state = mix(index + 1);
  for (std::size_t block = 0; block < 4; ++block) {
    for (std::size_t i = block * 16; i < block * 16 + 16 && i < container_id.size(); ++i) {
      state = mix(state * 31 + static_cast<unsigned char>(container_id[i]) + 0x9e3779b97f4a7c15u);
    }
    state = mix(state + block);
    for (int shift = 60; shift >= 0; shift -= 4) name += digits[(state >> shift) & 15];
  }
  return name;
}

}  // namespace knarr::engine
