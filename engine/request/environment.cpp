// SPDX-License-Identifier: Apache-2.0
#include "engine/request/environment.h"

#include <algorithm>

#include "engine/request/values.h"
#include "rootless/sys/error.h"

namespace knarr::engine {

namespace {

constexpr std::string_view proxy_variables[] = {"http_proxy", "https_proxy", "ftp_proxy",   "no_proxy",
                                                "all_proxy",  "HTTP_PROXY",  "HTTPS_PROXY", "FTP_PROXY",
                                                "NO_PROXY",   "ALL_PROXY"};

bool names(std::string_view entry, std::string_view name) {
  return entry.size() > name.size() && entry[name.size()] == '=' && entry.starts_with(name);
}

std::optional<std::string_view> find_in(const std::vector<std::string>& entries, std::string_view name) {
  // An empty name would match the "=..." entries some systems keep.
  if (name.empty()) return std::nullopt;
  for (const std::string& entry : entries) {
    if (names(entry, name)) return std::string_view(entry).substr(name.size() + 1);
  }
  return std::nullopt;
}

void apply_prefix(Environment& environment, std::string_view prefix,
                  const std::vector<std::string>& host_env) {
  for (const std::string& entry : host_env) {
    const std::string_view name = std::string_view(entry).substr(0, entry.find('='));
    if (!name.empty() && name.starts_with(prefix)) environment.set_entry(entry);
  }
}

// A shell-like word, expanded left to right.
class WordExpander {
 public:
  WordExpander(std::string_view word, const Environment& environment)
      : word_(word), environment_(environment) {}

  std::string expand() { return expand_until('\0'); }

 private:
  [[noreturn]] void fail(std::string_view reason) const { fail_flag("env-merge", word_, reason); }

  // Up to `end` (left unread) or the end of the word.
  std::string expand_until(char end) {
    std::string result;
    bool double_quoted = false;
    while (at_ < word_.size()) {
      const char c = word_[at_];
      if (c == end && end != '\0' && !double_quoted) return result;
      ++at_;
      if (c == '"') {
        double_quoted = !double_quoted;
      } else if (c == '\'' && !double_quoted) {
        append_single_quoted(result);
      } else if (c == '\\') {
        append_escaped(result, double_quoted);
      } else if (c == '$') {
        append_variable(result);
      } else {
        result += c;
      }
    }
    if (double_quoted) fail("unexpected end of statement while looking for matching double-quote");
    return result;
  }

  void append_single_quoted(std::string& result) {
    const std::size_t end = word_.find('\'', at_);
    if (end == std::string_view::npos) {
      fail("unexpected end of statement while looking for matching single-quote");
    }
    result += word_.substr(at_, end - at_);
    at_ = end + 1;
  }

  void append_escaped(std::string& result, bool double_quoted) {
    if (at_ == word_.size()) {
      result += '\\';
      return;
    }
    const char c = word_[at_++];
    // Within double quotes a backslash is special before these only.
    if (double_quoted && c != '"' && c != '$' && c != '\\') result += '\\';
    result += c;
  }

  std::string_view read_name() {
    const std::size_t start = at_;
    const auto is_name_character = [](char c) {
      return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    };
    while (at_ < word_.size() && is_name_character(word_[at_])) ++at_;
    return word_.substr(start, at_ - start);
  }

  void append_variable(std::string& result) {
    if (at_ < word_.size() && word_[at_] == '{') {
      ++at_;
      append_braced(result);
      return;
    }
    const std::string_view name = read_name();
    if (name.empty()) {
      result += '$';
    } else if (const auto value = environment_.find(name)) {
      result += *value;
    }
  }

  void append_braced(std::string& result) {
    const std::string_view name = read_name();
    if (name.empty()) fail("missing variable name after \"${\"");
    const std::string_view value = environment_.find(name).value_or("");
    const std::string_view operation = word_.substr(at_, 2);
    if (operation == ":-" || operation == ":+") {
      at_ += 2;
      if (++depth_ > max_depth) fail("nested too deeply");
      const std::string word = expand_until('}');
      --depth_;
      if (operation == ":-") result += value.empty() ? word : std::string(value);
      if (operation == ":+" && !value.empty()) result += word;
    } else {
      result += value;
    }
    if (at_ == word_.size() || word_[at_] != '}') fail("expected '}' after \"${NAME\"");
    ++at_;
  }

