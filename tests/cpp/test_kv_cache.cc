#include <limits>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "check.h"
#include "runtime/error.h"
#include "runtime/kv_cache.h"

using omni::CapacityError;
using omni::PageAllocator;

namespace {

constexpr int kSlots = 3, kMaxPages = 4, kPages = 6, kPage = 64;

struct Fixture {
  std::vector<int32_t> table = std::vector<int32_t>(kSlots * kMaxPages, 99);
  PageAllocator pages{table.data(), kSlots, kMaxPages, kPages, kPage};

  std::vector<int32_t> row(int slot) const {
    return {table.begin() + slot * kMaxPages, table.begin() + (slot + 1) * kMaxPages};
  }
};

void opens_truncates_and_closes() {
  Fixture f;
  EXPECT(f.row(2) == std::vector<int32_t>({-1, -1, -1, -1}));
  f.pages.open(0, 65);
  EXPECT(f.row(0) == std::vector<int32_t>({0, 1, -1, -1}));
  f.pages.open(1, 64);
  EXPECT(f.row(1) == std::vector<int32_t>({2, -1, -1, -1}));
  f.pages.extend(0, 129);
  EXPECT(f.row(0) == std::vector<int32_t>({0, 1, 3, -1}));
  f.pages.extend(0, 10);  // holds more already
  EXPECT(f.pages.used_pages(0) == 3);
  f.pages.truncate(0, 64);
  EXPECT(f.row(0) == std::vector<int32_t>({0, -1, -1, -1}));
  EXPECT(f.pages.free_pages() == 4);
  f.pages.close(0);
  f.pages.close(1);
  EXPECT(f.pages.free_pages() == kPages);
  EXPECT(!f.pages.is_open(0));
  f.pages.open(0, 0);
  EXPECT(f.pages.is_open(0) && f.pages.used_pages(0) == 0);
}

void never_hands_a_page_out_twice() {
  Fixture f;
  f.pages.open(0, 2 * kPage);
  f.pages.open(1, 2 * kPage);
  f.pages.truncate(0, kPage);
  f.pages.extend(1, 4 * kPage);
  f.pages.extend(0, 2 * kPage);
  std::set<int32_t> seen;
  for (int32_t id : f.table) EXPECT(id == -1 || seen.insert(id).second);
  EXPECT(seen.size() == kPages);
}

void says_what_is_missing_and_changes_nothing() {
  Fixture f;
  f.pages.open(0, 3 * kPage);
  f.pages.open(1, kPage);
  EXPECT(!f.pages.fits(3 * kPage) && f.pages.fits(2 * kPage));
  const auto before = f.table;
  try {
    f.pages.open(2, 3 * kPage);
    EXPECT(false);
  } catch (const CapacityError& error) {
    const std::string what = error.what();
    EXPECT(what.find("needs 3 ") != what.npos && what.find("free are 2") != what.npos);
  }
  EXPECT_THROWS(CapacityError, f.pages.extend(1, 4 * kPage));
  EXPECT_THROWS(CapacityError, f.pages.open(2, 4 * kPage + 1));
  EXPECT(!f.pages.fits(4 * kPage + 1) && !f.pages.fits(std::numeric_limits<int>::max()));
  EXPECT(f.table == before && !f.pages.is_open(2) && f.pages.free_pages() == 2);
  f.pages.open(2, 2 * kPage);
}

void refuses_wrong_slots() {
  Fixture f;
  f.pages.open(0, 1);
  EXPECT_THROWS(std::invalid_argument, f.pages.open(0, 1));
  EXPECT_THROWS(std::invalid_argument, f.pages.close(1));
  EXPECT_THROWS(std::invalid_argument, f.pages.extend(1, 1));
  EXPECT_THROWS(std::out_of_range, f.pages.open(kSlots, 1));
  EXPECT_THROWS(std::out_of_range, f.pages.open(-1, 1));
  EXPECT_THROWS(std::invalid_argument, PageAllocator(f.table.data(), kSlots, 1, 0, kPage));
}

}  // namespace

int main() {
  opens_truncates_and_closes();
  never_hands_a_page_out_twice();
  says_what_is_missing_and_changes_nothing();
  refuses_wrong_slots();
}
