// What one session delivers, and how far its lanes run ahead.
#include <atomic>
#include <chrono>
#include <thread>

#include "models.h"

using namespace omni;
using namespace omni::test;

namespace {

const auto kForever = Clock::time_point::max();

Clock::time_point soon() { return Clock::now() + std::chrono::milliseconds(30); }

void speaks(int text_length, int code_length) {
  Models models({{text_length, code_length}});
  Scheduler scheduler(models.thinker(), models.talker(), kRing);
  const auto session = scheduler.submit(models.params(0));
  const Read read = read_all(*session);
  const int codes = text_length == 1 ? 0 : code_length - 1;
  expect_complete(models, 0, *session, read, text_length, codes);
  EXPECT(read.finish_reason == "stop");

  const SessionStats stats = session->stats();
  EXPECT(stats.text_tokens == text_length && stats.codes == codes);
  EXPECT(stats.samples == kSamplesPerCode * codes);
  EXPECT(stats.thinker_steps == text_length - 1);
  EXPECT(stats.talker_steps == (text_length == 1 ? 0 : code_length));
  EXPECT(stats.wave_steps == (codes == 0 ? 0 : 2 * codes + 1));
  EXPECT(*stats.first_text <= *stats.last_text && *stats.last_text <= *stats.done);
  EXPECT(stats.first_code.has_value() == (codes > 0));
  EXPECT(stats.first_audio.has_value() == (codes > 0));
  EXPECT(std::get<DoneEvent>(*session->next(kForever)).finish_reason == "stop");
}

void stops_at_the_limits() {
  Models models({{0, 0}});
  Scheduler scheduler(models.thinker(), models.talker(), kRing);
  SessionParams params = models.params(0);
  params.thinker_max_tokens = 7;
  params.talker_max_codes = 20;
  const auto session = scheduler.submit(std::move(params));
  const Read read = read_all(*session);
  expect_complete(models, 0, *session, read, 7, 19);  // the last generated code is dropped
  EXPECT(read.finish_reason == "length");
  EXPECT(session->stats().talker_steps == 20);
}

void one_token_is_the_limit() {
  Models models({{0, 0}});
  Scheduler scheduler(models.thinker(), models.talker(), kRing);
  SessionParams params = models.params(0);
  params.thinker_max_tokens = 1;
  const auto session = scheduler.submit(std::move(params));
  expect_complete(models, 0, *session, read_all(*session), 1, 0);
  EXPECT(session->stats().finish_reason == "length");
}

void writes_only(bool with_talker) {
  Models models({{300, 9}});
  Scheduler scheduler(models.thinker(), with_talker ? models.talker() : nullptr, kRing);
  const auto session = scheduler.submit(models.params(0, false));
  const Read read = read_all(*session);
  expect_complete(models, 0, *session, read, 300, 0);
  EXPECT(scheduler.stats().size() == (with_talker ? kLanes : 1));
  EXPECT(scheduler.stats()[0].steps == 2 + 299);  // the prompt came in two pieces
}

void gives_codes_without_a_wave() {
  Models models({{6, 12}});
  Scheduler scheduler(models.thinker(), models.talker(), kRing);
  SessionParams params = models.params(0);
  params.wave = nullptr;
  const auto session = scheduler.submit(std::move(params));
  EXPECT(read_all(*session).samples.empty());
  EXPECT(session->codes().size() == 11);
}

// The talker's first code comes while the thinker writes on, and the ring bounds the distance.
void overlaps_within_the_ring() {
  std::atomic<int> passes{0}, steps{0};
  std::atomic<bool> talk{false};
  Models models({{60, 70}}, [&](At at, int, int step) {
    if (at == At::thinker) {
      passes = step;
      EXPECT(step - 1 - steps <= kRing);  // `steps` may lag by the one that ended just now
    }
    if (at == At::talker) {
      while (!talk) std::this_thread::yield();
      EXPECT(step < passes || passes == 59);
      steps = step;
    }
  });
  Scheduler scheduler(models.thinker(), models.talker(), kRing);
  const auto session = scheduler.submit(models.params(0));
  while (passes < kRing) std::this_thread::yield();
  EXPECT(!session->join(soon()));
  EXPECT(session->stats().thinker_steps == kRing);
  talk = true;
  expect_complete(models, 0, *session, read_all(*session), 60, 69);
  EXPECT(*session->stats().text_tokens_at_first_code < 60);
}

void finished_speech_frees_the_thinker() {
  Models models({{100, 3}});
  Scheduler scheduler(models.thinker(), models.talker(), kRing);
  const auto session = scheduler.submit(models.params(0));
  expect_complete(models, 0, *session, read_all(*session), 100, 2);
}

void slow_reader_pauses_every_lane() {
  Models models({{400, 400}, {50, 60}});
  Scheduler scheduler(models.thinker(), models.talker(), kRing);
  SessionParams params = models.params(0);
  params.event_capacity = 8;
  const auto slow = scheduler.submit(std::move(params));
  EXPECT(!slow->join(soon()));
  const SessionStats paused = slow->stats();
  EXPECT(paused.text_tokens <= 8 && paused.talker_steps <= 8);
  EXPECT(!slow->join(soon()));
  EXPECT(slow->stats().thinker_steps == paused.thinker_steps);

  const auto other = scheduler.submit(models.params(1));
  expect_complete(models, 1, *other, read_all(*other), 50, 59);
  EXPECT(slow->stats().thinker_steps == paused.thinker_steps);
  expect_complete(models, 0, *slow, read_all(*slow), 400, 399);
}

void next_waits_no_longer_than_asked() {
  std::atomic<bool> go{false};
  Models models({{5, 9}}, [&](At at, int, int) {
    while (at != At::prefill && !go) std::this_thread::yield();
  });
  Scheduler scheduler(models.thinker(), models.talker(), kRing);
  const auto session = scheduler.submit(models.params(0));
  EXPECT(std::get<TokenEvent>(*session->next(kForever)).id == models.token(0, 0));
  EXPECT(!session->next(soon()));
  go = true;
  EXPECT(read_all(*session).tokens.size() == 4);
}

}  // namespace

int main() {
  for (const auto& [text, codes] : {std::pair{1, 9}, {2, 9}, {5, 9}, {20, 9}, {9, 9}, {40, 80}})
    speaks(text, codes);
  speaks(5, 1);  // the first code is the stop id
  stops_at_the_limits();
  one_token_is_the_limit();
  writes_only(true);
  writes_only(false);
  gives_codes_without_a_wave();
  overlaps_within_the_ring();
  finished_speech_frees_the_thinker();
  slow_reader_pauses_every_lane();
  next_waits_no_longer_than_asked();
}