  static constexpr int max_depth = 32;
  std::string_view word_;
  const Environment& environment_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

// What a container has before anybody says anything.
void apply_defaults(Environment& environment, const CreateRequest& request) {
  environment.set("PATH", default_path);
  environment.set("container", "knarr");
  if (request.terminal) environment.set("TERM", "xterm");
}

void apply_host(Environment& environment, const CreateRequest& request) {
  if (request.env_host) {
    for (const std::string& entry : request.host_env) environment.set_entry(entry);
    return;
  }
  if (!request.http_proxy) return;
  for (const std::string_view name : proxy_variables) {
    if (const auto value = find_in(request.host_env, name)) environment.set(name, *value);
  }
}

void apply_merges(Environment& environment, const CreateRequest& request) {
  for (const std::string& word : request.env_merge) {
    const auto parts = split_once(word, '=');
    if (!parts || parts->first.empty()) fail_flag("env-merge", word, "expected NAME=VALUE");
    environment.set(parts->first, expand_word(parts->second, environment));
  }
}

// Labels that steer engines on the host: the author of an image must not set them.
bool is_reserved_label(std::string_view name) {
  return name.starts_with("io.knarr.") || name.starts_with("io.containers.autoupdate") ||
         name == "io.containers.sdnotify" || name == "PODMAN_SYSTEMD_UNIT";
}

void add_label(std::map<std::string, std::string>& labels, std::string_view text, std::string_view flag) {
  const std::size_t equals = text.find('=');
  const std::string name(text.substr(0, equals));
  if (name.empty()) fail_flag(flag, text, "a label needs a name");
  labels[name] = equals == std::string_view::npos ? "" : text.substr(equals + 1);
}

std::vector<std::string> meaningful_lines(std::string_view content) {
  constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
  if (content.starts_with(byte_order_mark)) content.remove_prefix(byte_order_mark.size());
  std::vector<std::string> lines;
  for (const std::string& line : split(content, '\n')) {
    std::string_view text = line;
    if (text.ends_with('\r')) text.remove_suffix(1);
    text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
    if (!text.empty() && text.front() != '#') lines.emplace_back(text);
  }
  return lines;
}

}  // namespace

void Environment::set(std::string_view name, std::string_view value) {
  std::string entry = concat(name, "=", value);
  for (std::string& present : entries_) {
    if (names(present, name)) {
      present = std::move(entry);
      return;
    }
  }
  entries_.push_back(std::move(entry));
}

void Environment::set_entry(std::string_view entry) {
  const std::size_t equals = entry.find('=');
  if (equals == std::string_view::npos || equals == 0) return;
  set(entry.substr(0, equals), entry.substr(equals + 1));
}

void Environment::unset(std::string_view name) {
  std::erase_if(entries_, [name](const std::string& entry) { return names(entry, name); });
}

std::optional<std::string_view> Environment::find(std::string_view name) const {
  return find_in(entries_, name);
}

void apply_user_entry(Environment& environment, std::string_view entry,
                      const std::vector<std::string>& host_env, std::string_view flag) {
  const std::size_t equals = entry.find('=');
  const std::string_view name = entry.substr(0, equals);
  if (name.empty()) fail_flag(flag, entry, "invalid environment variable: the name is empty");
  if (entry.find('\0') != std::string_view::npos)
    fail_flag(flag, name, "a NUL byte in an environment variable");
  if (equals != std::string_view::npos) {
    environment.set(name, entry.substr(equals + 1));
  } else if (name.ends_with('*')) {
    apply_prefix(environment, name.substr(0, name.size() - 1), host_env);
  } else if (const auto value = find_in(host_env, name)) {
    environment.set(name, *value);
  }
}

std::vector<std::string> parse_env_file(const TextFile& file) {
  std::vector<std::string> lines = meaningful_lines(file.content);
  for (const std::string& line : lines) {
    const std::string_view name = std::string_view(line).substr(0, line.find('='));
    if (name.empty()) fail_flag("env-file", file.path, concat("no variable name on line '", line, "'"));
    if (name.find_first_of(" \t") != std::string_view::npos) {
      fail_flag("env-file", file.path, concat("variable '", name, "' contains whitespaces"));
    }
    if (line.find('\0') != std::string::npos) fail_flag("env-file", file.path, "the file holds a NUL byte");
  }
  return lines;
}

std::string expand_word(std::string_view word, const Environment& environment) {
  return WordExpander(word, environment).expand();
}

std::vector<std::string> plan_environment(const CreateRequest& request, const storage::ImageConfig& image) {
  Environment environment;
  apply_defaults(environment, request);
  apply_host(environment, request);
  for (const std::string& entry : image.env) environment.set_entry(entry);
  apply_merges(environment, request);
  for (const std::string& name : request.unset_env) environment.unset(name);
  if (request.unset_env_all) environment.clear();
  for (const TextFile& file : request.env_files) {
    for (const std::string& line : parse_env_file(file)) {
      apply_user_entry(environment, line, request.host_env, "env-file");
    }
  }
  for (const std::string& entry : request.env) {
    apply_user_entry(environment, entry, request.host_env, "env");
  }
  return environment.entries();
}

std::vector<std::string> committed_environment(const std::vector<std::string>& environment,
                                               const std::vector<std::string>& of_image) {
  CreateRequest request;
  request.terminal = true;
  Environment own;
  apply_defaults(own, request);
  const auto is_own = [&](const std::string& entry) {
    if (std::find(of_image.begin(), of_image.end(), entry) != of_image.end()) return false;
    const std::string_view name = std::string_view(entry).substr(0, entry.find('='));
    if (std::find(std::begin(proxy_variables), std::end(proxy_variables), name) != std::end(proxy_variables))
      return true;
    return std::find(own.entries().begin(), own.entries().end(), entry) != own.entries().end();
  };
  std::vector<std::string> kept;
  std::copy_if(environment.begin(), environment.end(), std::back_inserter(kept),
               [&](const std::string& entry) { return !is_own(entry); });
  return kept;
}

std::map<std::string, std::string> plan_labels(const CreateRequest& request,
                                               const storage::ImageConfig& image) {
  std::map<std::string, std::string> labels;
  for (const auto& [name, value] : image.labels) {
    if (!is_reserved_label(name)) labels[name] = value;
  }
  for (const TextFile& file : request.label_files) {
    for (const std::string& line : meaningful_lines(file.content)) add_label(labels, line, "label-file");
  }
  for (const std::string& text : request.labels) add_label(labels, text, "label");
  return labels;
}

std::map<std::string, std::string> plan_annotations(const CreateRequest& request) {
  std::map<std::string, std::string> annotations;
  for (const std::string& text : request.annotations) {
    const auto parts = split_once(text, '=');
    if (!parts || parts->first.empty()) {
      fail_flag("annotation", text, "annotations must be formatted KEY=VALUE");
    }
    annotations[parts->first] = parts->second;
  }
  return annotations;
}

}  // namespace knarr::engine
