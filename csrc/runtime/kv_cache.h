// Who owns which page of the paged key-value cache (PagedAttention, arXiv 2309.06180).
#pragma once

#include <cstdint>
#include <vector>

namespace omni {

// Hands out pages of `page_size` tokens to slots and writes their ids into the slots' rows of the
// block table, int32 [slots, max_pages], which the caller owns. Unused entries hold -1. One page id
// stands for the same page in every layer. Not thread-safe.
class PageAllocator {
 public:
  PageAllocator(int32_t* table, int slots, int max_pages, int pages, int page_size);

  // Takes pages for `tokens` tokens. Throws CapacityError if they do not fit, and changes nothing.
  void open(int slot, int tokens);
  // Takes what is missing for `tokens` tokens in all. Throws as open.
  void extend(int slot, int tokens);
  // Gives the pages back that lie wholly beyond the first `tokens` tokens.
  void truncate(int slot, int tokens);
  // Gives everything back.
  void close(int slot);

  // Whether open(slot, tokens) would succeed for a closed slot.
  bool fits(int tokens) const {
    return pages_for(tokens) <= max_pages_ && pages_for(tokens) <= free_pages();
  }
  int pages_for(int tokens) const {
    return static_cast<int>((int64_t{tokens} + page_size_ - 1) / page_size_);
  }
  int free_pages() const { return static_cast<int>(free_.size()); }
  int used_pages(int slot) const;  // 0 for an open slot without tokens
  bool is_open(int slot) const;

 private:
  static constexpr int kClosed = -1;

  int32_t* row(int slot) { return table_ + static_cast<int64_t>(slot) * max_pages_; }
  void check_slot(int slot) const;
  void check_open(int slot) const;
  void grow(int slot, int tokens);

  int32_t* table_;  // [slots, max_pages]
  int max_pages_;
  int page_size_;
  std::vector<int> used_;      // pages of each slot, or kClosed
  std::vector<int32_t> free_;  // the lowest id is at the back
};

}  // namespace omni
