// SPDX-License-Identifier: Apache-2.0
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "cli/commands/answer.h"
#include "cli/commands/login_place.h"
#include "cli/commands/registry_verbs.h"
#include "cli/log.h"
#include "cli/quote.h"
#include "cli/text.h"
#include "rootless/sys/file.h"
#include "storage/registry/registry_access.h"

namespace knarr::cli {

namespace {

// ---- asking the user ----

// The terminal shows nothing for as long as the object lives. Ctrl-C only ends the line meanwhile: a program
// that dies of it would leave the terminal as it is.
class MuteTerminal {
 public:
  MuteTerminal() {
    if (::tcgetattr(STDIN_FILENO, &saved_) < 0) {
      Error error("cannot ask for a password: standard input is not a terminal");
      error.set_hint("give it with --password-stdin");
      throw error;
    }
    termios mute = saved_;
    mute.c_lflag &= ~static_cast<tcflag_t>(ECHO | ISIG);
    mute.c_cc[VEOL] = interrupt;
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &mute);
  }
  MuteTerminal(const MuteTerminal&) = delete;
  MuteTerminal& operator=(const MuteTerminal&) = delete;
  ~MuteTerminal() { ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &saved_); }

 private:
  termios saved_{};
};

std::string ask_user_name(Output& out, const std::string& known) {
  out.append(known.empty() ? std::string("Username: ") : concat("Username (", known, "): "));
  out.flush();
  const std::string line = read_line();
  const std::string name(trim(line));
  return name.empty() ? known : name;
}

std::string ask_password(Output& out) {
  std::string password;
  {
    const MuteTerminal mute;
    out.append("Password: ");
    out.flush();
    password = read_line();
  }
  out.line();
  out.flush();
  if (password.ends_with(interrupt)) ::raise(SIGINT);
  return password;
}

std::string read_password_from_input() {
  std::string password = sys::read_all(STDIN_FILENO, "standard input", 1u << 20);
  while (password.ends_with('\n') || password.ends_with('\r')) password.pop_back();
  if (password.empty()) throw InvalidArgument("no password on standard input");
  return password;
}

void check_flags(const Arguments& arguments) {
  if (arguments.given("password")) {
    log_warning("a password on the command line can be seen by others; use --password-stdin");
  }
  if (!arguments.boolean("password-stdin")) return;
  if (arguments.given("password")) {
    throw UsageError("can't specify both --password-stdin and --password");
  }
  if (arguments.text("username").empty()) {
    throw UsageError("must provide --username with --password-stdin");
  }
}

// What the user gives, by flags or when asked. `known`: who is logged in already.
storage::Credentials read_credentials(Output& out, const Arguments& arguments, const std::string& known) {
  storage::Credentials credentials{.username = arguments.text("username"),
                                   .password = arguments.text("password")};
  if (arguments.boolean("password-stdin")) credentials.password = read_password_from_input();
  if (credentials.username.empty()) credentials.username = ask_user_name(out, known);
  if (credentials.username.empty()) throw InvalidArgument("no user name given");
  if (credentials.password.empty()) credentials.password = ask_password(out);
  if (credentials.password.empty()) throw InvalidArgument("no password given");
  return credentials;
}

// ---- asking the registry ----

class Login {
 public:
  Login(Output& out, const Arguments& arguments)
      : out_(out),
        arguments_(arguments),
        place_(open_login_place(arguments)),
        key_(read_login_key(place_, arguments)),
        name_(render(key_)) {}

  int print_user() const {
    const auto found = place_.find(key_);
    if (!found || found->username.empty()) throw NotFound(concat("not logged into ", name_));
    out_.line(found->username);
    return 0;
  }

  int run() const {
    check_flags(arguments_);
    const auto known = place_.find(key_);
    if (known && !known->identity_token.empty()) {
      throw Conflict(concat("logged into ", name_, " with an identity token already; log out first"));
    }
    const bool asks = !arguments_.given("username") && !arguments_.given("password");
    if (known && asks && use_known(*known)) return 0;
    const storage::Credentials given = read_credentials(out_, arguments_, known ? known->username : "");
    if (!accepts(given)) throw Error(concat("logging into ", quote_go(name_), ": invalid username/password"));
    const std::string kept = storage::store_credentials(place_.places, place_.auth, name_, given);
    if (arguments_.boolean("verbose")) out_.line("Used: ", kept);
    out_.line("Login Succeeded!");
    return 0;
  }

 private:
  bool use_known(const storage::Credentials& known) const {
    out_.line("Authenticating with existing credentials for ", name_);
    out_.flush();
    if (accepts(known)) {
      out_.line("Existing credentials are valid. Already logged in to ", key_.host);
      return true;
    }
    out_.line("Existing credentials are invalid, please enter valid username and password");
    return false;
  }

  // Whether the registry takes them. Throws when it cannot be asked.
  bool accepts(const storage::Credentials& credentials) const {
    storage::RegistryAccess access{.places = place_.places, .auth = place_.auth, .credentials = credentials};
    access.certificate_directory = arguments_.text("cert-dir");
    if (arguments_.given("tls-verify")) access.verify_tls = arguments_.boolean("tls-verify");
    // Somebody waits, and would rather know now.
    access.retry.count = 0;
    const storage::PullSource registry{.reference = {.domain = key_.host},
                                       .insecure = storage::is_insecure(place_.config, name_)};
    try {
      storage::Registry(storage::registry_options(access, registry), "").check_login();
      return true;
    } catch (const storage::Refused&) {
      return false;
    }
  }

  Output& out_;
  const Arguments& arguments_;
  LoginPlace place_;
  storage::CredentialKey key_;
  std::string name_;
};

int run(const Invocation& invocation, const Arguments& arguments) {
  const Login login(invocation.out, arguments);
  return arguments.boolean("get-login") ? login.print_user() : login.run();
}

}  // namespace

constinit const Verb login_verb = implement(login_description, run);

}  // namespace knarr::cli
