// Cancel at every stage, a reader that goes away, and the slot's second use.
#include <atomic>
#include <chrono>
#include <thread>

#include "models.h"

using namespace omni;
using namespace omni::test;

namespace {

const auto kForever = Clock::time_point::max();

// Holds slot 0's lane inside one step until released.
struct Gate {
  At at;
  int step;
  std::atomic<bool> reached{false}, released{false};

  void pass(At where, int slot, int now) {
    if (slot != 0 || where != at || now != step || reached.exchange(true)) return;
    while (!released) std::this_thread::yield();
  }
  void wait() const {
    while (!reached) std::this_thread::yield();
  }
};

// Whether the lanes' steps of one slot stand still.
class Counter {
 public:
  void count(int slot) { steps_[slot].fetch_add(1); }
  int of(int slot) const { return steps_[slot].load(); }

 private:
  std::atomic<int> steps_[2] = {};
};

void cancels(At at, int step, bool by_dropping) {
  Gate gate{at, step};
  Counter counter;
  Models models({{12, 20}, {6, 10}}, [&](At where, int slot, int now) {
    counter.count(slot);
    gate.pass(where, slot, now);
  });
  Scheduler scheduler(models.thinker(), models.talker(), kRing);
  auto session = scheduler.submit(models.params(0));
  gate.wait();
  if (by_dropping) {
    session.reset();
  } else {
    session->cancel();
    EXPECT(!session->join(Clock::now() + std::chrono::milliseconds(10)));
    EXPECT(std::get<DoneEvent>(*session->next(kForever)).finish_reason == "cancelled");
  }
  gate.released = true;
  if (session) EXPECT(session->join(kForever));

  const auto other = scheduler.submit(models.params(1));
  expect_complete(models, 1, *other, read_all(*other), 6, 9);
  const int steps = counter.of(0);
  if (session) {  // joined: the slot may be used again
    const auto again = scheduler.submit(models.params(0));
    expect_complete(models, 0, *again, read_all(*again), 12, 19);
    session->cancel();
    EXPECT(session->tokens().size() <= 12 && session->stats().done);
  } else {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    EXPECT(counter.of(0) == steps);
  }
}

void cancel_wakes_the_reader() {
  Gate gate{At::thinker, 2};
  Models models({{12, 20}}, [&](At where, int slot, int now) { gate.pass(where, slot, now); });
  Scheduler scheduler(models.thinker(), models.talker(), kRing);
  const auto session = scheduler.submit(models.params(0));
  gate.wait();
  std::thread reader([&] { EXPECT(read_all(*session).finish_reason == "cancelled"); });
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  session->cancel();
  reader.join();
  gate.released = true;
}

void cancel_of_a_paused_session_frees_it_at_once() {
  Models models({{400, 400}});
  Scheduler scheduler(models.thinker(), models.talker(), kRing);
  SessionParams params = models.params(0);
  params.event_capacity = 3;
  const auto session = scheduler.submit(std::move(params));
  session->cancel();
  EXPECT(session->join(kForever));
  const Read read = read_all(*session);
  EXPECT(read.tokens.empty() && read.finish_reason == "cancelled");
}

// The job's Python objects go when the session ends, not when the reader's handle does.
void frees_the_wave_job_at_the_end() {
  struct Job : WaveJob {
    std::shared_ptr<int> held;
    explicit Job(std::shared_ptr<int> value) : held(std::move(value)) {}
    bool wants(size_t, bool complete) const override { return complete; }
    WavePiece step(std::span<const int>, bool, Team&) override { return {{}, {}, true}; }
  };
  Models models({{5, 9}});
  Scheduler scheduler(models.thinker(), models.talker(), kRing);
  for (bool cancel : {false, true}) {
    const auto value = std::make_shared<int>(1);
    SessionParams params = models.params(0);
    params.wave = std::make_unique<Job>(value);
    const auto session = scheduler.submit(std::move(params));
    if (cancel) session->cancel();
    read_all(*session);
    EXPECT(session->join(kForever));
    EXPECT(value.use_count() == 1);
  }
}

void a_handle_outlives_the_scheduler() {
  Models models({{5, 9}});
  std::unique_ptr<Session> session;
  {
    Scheduler scheduler(models.thinker(), models.talker(), kRing);
    session = scheduler.submit(models.params(0));
    read_all(*session);
  }
  EXPECT(session->tokens().size() == 5 && session->codes().size() == 8);
  session->cancel();
  EXPECT(session->join(kForever));
}

}  // namespace

int main() {
  for (bool by_dropping : {false, true}) {
    for (int step : {0, 1}) cancels(At::prefill, step, by_dropping);
    for (int step : {1, 5, 11}) cancels(At::thinker, step, by_dropping);
    for (int step : {0, 7, 19}) cancels(At::talker, step, by_dropping);
    for (int step : {0, 5, 19}) cancels(At::wave, step, by_dropping);
  }
  cancel_wakes_the_reader();
  cancel_of_a_paused_session_frees_it_at_once();
  frees_the_wave_job_at_the_end();
  a_handle_outlives_the_scheduler();
}
