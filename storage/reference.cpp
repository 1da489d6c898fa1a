// SPDX-License-Identifier: Apache-2.0
#include "storage/reference.h"

#include <algorithm>

#include "rootless/sys/error.h"

namespace knarr::storage {
namespace {

constexpr std::size_t max_name_length = 255;
constexpr std::size_t max_tag_length = 128;

// The grammar is ASCII; <cctype> would follow the locale.
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_alphanumeric(char c) {
  return is_digit(c) || is_lower(c) || is_upper(c);
}

// One wording for every refusal: the reference, what it is not, why.
[[noreturn]] void refuse(std::string_view text, std::string_view why) {
  throw InvalidArgument(concat('"', text, "\": invalid reference format: ", why));
}

// domain-component: letters and digits, '-' only between them.
bool is_host_label(std::string_view label) {
  return !label.empty() && is_alphanumeric(label.front()) && is_alphanumeric(label.back()) &&
         std::all_of(label.begin(), label.end(), [](char c) { return is_alphanumeric(c) || c == '-'; });
}

bool is_host_name(std::string_view host) {
  while (true) {
    const auto dot = host.find('.');
    if (!is_host_label(host.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    host.remove_prefix(dot + 1);
  }
}

bool is_ipv6_literal(std::string_view host) {
  return host.size() > 2 && host.front() == '[' && host.back() == ']' &&
         std::all_of(host.begin() + 1, host.end() - 1, [](char c) {
           return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':';
         });
}

bool is_domain(std::string_view domain) {
  const auto host_end = domain.find_last_of("]:");
  std::string_view host = domain;
  if (host_end != std::string_view::npos && domain[host_end] == ':') {
    const std::string_view port = domain.substr(host_end + 1);
    if (port.empty() || !std::all_of(port.begin(), port.end(), is_digit)) return false;
    host = domain.substr(0, host_end);
  }
  return is_ipv6_literal(host) || is_host_name(host);
}

// Length of the separator at the start of `rest`: one '.', one or two '_', any number of '-'; 0 for none.
std::size_t separator_length(std::string_view rest) {
  if (rest.starts_with('.')) return 1;
  if (rest.starts_with("__")) return 2;
  if (rest.starts_with('_')) return 1;
  return std::min(rest.find_first_not_of('-'), rest.size());
}

// path-component: lower-case words with single separators between them.
bool is_path_component(std::string_view component) {
  while (true) {
    std::size_t word = 0;
    while (word < component.size() && (is_lower(component[word]) || is_digit(component[word]))) ++word;
    if (word == 0) return false;
    component.remove_prefix(word);
    if (component.empty()) return true;
    const std::size_t separator = separator_length(component);
    if (separator == 0) return false;
    component.remove_prefix(separator);
  }
}

bool is_path(std::string_view path) {
  while (true) {
    const auto slash = path.find('/');
    if (!is_path_component(path.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
}

bool is_tag(std::string_view tag) {
  const auto is_word = [](char c) { return is_alphanumeric(c) || c == '_'; };
  return !tag.empty() && tag.size() <= max_tag_length && is_word(tag.front()) &&
         std::all_of(tag.begin(), tag.end(), [&](char c) { return is_word(c) || c == '.' || c == '-'; });
}

bool looks_like_domain(std::string_view component) {
  return component.find_first_of(".:") != std::string_view::npos || component == "localhost";
}

// What follows the first @ as a digest; `rest` is left without it. The name grammar holds no @.
std::optional<Digest> cut_digest(std::string_view text, std::string_view& rest) {
  const auto at = rest.find('@');
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view digest = rest.substr(at + 1);
  rest = rest.substr(0, at);
  const std::string_view algorithm = digest.substr(0, digest.find(':'));
  if (algorithm != "sha256" && algorithm != "sha512") refuse(text, "unsupported digest algorithm");
  std::optional<Digest> parsed = parse_digest(digest);
  if (!parsed) refuse(text, concat("\"", digest, "\" is not a digest"));
  return parsed;
}

std::string cut_tag(std::string_view text, std::string_view& rest) {
  const auto slash = rest.rfind('/');
  const auto colon = rest.find(':', slash == std::string_view::npos ? 0 : slash);
  if (colon == std::string_view::npos) return {};
  const std::string_view tag = rest.substr(colon + 1);
  rest = rest.substr(0, colon);
  if (tag.size() > max_tag_length)
    refuse(text, concat("the tag is longer than ", max_tag_length, " characters"));
  if (!is_tag(tag)) refuse(text, concat("\"", tag, "\" is not a tag"));
  return std::string(tag);
}

std::string cut_domain(std::string_view text, std::string_view& rest) {
  const auto slash = rest.find('/');
  if (slash == std::string_view::npos || !looks_like_domain(rest.substr(0, slash))) return {};
  const std::string_view domain = rest.substr(0, slash);
  rest.remove_prefix(slash + 1);
  if (!is_domain(domain)) refuse(text, concat("\"", domain, "\" is not a registry"));
  return std::string(domain);
}

constexpr std::string_view docker_hub = "docker.io";

Reference on_docker_hub(Reference reference) {
  reference.domain = docker_hub;
  if (reference.path.find('/') == std::string::npos) reference.path.insert(0, "library/");
  return reference;
}

bool must_be_escaped(unsigned char c) {
  return c == '/' || c == '%' || c < 0x20 || c == 0x7f;
}

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

Reference parse_reference(std::string_view text) {
  if (text.empty()) refuse(text, "repository name must have at least one component");
  std::string_view rest = text;
  Reference reference;
  reference.digest = cut_digest(text, rest);
  reference.tag = cut_tag(text, rest);
  const std::size_t name_length = rest.size();
  reference.domain = cut_domain(text, rest);
  if (!is_path(rest)) {
    std::string lower(rest);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c; });
    if (is_path(lower)) refuse(text, "repository name must be lowercase");
    refuse(text, rest.empty() ? std::string("repository name must have at least one component")
                              : concat("\"", rest, "\" is not a repository name"));
  }
  if (name_length > max_name_length) {
    refuse(text, concat("repository name must not be more than ", max_name_length, " characters"));
  }
  reference.path = rest;
  return reference;
}

std::string render(const Reference& reference) {
  std::string text;
  if (!reference.domain.empty()) text += reference.domain + "/";
  text += reference.path;
  if (!reference.tag.empty()) text += ":" + reference.tag;
  if (reference.digest) text += "@" + render(*reference.digest);
  return text;
}

Reference normalize(const Reference& reference) {
  Reference full = reference;
  if (full.domain.empty()) full.domain = "localhost";
  if (full.domain == docker_hub || full.domain == "index.docker.io") full = on_docker_hub(std::move(full));
  if (full.tag.empty() && !full.digest) full.tag = "latest";
  return full;
}

Reference parse_docker_name(std::string_view text) {
  Reference reference = parse_reference(text);
  if (reference.domain.empty()) reference.domain = "docker.io";
  return normalize(reference);
}

std::vector<Reference> local_candidates(const Reference& reference) {
  const Reference local = normalize(reference);
  if (!reference.domain.empty()) return {local};
  return {local, on_docker_hub(local)};
}

std::string escape_name(std::string_view name) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string escaped;
  escaped.reserve(name.size() + 8);
  for (std::size_t i = 0; i < name.size(); ++i) {
    const auto c = static_cast<unsigned char>(name[i]);
    // A leading dot would make the names "." and ".." and hidden files.
    if (must_be_escaped(c) || (i == 0 && c == '.')) {
      escaped += {'%', digits[c >> 4], digits[c & 15]};
    } else {
      escaped += name[i];
    }
  }
  return escaped;
}

std::string unescape_name(std::string_view file_name) {
  std::string name;
  name.reserve(file_name.size());
  for (std::size_t i = 0; i < file_name.size(); ++i) {
    const bool escape = file_name[i] == '%' && i + 2 < file_name.size();
    const int high = escape ? hex_value(file_name[i + 1]) : -1;
    const int low = escape ? hex_value(file_name[i + 2]) : -1;
    if (high >= 0 && low >= 0) {
      name += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      name += file_name[i];
    }
  }
  return name;
}

}  // namespace knarr::storage
