#include <memory>
#include <string>
#include <thread>

#include "check.h"
#include "runtime/channel.h"

using omni::Channel;
using omni::Clock;
using std::chrono::milliseconds;

namespace {

const auto kLong = Clock::time_point::max();

void keeps_order_across_threads() {
  constexpr int kCount = 2000;
  Channel<int> channel(4);
  std::thread writer([&] {
    for (int i = 0; i < kCount; ++i) {
      while (channel.room() == 0) std::this_thread::yield();
      channel.push(i);
      channel.wake();
    }
    channel.close();
  });
  for (int i = 0; i < kCount; ++i) EXPECT(channel.pop(kLong) == i);
  EXPECT(channel.pop(kLong) == std::nullopt);
  EXPECT(channel.closed());
  writer.join();
}

void refuses_more_than_its_capacity() {
  Channel<int> channel(2);
  channel.push(1);
  EXPECT(channel.room() == 1);
  channel.push(2);
  EXPECT(channel.room() == 0);
  EXPECT_THROWS(std::logic_error, channel.push(3));
}

void waits_no_longer_than_asked() {
  Channel<int> channel(1);
  const auto start = Clock::now();
  EXPECT(!channel.pop(start + milliseconds(20)));
  EXPECT(Clock::now() - start >= milliseconds(20));
  EXPECT(!channel.closed());
}

void ends_after_what_was_pushed() {
  Channel<int> channel(2);
  channel.push(7);
  channel.close();
  channel.push(8);
  EXPECT(!channel.closed());
  EXPECT(channel.pop(kLong) == 7);
  EXPECT(!channel.pop(kLong));
  EXPECT(channel.closed());
}

void rethrows_after_what_was_pushed() {
  Channel<std::string> channel(2);
  channel.push("before");
  channel.fail(std::make_exception_ptr(std::out_of_range("lost")));
  channel.close();
  EXPECT(channel.pop(kLong) == "before");
  EXPECT_THROWS(std::out_of_range, channel.pop(kLong));
  EXPECT_THROWS(std::out_of_range, channel.pop(kLong));
}

void cancel_drops_and_wakes() {
  Channel<std::shared_ptr<int>> channel(2);
  const auto value = std::make_shared<int>(1);
  channel.push(value);
  channel.cancel();
  EXPECT(channel.cancelled());
  EXPECT(value.use_count() == 1);
  channel.push(value);
  EXPECT(value.use_count() == 1);

  Channel<int> waited(1);
  std::thread reader([&] { EXPECT(!waited.pop(kLong)); });
  std::this_thread::sleep_for(milliseconds(5));
  waited.cancel();
  reader.join();
}

// A reader that lost values must not take the rest for the whole.
void cancel_after_the_end_counts_if_it_drops_values() {
  for (const bool was_read : {false, true}) {
    Channel<int> channel(1);
    channel.push(1);
    channel.close();
    if (was_read) EXPECT(channel.pop(kLong) == 1);
    channel.cancel();
    EXPECT(channel.cancelled() == !was_read);
    EXPECT(channel.closed());
  }
}

}  // namespace

int main() {
  keeps_order_across_threads();
  refuses_more_than_its_capacity();
  waits_no_longer_than_asked();
  ends_after_what_was_pushed();
  rethrows_after_what_was_pushed();
  cancel_drops_and_wakes();
  cancel_after_the_end_counts_if_it_drops_values();
}
