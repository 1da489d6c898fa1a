// SPDX-License-Identifier: Apache-2.0
#include "engine/record.h"

#include <charconv>
#include <vector>

#include "rootless/sys/error.h"

namespace knarr::engine {

namespace {

constexpr std::size_t max_summary_bytes = 4095;  // what a store takes
// What is kept of the long fields when all together do not fit.
constexpr std::size_t max_command_bytes = 200;
constexpr std::size_t max_image_bytes = 1024;

std::string escape(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '\t':
        escaped += "\\t";
        break;
      case '\n':
        escaped += "\\n";
        break;
      case '\\':
        escaped += "\\\\";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::optional<std::string> unescape(std::string_view text) {
  if (text.find('\\') == std::string_view::npos) return std::string(text);  // nearly always
  std::string plain;
  plain.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      plain += text[i];
      continue;
    }
    if (++i == text.size()) return std::nullopt;
    switch (text[i]) {
      case 't':
        plain += '\t';
        break;
      case 'n':
        plain += '\n';
        break;
      case 'e':
        plain += '=';
        break;
      case '\\':
        plain += '\\';
        break;
      default:
        return std::nullopt;
    }
  }
  return plain;
}

std::string join(const std::vector<std::string>& words, char separator) {
  std::string joined;
  for (const std::string& word : words) {
    if (!joined.empty()) joined += separator;
    joined += word;
  }
  return joined;
}

// The names of networks; without any the namespace that it shares.
std::string network_names(const ContainerConfig& config) {
  const std::string& mode = config.namespaces.network;
  std::vector<std::string> names;
  for (const NetworkAttachment& attachment : config.networks) names.push_back(attachment.network);
  if (names.empty() && mode != "none" && mode != "private" && mode != "bridge") return mode;
  return join(names, ',');
}

// Reads fields of one line, left to right.
class FieldScanner {
 public:
  FieldScanner(std::string_view line, char separator) : rest_(line), separator_(separator) {}

  bool at_end() const { return done_; }
  std::string_view next() {
    const std::size_t end = rest_.find(separator_);
    const std::string_view field = rest_.substr(0, end);
    done_ = end == std::string_view::npos;
    rest_.remove_prefix(done_ ? rest_.size() : end + 1);
    return field;
  }
  template <typename Number>
  bool read(Number& number) {
    if (done_) return false;
    const std::string_view field = next();
    const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), number);
    return error == std::errc{} && end == field.data() + field.size();
  }

 private:
  std::string_view rest_;
  char separator_;
  bool done_ = false;
};

bool read_text(FieldScanner& fields, std::string& text) {
  if (fields.at_end()) return false;
  auto plain = unescape(fields.next());
  if (!plain) return false;
  text = std::move(*plain);
  return true;
}

// A flags field: letters, so that a later version can add some.
std::string render_flags(const Summary& summary) {
  std::string flags;
  if (summary.auto_remove) flags += 'r';
  if (summary.truncated) flags += 't';
  return flags.empty() ? "-" : flags;
}

std::string render_line(const Summary& summary) {
  std::string line;
  for (const std::string* field :
       {&summary.id, &summary.name, &summary.image, &summary.image_id, &summary.created}) {
    line += escape(*field);
    line += '\t';
  }
  line += render_flags(summary);
  for (const std::string* field : {&summary.networks, &summary.mounts, &summary.command}) {
    line += '\t';
    line += escape(*field);
  }
  for (const auto& [name, value] : summary.labels) {
    line += '\t';
    // '=' separates the two; names with one are rare but legal.
    for (const char c : escape(name)) {
      if (c == '=') {
        line += "\\e";
      } else {
        line += c;
      }
    }
    line += '=';
    line += escape(value);
  }
  return line;
}

std::string_view without_line_end(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  return line;
}

}  // namespace

std::string_view state_name(State state) {
  switch (state) {
    case State::created:
      return "created";
    case State::running:
      return "running";
    case State::exited:
      return "exited";
    case State::removing:
      return "removing";
  }
  return "unknown";
}

