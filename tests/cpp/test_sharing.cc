// Lanes side by side: one with long regions of long chunks, as a wave's, one with short regions.
// Chunks sleep, so that any number of cores can be tried on any machine.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "base/parallel.h"
#include "check.h"

using omni::set_cores;
using omni::Team;

namespace {

void sleep_us(int us) { std::this_thread::sleep_for(std::chrono::microseconds(us)); }

// A caller on a thread of its own whose regions follow each other until it goes.
class Lane {
 public:
  Lane(int chunks, int chunk_us)
      : thread_([=, this] {
          Team team;
          while (!stop_) {
            team.run(chunks, [&](int) {
              if (stop_) return;
              threads_ = std::max(threads_.load(), ++inside_);
              sleep_us(chunk_us);
              --inside_;
              ++done_;
            });
          }
        }) {}
  ~Lane() {
    stop_ = true;
    thread_.join();
  }

  int done() const { return done_; }
  void await(int chunks) const {
    while (done_ < chunks) sleep_us(100);
  }

  // The most chunks at once, from now until that many more are done.
  int threads(int chunks) {
    threads_ = 0;
    await(done_ + chunks);
    return threads_;
  }

 private:
  std::atomic<bool> stop_{false};
  std::atomic<int> done_{0};
  std::atomic<int> inside_{0}, threads_{0};
  std::thread thread_;
};

// Ten short chunks sleep as long as one long one: on two cores each lane has one, and neither
// waits for the other's regions. With a wait for one of 32 chunks, the counts would differ by that.
void two_lanes_have_a_core_each() {
  set_cores(2);
  Lane decode(4, 50), wave(32, 500);
  decode.await(40);
  wave.await(40);
  const int decoded = decode.done(), waved = wave.done();
  decode.await(decoded + 1600);
  EXPECT(wave.done() - waved >= 40);
  EXPECT(wave.done() - waved <= 1600);
}

// Whether another thread takes part in one of many regions.
bool is_helped(Team& team) {
  const auto caller = std::this_thread::get_id();
  std::atomic<bool> helped{false};
  for (int i = 0; i < 100 && !helped; ++i)
    team.run(40, [&](int) {
      if (std::this_thread::get_id() != caller) helped = true;
      sleep_us(300);
    });
  return helped;
}

// The workers are in a region that does not end; those beyond the first lane's share leave it.
void a_late_lane_gets_its_share() {
  set_cores(4);
  const Lane wave(100000, 500);
  wave.await(40);
  Team decode;
  const Team::Active active(decode);
  EXPECT(is_helped(decode));
}

// A caller that opens no region for a while lends its share, and gets it back.
void an_idle_lane_lends_its_share() {
  set_cores(4);
  Lane wave(100000, 500);
  Team decode;
  const Team::Active active(decode);
  for (int round = 0; round < 3; ++round) {
    EXPECT(is_helped(decode));
    EXPECT(wave.threads(100) == 3);
  }
}

}  // namespace

int main() {
  two_lanes_have_a_core_each();
  a_late_lane_gets_its_share();
  an_idle_lane_lends_its_share();
}
