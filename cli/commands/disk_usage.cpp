// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/disk_usage.h"

#include <cmath>

#include "cli/table.h"
#include "cli/units.h"
#include "rootless/sys/error.h"

namespace knarr::cli {

std::string describe_reclaimable(const UsageRow& row) {
  const double part =
      row.bytes == 0 ? 0 : static_cast<double>(row.reclaimable) / static_cast<double>(row.bytes);
  return concat(compact_size(row.reclaimable), " (", static_cast<int>(std::lround(part * 100)), "%)");
}

templates::Value usage_value(const UsageRow& row) {
  return templates::Value::structure("DiskUsage")
      .set("Type", row.type)
      .set("Total", row.total)
      .set("Active", row.active)
      .set("RawSize", row.bytes)
      .set("RawReclaimable", row.reclaimable)
      .set("TotalCount", row.total)
      .set("Size", compact_size(row.bytes))
      .set("Reclaimable", describe_reclaimable(row));
}

std::string render_usage_table(const std::vector<UsageRow>& rows) {
  std::vector<std::vector<std::string>> table = {{"TYPE", "TOTAL", "ACTIVE", "SIZE", "RECLAIMABLE"}};
  for (const UsageRow& row : rows) {
    table.push_back({row.type, std::to_string(row.total), std::to_string(row.active), compact_size(row.bytes),
                     describe_reclaimable(row)});
  }
  return render_table(table);
}

}  // namespace knarr::cli
