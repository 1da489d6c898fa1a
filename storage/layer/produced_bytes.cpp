// SPDX-License-Identifier: Apache-2.0
#include "storage/layer/produced_bytes.h"

namespace knarr::storage {

ProducedBytes::ProducedBytes(std::function<void(const ByteSink& sink)> produce)
    : thread_([this, produce = std::move(produce)] { run(produce); }) {}

ProducedBytes::~ProducedBytes() {
  pool_.stop();  // a writer that nobody reads any more ends at its next buffer
  if (thread_.joinable()) thread_.join();
}

void ProducedBytes::run(const std::function<void(const ByteSink& sink)>& produce) noexcept {
  try {
    produce([this](std::string_view bytes) { take(bytes); });
    if (filling_) queue_.push(std::move(filling_));
  } catch (const Stopped&) {
  } catch (...) {
    failure_ = std::current_exception();
  }
  queue_.finish();
}

void ProducedBytes::take(std::string_view bytes) {
  while (!bytes.empty()) {
    if (!filling_) {
      filling_ = pool_.acquire();
      filling_->size = 0;
    }
    const std::size_t part = bytes.copy(filling_->bytes.get() + filling_->size, chunk_size - filling_->size);
    filling_->size += part;
    bytes.remove_prefix(part);
    if (filling_->size == chunk_size) queue_.push(std::move(filling_));
  }
}

std::size_t ProducedBytes::read(char* buffer, std::size_t size) {
  if (rest_.empty() && thread_.joinable()) {
    reading_ = queue_.pop();
    if (reading_) {
      rest_ = reading_->view();
    } else {
      thread_.join();
      if (failure_) std::rethrow_exception(failure_);
    }
  }
  const std::size_t part = rest_.copy(buffer, size);
  rest_.remove_prefix(part);
  return part;
}

}  // namespace knarr::storage
