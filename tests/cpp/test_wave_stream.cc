// Streams by themselves: windows, counts and samples for every way in which codes may come.
#include <algorithm>
#include <random>
#include <tuple>

#include "runtime/error.h"
#include "sound.h"

using namespace omni;
using namespace omni::test;

namespace {

constexpr uint64_t kSeed = 5;
Team team;

std::vector<int> some_codes(int count) {
  std::vector<int> codes;
  for (int i = 0; i < count; ++i) codes.push_back(i * i + 3);
  return codes;
}

struct Run {
  std::vector<float> samples;
  std::vector<std::tuple<int, int, int>> windows;  // start, frames, keep of every evaluation
  std::vector<ChunkWork> chunks;
};

// Works off whatever is wanted, then lets more codes come: `arrive` says how many at a time.
template <class Arrive>
Run drive(const WaveSchedule& schedule, int count, int rows, Arrive arrive) {
  Sound sound(rows);
  std::vector<float> cache(kEvaluations);
  const auto stream = sound.stream(schedule, request(cache, kSeed));
  const std::vector<int> codes = some_codes(count);
  Run run;
  size_t known = 0;
  bool complete = false, finished = false;
  while (!finished) {
    while (!finished && stream->wants(known, complete)) {
      const size_t before = sound.evaluations().size() + sound.vocoded();
      WavePiece piece = stream->step({codes.data(), known}, complete, team);
      EXPECT(sound.evaluations().size() + sound.vocoded() - before ==
             (piece.finished && piece.samples.empty() ? 0 : 1));
      run.samples.insert(run.samples.end(), piece.samples.begin(), piece.samples.end());
      if (!piece.samples.empty()) run.chunks.push_back(piece.work);
      finished = piece.finished;
    }
    EXPECT(finished || !complete);
    complete = known == codes.size();
    known = std::min(codes.size(), known + arrive());
  }
  EXPECT(!stream->wants(known, true));
  for (const FlowState& state : sound.evaluations())
    run.windows.emplace_back(state.start, state.frames, state.keep);
  return run;
}

Run drive(const WaveSchedule& schedule, int count, int rows = 2) {
  return drive(schedule, count, rows, [] { return 1; });
}

const WaveSchedule kSchedules[] = {
    {1, 2, 0, 2}, {1, 4, 1, 2}, {1, 6, 1, 1.5}, {2, 3, 7, 3}, {5, 5, 5, 2}, {1, 1, 0, 1},
};

void equals_one_shot_however_codes_come() {
  std::mt19937 random(1);
  for (const WaveSchedule& schedule : kSchedules) {
    for (int count : {1, 2, 3, 4, 5, 6, 7, 12, 29, 30, 31, 100, 1000}) {
      const std::vector<float> want = Sound::speech(some_codes(count), kSeed, gain(2));
      EXPECT(static_cast<int>(want.size()) == count * kCodeSamples);
      const Run single = drive(schedule, count);
      EXPECT(single.samples == want);
      for (int round = 0; round < 5; ++round) {
        const Run other = drive(schedule, count, 2, [&] { return random() % 40; });
        EXPECT(other.samples == want && other.windows == single.windows);
        EXPECT(other.chunks.size() == single.chunks.size());
      }
      EXPECT(drive(schedule, count, 1).samples == Sound::speech(some_codes(count), kSeed, gain(1)));
    }
  }
}

// Each window begins where the last one's final frames end, and is evaluated once a time.
void solves_nothing_twice_to_the_left() {
  for (const WaveSchedule& schedule : kSchedules) {
    for (int count : {1, 3, 12, 100}) {
      const auto windows = drive(schedule, count).windows;
      int done = 0;
      for (size_t i = 0; i < windows.size(); i += kEvaluations) {
        const auto [start, frames, keep] = windows[i];
        EXPECT(start == done);
        for (int e = 0; e < kEvaluations; ++e) EXPECT(windows[i + e] == windows[i]);
        done += keep > 0 ? keep : frames;
      }
      EXPECT(done == count * kSizes.repeats);
    }
  }
}

void chunks_grow_from_the_first() {
  const auto blocks = [](const WaveSchedule& schedule) {
    std::vector<int> sizes;
    const auto windows = drive(schedule, 100).windows;
    for (size_t i = 0; i < 5 * kEvaluations; i += kEvaluations)
      sizes.push_back(std::get<2>(windows[i]) / kSizes.block);
    return sizes;
  };
  EXPECT((blocks({1, 8, 1, 2}) == std::vector{1, 2, 4, 8, 8}));
  EXPECT((blocks({1, 6, 1, 2}) == std::vector{1, 2, 4, 6, 6}));
  EXPECT((blocks({2, 9, 0, 1.5}) == std::vector{2, 3, 4, 6, 9}));
  EXPECT((blocks({3, 9, 1, 1}) == std::vector{3, 3, 3, 3, 3}));
}

// codes: what the first window needs. The rest of the reply is not known.
void starts_at(const WaveSchedule& schedule, int codes) {
  Sound sound(2);
  std::vector<float> cache(kEvaluations);
  const auto stream = sound.stream(schedule, request(cache, kSeed));
  const std::vector<int> known = some_codes(codes);
  EXPECT(!stream->wants(codes - 1, false) && stream->wants(codes, false));
  for (int e = 0; e < kEvaluations; ++e) EXPECT(stream->step(known, false, team).samples.empty());
  const WavePiece first = stream->step(known, false, team);
  EXPECT(first.work.codes == codes && first.work.lookahead == schedule.lookahead);
  EXPECT(first.work.solve > 0 && first.work.vocode > 0);
  EXPECT(static_cast<int>(first.samples.size()) ==
         kHop * (schedule.first * kSizes.block - kHeldFirst));
  EXPECT(!stream->wants(codes, false));
}

void a_short_reply_comes_at_its_end() {
  for (int count = 1; count < 2 * kBlockCodes; ++count) {
    const Run run = drive({1, 8, 1, 2}, count);
    EXPECT(run.windows.size() == kEvaluations && run.chunks.size() == 1);
    EXPECT(std::get<1>(run.windows[0]) == count * kSizes.repeats);
    EXPECT(run.chunks[0].codes == count && run.chunks[0].lookahead == 0);
  }
}

void long_chunks_are_vocoded_in_pieces() {
  const Run run = drive({10, 10, 0, 1}, 30);
  EXPECT(run.windows.size() == kEvaluations);
  const int piece = kVocoderCapacity - 2 * kContext;  // frames
  EXPECT(static_cast<int>(run.chunks.size()) == (60 - kHeldFirst + piece - 1) / piece + 1);
}

// y' = y by the classic tableau, in one step of h: the polynomial of e^h.
void steps_as_a_tableau_says() {
  struct Args {
    const float* y;
    float* velocity;
  };
  std::vector<float> y(kSizes.capacity * kSizes.mel), velocity(y.size());
  FlowState state;
  Plan noise("noise"), evaluate("evaluate");
  noise.append(
      "ones", +[](const Args& a, Team&) { std::fill_n(const_cast<float*>(a.y), 12, 1.0f); },
      Args{y.data(), nullptr});
  evaluate.append(
      "copy", +[](const Args& a, Team&) { std::copy_n(a.y, 12, a.velocity); },
      Args{y.data(), velocity.data()});
  const FlowTrack track{&noise, &evaluate, &state, y.data(), velocity.data(), 1};
  const float h = 0.5f;
  const std::vector<Evaluation> rk4 = {{{}, false, {}},
                                       {{h / 3}, false, {}},
                                       {{-h / 3, h}, false, {}},
                                       {{h, -h, h}, true, {h / 8, 3 * h / 8, 3 * h / 8, h / 8}}};
  FlowSolver solver(track, kSizes, {rk4, 0, 0, {}, nullptr, nullptr, nullptr});
  solver.begin({0, 6, 4, false}, team);
  const std::vector<int> codes(3);
  for (int e = 0; e < 4; ++e) {
    EXPECT(solver.solving());
    solver.evaluate(codes, team);
  }
  EXPECT(!solver.solving() && solver.mel().size() == 4 * kSizes.mel);
  const float want = 1 + h + h * h / 2 + h * h * h / 6 + h * h * h * h / 24;
  for (float value : solver.mel()) EXPECT(std::abs(value - want) < 1e-6f);
}

void takes_given_noise() {
  Sound sound(2);
  std::vector<float> cache(kEvaluations), noise;
  for (int f = 0; f < 24; ++f) noise.insert(noise.end(), kSizes.mel, Sound::noise_of(f, 9));
  const std::vector<int> codes = some_codes(13);
  FlowRequest given = request(cache, kSeed);
  given.noise = noise;
  auto stream = sound.stream({1, 4, 1, 2}, given);
  std::vector<float> samples;
  for (bool finished = false; !finished;) {
    WavePiece piece = stream->step({codes.data(), 12}, true, team);
    samples.insert(samples.end(), piece.samples.begin(), piece.samples.end());
    finished = piece.finished;
  }
  EXPECT(samples == Sound::speech({codes.data(), 12}, 9, gain(2)));
  stream = sound.stream({5, 5, 0, 1}, given);
  EXPECT_THROWS(InputError, stream->step(codes, true, team));
}

void refuses_what_cannot_work() {
  Sound sound(2);
  std::vector<float> cache(kEvaluations);
  const FlowRequest good = request(cache, kSeed);
  const auto refused = [&](const WaveSchedule& schedule, FlowRequest asked) {
    EXPECT_THROWS(std::invalid_argument, sound.stream(schedule, std::move(asked)));
  };
  for (const WaveSchedule& bad :
       {WaveSchedule{0, 4, 1, 2}, {5, 4, 1, 2}, {1, 4, -1, 2}, {1, 4, 1, 0.5}, {1, 8, 3, 2}})
    refused(bad, good);
  FlowRequest open = good;
  open.evaluations.back().last = false;
  refused({1, 4, 1, 2}, open);
  open.evaluations.clear();
  refused({1, 4, 1, 2}, open);
  open.evaluations.assign(5, Evaluation{{}, false, {}});
  open.evaluations.back().last = true;
  refused({1, 4, 1, 2}, open);
}

}  // namespace

int main() {
  equals_one_shot_however_codes_come();
  solves_nothing_twice_to_the_left();
  chunks_grow_from_the_first();
  starts_at({1, 8, 1, 2}, 2 * kBlockCodes);
  starts_at({1, 2, 0, 2}, kBlockCodes);
  starts_at({2, 4, 3, 2}, 5 * kBlockCodes);
  a_short_reply_comes_at_its_end();
  long_chunks_are_vocoded_in_pieces();
  steps_as_a_tableau_says();
  takes_given_noise();
  refuses_what_cannot_work();
}
