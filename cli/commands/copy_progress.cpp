// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/copy_progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "cli/table.h"
#include "cli/units.h"

namespace knarr::cli {

namespace {

using std::chrono::milliseconds;
using storage::LayerProgress;
using storage::LayerState;

bool is_active(const LayerLine& line) {
  return line.progress.state == LayerState::copying || line.progress.state == LayerState::unpacking;
}

std::string rate(std::uint64_t bytes, milliseconds time) {
  if (time.count() < 100) return {};
  return human_size(bytes * 1000 / static_cast<std::uint64_t>(time.count())) + "/s";
}

std::string bar(std::uint64_t done, std::uint64_t total, std::size_t width) {
  const std::uint64_t full = total == 0 ? width : std::min<std::uint64_t>(width, done * width / total);
  std::string text(full, '=');
  if (full < width && done > 0) text += '>';
  text.resize(width, ' ');
  return '[' + text + ']';
}

std::string fit(std::string text, std::size_t columns) {
  if (text.size() > columns) text.resize(columns);
  return text;
}

// "4abcf2066143 [=====>   ] 12.3 MB / 29.1 MB  10.2 MB/s"
std::string line_of(const std::string& title, std::uint64_t done, std::uint64_t total,
                    const std::string& rest, std::size_t columns) {
  const std::string counts =
      concat(human_size(done), " / ", human_size(total), rest.empty() ? "" : "  ", rest);
  constexpr std::size_t widest = 40, least = 10;
  const std::size_t taken = title.size() + counts.size() + 4;
  if (columns < taken + least) return fit(concat(title, ' ', counts), columns);
  return concat(title, ' ', bar(done, total, std::min(widest, columns - taken)), ' ', counts);
}

std::string layer_line(const LayerLine& line, std::size_t columns) {
  const LayerProgress& layer = line.progress;
  const std::string title = short_id(layer.digest.hex);
  switch (layer.state) {
    case LayerState::waiting:
      return fit(concat(title, " waiting  ", human_size(layer.size)), columns);
    case LayerState::exists:
      return fit(title + " exists", columns);
    case LayerState::mounted:
      return fit(title + " mounted", columns);
    case LayerState::done:
      return fit(concat(title, " done  ", human_size(layer.size)), columns);
    case LayerState::unpacking:
      return line_of(title, layer.size, layer.size, "unpacking", columns);
    case LayerState::copying:
      break;
  }
  return line_of(title, layer.copied, layer.size, rate(layer.copied, line.since_begin), columns);
}

ScreenSize screen_size() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0 || size.ws_row == 0) return {};
  return {size.ws_col, size.ws_row};
}

}  // namespace

std::vector<std::string> render_bars(const std::vector<LayerLine>& layers, milliseconds elapsed,
                                     ScreenSize screen) {
  // The cursor rests below the last line, and a terminal may wrap at its last column.
  const std::size_t columns = std::max<std::size_t>(screen.columns, 20) - 1;
  const std::size_t room = std::max<std::size_t>(screen.rows, 4) - 2;
  const bool is_crowded = layers.size() > room;
  std::vector<std::string> lines;
  std::uint64_t done = 0, total = 0;
  for (const LayerLine& line : layers) {
    if (line.progress.state != LayerState::exists && line.progress.state != LayerState::mounted) {
      total += line.progress.size;
      done += line.progress.copied;
    }
    if (!is_crowded || (is_active(line) && lines.size() < room)) lines.push_back(layer_line(line, columns));
  }
  if (total > 0) lines.push_back(line_of("total       ", done, total, rate(done, elapsed), columns));
  return lines;
}

std::string render_plain(const LayerProgress& progress) {
  const std::string title = "Copying blob " + short_id(progress.digest.hex);
  if (progress.state == LayerState::exists) return title + " skipped: already exists";
  if (progress.state == LayerState::mounted) return title + " mounted from another repository";
  if (progress.state == LayerState::done) return concat(title, " done (", human_size(progress.size), ')');
  return {};
}

CopyProgress::CopyProgress(Output& error_output)
    : out_(error_output), is_terminal_(::isatty(STDERR_FILENO) != 0), start_(Clock::now()) {}

void CopyProgress::update(const LayerProgress& progress) {
  layers_.resize(progress.count);
  begun_.resize(progress.count);
  LayerLine& line = layers_[progress.index];
  const bool has_changed = line.progress.state != progress.state || line.progress.count == 0;
  if (has_changed && progress.state == LayerState::copying) begun_[progress.index] = Clock::now();
  line.progress = progress;
  if (!is_terminal_) {
    if (const std::string text = has_changed ? render_plain(progress) : ""; !text.empty()) {
      out_.line(text);
      out_.flush();
    }
  } else if (has_changed || Clock::now() - last_drawn_ >= milliseconds(100)) {
    draw();
  }
}

void CopyProgress::draw() {
  last_drawn_ = Clock::now();
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    layers_[i].since_begin = std::chrono::duration_cast<milliseconds>(last_drawn_ - begun_[i]);
  }
  std::string text;
  if (drawn_ > 0) text += concat("\x1b[", drawn_, 'A');
  const auto elapsed = std::chrono::duration_cast<milliseconds>(last_drawn_ - start_);
  const std::vector<std::string> lines = render_bars(layers_, elapsed, screen_size());
  for (const std::string& line : lines) text += concat("\r\x1b[K", line, '\n');
  if (lines.size() < drawn_) text += "\x1b[J";
  drawn_ = lines.size();
  out_.append(text);
  out_.flush();
}

void CopyProgress::finish() {
  if (is_terminal_ && !layers_.empty()) draw();
  layers_.clear();
  begun_.clear();
  drawn_ = 0;
  start_ = Clock::now();
}

}  // namespace knarr::cli
