// SPDX-License-Identifier: Apache-2.0
// Lines for /etc/passwd and /etc/group, so that the user of a container has a name although the image knows
// none.
#include <charconv>

#include "engine/spec/parts.h"
#include "rootless/sys/error.h"

namespace knarr::engine {

namespace {

std::optional<std::uint32_t> parse_number(std::string_view text) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole ? std::optional(number) : std::nullopt;
}

struct Account {
  std::uint32_t uid = 0, gid = 0;
  std::string user_name, full_name, group_name;
  bool own_group = false;  // and not one of the image's
};

// keep-id: the user is themselves in there. Otherwise only a numeric --user may be unknown to the image.
std::optional<Account> planned_account(const SpecInput& input) {
  const UserNamespaceMode mode = parse_user_namespace_mode(input.config.namespaces.user);
  if (mode.kind == UserNamespaceMode::Kind::keep_id) {
    const std::string& name = input.host.user_name;
    return Account{
        mode.uid.value_or(input.host.uid), mode.gid.value_or(input.host.gid), name, name, name, true};
  }
  const std::string_view user = input.config.user;
  const auto colon = user.find(':');
  const auto uid = parse_number(user.substr(0, colon));
  if (!uid) return std::nullopt;
  const std::uint32_t gid =
      colon == std::string_view::npos ? 0 : parse_number(user.substr(colon + 1)).value_or(0);
  const std::string number = std::to_string(*uid);
  return Account{*uid, gid, number, "container user", std::to_string(gid)};
}

// The working directory comes from the image: it must not add fields or lines of its own (CVE-2022-4318).
std::string home_of(const ContainerConfig& config) {
  for (const char c : config.working_dir) {
    if (c == ':' || static_cast<unsigned char>(c) < ' ') return "/";
  }
  return config.working_dir;
}

void replace_all(std::string& text, std::string_view variable, const std::string& value) {
  for (std::size_t at = 0; (at = text.find(variable, at)) != std::string::npos; at += value.size()) {
    text.replace(at, variable.size(), value);
  }
}

// The variables of --passwd-entry and --group-entry. Longer names first: $USERNAME before nothing that it
// begins with.
std::string expand(std::string line, const Account& account, const std::string& home) {
  replace_all(line, "$USERNAME", account.user_name);
  replace_all(line, "$USERLIST", account.user_name);
  replace_all(line, "$GROUPNAME", account.group_name);
  replace_all(line, "$UID", std::to_string(account.uid));
  replace_all(line, "$GID", std::to_string(account.gid));
  replace_all(line, "$NAME", account.full_name);
  replace_all(line, "$HOME", home);
  return line + "\n";
}

}  // namespace

void build_accounts(const SpecInput& input, Spec& spec) {
  const ContainerConfig& config = input.config;
  const auto account = config.edit_passwd ? planned_account(input) : std::nullopt;
  if (!account) return;
  const std::string user =
      config.passwd_entry.empty() ? "$USERNAME:*:$UID:$GID:$NAME:$HOME:/bin/sh" : config.passwd_entry;
  spec.accounts.push_back(
      {.path = "/etc/passwd", .line = expand(user, *account, home_of(config)), .id = account->uid});
  if (!account->own_group && config.group_entry.empty()) return;
  const std::string group = config.group_entry.empty() ? "$GROUPNAME:x:$GID:$USERLIST" : config.group_entry;
  spec.accounts.push_back({.path = "/etc/group",
                           .line = expand(group, *account, home_of(config)),
                           .id = account->gid,
                           .is_group = true});
}

}  // namespace knarr::engine
