// Streams in the scheduler's wave lane: when audio leaves, whose goes first, who waits for whom.
#include <atomic>
#include <chrono>
#include <thread>

#include "models.h"
#include "sound.h"

using namespace omni;
using namespace omni::test;

namespace {

const auto kForever = Clock::time_point::max();
const WaveSchedule kBalanced{1, 4, 1, 2}, kLowest{1, 2, 0, 2};

Clock::time_point soon() { return Clock::now() + std::chrono::milliseconds(30); }

// One spoken reply: the script's slot, its codes, its own seed and cache.
struct Speaker {
  Models& models;
  Sound& sound;
  int slot;
  std::vector<float> cache = std::vector<float>(kEvaluations);

  uint64_t seed() const { return slot + 1; }

  SessionParams params(const WaveSchedule& schedule, int capacity = 64) {
    SessionParams params = models.params(slot);
    params.wave = sound.stream(schedule, request(cache, seed()));
    params.event_capacity = capacity;
    return params;
  }

  void expect_all(Session& session, const Read& read) const {
    EXPECT(static_cast<int>(session.codes().size()) == models.script(slot).code_length - 1);
    EXPECT(read.samples == Sound::speech(session.codes(), seed(), gain(2)));
    const SessionStats stats = session.stats();
    int64_t start = 0;
    for (const ChunkStats& chunk : stats.chunks) {
      EXPECT(chunk.start == start && chunk.samples > 0 && chunk.work.codes > 0);
      start += chunk.samples;
    }
    EXPECT(start == stats.samples);
  }
};

// The talker stops after the codes that the first packet needs, but for `missing` ones.
void audio_leaves_at(const WaveSchedule& schedule, int needed, int missing) {
  std::atomic<bool> go{false};
  Models models({{30, 60}}, [&](At at, int, int step) {
    if (at == At::talker && step == needed - missing)
      while (!go) std::this_thread::yield();
  });
  Sound sound(2);
  Speaker speaker{models, sound, 0};
  Scheduler scheduler(models.thinker(), models.talker(), kRing);
  const auto session = scheduler.submit(speaker.params(schedule));
  Read read;
  if (missing == 0) {
    while (read.samples.empty()) take(*session->next(kForever), read);
    const SessionStats stats = session->stats();
    EXPECT(stats.codes_at_first_audio == needed && stats.codes == needed);
  } else {
    EXPECT(!session->join(soon()));
    EXPECT(session->stats().wave_steps == 0 && session->stats().codes == needed - missing);
  }
  go = true;
  while (!take(*session->next(kForever), read)) {
  }
  speaker.expect_all(*session, read);
}

// Slot 0 has spoken already; slot 1 comes while one of its later chunks is solved.
void first_audio_goes_before_later_chunks() {
  std::atomic<bool> late{false}, go{false};
  std::vector<uint64_t> order;  // of evaluations, from then on
  Models models({{9, 60}, {9, 60}});
  Sound sound(2, [&](Sound::Work work, const FlowState& state) {
    if (state.seed == 1 && state.start > 0) late = true;
    while (late && !go) std::this_thread::yield();
    if (late && work == Sound::Work::evaluate) order.push_back(state.seed);
  });
  Speaker first{models, sound, 0}, second{models, sound, 1};
  Scheduler scheduler(models.thinker(), models.talker(), kRing);
  const auto a = scheduler.submit(first.params(kBalanced));
  while (!late || a->codes().size() < 59) std::this_thread::yield();
  const auto b = scheduler.submit(second.params(kBalanced));
  while (b->codes().size() < 59) std::this_thread::yield();
  go = true;
  first.expect_all(*a, read_all(*a));
  second.expect_all(*b, read_all(*b));
  const std::vector<uint64_t> want = {1, 2, 2, 2, 1, 2, 1, 2};  // then they take turns again
  EXPECT(order.size() > want.size() && std::equal(want.begin(), want.end(), order.begin()));
}

void a_reader_that_stops_loses_nothing() {
  Models models({{9, 400}, {9, 60}});
  Sound sound(2);
  Speaker slow{models, sound, 0}, other{models, sound, 1};
  Scheduler scheduler(models.thinker(), models.talker(), kRing);
  const auto session = scheduler.submit(slow.params(kLowest, 4));
  Read read;
  while (read.samples.empty()) take(*session->next(kForever), read);
  EXPECT(!session->join(soon()));
  const int paused = session->stats().wave_steps;
  EXPECT(session->stats().chunks.size() < 8);
  EXPECT(!session->join(soon()));
  EXPECT(session->stats().wave_steps == paused);
  const auto quick = scheduler.submit(other.params(kBalanced));
  other.expect_all(*quick, read_all(*quick));
  while (!take(*session->next(kForever), read)) {
  }
  slow.expect_all(*session, read);
}

void cancel_waits_for_one_evaluation_only() {
  std::atomic<int> evaluations{0};
  std::atomic<bool> go{false};
  Models models({{9, 60}, {9, 60}});
  Sound sound(2, [&](Sound::Work work, const FlowState& state) {
    if (work != Sound::Work::evaluate || state.seed != 1) return;
    if (++evaluations == 2)
      while (!go) std::this_thread::yield();
  });
  Speaker first{models, sound, 0}, second{models, sound, 1};
  Scheduler scheduler(models.thinker(), models.talker(), kRing);
  const auto session = scheduler.submit(first.params(kBalanced));
  while (evaluations < 2) std::this_thread::yield();
  session->cancel();
  EXPECT(!session->join(soon()));
  go = true;
  EXPECT(session->join(kForever) && evaluations == 2);
  const auto next = scheduler.submit(second.params(kBalanced));
  second.expect_all(*next, read_all(*next));
}

void many_speak_at_once() {
  std::vector<Script> scripts;
  for (int slot = 0; slot < 5; ++slot) scripts.push_back({4 + slot, 20 + 31 * slot});
  Models models(scripts);
  Sound sound(2);
  Scheduler scheduler(models.thinker(), models.talker(), kRing);
  std::vector<std::thread> readers;
  for (int slot = 0; slot < 5; ++slot) {
    readers.emplace_back([&, slot] {
      for (int round = 0; round < 3; ++round) {
        Speaker speaker{models, sound, slot};
        const auto session =
            scheduler.submit(speaker.params(round % 2 ? kBalanced : kLowest, 3 + slot));
        speaker.expect_all(*session, read_all(*session));
        EXPECT(session->join(kForever));
      }
    });
  }
  for (std::thread& reader : readers) reader.join();
}

}  // namespace

int main() {
  for (int missing : {0, 1}) {
    audio_leaves_at(kBalanced, 2 * kBlockCodes, missing);
    audio_leaves_at(kLowest, kBlockCodes, missing);
  }
  first_audio_goes_before_later_chunks();
  a_reader_that_stops_loses_nothing();
  cancel_waits_for_one_evaluation_only();
  many_speak_at_once();
}
