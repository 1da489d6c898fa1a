// SPDX-License-Identifier: Apache-2.0
// Bytes that somebody writes, for somebody who reads: a writer in a thread of its own, a few buffers ahead.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <thread>

#include "storage/layer/chunk_flow.h"
#include "storage/layer/layer.h"

namespace knarr::storage {

class ProducedBytes {
 public:
  explicit ProducedBytes(std::function<void(const ByteSink& sink)> produce);
  ~ProducedBytes();
  ProducedBytes(const ProducedBytes&) = delete;
  ProducedBytes& operator=(const ProducedBytes&) = delete;

  // As a ByteSource has it. Throws what the writer threw. At the end the writer has returned.
  std::size_t read(char* buffer, std::size_t size);

 private:
  void run(const std::function<void(const ByteSink& sink)>& produce) noexcept;
  void take(std::string_view bytes);

  ChunkPool pool_{8};
  ChunkQueue queue_;
  std::shared_ptr<Chunk> filling_;
  std::shared_ptr<const Chunk> reading_;
  std::string_view rest_;  // of what is being read
  std::exception_ptr failure_;
  std::thread thread_;
};

}  // namespace knarr::storage
