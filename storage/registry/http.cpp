// SPDX-License-Identifier: Apache-2.0
// HTTP on libcurl. Each request has a multi handle of its own, driven by the thread that reads the answer: so
// a reader that does not read stops the sender, and nothing is gathered beyond one buffer.
#include "storage/registry/http.h"

#include <curl/curl.h>
#include <sys/random.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <new>
#include <thread>
#include <utility>

#include "rootless/sys/file.h"

namespace knarr::storage {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t buffer_size = 256u << 10;
constexpr std::size_t max_header_bytes = 256u << 10;
constexpr int max_redirects = 10;
// Read before a connection is given up: what a redirect or an error says beside its status.
constexpr std::size_t small_body = 64u << 10;

struct FreeEasy {
  void operator()(CURL* easy) const { ::curl_easy_cleanup(easy); }
};
struct FreeMulti {
  void operator()(CURLM* multi) const { ::curl_multi_cleanup(multi); }
};
struct FreeList {
  void operator()(curl_slist* list) const { ::curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, FreeList>;

// A handle and the connections it keeps. The members go in reverse order: the easy handle first.
struct Handles {
  std::unique_ptr<CURLM, FreeMulti> multi;
  std::unique_ptr<CURL, FreeEasy> easy;
};

Handles make_handles() {
  Handles handles{std::unique_ptr<CURLM, FreeMulti>(::curl_multi_init()),
                  std::unique_ptr<CURL, FreeEasy>(::curl_easy_init())};
  if (!handles.multi || !handles.easy) throw std::bad_alloc();
  return handles;
}

template <typename Value>
void set(CURL* easy, CURLoption option, Value value) {
  const CURLcode code = ::curl_easy_setopt(easy, option, value);
  if (code != CURLE_OK) throw Error(concat("setting up an HTTP request: ", ::curl_easy_strerror(code)));
}

void append(HeaderList& list, const std::string& line) {
  curl_slist* const longer = ::curl_slist_append(list.get(), line.c_str());
  if (longer == nullptr) throw std::bad_alloc();
  static_cast<void>(list.release());
  list.reset(longer);
}

// No proxy can reach these for us, whatever the environment says of proxies.
bool is_loopback(const std::string& host) {
  return host == "localhost" || host == "[::1]" || host.starts_with("127.");
}

// Giving libcurl authorities of our own replaces the system's, so both go in.
std::string gather_authorities(const Certificates& certificates) {
  constexpr std::size_t most = 16u << 20;
  if (certificates.authorities.empty()) return {};
  std::string pem;
  if (const char* const system = ::curl_version_info(CURLVERSION_NOW)->cainfo) {
    pem = sys::read_file_if_exists(AT_FDCWD, system, most).value_or("");
  }
  for (const std::string& file : certificates.authorities) {
    pem += concat('\n', sys::read_file(AT_FDCWD, file, most), '\n');
  }
  return pem;
}

// ---- errors in words ----

std::string first_lower(std::string text) {
  // "SSL certificate problem" stays as it is.
  if (text.size() > 1 && text[0] >= 'A' && text[0] <= 'Z' && !(text[1] >= 'A' && text[1] <= 'Z')) {
    text[0] = static_cast<char>(text[0] - 'A' + 'a');
  }
  while (!text.empty() && (text.back() == '\n' || text.back() == '.')) text.pop_back();
  return text;
}

bool is_of_the_moment(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_SEND_FAIL_REWIND:  // a kept connection was dead; what was sent on it nobody knows
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_SSL_CONNECT_ERROR:
      return true;
    default:
      return false;
  }
}

std::string words_of(CURLcode code, CURL* easy, const Url& url, const char* details) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
      return concat("no such host: ", url.host);
    case CURLE_COULDNT_CONNECT: {
      long os_error = 0;
      ::curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_error);
      if (os_error != 0) return errno_words(static_cast<int>(os_error));
      break;
    }
    case CURLE_GOT_NOTHING:
      return "the connection was closed without an answer";
    case CURLE_SEND_FAIL_REWIND:
      return "the connection was closed in the middle of the request";
    case CURLE_PARTIAL_FILE:
      return "the connection was closed in the middle of the answer";
    case CURLE_OPERATION_TIMEDOUT:
      return "timed out";
    default:
      break;
  }
  return first_lower(details[0] != 0 ? details : ::curl_easy_strerror(code));
}

