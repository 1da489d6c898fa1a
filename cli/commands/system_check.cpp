// SPDX-License-Identifier: Apache-2.0
#include "cli/commands/archive_verbs.h"
#include "cli/commands/check_report.h"
#include "cli/commands/engine_access.h"
#include "cli/commands/fetch_lost.h"
#include "cli/commands/store_verbs.h"
#include "cli/text.h"
#include "engine/check_containers.h"
#include "engine/in_r.h"
#include "engine/time_format.h"
#include "engine/trash.h"
#include "storage/check/check.h"
#include "storage/layer/assemble.h"

namespace knarr::cli {

namespace {

using storage::Finding;
using storage::LayerVerdicts;

struct Wish {
  bool quick = false;
  bool repair = false;
  bool force = false;
  std::int64_t max_age_seconds = 0;
};

Wish make_wish(const Arguments& arguments) {
  const std::string age = arguments.text("max");
  const auto age_ns = engine::parse_duration(age);
  if (!age_ns || *age_ns < 0) throw UsageError(concat("invalid duration \"", age, "\" for --max"));
  return {.quick = arguments.boolean("quick"),
          .repair = arguments.boolean("repair"),
          .force = arguments.boolean("force"),
          .max_age_seconds = *age_ns / engine::ns_per_second};
}

// In a child inside R, where all files can be read: a line a layer, without words for one that could not be
// compared exactly.
LayerVerdicts verify_contents(const engine::Engine& engine) {
  const std::string text = engine::read_in_r(engine, [&] {
    std::string lines;
    const auto verify = [&](const storage::Digest& layer) {
      return storage::verify_layer(engine.store(), layer);
    };
    for (const auto& [layer, verdict] : storage::verify_layers(engine.store(), verify))
      lines += concat(render(layer), ' ', replace_all(verdict.damage, "\n", " "), '\n');
    return lines;
  });
  LayerVerdicts verdicts;
  for (const std::string& line : split(text, "\n")) {
    const std::size_t blank = line.find(' ');
    const auto layer = storage::parse_digest(line.substr(0, blank));
    if (layer) verdicts[*layer] = {line.substr(blank + 1), blank + 1 < line.size()};
  }
  return verdicts;
}

std::vector<Finding> check_quickly(const engine::Engine& engine, const Wish& wish,
                                   const LayerVerdicts& verdicts) {
  const storage::Store& store = engine.store();
  std::vector<Finding> findings;
  const auto add = [&](std::vector<Finding> more) {
    for (Finding& finding : more) findings.push_back(std::move(finding));
  };
  add(storage::check_places(store));
  add(storage::check_images(store));
  add(storage::check_lists(store));
  add(storage::check_layers(store, wish.max_age_seconds));
  add(storage::report_verdicts(store, verdicts));
  add(storage::check_volumes(store));
  add(engine::check_containers(engine));
  return findings;
}

CheckedFinding repair(Finding finding, const Wish& wish) {
  CheckedFinding checked{.finding = std::move(finding)};
  if (!wish.repair || !checked.finding.repair) return checked;
  if (checked.finding.costs_container && !wish.force) {
    checked.outcome = Outcome::needs_force;
    return checked;
  }
  try {
    checked.finding.repair();
    checked.outcome = Outcome::repaired;
  } catch (const Error& error) {
    checked.outcome = Outcome::failed;
    checked.failure = error.message();
  }
  return checked;
}

// What was seen without locks may have been somebody's work under way: under the lock it is seen again.
std::vector<CheckedFinding> check(const engine::Engine& engine, const Wish& wish) {
  const LayerVerdicts verdicts = wish.quick ? LayerVerdicts() : verify_contents(engine);
  if (check_quickly(engine, wish, verdicts).empty()) return {};
  const sys::Lock gc = engine.store().lock_gc(sys::Lock::Mode::exclusive);
  std::vector<CheckedFinding> checked;
  for (Finding& finding : check_quickly(engine, wish, verdicts))
    checked.push_back(repair(std::move(finding), wish));
  return checked;
}

int run(const Invocation& invocation, const Arguments& arguments) {
  const Wish wish = make_wish(arguments);
  const engine::Engine engine = open_engine(invocation);
  std::vector<CheckedFinding> findings = check(engine, wish);
  if (wish.repair) fetch_lost(engine, findings);
  for (const CheckedFinding& finding : findings) invocation.out.append(render_finding(finding));
  invocation.out.line(render_verdict(findings));
  if (wish.repair) engine::empty_trash_in_background(engine);
  return check_status(findings);
}

}  // namespace

constinit const Verb system_check_verb = implement(system_check_description, run);

}  // namespace knarr::cli
