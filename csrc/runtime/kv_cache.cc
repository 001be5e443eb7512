#include "runtime/kv_cache.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "runtime/error.h"

namespace omni {

PageAllocator::PageAllocator(int32_t* table, int slots, int max_pages, int pages, int page_size)
    : table_(table), max_pages_(max_pages), page_size_(page_size) {
  if (slots < 1 || max_pages < 1 || pages < 1 || page_size < 1) {
    throw std::invalid_argument("slots=" + std::to_string(slots) + " max_pages=" +
                                std::to_string(max_pages) + " pages=" + std::to_string(pages) +
                                " page_size=" + std::to_string(page_size) + ": use 1 or more");
  }
  std::fill_n(table, static_cast<int64_t>(slots) * max_pages, -1);
  used_.assign(slots, kClosed);
  for (int id = pages - 1; id >= 0; --id) free_.push_back(id);
}

void PageAllocator::open(int slot, int tokens) {
  check_slot(slot);
  if (is_open(slot)) {
    throw std::invalid_argument("slot=" + std::to_string(slot) + " is open: close it first");
  }
  used_[slot] = 0;
  try {
    grow(slot, tokens);
  } catch (...) {
    used_[slot] = kClosed;
    throw;
  }
}

void PageAllocator::extend(int slot, int tokens) {
  check_open(slot);
  grow(slot, tokens);
}

void PageAllocator::truncate(int slot, int tokens) {
  check_open(slot);
  const int kept = std::max(0, pages_for(tokens));
  while (used_[slot] > kept) {
    int32_t& entry = row(slot)[--used_[slot]];
    free_.push_back(entry);
    entry = -1;
  }
}

void PageAllocator::close(int slot) {
  truncate(slot, 0);
  used_[slot] = kClosed;
}

int PageAllocator::used_pages(int slot) const {
  check_open(slot);
  return used_[slot];
}

bool PageAllocator::is_open(int slot) const {
  check_slot(slot);
  return used_[slot] != kClosed;
}

void PageAllocator::check_slot(int slot) const {
  const int slots = static_cast<int>(used_.size());
  if (slot < 0 || slot >= slots) {
    throw std::out_of_range("slot=" + std::to_string(slot) + ": there are " +
                            std::to_string(slots));
  }
}

void PageAllocator::check_open(int slot) const {
  if (!is_open(slot)) {
    throw std::invalid_argument("slot=" + std::to_string(slot) + " is closed: open it first");
  }
}

void PageAllocator::grow(int slot, int tokens) {
  const int wanted = pages_for(tokens);
  const int missing = wanted - used_[slot];
  if (wanted > max_pages_) {
    throw CapacityError("tokens=" + std::to_string(tokens) + ": one sequence holds at most " +
                        std::to_string(int64_t{max_pages_} * page_size_));
  }
  if (missing > free_pages()) {
    throw CapacityError("tokens=" + std::to_string(tokens) + ": needs " + std::to_string(missing) +
                        " more cache pages of " + std::to_string(page_size_) +
                        " tokens, free are " + std::to_string(free_pages()));
  }
  for (; used_[slot] < wanted; ++used_[slot]) {
    row(slot)[used_[slot]] = free_.back();
    free_.pop_back();
  }
}

}  // namespace omni