TransferError make_error(CURLcode code, CURL* easy, const Url& url, const char* details) {
  TransferError error(words_of(code, easy, url, details), is_of_the_moment(code));
  const std::string_view text = details;
  if (text.find("wrong version number") != std::string_view::npos ||
      text.find("packet length too long") != std::string_view::npos) {
    error = TransferError("it does not speak TLS", false);
    error.set_hint("for plain HTTP give --tls-verify=false, or set insecure = true in registries.conf");
  } else if (code == CURLE_PEER_FAILED_VERIFICATION) {
    error.set_hint(concat("put the certificate of its authority in certs.d/", render_host(url),
                          "/, or give --tls-verify=false"));
  }
  return error;
}

}  // namespace

// ---- the pool ----

struct HttpClient::Pool {
  std::mutex mutex;
  std::vector<Handles> idle;
  std::string authorities;  // the system's and those of certs.d, PEM; empty: the system's alone

  Handles take() {
    const std::lock_guard lock(mutex);
    if (idle.empty()) return make_handles();
    Handles handles = std::move(idle.back());
    idle.pop_back();
    return handles;
  }
  void give_back(Handles handles) {
    const std::lock_guard lock(mutex);
    idle.push_back(std::move(handles));
  }
};

// ---- one request and its answer ----

class HttpTransfer {
 public:
  HttpTransfer(HttpClient& client, const HttpRequest& request)
      : client_(client), url_(request.url), handles_(client.pool_->take()) {
    prepare(request);
    ::curl_multi_add_handle(handles_.multi.get(), easy());
  }
  HttpTransfer(const HttpTransfer&) = delete;
  HttpTransfer& operator=(const HttpTransfer&) = delete;
  ~HttpTransfer() {
    ::curl_multi_remove_handle(handles_.multi.get(), easy());
    // After a failure, as of a name that cannot be resolved, libcurl may keep what no reset clears (the
    // buffer of the transfer, and then refuses CURLOPT_BUFFERSIZE); and there is no connection worth keeping.
    if (!done_ || result_ != CURLE_OK) return;
    ::curl_easy_reset(easy());
    client_.pool_->give_back(std::move(handles_));
  }

  // Until the headers are there.
  void begin(seconds patience) {
    while (!headers_done_ && !done_) advance(patience);
    check();
    if (status_ == 0) throw TransferError("the answer is no HTTP", false);
  }

  std::size_t read(char* buffer, std::size_t size) {
    while (pending_.size() == taken_ && !done_) {
      pending_.clear();
      taken_ = 0;
      resume();
      // Unpausing alone may have brought bytes.
      if (pending_.empty() && !done_) advance(client_.options_.idle_timeout);
    }
    const std::size_t got = std::min(size, pending_.size() - taken_);
    if (got == 0) {
      check();
      return 0;
    }
    std::memcpy(buffer, pending_.data() + taken_, got);
    taken_ += got;
    return got;
  }

  int status() const { return status_; }
  const HttpHeaders& headers() const { return headers_; }

 private:
  CURL* easy() const { return handles_.easy.get(); }

