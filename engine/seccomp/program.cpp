// SPDX-License-Identifier: Apache-2.0
#include "engine/seccomp/program.h"

#include <linux/audit.h>
#include <linux/bpf_common.h>
#include <linux/seccomp.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <utility>

#include "rootless/sys/error.h"

namespace knarr::engine::seccomp {

namespace {

constexpr Verdict no_such_call = SECCOMP_RET_ERRNO | ENOSYS;
constexpr std::uint64_t low_half = 0xffffffff;

sock_filter load(std::size_t offset) {
  return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset));
}
sock_filter give(Verdict verdict) {
  return BPF_STMT(BPF_RET | BPF_K, verdict);
}
sock_filter jump_over(std::size_t count) {
  return BPF_STMT(BPF_JMP | BPF_JA, static_cast<std::uint32_t>(count));
}
// comparison: BPF_JEQ, BPF_JGT, BPF_JGE; skips when_true or when_false instructions.
sock_filter branch(unsigned comparison, std::uint32_t value, std::size_t when_true, std::size_t when_false) {
  return BPF_JUMP(static_cast<std::uint16_t>(BPF_JMP | BPF_K | comparison), value,
                  static_cast<std::uint8_t>(when_true), static_cast<std::uint8_t>(when_false));
}

void append(Program& program, const Program& more) {
  program.insert(program.end(), more.begin(), more.end());
}

// A conditional jump reaches 255 instructions, an unconditional one all. So what lies far away gets a JA.
Program choose(unsigned comparison, std::uint32_t value, const Program& when_true,
               const Program& when_false) {
  Program program;
  if (when_false.size() <= 255) {
    program.push_back(branch(comparison, value, when_false.size(), 0));
  } else {
    program.push_back(branch(comparison, value, 0, 1));
    program.push_back(jump_over(when_false.size()));
  }
  append(program, when_false);
  append(program, when_true);
  return program;
}

// --- one call: its cases, one after the other ---

// Where the halves of a register lie in seccomp_data depends on the byte order; 32-bit architectures have the
// lower one only.
struct Layout {
  std::size_t low, high;
  bool wide;
};

Layout layout_of(std::uint32_t arch) {
  const bool little = (arch & __AUDIT_ARCH_LE) != 0;
  return {.low = little ? 0u : 4u, .high = little ? 4u : 0u, .wide = (arch & __AUDIT_ARCH_64BIT) != 0};
}

// A condition as instructions. Where its jumps lead depends on the length of what follows, so it is built
// from its last word to its first.
class Condition {
 public:
  Condition(const Argument& argument, const Layout& layout) : argument_(argument), layout_(layout) {}

  // Falls through on a match, skips `rest` instructions behind its end otherwise.
  Program build(std::size_t rest) const {
    switch (argument_.comparison) {
      case Comparison::equal:
        return equal(~std::uint64_t{0}, 0, rest);
      case Comparison::masked_equal:
        return equal(argument_.mask, 0, rest);
      case Comparison::not_equal:
        return equal(~std::uint64_t{0}, rest, 0);
      case Comparison::greater:
        return ordered(BPF_JGT, 0, rest);
      case Comparison::less_equal:
        return ordered(BPF_JGT, rest, 0);
      case Comparison::greater_equal:
        return ordered(BPF_JGE, 0, rest);
      case Comparison::less:
        return ordered(BPF_JGE, rest, 0);
    }
    return {};
  }

 private:
  std::size_t offset(std::size_t half) const {
    return offsetof(seccomp_data, args) + argument_.index * sizeof(std::uint64_t) + half;
  }
  std::uint32_t low() const { return static_cast<std::uint32_t>(argument_.value & low_half); }
  std::uint32_t high() const { return static_cast<std::uint32_t>(argument_.value >> 32); }

