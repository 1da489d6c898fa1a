// SPDX-License-Identifier: Apache-2.0
// What a pull or a push shows while it runs: bars on a terminal, a line per layer elsewhere.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "cli/output.h"
#include "storage/registry/progress.h"

namespace knarr::cli {

struct LayerLine {
  storage::LayerProgress progress;
  std::chrono::milliseconds since_begin{};  // of copying it
};

struct ScreenSize {
  std::size_t columns = 80;
  std::size_t rows = 24;
};

// Pure. A line per layer and one for all of them, none wider than the screen; where there are more layers
// than rows, only those that something happens to.
std::vector<std::string> render_bars(const std::vector<LayerLine>& layers, std::chrono::milliseconds elapsed,
                                     ScreenSize screen);
// Pure: "Copying blob 4abcf2066143 done (29.1 MB)"; empty for what is not worth a line.
std::string render_plain(const storage::LayerProgress& progress);

class CopyProgress {
 public:
  // `error_output` is standard error's.
  explicit CopyProgress(Output& error_output);

  void update(const storage::LayerProgress& progress);
  // Leaves what is shown on the screen; the next image begins below it.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;
  void draw();

  Output& out_;
  bool is_terminal_;
  std::vector<LayerLine> layers_;
  std::vector<Clock::time_point> begun_;
  Clock::time_point start_, last_drawn_{};
  std::size_t drawn_ = 0;  // lines on the screen
};

}  // namespace knarr::cli