  void prepare(const HttpRequest& request) {
    pending_.reserve(buffer_size);
    set(easy(), CURLOPT_URL, url_.text.c_str());
    set(easy(), CURLOPT_PROTOCOLS_STR, "http,https");
    set(easy(), CURLOPT_NOSIGNAL, 1L);
    set(easy(), CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
    set(easy(), CURLOPT_BUFFERSIZE, 128L << 10);
    set(easy(), CURLOPT_TCP_KEEPALIVE, 1L);
    set(easy(), CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    set(easy(), CURLOPT_USERAGENT, "knarr/" KNARR_VERSION);
    set(easy(), CURLOPT_ERRORBUFFER, details_);
    const auto timeout = std::chrono::duration_cast<milliseconds>(client_.options_.connect_timeout);
    set(easy(), CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(timeout.count()));
    if (is_loopback(url_.host)) set(easy(), CURLOPT_NOPROXY, "*");
    prepare_tls();
    prepare_method(request);
    prepare_headers(request);
    set(easy(), CURLOPT_WRITEFUNCTION, &HttpTransfer::on_body);
    set(easy(), CURLOPT_WRITEDATA, this);
    set(easy(), CURLOPT_HEADERFUNCTION, &HttpTransfer::on_header);
    set(easy(), CURLOPT_HEADERDATA, this);
  }

  void prepare_tls() {
    const HttpOptions& options = client_.options_;
    if (options.insecure) {
      set(easy(), CURLOPT_SSL_VERIFYPEER, 0L);
      set(easy(), CURLOPT_SSL_VERIFYHOST, 0L);
    } else if (std::string& authorities = client_.pool_->authorities; !authorities.empty()) {
      curl_blob blob{authorities.data(), authorities.size(), CURL_BLOB_NOCOPY};
      set(easy(), CURLOPT_CAINFO_BLOB, &blob);
    }
    // Who we are is shown to the registry itself, not to where it sends us.
    if (!options.certificates.client_certificate.empty() && options.home &&
        is_same_origin(*options.home, url_)) {
      set(easy(), CURLOPT_SSLCERT, options.certificates.client_certificate.c_str());
      set(easy(), CURLOPT_SSLKEY, options.certificates.client_key.c_str());
    }
  }

  void prepare_method(const HttpRequest& request) {
    if (request.upload) {
      upload_ = request.upload();
      if (request.upload_size)
        set(easy(), CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(*request.upload_size));
      set(easy(), CURLOPT_UPLOAD, 1L);
      set(easy(), CURLOPT_UPLOAD_BUFFERSIZE, 128L << 10);
      set(easy(), CURLOPT_READFUNCTION, &HttpTransfer::on_upload);
      set(easy(), CURLOPT_READDATA, this);
    } else if (request.method == "HEAD") {
      set(easy(), CURLOPT_NOBODY, 1L);
      return;
    } else if (request.method != "GET") {
      set(easy(), CURLOPT_POST, 1L);
      set(easy(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
      set(easy(), CURLOPT_COPYPOSTFIELDS, request.body.data());
    }
    set(easy(), CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }

  void prepare_headers(const HttpRequest& request) {
    for (const auto& [name, value] : request.headers.fields()) append(lines_, concat(name, ": ", value));
    if (!request.authorization.empty()) append(lines_, concat("Authorization: ", request.authorization));
    append(lines_, "Expect:");
    if (request.method != "GET" && request.headers.get("Content-Type").empty()) {
      append(lines_, "Content-Type:");
    }
    set(easy(), CURLOPT_HTTPHEADER, lines_.get());
  }

  // One step: what the sockets have, else waiting for them.
  void advance(seconds patience) {
    perform();
    if (done_ || pending_.size() > taken_) return;
    const auto before = std::chrono::steady_clock::now();
    if (::curl_multi_poll(handles_.multi.get(), nullptr, 0, 1000, nullptr) != CURLM_OK) {
      throw Error("waiting for a connection failed");
    }
    // Only what was spent waiting for the other side counts: a slow reader is no silent server.
    waited_ += std::chrono::steady_clock::now() - before;
    if (waited_ < patience) return;
    if (moved_ <= 1000 * static_cast<std::uint64_t>(patience.count())) {
      throw TransferError(concat("nothing came for ", patience.count(), " seconds"), true);
    }
    waited_ = {};
    moved_ = 0;
  }

  void perform() {
    int running = 0;
    const CURLMcode code = ::curl_multi_perform(handles_.multi.get(), &running);
    if (code != CURLM_OK) throw Error(concat("an HTTP request failed: ", ::curl_multi_strerror(code)));
    int left = 0;
    while (const CURLMsg* message = ::curl_multi_info_read(handles_.multi.get(), &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      done_ = true;
      result_ = message->data.result;
    }
  }

  void resume() {
    if (!paused_) return;
    paused_ = false;
    ::curl_easy_pause(easy(), CURLPAUSE_CONT);
  }

  // Throws what went wrong, if anything did.
  void check() {
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
    if (done_ && result_ != CURLE_OK) throw make_error(result_, easy(), url_, details_);
  }

  void read_header_line(std::string_view line) {
    header_bytes_ += line.size();
    if (header_bytes_ > max_header_bytes) throw TransferError("the answer's headers do not end", false);
    if (line.starts_with("HTTP/")) {
      headers_.clear();
    } else if (line == "\r\n" || line == "\n") {
      long status = 0;
      ::curl_easy_getinfo(easy(), CURLINFO_RESPONSE_CODE, &status);
      if (status < 200) return;  // 100 and 103 precede the answer
      status_ = static_cast<int>(status);
      headers_done_ = true;
    } else if (!headers_done_) {  // what follows the body is no header
      headers_.add_line(line);
    }
  }

  // Nothing may be thrown through libcurl.
  template <typename Act>
  std::size_t guard(std::size_t failed, Act&& act) noexcept {
    try {
      return act();
    } catch (...) {
      failure_ = std::current_exception();
      return failed;
    }
  }

  static std::size_t on_header(char* data, std::size_t, std::size_t size, void* self) {
    auto* const transfer = static_cast<HttpTransfer*>(self);
    return transfer->guard(size + 1, [&] {
      transfer->moved_ += size;
      transfer->read_header_line({data, size});
      return size;
    });
  }

  static std::size_t on_body(char* data, std::size_t, std::size_t size, void* self) {
    auto* const transfer = static_cast<HttpTransfer*>(self);
    return transfer->guard(size + 1, [&]() -> std::size_t {
      const std::size_t held = transfer->pending_.size();
      if (held != 0 && held + size > buffer_size) {
        transfer->paused_ = true;
        return CURL_WRITEFUNC_PAUSE;
      }
      transfer->pending_.append(data, size);
      transfer->moved_ += size;
      return size;
    });
  }

  static std::size_t on_upload(char* buffer, std::size_t, std::size_t size, void* self) {
    auto* const transfer = static_cast<HttpTransfer*>(self);
    return transfer->guard(CURL_READFUNC_ABORT, [&] {
      const std::size_t got = transfer->upload_(buffer, size);
      transfer->moved_ += got;
      return got;
    });
  }

  HttpClient& client_;
  Url url_;
  Handles handles_;
  HeaderList lines_;
  ByteSource upload_;
  char details_[CURL_ERROR_SIZE] = {};
  HttpHeaders headers_;
  std::size_t header_bytes_ = 0;
  int status_ = 0;
  bool headers_done_ = false;
  bool paused_ = false;
  bool done_ = false;
  CURLcode result_ = CURLE_OK;
  std::string pending_;  // from taken_ on not yet read
  std::size_t taken_ = 0;
  std::chrono::steady_clock::duration waited_{};
  std::uint64_t moved_ = 0;  // bytes since waited_ began
  std::exception_ptr failure_;
};

HttpStream::HttpStream(std::unique_ptr<HttpTransfer> transfer, Url url)
    : transfer_(std::move(transfer)), url_(std::move(url)) {}
HttpStream::HttpStream(HttpStream&&) noexcept = default;
HttpStream& HttpStream::operator=(HttpStream&&) noexcept = default;
HttpStream::~HttpStream() = default;

int HttpStream::status() const {
  return transfer_->status();
}

const HttpHeaders& HttpStream::headers() const {
  return transfer_->headers();
}

std::size_t HttpStream::read(char* buffer, std::size_t size) {
  return transfer_->read(buffer, size);
}

std::string HttpStream::read_all(std::size_t max_bytes) {
  std::string body;
  char buffer[16u << 10];
  while (const std::size_t got = read(buffer, sizeof buffer)) {
    if (body.size() + got > max_bytes) {
      throw InvalidArgument(
          concat("the answer of ", render_host(url_), " is longer than ", max_bytes, " bytes"));
    }
    body.append(buffer, got);
  }
  return body;
}

// ---- the client ----

HttpClient::HttpClient(HttpOptions options) : options_(std::move(options)), pool_(std::make_unique<Pool>()) {
  static const CURLcode initialized = ::curl_global_init(CURL_GLOBAL_DEFAULT);
  if (initialized != CURLE_OK) throw Error("libcurl cannot be initialized");
  pool_->authorities = gather_authorities(options_.certificates);
}

HttpClient::~HttpClient() = default;

namespace {

// Read to its end a body leaves its connection for the next request.
void drain(HttpStream& stream) {
  char buffer[4096];
  std::size_t passed = 0;
  while (const std::size_t got = stream.read(buffer, sizeof buffer)) {
    passed += got;
    if (passed > small_body) return;
  }
}

}  // namespace

HttpStream HttpClient::open(const HttpRequest& request) {
  HttpRequest current = request;
  for (int redirects = 0;; ++redirects) {
    const bool was_sent_on = redirects > 0 && !is_same_origin(current.url, request.url);
    const auto send = [&] {
      auto transfer = std::make_unique<HttpTransfer>(*this, current);
      transfer->begin(current.patience);
      return HttpStream(std::move(transfer), current.url);
    };
    HttpStream stream = was_sent_on
                            ? with_context(concat("following a redirect to ", render_host(current.url)), send)
                            : send();
    if (!is_redirect(stream.status(), current)) return stream;
    const std::string location = stream.headers().get("Location");
    if (location.empty()) return stream;
    if (redirects == max_redirects) {
      throw TransferError(concat("more than ", max_redirects, " redirects"), false);
    }
    drain(stream);
    current = plan_redirect(current, location);
  }
}

HttpReply HttpClient::fetch(const HttpRequest& request, std::size_t max_body) {
  HttpStream stream = open(request);
  HttpReply reply{stream.status(), stream.headers(), stream.url(), {}};
  reply.body = stream.read_all(max_body);
  return reply;
}

bool is_redirect(int status, const HttpRequest& request) {
  const bool is_reading = request.method == "GET" || request.method == "HEAD";
  if (status == 307 || status == 308) return is_reading || (!request.upload && request.body.empty());
  return is_reading && (status == 301 || status == 302 || status == 303);
}

HttpRequest plan_redirect(const HttpRequest& request, const std::string& location) {
  HttpRequest next = request;
  try {
    next.url = resolve_url(request.url, location);
  } catch (const InvalidArgument& error) {
    throw TransferError(concat("it redirects to nowhere: ", error.message()), false);
  }
  if (!is_same_origin(next.url, request.url)) next.authorization.clear();
  return next;
}

// ---- attempts ----

bool is_worth_repeating(int status) {
  return status == 408 || status == 429 || (status >= 500 && status != 501 && status != 505);
}

milliseconds plan_delay(const RetryPolicy& policy, int attempt, std::optional<int> retry_after_seconds,
                        double jitter) {
  constexpr milliseconds first(250), longest(30'000);
  constexpr int longest_asked_for = 90;
  if (retry_after_seconds) return seconds(std::min(*retry_after_seconds, longest_asked_for));
  if (policy.delay) return *policy.delay;
  const milliseconds full = std::min(longest, first * (1 << std::min(attempt - 1, 10)));
  // Many clients that failed together must not come back together.
  return milliseconds(static_cast<std::int64_t>(static_cast<double>(full.count()) * (0.5 + jitter / 2)));
}

std::optional<int> asked_delay(const HttpHeaders& headers) {
  return parse_retry_after(headers.get("Retry-After"), ::time(nullptr));
}

void wait_before_retry(const RetryPolicy& policy, int attempt, std::optional<int> retry_after_seconds) {
  std::uint32_t random = 0;
  if (::getrandom(&random, sizeof random, 0) < 0) random = 0;  // the delay is then the shortest
  std::this_thread::sleep_for(plan_delay(policy, attempt, retry_after_seconds, random / 4294967296.0));
}

HttpReply fetch_with_retries(HttpClient& client, const HttpRequest& request, std::size_t max_body,
                             const RetryPolicy& policy) {
  return repeat_attempts(policy, [&] { return client.fetch(request, max_body); });
}

HttpStream open_with_retries(HttpClient& client, const HttpRequest& request, const RetryPolicy& policy) {
  return repeat_attempts(policy, [&] { return client.open(request); });
}

}  // namespace knarr::storage
