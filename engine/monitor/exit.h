// SPDX-License-Identifier: Apache-2.0
// What happens when a container has ended: record, clean-up, the last word to the clients.
#pragma once

#include <cstdint>
#include <string_view>

#include "engine/monitor/attach_server.h"
#include "engine/monitor/plan.h"

namespace knarr::engine::monitor {

// The exit code of a container that --timeout killed.
constexpr int timed_out_exit_code = 255;

// A line in containers/<id>/monitor.log: what went wrong here where nobody watches.
void note_trouble(const Plan& plan, std::string_view trouble);

// The command did not wait until its record was on the disk; a container of `run --rm` needs none there.
void make_record_durable(const Plan& plan);

// Writes the exit into the status record. With remove_on_exit the container is removed then: its name and
// directory, its anonymous volumes, its run directory, its cid file. Each part is tried whatever happened to
// the others.
void record_exit(const Plan& plan, int exit_code);

// Sends what is still posted and the exit code to every client. Returns when each has it or is gone.
void report_exit(AttachServer& clients, int exit_code);

// Deletes what removal moved to the trash, at the lowest priority.
void empty_trash(const Plan& plan);

}  // namespace knarr::engine::monitor
