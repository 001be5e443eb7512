// Thinker and talker on streams: what is launched when, random delays, run-ahead, failures.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <random>
#include <string>
#include <thread>

#include "device_models.h"
#include "runtime/error.h"

using namespace omni;
using namespace omni::test;

namespace {

const auto kForever = Clock::time_point::max();
constexpr int kThinkerStream = 0, kTalkerStream = 1;

int kernels_run(const std::string& name) {
  int count = 0;
  for (const FakeEntry& entry : fake_log()) count += entry.kernel == name;
  return count;
}

void speaks(int text_length, int code_length) {
  DeviceModels models({{text_length, code_length}});
  Scheduler scheduler(models.thinker(), models.talker(), kRing);
  const auto session = scheduler.submit(models.params(0));
  const int codes = text_length == 1 ? 0 : code_length - 1;
  expect_complete(models, 0, *session, read_all(*session), text_length, codes);
  EXPECT(session->stats().thinker_steps == text_length - 1);
  EXPECT(session->stats().talker_steps == (text_length == 1 ? 0 : code_length));
}

// The host does not look at a pass before it starts the next ones: while pass 1 is held, the lane
// starts as many as it may.
void runs_ahead() {
  std::atomic<bool> go{false};
  DeviceModels models({{40, 9}}, [&](At at, int, int step) {
    while (at == At::thinker && step == 1 && !go) std::this_thread::yield();
  });
  FAKE(fakeCudaReset)();
  Scheduler scheduler(models.thinker(), nullptr, kRing);
  const auto session = scheduler.submit(models.params(0, false));
  EXPECT(!session->join(Clock::now() + std::chrono::milliseconds(30)));
  EXPECT(session->stats().thinker_steps == 0);
  go = true;
  EXPECT(read_all(*session).tokens.size() == 40);
  EXPECT(session->join(kForever));
  const int passes = kernels_run("think");
  EXPECT(passes >= 39 && passes <= 39 + kAhead - 1);  // some followed the last id, and were dropped
}

// One launch serves several sessions.
void sessions_share_steps() {
  FAKE(fakeCudaReset)();
  std::atomic<bool> go{false};  // all are there
  DeviceModels models(std::vector<Script>(kWidth, {30, 9}), [&](At at, int, int) {
    while (at == At::prefill && !go) std::this_thread::yield();
  });
  Scheduler scheduler(models.thinker(), nullptr, kRing);
  std::vector<std::unique_ptr<Session>> sessions;
  for (int slot = 0; slot < kWidth; ++slot)
    sessions.push_back(scheduler.submit(models.params(slot, false)));
  go = true;
  for (int slot = 0; slot < kWidth; ++slot)
    expect_complete(models, slot, *sessions[slot], read_all(*sessions[slot]), 30, 0);
  EXPECT(kernels_run("think") < kWidth * 29 / 2);
}

void no_pass_goes_beyond_the_limit() {
  DeviceModels models({{0, 0}});
  FAKE(fakeCudaReset)();
  Scheduler scheduler(models.thinker(), models.talker(), kRing);
  SessionParams params = models.params(0);
  params.thinker_max_tokens = 7;
  params.talker_max_codes = 20;
  const auto session = scheduler.submit(std::move(params));
  expect_complete(models, 0, *session, read_all(*session), 7, 19);
  EXPECT(kernels_run("think") == 6 && kernels_run("talk") == 20);
}

// Every step ends with a record; a talker step waits, on its stream, for the record after the pass
// that wrote its row, and begins after it.
void launches_waits_and_records_are_in_order() {
  FAKE(fakeCudaReset)();
  DeviceModels models({{30, 60}});
  Scheduler scheduler(models.thinker(), models.talker(), kRing);
  const auto session = scheduler.submit(models.params(0));
  expect_complete(models, 0, *session, read_all(*session), 30, 59);
  int passes = 0, steps = 0, recorded = 0, waited_for = 0;
  FakeWork last[2] = {FakeWork::record, FakeWork::record};  // that was no copy
  for (const FakeEntry& entry : fake_log()) {
    EXPECT(entry.stream == kThinkerStream || entry.stream == kTalkerStream);
    if (entry.work == FakeWork::copy) continue;
    const FakeWork before = std::exchange(last[entry.stream], entry.work);
    if (entry.work == FakeWork::record) {
      EXPECT(before == FakeWork::kernel);
      if (entry.stream == kThinkerStream) recorded = passes;
    } else if (entry.work == FakeWork::wait) {
      EXPECT(entry.stream == kTalkerStream && before == FakeWork::record);
      // Pass n records event n % kAhead.
      const int first = entry.event == 0 ? kAhead : entry.event;
      waited_for = first + kAhead * (static_cast<int>(entry.ticket) - 1);
      EXPECT(waited_for <= recorded && waited_for >= std::min(steps + 1, 29));
    } else if (entry.stream == kThinkerStream) {
      EXPECT(entry.kernel == std::string("think") && before == FakeWork::record);
      ++passes;
    } else {
      EXPECT(entry.kernel == std::string("talk"));
      EXPECT(before == FakeWork::wait || (before == FakeWork::record && steps >= 29));
      ++steps;
    }
  }
  EXPECT(passes >= 29 && steps >= 60);
}

// Sessions of random lengths come and go, every piece of device work pauses at random: the batch
// changes all the time, and what is delivered never does. Returns the pauses.
size_t delays(unsigned seed) {
  constexpr int kSlots = 6;
  std::mt19937 random(seed);
  const auto below = [&](int n) { return static_cast<int>(random() % n); };
  std::vector<Script> scripts;
  for (int slot = 0; slot < kSlots; ++slot) scripts.push_back({2 + below(25), 1 + below(40)});
  DeviceModels models(scripts);
  FAKE(fakeCudaReset)();
  FAKE(fakeCudaDelays)(seed, 60);
  Scheduler scheduler(models.thinker(), models.talker(), kRing);
  std::vector<std::thread> readers;
  for (int slot = 0; slot < kSlots; ++slot) {
    readers.emplace_back([&, slot, own = std::mt19937(seed + slot)]() mutable {
      for (int round = 0; round < 3; ++round) {
        SessionParams params = models.params(slot);
        params.event_capacity = 2 * kAhead + 1 + own() % 6;
        const auto session = scheduler.submit(std::move(params));
        const bool cancels = own() % 4 == 0;
        Read read;
        for (int left = own() % 12; !take(*session->next(kForever), read); --left)
          if (cancels && left == 0) session->cancel();
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
  scheduler.close();
  const size_t pauses = fake_log().size();
  FAKE(fakeCudaReset)();
  return pauses;
}

void ten_thousand_delays() {
  size_t pauses = 0;
  for (unsigned seed = 1; pauses < 10000; ++seed) pauses += delays(seed);
}

// Whatever fails, its sessions end with its name, so do later ones, and the process lives on.
void fails(const char* where, int result, int after, const char* told) {
  DeviceModels models({{30, 60}, {30, 60}});
  FAKE(fakeCudaReset)();
  Scheduler scheduler(models.thinker(), models.talker(), kRing);
  const auto before = scheduler.submit(models.params(1));
  expect_complete(models, 1, *before, read_all(*before), 30, 59);
  FAKE(fakeCudaFail)(where, result, after);
  const auto failing = scheduler.submit(models.params(0));
  EXPECT_TELLS(told, read_all(*failing));
  EXPECT(failing->join(kForever));
  const auto later = scheduler.submit(models.params(1));
  EXPECT_TELLS(told, read_all(*later));
  scheduler.close();
  FAKE(fakeCudaReset)();
}

void new_tracks_work_after_a_failure() {
  fails("think", 700, 3, "CUDA_ERROR_ILLEGAL_ADDRESS");
  speaks(9, 20);
}

}  // namespace

int main() {
  for (const auto& [text, codes] : {std::pair{1, 9}, {2, 9}, {5, 9}, {20, 9}, {9, 9}, {40, 80}})
    speaks(text, codes);
  runs_ahead();
  sessions_share_steps();
  no_pass_goes_beyond_the_limit();
  launches_waits_and_records_are_in_order();
  fails("think", 700, 5, "CUDA_ERROR_ILLEGAL_ADDRESS");
  fails("talk", 719, 8, "CUDA_ERROR_LAUNCH_FAILED");
  fails("cuGraphLaunch", 702, 11, "cuGraphLaunch: CUDA_ERROR_LAUNCH_TIMEOUT");
  fails("cuEventSynchronize", 214, 4, "cuEventSynchronize: CUDA_ERROR_ECC_UNCORRECTABLE");
  fails("cuStreamWaitEvent", 700, 2, "cuStreamWaitEvent: CUDA_ERROR_ILLEGAL_ADDRESS");
  new_tracks_work_after_a_failure();
  ten_thousand_delays();
}
