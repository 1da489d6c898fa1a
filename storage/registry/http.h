// SPDX-License-Identifier: Apache-2.0
// HTTP requests whose answers are read as a stream in the thread that asked, in bounded memory.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "rootless/sys/error.h"
#include "storage/layer/layer.h"
#include "storage/registry/credentials.h"
#include "storage/registry/http_headers.h"
#include "storage/registry/url.h"

namespace knarr::storage {

// The request never had a whole answer: no connection, a broken one, silence. Says nothing about the content.
class TransferError : public Error {
 public:
  TransferError(std::string message, bool is_transient, std::optional<int> retry_after = {})
      : Error(std::move(message)), is_transient_(is_transient), retry_after_(retry_after) {}
  bool is_transient() const { return is_transient_; }  // worth another try
  // The seconds the other side asked to wait, if it did.
  std::optional<int> retry_after() const { return retry_after_; }

 private:
  bool is_transient_;
  std::optional<int> retry_after_;
};

struct RetryPolicy {
  int count = 3;                                   // further attempts after the first
  std::optional<std::chrono::milliseconds> delay;  // always this long; else longer each time
};
// How long to wait before attempt `attempt` (1: the first repetition). What the server asks for counts, up to
// a minute and a half. `jitter` is from [0, 1). Pure.
std::chrono::milliseconds plan_delay(const RetryPolicy& policy, int attempt,
                                     std::optional<int> retry_after_seconds, double jitter);
// 408, 429 and what a server says of itself: 5xx but 501 and 505.
bool is_worth_repeating(int status);
// The seconds an answer asks to wait before the next attempt.
std::optional<int> asked_delay(const HttpHeaders& headers);
// Sleeps as planned.
void wait_before_retry(const RetryPolicy& policy, int attempt, std::optional<int> retry_after_seconds = {});

// Bytes that are made while they are sent, how many nobody knows. Called for each attempt.
using OpenBytes = std::function<ByteSource()>;

struct HttpRequest {
  std::string method = "GET";
  Url url;
  HttpHeaders headers;
  std::string authorization = {};  // for `url`'s origin only: not for where it redirects to
  std::string body = {};
  OpenBytes upload = {};                          // instead of `body`
  std::optional<std::uint64_t> upload_size = {};  // nullopt: nobody knows, so it is sent in chunks
  // How long the server may be silent before it answers.
  std::chrono::seconds patience = std::chrono::seconds(60);
};

struct HttpReply {
  int status = 0;
  HttpHeaders headers;
  Url url;  // that answered, after redirects
  std::string body;
};

struct HttpOptions {
  bool insecure = false;      // no verification of TLS
  Certificates certificates;  // authorities for every host; the client's own for `home` alone
  std::optional<Url> home;
  std::chrono::seconds connect_timeout = std::chrono::seconds(20);
  // Less than a byte for each millisecond of it is silence.
  std::chrono::seconds idle_timeout = std::chrono::seconds(60);
};

class HttpTransfer;

// An answer whose headers have come and whose body has not.
class HttpStream {
 public:
  explicit HttpStream(std::unique_ptr<HttpTransfer> transfer, Url url);
  HttpStream(HttpStream&&) noexcept;
  HttpStream& operator=(HttpStream&&) noexcept;
  ~HttpStream();  // a body not read to its end costs its connection

  int status() const;
  const HttpHeaders& headers() const;
  const Url& url() const { return url_; }
  // Up to `size` bytes, 0 at the end of a whole body. Throws TransferError.
  std::size_t read(char* buffer, std::size_t size);
  // The rest. Throws InvalidArgument when it is longer than `max_bytes`.
  std::string read_all(std::size_t max_bytes);

 private:
  std::unique_ptr<HttpTransfer> transfer_;
  Url url_;
};

// Keeps connections alive between requests. Threads may share it, but must not fork while a request runs.
// Proxies are taken from the environment. Must outlive its streams.
class HttpClient {
 public:
  explicit HttpClient(HttpOptions options);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // One attempt; follows redirects. Any status is an answer. Throws TransferError.
  HttpStream open(const HttpRequest& request);
  // open() and the whole body.
  HttpReply fetch(const HttpRequest& request, std::size_t max_body);

  const HttpOptions& options() const { return options_; }

 private:
  friend class HttpTransfer;
  struct Pool;
  HttpOptions options_;
  std::unique_ptr<Pool> pool_;
};

// Attempts until one has an answer that is not worth another. `attempt` gives an HttpReply or HttpStream.
template <typename Attempt>
auto repeat_attempts(const RetryPolicy& policy, Attempt&& attempt);

// Attempts until one has an answer that is not worth another. The last answer, whatever its status; throws
// the last TransferError.
HttpReply fetch_with_retries(HttpClient& client, const HttpRequest& request, std::size_t max_body,
                             const RetryPolicy& policy);
HttpStream open_with_retries(HttpClient& client, const HttpRequest& request, const RetryPolicy& policy);

// Where a redirect of `request` leads: the request to make then. Authorization goes to the same origin only,
// so never from https to http. Throws TransferError for a target that is no URL. Pure.
HttpRequest plan_redirect(const HttpRequest& request, const std::string& location);
// Whether a status redirects a request of this method; what carries a body to keep is not sent elsewhere.
bool is_redirect(int status, const HttpRequest& request);

inline int status_of(const HttpReply& reply) {
  return reply.status;
}
inline int status_of(const HttpStream& stream) {
  return stream.status();
}
inline const HttpHeaders& headers_of(const HttpReply& reply) {
  return reply.headers;
}
inline const HttpHeaders& headers_of(const HttpStream& stream) {
  return stream.headers();
}

template <typename Attempt>
auto repeat_attempts(const RetryPolicy& policy, Attempt&& attempt) {
  for (int number = 1;; ++number) {
    try {
      auto answer = attempt();
      if (number > policy.count || !is_worth_repeating(status_of(answer))) return answer;
      wait_before_retry(policy, number, asked_delay(headers_of(answer)));
    } catch (const TransferError& error) {
      if (number > policy.count || !error.is_transient()) throw;
      wait_before_retry(policy, number, error.retry_after());
    }
  }
}

}  // namespace knarr::storage
