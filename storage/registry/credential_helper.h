// SPDX-License-Identifier: Apache-2.0
// Programs that keep passwords: docker-credential-NAME, found in PATH.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "storage/registry/credentials.h"

namespace knarr::storage {

class CredentialHelper {
 public:
  // Throws InvalidArgument for a name that is no suffix of a program's name.
  CredentialHelper(const std::string& name, const std::string& path_variable);

  const std::string& name() const { return name_; }
  bool is_installed() const { return !program_.empty(); }

  // What is known for a server; nullopt: nothing. Like the others it throws NotFound for a program that is
  // not installed, Error with the helper's words.
  std::optional<Credentials> get(const std::string& server) const;
  void store(const std::string& server, const Credentials& credentials) const;
  // False when there was nothing.
  bool erase(const std::string& server) const;
  std::map<std::string, std::string> list() const;  // server → user

 private:
  struct Answer {
    bool is_known = true;  // false: no credentials for this server
    std::string text;
  };
  Answer run(const std::string& act, const std::string& input) const;

  std::string name_;     // docker-credential-pass
  std::string program_;  // its path; empty: there is none
};

}  // namespace knarr::storage
