// Many sessions: turns, failures, shutdown, refusals, random timing.
#include <atomic>
#include <chrono>
#include <mutex>
#include <random>
#include <stdexcept>
#include <thread>

#include "models.h"
#include "runtime/error.h"

using namespace omni;
using namespace omni::test;

namespace {

const auto kForever = Clock::time_point::max();

void takes_turns() {
  std::vector<int> order;  // slots in the order of thinker passes
  std::atomic<bool> go{false};
  Models models({{9, 9}, {9, 9}, {9, 9}}, [&](At at, int slot, int) {
    while (!go) std::this_thread::yield();
    if (at == At::thinker) order.push_back(slot);
  });
  Scheduler scheduler(models.thinker(), nullptr, kRing);
  std::vector<std::unique_ptr<Session>> sessions;
  for (int slot = 0; slot < 3; ++slot)
    sessions.push_back(scheduler.submit(models.params(slot, false)));
  go = true;
  for (auto& session : sessions) EXPECT(read_all(*session).tokens.size() == 9);
  EXPECT(order.size() == 24);
  for (size_t i = 0; i < order.size(); ++i) EXPECT(order[i] == static_cast<int>(i % 3));
}

void a_failing_lane_fails_its_session_only(At where, int step) {
  Models models({{8, 12}, {30, 40}}, [&](At at, int slot, int now) {
    if (slot == 0 && at == where && now == step) throw std::domain_error("step failed");
  });
  Scheduler scheduler(models.thinker(), models.talker(), kRing);
  for (int round = 0; round < 2; ++round) {
    const auto failing = scheduler.submit(models.params(0));
    const auto other = scheduler.submit(models.params(1));
    EXPECT_THROWS(std::domain_error, read_all(*failing));
    EXPECT_THROWS(std::domain_error, read_all(*failing));
    EXPECT(failing->join(kForever));
    if (where == At::thinker) EXPECT(static_cast<int>(failing->tokens().size()) == step);
    if (where == At::wave) EXPECT(failing->codes().size() == 11);
    expect_complete(models, 1, *other, read_all(*other), 30, 39);
  }
}

void shutdown_ends_live_sessions() {
  Models models({{8, 0}, {8, 0}},
                [](At, int, int) { std::this_thread::sleep_for(std::chrono::microseconds(100)); });
  auto scheduler = std::make_unique<Scheduler>(models.thinker(), models.talker(), kRing);
  const auto a = scheduler->submit(models.params(0));
  const auto b = scheduler->submit(models.params(1));
  std::thread reader([&] { EXPECT_THROWS(EngineError, read_all(*a)); });
  std::this_thread::sleep_for(std::chrono::milliseconds(3));
  scheduler->close();
  scheduler->close();
  reader.join();
  EXPECT_THROWS(EngineError, read_all(*b));
  EXPECT(a->join(kForever) && b->join(kForever));
  EXPECT_THROWS(EngineError, scheduler->submit(models.params(0)));
}

void refuses_what_cannot_work() {
  Models models({{8, 12}});
  const auto refused = [&](bool with_talker, auto change) {
    Scheduler scheduler(models.thinker(), with_talker ? models.talker() : nullptr, kRing);
    SessionParams params = models.params(0);
    change(params);
    EXPECT_THROWS(std::invalid_argument, scheduler.submit(std::move(params)));
  };
  refused(true, [](SessionParams& p) { p.thinker_max_tokens = 0; });
  refused(true, [](SessionParams& p) { p.talker_max_codes = 0; });
  refused(true, [](SessionParams& p) { p.prefill.reset(); });
  refused(true, [](SessionParams& p) { p.event_capacity = 2; });
  refused(true, [](SessionParams& p) { p.speaks = false; });
  refused(false, [](SessionParams&) {});
  EXPECT_THROWS(std::invalid_argument, Scheduler(models.thinker(), models.talker(), 0));
}

// Random lengths, delays, readers and cancels; what is delivered never depends on them.
void stress(unsigned seed) {
  constexpr int kSlots = 5;
  std::mt19937 random(seed);
  const auto below = [&](int n) { return static_cast<int>(random() % n); };
  std::vector<Script> scripts;
  for (int slot = 0; slot < kSlots; ++slot) scripts.push_back({2 + below(25), 1 + below(40)});
  Models models(scripts, [](At, int slot, int step) {
    const unsigned mixed = (slot * 7919u + step * 104729u) >> 3;
    if (mixed % 5 == 0) std::this_thread::sleep_for(std::chrono::microseconds(mixed % 97));
  });
  Scheduler scheduler(models.thinker(), models.talker(), kRing);
  std::vector<std::thread> readers;
  for (int slot = 0; slot < kSlots; ++slot) {
    readers.emplace_back([&, slot, own = std::mt19937(seed + slot)]() mutable {
      for (int round = 0; round < 4; ++round) {
        SessionParams params = models.params(slot);
        params.event_capacity = 3 + own() % 6;
        const auto session = scheduler.submit(std::move(params));
        const bool cancels = own() % 3 == 0;
        Read read;
        for (int left = own() % 12; !take(*session->next(kForever), read); --left) {
          if (own() % 4 == 0) std::this_thread::sleep_for(std::chrono::microseconds(own() % 200));
          if (cancels && left == 0) session->cancel();
        }
        if (read.finish_reason == "cancelled") {
          EXPECT(cancels && session->join(kForever));
        } else {
          expect_complete(models, slot, *session, read, scripts[slot].text_length,
                          scripts[slot].code_length - 1);
        }
      }
    });
  }
  for (std::thread& reader : readers) reader.join();
}

}  // namespace

int main() {
  takes_turns();
  for (int step : {0, 1}) a_failing_lane_fails_its_session_only(At::prefill, step);
  for (int step : {1, 4}) a_failing_lane_fails_its_session_only(At::thinker, step);
  for (int step : {0, 9}) a_failing_lane_fails_its_session_only(At::talker, step);
  for (int step : {0, 6}) a_failing_lane_fails_its_session_only(At::wave, step);
  shutdown_ends_live_sessions();
  refuses_what_cannot_work();
  for (unsigned seed = 1; seed <= 12; ++seed) stress(seed);
}
