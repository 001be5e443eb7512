// A flow and a vocoder of plain arithmetic, as the wave lane's tracks. They check their state, log
// what they are asked, and call a hook before every piece of work.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "check.h"
#include "runtime/wave_stream.h"

namespace omni::test {

constexpr FlowSizes kSizes{.block = 6, .repeats = 2, .mel = 2, .capacity = 60};  // 3 codes a block
constexpr int kBlockCodes = kSizes.block / kSizes.repeats;
constexpr int kHop = 4;  // samples a frame
constexpr int kCodeSamples = kHop * kSizes.repeats;
constexpr int kHeldFirst = 3, kContext = 5;  // 3 is what it needs
constexpr int kVocoderCapacity = 20;

class Sound {
 public:
  enum class Work { noise, evaluate, vocode };
  using Hook = std::function<void(Work, const FlowState&)>;

  explicit Sound(int rows, Hook hook = nullptr)
      : hook_(std::move(hook)),
        y_(kSizes.capacity * kSizes.mel),
        velocity_(y_.size() * rows),
        mel_(kVocoderCapacity * kSizes.mel),
        flow_{&noise_plan_, &evaluate_plan_, &state_, y_.data(), velocity_.data(), rows},
        vocoder_{&vocode_plan_,
                 spans_,
                 mel_.data(),
                 samples_,
                 kVocoderCapacity,
                 kSizes.mel,
                 {{1, kContext, kContext}, {2, 1, 1}, {kHop, 0, 0}},
                 kHeldFirst} {
    noise_plan_.append("noise", noise, {this});
    evaluate_plan_.append("evaluate", evaluate, {this});
    vocode_plan_.append("vocode", vocode, {this});
  }
  Sound(const Sound&) = delete;

  const FlowTrack& flow() const { return flow_; }
  const VocoderTrack& vocoder() const { return vocoder_; }
  const std::vector<FlowState>& evaluations() const { return evaluations_; }
  int vocoded() const { return vocoded_; }

  std::unique_ptr<WaveStream> stream(const WaveSchedule& schedule, FlowRequest request) const {
    return std::make_unique<WaveStream>(flow_, kSizes, vocoder_, schedule, std::move(request));
  }

  static float noise_of(int frame, uint64_t seed) {
    return static_cast<float>(frame % 7) + static_cast<float>(seed);
  }
  static float velocity_of(int code) { return static_cast<float>(code % 50); }

  // What every stream must give for these codes; gain: of their velocity, over all evaluations.
  static std::vector<float> speech(std::span<const int> codes, uint64_t seed, float gain) {
    std::vector<float> mel;
    for (int f = 0; f < static_cast<int>(codes.size()) * kSizes.repeats; ++f)
      mel.push_back(noise_of(f, seed) + gain * velocity_of(codes[f / kSizes.repeats]));
    return one_shot(std::move(mel));
  }

  // What the vocoder makes of mel [kVocoderCapacity, kSizes.mel] within its spans.
  static std::vector<float> window(const float* mel, const int32_t* span) {
    std::vector<float> x;
    for (int f = 0; f < kVocoderCapacity; ++f) x.push_back(mel[f * kSizes.mel]);
    std::vector<float> wide = twice(taps(taps(trim(x, span))));
    EXPECT(span[3] == static_cast<int>(wide.size()));
    wide = twice(taps(trim(wide, span + 4)));
    EXPECT(span[7] == static_cast<int>(wide.size()));
    return trim(wide, span + 8);
  }

  // One shot of the vocoder: three taps over zeros, at 1 and at 2 rows a frame.
  static std::vector<float> one_shot(std::vector<float> x) {
    return twice(taps(twice(taps(taps(std::move(x))))));
  }

 private:
  struct Args {
    Sound* sound;
  };

  static std::vector<float> taps(const std::vector<float>& x) {
    std::vector<float> y(x.size());
    for (size_t i = 0; i < x.size(); ++i)
      y[i] = (i > 0 ? x[i - 1] : 0) + 2 * x[i] + (i + 1 < x.size() ? 3 * x[i + 1] : 0);
    return y;
  }
  static std::vector<float> twice(const std::vector<float>& x) {
    std::vector<float> y;
    for (float v : x) y.insert(y.end(), {v, v + 1});
    return y;
  }
  static std::vector<float> trim(const std::vector<float>& x, const int32_t* span) {
    EXPECT(span[0] >= 0 && span[0] + span[1] <= static_cast<int>(x.size()) && span[2] == 0);
    return {x.begin() + span[0], x.begin() + span[0] + span[1]};
  }

  void tell(Work work) const {
    if (hook_) hook_(work, state_);
  }

  static void noise(const Args& args, Team&) {
    Sound& s = *args.sound;
    s.tell(Work::noise);
    for (int f = 0; f < s.state_.frames; ++f)
      for (int c = 0; c < kSizes.mel; ++c)
        s.y_[f * kSizes.mel + c] = noise_of(s.state_.start + f, s.state_.seed);
  }

  // The velocity is the code's; without a condition it is none. The cache carries the frame that
  // the next window must start at, an evaluation each.
  static void evaluate(const Args& args, Team&) {
    Sound& s = *args.sound;
    const FlowState& state = s.state_;
    s.tell(Work::evaluate);
    s.evaluations_.push_back(state);
    if (state.left) EXPECT(state.cache[state.evaluation] == static_cast<float>(state.start));
    if (state.keep > 0)
      state.cache[state.evaluation] = static_cast<float>(state.start + state.keep);
    std::fill(s.velocity_.begin(), s.velocity_.end(), 0.0f);
    for (int f = 0; f < state.frames; ++f)
      for (int c = 0; c < kSizes.mel; ++c)
        s.velocity_[f * s.flow_.rows * kSizes.mel + c] =
            velocity_of(state.codes[f / kSizes.repeats]);
  }

  static void vocode(const Args& args, Team&) {
    Sound& s = *args.sound;
    s.tell(Work::vocode);
    ++s.vocoded_;
    const std::vector<float> out = window(s.mel_.data(), s.spans_);
    std::copy(out.begin(), out.end(), s.samples_);
  }

  Hook hook_;
  FlowState state_{};
  std::vector<float> y_, velocity_, mel_;
  int32_t spans_[3 * 4] = {};
  float samples_[kVocoderCapacity * kHop] = {};
  Plan noise_plan_{"noise"}, evaluate_plan_{"evaluate"}, vocode_plan_{"vocode"};
  FlowTrack flow_;
  VocoderTrack vocoder_;
  std::vector<FlowState> evaluations_;
  int vocoded_ = 0;
};

inline const Evaluation kEuler{{}, true, {1}};  // a step of size 1
constexpr int kEvaluations = 3;
constexpr float kGuidance = 0.5f;

// Velocities are those of the codes, and the row without a condition has none.
constexpr float gain(int rows) { return kEvaluations * (rows == 2 ? 1 + kGuidance : 1); }

// Three Euler steps. cache: of kEvaluations numbers.
inline FlowRequest request(std::vector<float>& cache, uint64_t seed) {
  return {std::vector(kEvaluations, kEuler), kGuidance, seed, {}, nullptr, cache.data(), nullptr};
}

}  // namespace omni::test