std::string render_summary(const Summary& summary) {
  std::string line = render_line(summary);
  if (line.size() <= max_summary_bytes) return line;
  Summary shorter = summary;
  shorter.truncated = true;
  shorter.labels.clear();
  shorter.mounts.clear();
  if (shorter.image.size() > max_image_bytes) shorter.image.resize(max_image_bytes);
  if (shorter.networks.size() > max_image_bytes) shorter.networks.resize(max_image_bytes);
  if (shorter.command.size() > max_command_bytes) shorter.command.resize(max_command_bytes);
  return render_line(shorter);
}

std::optional<Summary> parse_summary(std::string_view text) {
  FieldScanner fields(text.substr(0, text.find('\n')), '\t');
  Summary summary;
  std::string flags;
  for (std::string* field : {&summary.id, &summary.name, &summary.image, &summary.image_id, &summary.created,
                             &flags, &summary.networks, &summary.mounts, &summary.command}) {
    if (!read_text(fields, *field)) return std::nullopt;
  }
  if (summary.id.empty()) return std::nullopt;
  summary.auto_remove = flags.find('r') != std::string::npos;
  summary.truncated = flags.find('t') != std::string::npos;
  while (!fields.at_end()) {
    const std::string_view label = fields.next();
    const std::size_t equals = label.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    auto name = unescape(label.substr(0, equals));
    auto value = unescape(label.substr(equals + 1));
    if (!name || !value) return std::nullopt;
    summary.labels[std::move(*name)] = std::move(*value);
  }
  return summary;
}

Summary summarize(const ContainerConfig& config) {
  Summary summary;
  summary.id = config.id;
  summary.name = config.name;
  summary.image = config.rootfs.empty() ? config.image_name : config.rootfs;
  summary.image_id = config.image_id;
  summary.created = config.created;
  summary.auto_remove = config.auto_remove;
  summary.labels = config.labels;
  std::vector<std::string> argv = config.entrypoint;
  argv.insert(argv.end(), config.command.begin(), config.command.end());
  summary.command = join(argv, ' ');
  summary.networks = network_names(config);
  std::vector<std::string> destinations;
  for (const MountRequest& mount : config.mounts) destinations.push_back(mount.destination);
  summary.mounts = join(destinations, ',');
  return summary;
}

std::string render_status(const StatusRecord& record) {
  std::string line = concat(record.started_ns, " ", record.finished_ns, " ", record.exit_code, " ",
                            record.restarts, " ", record.stopped_by_user ? 1 : 0, " ");
  line.resize(status_record_bytes - 1, ' ');
  line += '\n';
  return line;
}

std::optional<StatusRecord> parse_status(std::string_view line) {
  if (line.size() != status_record_bytes || line.back() != '\n') return std::nullopt;
  line.remove_suffix(1);
  FieldScanner fields(line, ' ');
  StatusRecord record;
  unsigned stopped = 0;
  if (!fields.read(record.started_ns) || !fields.read(record.finished_ns) || !fields.read(record.exit_code) ||
      !fields.read(record.restarts) || !fields.read(stopped) || stopped > 1) {
    return std::nullopt;
  }
  record.stopped_by_user = stopped == 1;
  while (!fields.at_end()) {
    if (!fields.next().empty()) return std::nullopt;
  }
  return record;
}

std::string_view status_line(std::string_view summary_file) {
  const std::size_t end = summary_file.find('\n');
  return end == std::string_view::npos ? std::string_view{}
                                       : summary_file.substr(end + 1, status_record_bytes);
}

std::string render_pids(const LivePids& pids) {
  return concat(pids.monitor.pid, " ", pids.monitor.start_time, " ", pids.init.pid, " ", pids.init.start_time,
                "\n");
}

std::optional<LivePids> parse_pids(std::string_view line) {
  if (!line.ends_with('\n')) return std::nullopt;  // half written
  FieldScanner fields(without_line_end(line), ' ');
  LivePids pids;
  if (!fields.read(pids.monitor.pid) || !fields.read(pids.monitor.start_time) ||
      !fields.read(pids.init.pid) || !fields.read(pids.init.start_time) || !fields.at_end()) {
    return std::nullopt;
  }
  if (pids.monitor.pid <= 0 || pids.init.pid < 0) return std::nullopt;
  return pids;
}

}  // namespace knarr::engine
