// SPDX-License-Identifier: Apache-2.0
// Memory of the forwarder's thread: whole pages, taken when needed and given back when nothing is in use.
// Not malloc: it would make an arena for the thread, and keep it.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

namespace knarr::netns::forward {

// Objects that need no destructor, in blocks of about `block_bytes`.
template <typename T, std::size_t block_bytes = 16384>
class Pool {
  static_assert(std::is_trivially_destructible_v<T>);

 public:
  Pool() = default;
  ~Pool() { release(); }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Null when there is no memory. The object is new.
  T* take() {
    if (!free_ && !grow()) return nullptr;
    Slot* slot = std::exchange(free_, free_->next);
    ++used_;
    return new (&slot->object) T;
  }
  void give_back(T* object) {
    Slot* slot = reinterpret_cast<Slot*>(object);
    slot->next = std::exchange(free_, slot);
    --used_;
  }
  std::size_t used() const { return used_; }
  // Gives everything back to the system if nothing is in use.
  void release() {
    if (used_ != 0) return;
    free_ = nullptr;
    while (blocks_) ::munmap(std::exchange(blocks_, blocks_->next), sizeof(Block));
  }

 private:
  union Slot {
    Slot() {}
    Slot* next;
    T object;
  };
  static constexpr std::size_t slots_per_block = (block_bytes - sizeof(void*)) / sizeof(Slot);
  struct Block {
    Block* next;
    Slot slots[slots_per_block];
  };
  static_assert(slots_per_block > 0);

  bool grow() {
    void* pages = ::mmap(nullptr, sizeof(Block), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) return false;
    Block* block = static_cast<Block*>(pages);
    block->next = std::exchange(blocks_, block);
    // In order of address, so that few pages are touched.
    for (std::size_t i = slots_per_block; i-- > 0;)
      block->slots[i].next = std::exchange(free_, &block->slots[i]);
    return true;
  }

  Slot* free_ = nullptr;
  Block* blocks_ = nullptr;
  std::size_t used_ = 0;
};

// A list through its members; an object is in one list at most.
template <typename T>
struct Links {
  T* previous = nullptr;
  T* next = nullptr;
};

template <typename T>
class List {
 public:
  bool empty() const { return !first_; }
  T* first() const { return first_; }
  T* last() const { return last_; }
  void push_front(T* object) {
    object->links = {nullptr, first_};
    (first_ ? first_->links.previous : last_) = object;
    first_ = object;
  }
  void remove(T* object) {
    (object->links.previous ? object->links.previous->links.next : first_) = object->links.next;
    (object->links.next ? object->links.next->links.previous : last_) = object->links.previous;
    object->links = {};
  }

 private:
  T* first_ = nullptr;
  T* last_ = nullptr;
};

}  // namespace knarr::netns::forward