  static void compare_word(Program& program, std::size_t at, std::uint32_t mask) {
    program.push_back(load(at));
    if (mask != low_half) program.push_back(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask));
  }

  // Both halves equal under the mask: skip `when_equal`, else `when_not`.
  Program equal(std::uint64_t mask, std::size_t when_equal, std::size_t when_not) const {
    Program last;
    compare_word(last, offset(layout_.low), static_cast<std::uint32_t>(mask & low_half));
    last.push_back(branch(BPF_JEQ, low(), when_equal, when_not));
    const auto high_mask = static_cast<std::uint32_t>(mask >> 32);
    // A mask without upper bits still demands that the value has none.
    if (!layout_.wide || (high_mask == 0 && high() == 0)) return last;
    Program program;
    compare_word(program, offset(layout_.high), high_mask);
    program.push_back(branch(BPF_JEQ, high(), 0, last.size() + when_not));
    append(program, last);
    return program;
  }

  // comparison BPF_JGT or BPF_JGE of the whole register: skip `when_true`, else `when_false`.
  Program ordered(unsigned comparison, std::size_t when_true, std::size_t when_false) const {
    if (!layout_.wide && high() != 0) return never(when_false);
    Program last = {load(offset(layout_.low)), branch(comparison, low(), when_true, when_false)};
    if (!layout_.wide) return last;
    Program program = {load(offset(layout_.high)), branch(BPF_JGT, high(), 1 + last.size() + when_true, 0),
                       branch(BPF_JEQ, high(), 0, last.size() + when_false)};
    append(program, last);
    return program;
  }

  // No register of 32 bits reaches the value.
  static Program never(std::size_t when_false) { return {jump_over(when_false)}; }

  const Argument& argument_;
  const Layout& layout_;
};

Program build_case(const Case& item, const Layout& layout) {
  Program program = {give(item.verdict)};
  for (auto argument = item.arguments.rbegin(); argument != item.arguments.rend(); ++argument) {
    Program longer = Condition(*argument, layout).build(program.size());
    append(longer, program);
    program = std::move(longer);
  }
  return program;
}

Program build_cases(const Cases& cases, const Layout& layout) {
  Program program;
  for (const Case& item : cases) append(program, build_case(item, layout));
  return program;
}

// Ends with a case without conditions and has none that changes nothing.
Cases simplify(const Cases& cases, Verdict default_verdict) {
  Cases simple;
  for (const Case& item : cases) {
    simple.push_back(item);
    if (item.arguments.empty()) break;
  }
  if (simple.empty() || !simple.back().arguments.empty()) simple.push_back({{}, default_verdict});
  while (simple.size() > 1 && simple[simple.size() - 2].verdict == simple.back().verdict)
    simple.erase(simple.end() - 2);
  return simple;
}

// --- all calls: ranges of numbers with the same cases ---

struct Range {
  std::uint32_t first;  // up to the next range's
  Cases cases;
};

void add_range(std::vector<Range>& ranges, std::uint32_t first, Cases cases) {
  if (!ranges.empty() && ranges.back().first == first) ranges.pop_back();
  if (!ranges.empty() && ranges.back().cases == cases) return;
  ranges.push_back({first, std::move(cases)});
}

std::vector<Range> build_ranges(const CallTable& table, Verdict default_verdict) {
  const Cases otherwise = {{{}, default_verdict}};
  std::vector<Range> ranges = {{0, otherwise}};
  for (const auto& [number, cases] : table.calls) {
    add_range(ranges, number, simplify(cases, default_verdict));
    add_range(ranges, number + 1, otherwise);
  }
  add_range(ranges, table.end, {{{}, no_such_call}});
  return ranges;
}

Program build_tree(const Range* first, const Range* last, const Layout& layout) {
  if (last - first == 1) return build_cases(first->cases, layout);
  const Range* const middle = first + (last - first) / 2;
  return choose(BPF_JGE, middle->first, build_tree(middle, last, layout), build_tree(first, middle, layout));
}

Program build_table(const CallTable& table, Verdict default_verdict) {
  const std::vector<Range> ranges = build_ranges(table, default_verdict);
  Program program = {load(offsetof(seccomp_data, nr))};
  append(program, build_tree(ranges.data(), ranges.data() + ranges.size(), layout_of(table.arch)));
  return program;
}

// --- the end: one return for many ---
//
// What the kernel does with a filter when a container starts (converting and compiling it) costs by the
// instruction, and near half of them would be the returns of single ranges.

