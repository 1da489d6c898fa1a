// SPDX-License-Identifier: Apache-2.0
#include "engine/monitor/record_files.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "rootless/sys/error.h"
#include "rootless/sys/file.h"

namespace knarr::engine::monitor {

namespace {

constexpr const char* new_pids_name = "pids.new";
constexpr const char* summary_file_name = "summary";

struct flock whole_file(short type) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  return lock;
}

// A container's summary file, locked: neither line may be lost to who writes the other one.
class SummaryFile {
 public:
  explicit SummaryFile(const char* container_directory)
      : path_(concat(container_directory, "/", summary_file_name)),
        fd_(sys::open_at(AT_FDCWD, path_, O_RDWR | O_CREAT, 0600)) {
    struct flock lock = whole_file(F_WRLCK);
    if (::fcntl(fd_.get(), F_OFD_SETLKW, &lock) < 0) throw_errno("locking ", path_);
    text_ = sys::read_all(fd_.get(), path_);
  }

  std::string_view line() const { return std::string_view(text_).substr(0, text_.find('\n')); }
  std::string_view status() const { return status_line(text_); }

  // By one write, so that who is killed leaves the old text or the new one.
  void write(std::string_view line, std::string_view status) const {
    const std::string text = concat(line, "\n", status);
    if (::pwrite(fd_.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()) ||
        (text.size() < text_.size() && ::ftruncate(fd_.get(), static_cast<off_t>(text.size())) < 0)) {
      throw_errno("writing ", path_);
    }
  }

 private:
  const std::string path_;
  sys::UniqueFd fd_;
  std::string text_;
};

// What a dead monitor left may be replaced.
void publish_pids(int dir_fd) {
  require_no_monitor(dir_fd);
  if (::renameat(dir_fd, new_pids_name, dir_fd, pids_file_name) < 0) {
    throw_errno("publishing the container's pids");
  }
}

}  // namespace

PidsFile::PidsFile(int run_directory_fd, const LivePids& pids) : run_directory_fd_(run_directory_fd) {
  fd_ = sys::open_at(run_directory_fd, new_pids_name, O_RDWR | O_CREAT | O_TRUNC, 0600);
  struct flock lock = whole_file(F_WRLCK);
  if (::fcntl(fd_.get(), F_OFD_SETLK, &lock) < 0) throw_errno("locking the container's pids");
  sys::write_all(fd_.get(), render_pids(pids), "the container's pids");
  publish_pids(run_directory_fd);
}

void PidsFile::withdraw() {
  if (!fd_) return;
  ::unlinkat(run_directory_fd_, pids_file_name, 0);
  fd_.reset();
}

bool is_monitor_alive(int pids_fd) {
  struct flock query = whole_file(F_RDLCK);
  return ::fcntl(pids_fd, F_OFD_GETLK, &query) == 0 && query.l_type != F_UNLCK;
}

void require_no_monitor(int run_directory_fd) {
  const sys::UniqueFd pids = sys::find_at(run_directory_fd, pids_file_name, O_RDONLY);
  if (pids && is_monitor_alive(pids.get())) throw Conflict("the container is running");
}

void write_pid_file(const char* path, pid_t pid) {
  const sys::UniqueFd fd = sys::open_at(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  sys::write_all(fd.get(), std::to_string(pid), path);
}

void update_status(const char* container_directory, const std::function<void(StatusRecord&)>& change) {
  const SummaryFile file(container_directory);
  StatusRecord record = parse_status(file.status()).value_or(StatusRecord{});
  change(record);
  file.write(file.line(), render_status(record));
}

void replace_summary(const char* container_directory, std::string_view line) {
  const SummaryFile file(container_directory);
  file.write(line, file.status());
}

}  // namespace knarr::engine::monitor
