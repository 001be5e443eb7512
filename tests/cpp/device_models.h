// The scripted thinker and talker of models.h as kernels on streams of the fake driver.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "cuda/stream_track.h"
#include "fake.h"
#include "models.h"

namespace omni::test {

constexpr int kAhead = 3;
constexpr int kWidth = 4;  // of the largest bucket

// What a stage's kernel takes; scratch is Triton's.
struct StepArguments {
  cuda::Address rows, ring;
  int32_t count;
  cuda::Address scratch[2];
};

class DeviceModels : public Models {
 public:
  explicit DeviceModels(std::vector<Script> scripts, Hook hook = nullptr, int ahead = kAhead)
      : Models(std::move(scripts), std::move(hook)),
        device_(in_use()),
        blank_slot_(static_cast<int>(slots())),
        ring_(slots() * kRing * sizeof(int)) {
    FAKE(fakeCudaKernel)("think", think, this);
    FAKE(fakeCudaKernel)("talk", talk, this);
    thinker_.emplace(*this, "think", cuda::Priority::middle, ahead, nullptr);
    talker_.emplace(*this, "talk", cuda::Priority::high, ahead, &thinker_->track);
  }

  Track& thinker() { return thinker_->track; }
  Track* talker() { return &talker_->track; }

 private:
  // One decoder: its states, its kernel recorded for each bucket, and its stream.
  struct Decoder {
    Decoder(const DeviceModels& models, const char* name, cuda::Priority priority, int ahead,
            const cuda::StreamTrack* upstream)
        : kernel(fake_kernel(models.device_, name, "PPi")),
          stream(models.device_, priority),
          batch(kWidth * sizeof(StepState)),
          rest(models.slots() * sizeof(StepState)),
          blank(sizeof(StepState)),
          track(models.device_, stream, record(models.ring_.address()),
                {batch.address(), rest.address(), fill_blank(models.blank_slot_)}, ahead,
                upstream) {}

    std::vector<cuda::Bucket> record(cuda::Address ring) {
      std::vector<cuda::Bucket> buckets;
      for (int rows = 1; rows <= kWidth; rows *= 2) {
        cuda::Arguments arguments("PPi");
        arguments.add_integer(static_cast<int64_t>(batch.address()));
        arguments.add_integer(static_cast<int64_t>(ring));
        arguments.add_integer(rows);
        plans.push_back(std::make_unique<cuda::LaunchPlan>(kernel.info().name));
        plans.back()->append(kernel, {1}, arguments.finish());
        buckets.push_back({rows, plans.back().get()});
      }
      return buckets;
    }

    cuda::Address fill_blank(int slot) {
      cuda::Pinned<StepState> state(1);
      state[0].slot = slot;
      cuda::driver().cuMemcpyHtoDAsync(blank.address(), state.data(), sizeof(StepState),
                                       stream.get());
      stream.synchronize();
      return blank.address();
    }

    cuda::Kernel kernel;
    cuda::Stream stream;
    cuda::DeviceMemory batch, rest, blank;
    std::vector<std::unique_ptr<cuda::LaunchPlan>> plans;
    cuda::StreamTrack track;
  };

  static const cuda::Device& in_use() {
    fake_library();
    static const cuda::Device device(0);
    device.use();
    return device;
  }

  template <class Step>
  static int for_rows(const FakeLaunch* launch, void* context, Step step) {
    auto& models = *static_cast<DeviceModels*>(context);
    const auto args = arguments_of<StepArguments>(*launch);
    auto* rows = reinterpret_cast<StepState*>(args.rows);
    for (int i = 0; i < args.count; ++i)
      if (rows[i].slot != models.blank_slot_)
        step(models, rows[i], reinterpret_cast<int*>(args.ring) + rows[i].slot * kRing);
    return 0;
  }

  static int think(const FakeLaunch* launch, void* context) {
    return for_rows(launch, context, [](DeviceModels& models, StepState& s, int* ring) {
      models.hook(At::thinker, s.slot, s.row + 1);
      EXPECT(s.token == models.token(s.slot, s.row));
      ring[s.row % kRing] = text_row(s.slot, s.row);
      ++s.row;
      s.token = models.token(s.slot, s.row);
    });
  }

  static int talk(const FakeLaunch* launch, void* context) {
    return for_rows(launch, context, [](DeviceModels& models, StepState& s, int* ring) {
      models.hook(At::talker, s.slot, s.row);
      EXPECT(s.row == 0 || s.token == models.code(s.slot, s.row - 1));
      models.hear(s.slot, s.row, s.text_rows, ring[s.row % kRing]);
      s.token = models.code(s.slot, s.row);
      ++s.row;
    });
  }

  const cuda::Device& device_;
  const int blank_slot_;
  cuda::DeviceMemory ring_;  // int [slots, kRing]
  std::optional<Decoder> thinker_, talker_;
};

}  // namespace omni::test
