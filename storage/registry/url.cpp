// SPDX-License-Identifier: Apache-2.0
#include "storage/registry/url.h"

#include <curl/curl.h>

#include <algorithm>
#include <memory>

#include "rootless/sys/error.h"

namespace knarr::storage {
namespace {

struct FreeUrl {
  void operator()(CURLU* url) const { ::curl_url_cleanup(url); }
};
using Handle = std::unique_ptr<CURLU, FreeUrl>;

std::string part_of(const Handle& url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (::curl_url_get(url.get(), part, &text, flags) != CURLUE_OK) return {};
  std::string copy = text;
  ::curl_free(text);
  return copy;
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return text;
}

// A second set() of the same part is taken relative to the first.
void set(const Handle& url, const std::string& text) {
  const CURLUcode code = ::curl_url_set(url.get(), CURLUPART_URL, text.c_str(), CURLU_URLENCODE);
  if (code != CURLUE_OK)
    throw InvalidArgument(concat("\"", text, "\" is not a URL: ", ::curl_url_strerror(code)));
}

Url read(const Handle& handle, const std::string& text) {
  Url url;
  url.scheme = lower(part_of(handle, CURLUPART_SCHEME));
  if (url.scheme != "http" && url.scheme != "https") {
    throw InvalidArgument(concat("\"", text, "\" is not a URL of http or https"));
  }
  // A name or password in a URL is for nobody's eyes, and never ours to send.
  ::curl_url_set(handle.get(), CURLUPART_USER, nullptr, 0);
  ::curl_url_set(handle.get(), CURLUPART_PASSWORD, nullptr, 0);
  ::curl_url_set(handle.get(), CURLUPART_FRAGMENT, nullptr, 0);
  url.host = lower(part_of(handle, CURLUPART_HOST));
  if (url.host.empty()) throw InvalidArgument(concat("\"", text, "\" is a URL without a host"));
  url.port = std::stoi(part_of(handle, CURLUPART_PORT, CURLU_DEFAULT_PORT));
  url.text = part_of(handle, CURLUPART_URL);
  return url;
}

Handle new_handle() {
  Handle url(::curl_url());
  if (!url) throw Error("out of memory");
  return url;
}

}  // namespace

Url parse_url(const std::string& text) {
  const Handle url = new_handle();
  set(url, text);
  return read(url, text);
}

Url resolve_url(const Url& base, const std::string& reference) {
  const Handle url = new_handle();
  set(url, base.text);
  set(url, reference);
  return read(url, reference);
}

Url add_query(const Url& url, const std::string& name, const std::string& value) {
  Url longer = url;
  longer.text += longer.text.find('?') == std::string::npos ? '?' : '&';
  longer.text += concat(name, '=', escape_form(value));
  return longer;
}

bool is_same_origin(const Url& a, const Url& b) {
  return a.scheme == b.scheme && a.host == b.host && a.port == b.port;
}

std::string render_host(const Url& url) {
  const int usual = url.scheme == "https" ? 443 : 80;
  return url.port == usual ? url.host : concat(url.host, ':', url.port);
}

std::string escape_form(const std::string& text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string escaped;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~").find(c) != std::string_view::npos;
    if (plain) {
      escaped += c;
    } else {
      escaped += {'%', digits[byte >> 4], digits[byte & 15]};
    }
  }
  return escaped;
}

}  // namespace knarr::storage
