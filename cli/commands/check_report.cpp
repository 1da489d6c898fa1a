// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/check_report.h"

#include <algorithm>

#include "rootless/sys/error.h"

namespace knarr::cli {

namespace {

using storage::Finding;

constexpr std::string_view repair_command = "knarr system check --repair";

// What the user has to do when nothing was repaired.
std::string advice(const CheckedFinding& checked) {
  const Finding& finding = checked.finding;
  if (!finding.repair) return finding.cure;
  if (finding.costs_container) return concat(finding.cure, ", or ", repair_command, " --force");
  if (finding.kind == Finding::Kind::garbage)
    return finding.cure.empty() ? std::string(repair_command) : finding.cure;
  return concat(repair_command, finding.cure.empty() ? "" : "; then ", finding.cure);
}

std::string_view heading(Finding::Kind kind) {
  switch (kind) {
    case Finding::Kind::damage:
      return "Damaged: ";
    case Finding::Kind::garbage:
      return "Left behind: ";
    case Finding::Kind::unproven:
      break;
  }
  return "Not proven: ";
}

std::size_t count(const std::vector<CheckedFinding>& findings, Finding::Kind kind) {
  return static_cast<std::size_t>(
      std::count_if(findings.begin(), findings.end(),
                    [&](const CheckedFinding& checked) { return checked.finding.kind == kind; }));
}

}  // namespace

std::string render_finding(const CheckedFinding& checked) {
  const Finding& finding = checked.finding;
  std::string text = concat(heading(finding.kind), finding.object, ": ", finding.problem, '\n');
  switch (checked.outcome) {
    case Outcome::repaired:
      text += concat("  repaired: ", finding.repaired, '\n');
      if (finding.kind == Finding::Kind::damage && !finding.cure.empty())
        text += concat("  to do: ", finding.cure, '\n');
      return text;
    case Outcome::failed:
      text += concat("  not repaired: ", checked.failure, '\n');
      [[fallthrough]];
    case Outcome::reported:
    case Outcome::needs_force:
      const std::string cure = advice(checked);
      return cure.empty() ? text : text + concat("  to do: ", cure, '\n');
  }
  return text;
}

std::string render_verdict(const std::vector<CheckedFinding>& findings) {
  const std::size_t damaged = count(findings, Finding::Kind::damage);
  const std::size_t left = count(findings, Finding::Kind::garbage);
  const auto repaired = std::count_if(findings.begin(), findings.end(), [](const CheckedFinding& checked) {
    return checked.outcome == Outcome::repaired;
  });
  std::string text = damaged == 0 ? std::string("No damage") : concat(damaged, " damaged");
  if (left != 0) text += concat(", ", left, " left behind");
  if (repaired != 0) text += concat("; ", repaired, " repaired");
  return text + ".";
}

int check_status(const std::vector<CheckedFinding>& findings) {
  const bool is_damaged = std::any_of(findings.begin(), findings.end(), [](const CheckedFinding& checked) {
    return checked.finding.kind == Finding::Kind::damage &&
           (checked.outcome != Outcome::repaired ||
            (!checked.finding.cure.empty() && !checked.finding.costs_container));
  });
  return is_damaged ? 1 : 0;
}

}  // namespace knarr::cli
