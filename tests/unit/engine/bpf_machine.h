// SPDX-License-Identifier: Apache-2.0
// The kernel's part of seccomp(2) for tests: runs a filter on a call that nobody makes.
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cstdint>
#include <cstring>
#include <span>
#include <stdexcept>

namespace knarr::testing {

// The verdict; throws for what the kernel's checker would refuse: a jump or a load out of bounds, an
// instruction that seccomp does not have.
inline std::uint32_t run_filter(std::span<const sock_filter> program, const seccomp_data& call) {
  std::uint32_t accumulator = 0;
  for (std::size_t at = 0; at < program.size(); ++at) {
    const sock_filter& step = program[at];
    const auto jump_if = [&](bool condition) { at += condition ? step.jt : step.jf; };
    switch (step.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        if (step.k % 4 != 0 || step.k >= sizeof(call)) throw std::out_of_range("load");
        std::memcpy(&accumulator, reinterpret_cast<const char*>(&call) + step.k, 4);
        break;
      case BPF_ALU | BPF_AND | BPF_K:
        accumulator &= step.k;
        break;
      case BPF_JMP | BPF_JA:
        at += step.k;
        break;
      case BPF_JMP | BPF_JEQ | BPF_K:
        jump_if(accumulator == step.k);
        break;
      case BPF_JMP | BPF_JGT | BPF_K:
        jump_if(accumulator > step.k);
        break;
      case BPF_JMP | BPF_JGE | BPF_K:
        jump_if(accumulator >= step.k);
        break;
      case BPF_RET | BPF_K:
        return step.k;
      default:
        throw std::invalid_argument("instruction");
    }
  }
  throw std::out_of_range("the end of the program");
}

}  // namespace knarr::testing