bool is_jump(const sock_filter& instruction) {
  return BPF_CLASS(instruction.code) == BPF_JMP && BPF_OP(instruction.code) == BPF_JA;
}
bool is_branch(const sock_filter& instruction) {
  return BPF_CLASS(instruction.code) == BPF_JMP && BPF_OP(instruction.code) != BPF_JA;
}
bool is_return(const sock_filter& instruction) {
  return BPF_CLASS(instruction.code) == BPF_RET;
}

// The first behind `from` that gives the same as the one at `target`: branches before this one reach it best.
std::size_t first_same_return(const Program& program, std::size_t from, std::size_t target) {
  std::size_t at = from + 1;
  while (!is_return(program[at]) || program[at].k != program[target].k) ++at;
  return at;
}

// Aims branches at as few returns as reach all of them: from the end on, each at one that is used already.
class ReturnSharing {
 public:
  explicit ReturnSharing(Program& program) : program_(program) {}

  void run() {
    for (std::size_t at = program_.size(); at-- > 0;) {
      sock_filter& instruction = program_[at];
      if (is_branch(instruction)) {
        instruction.jt = aim(at, instruction.jt);
        instruction.jf = aim(at, instruction.jf);
      } else if (is_jump(instruction) && is_return(program_[at + 1 + instruction.k])) {
        instruction = program_[at + 1 + instruction.k];
      }
    }
  }

 private:
  std::uint8_t aim(std::size_t from, std::size_t distance) {
    const std::size_t target = from + 1 + distance;
    if (!is_return(program_[target])) return static_cast<std::uint8_t>(distance);
    std::size_t& used = used_[program_[target].k];
    if (used == 0 || used > from + 1 + 255) used = first_same_return(program_, from, target);
    return static_cast<std::uint8_t>(used - from - 1);
  }

  Program& program_;
  std::map<Verdict, std::size_t> used_;  // the first of them so far
};

// No jump leads back, so one pass sees all that can be reached.
std::vector<bool> find_reachable(const Program& program) {
  std::vector<bool> reachable(program.size(), false);
  reachable[0] = true;
  for (std::size_t at = 0; at < program.size(); ++at) {
    const sock_filter& instruction = program[at];
    if (!reachable[at] || is_return(instruction)) continue;
    if (is_branch(instruction)) {
      reachable[at + 1 + instruction.jt] = reachable[at + 1 + instruction.jf] = true;
    } else {
      reachable[at + 1 + (is_jump(instruction) ? instruction.k : 0)] = true;
    }
  }
  return reachable;
}

Program without_unreachable(const Program& program) {
  const std::vector<bool> reachable = find_reachable(program);
  std::vector<std::size_t> places;  // in the shorter program
  std::size_t next = 0;
  for (const bool stays : reachable) places.push_back(stays ? next++ : next);
  Program shorter;
  for (std::size_t at = 0; at < program.size(); ++at) {
    if (!reachable[at]) continue;
    sock_filter instruction = program[at];
    const auto distance = [&](std::size_t before) { return places[at + 1 + before] - places[at] - 1; };
    if (is_branch(instruction)) {
      instruction.jt = static_cast<std::uint8_t>(distance(instruction.jt));
      instruction.jf = static_cast<std::uint8_t>(distance(instruction.jf));
    } else if (is_jump(instruction)) {
      instruction.k = static_cast<std::uint32_t>(distance(instruction.k));
    }
    shorter.push_back(instruction);
  }
  return shorter;
}

// Each time it gets shorter a branch reaches more.
Program share_returns(Program program) {
  for (std::size_t before = 0; before != program.size();) {
    before = program.size();
    ReturnSharing(program).run();
    program = without_unreachable(program);
  }
  return program;
}

}  // namespace

Program assemble(const std::vector<CallTable>& tables, Verdict default_verdict) {
  Program program = {give(SECCOMP_RET_KILL_PROCESS)};
  for (auto table = tables.rbegin(); table != tables.rend(); ++table)
    program = choose(BPF_JEQ, table->arch, build_table(*table, default_verdict), program);
  program.insert(program.begin(), load(offsetof(seccomp_data, arch)));
  program = share_returns(std::move(program));
  if (program.size() > BPF_MAXINSNS) {
    throw InvalidArgument(concat("the filter has ", program.size(), " instructions, the kernel takes ",
                                 BPF_MAXINSNS, " at most"));
  }
  return program;
}

}  // namespace knarr::engine::seccomp
