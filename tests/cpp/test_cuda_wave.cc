// The wave lane on a stream of its own: the flow and the vocoder of sound.h as kernels.
#include <cstring>

#include "cuda/graph_replay.h"
#include "device_models.h"
#include "sound.h"

using namespace omni;
using namespace omni::test;

namespace {

constexpr int kRows = 2;
constexpr int kFlowNumbers = kSizes.capacity * kSizes.mel;
constexpr int kSpans = 3 * 4;
constexpr int kMaxCodes = kSizes.capacity / kSizes.repeats;

// The device's memory of the lane, as one struct so that a kernel needs one address.
struct Device {
  FlowState state;
  float y[kFlowNumbers], velocity[kFlowNumbers * kRows];
  int32_t codes[kMaxCodes];
  float mel[kVocoderCapacity * kSizes.mel], samples[kVocoderCapacity * kHop];
  int32_t spans[kSpans];
};

struct WaveArguments {
  cuda::Address memory;
  cuda::Address scratch[2];
};

template <class Work>
int on_device(const FakeLaunch* launch, Work work) {
  work(*reinterpret_cast<Device*>(arguments_of<WaveArguments>(*launch).memory));
  return 0;
}

int noise(const FakeLaunch* launch, void*) {
  return on_device(launch, [](Device& d) {
    for (int f = 0; f < d.state.frames; ++f)
      for (int c = 0; c < kSizes.mel; ++c)
        d.y[f * kSizes.mel + c] = Sound::noise_of(d.state.start + f, d.state.seed);
  });
}

int evaluate(const FakeLaunch* launch, void*) {
  return on_device(launch, [](Device& d) {
    EXPECT(d.state.codes == d.codes);
    std::fill(std::begin(d.velocity), std::end(d.velocity), 0.0f);
    for (int f = 0; f < d.state.frames; ++f)
      for (int c = 0; c < kSizes.mel; ++c)
        d.velocity[f * kRows * kSizes.mel + c] =
            Sound::velocity_of(d.state.codes[f / kSizes.repeats]);
  });
}

int vocode(const FakeLaunch* launch, void*) {
  return on_device(launch, [](Device& d) {
    const std::vector<float> out = Sound::window(d.mel, d.spans);
    std::copy(out.begin(), out.end(), d.samples);
  });
}

class DeviceSound {
 public:
  explicit DeviceSound(const cuda::Device& device)
      : stream_(device, cuda::Priority::low),
        memory_(sizeof(Device)),
        host_(1),
        kernels_{fake_kernel(device, "noise", "P"), fake_kernel(device, "evaluate", "P"),
                 fake_kernel(device, "vocode", "P")},
        noise_(device, stream_, plan(0), {twin(&Device::state)}, {twin(&Device::y)}),
        evaluate_(device, stream_, plan(1), {twin(&Device::state), twin(&Device::y)},
                  {twin(&Device::velocity)}),
        vocode_(device, stream_, plan(2), {twin(&Device::mel), twin(&Device::spans)},
                {twin(&Device::samples)}),
        flow_(evaluate_, host().state, twin(&Device::codes).device, kMaxCodes, kSizes.repeats),
        flow_track_{&noise_, &flow_, &host().state, host().y, host().velocity, kRows},
        vocoder_track_{&vocode_,
                       host().spans,
                       host().mel,
                       host().samples,
                       kVocoderCapacity,
                       kSizes.mel,
                       {{1, kContext, kContext}, {2, 1, 1}, {kHop, 0, 0}},
                       kHeldFirst} {
    FAKE(fakeCudaKernel)("noise", noise, nullptr);
    FAKE(fakeCudaKernel)("evaluate", evaluate, nullptr);
    FAKE(fakeCudaKernel)("vocode", vocode, nullptr);
  }

  std::unique_ptr<WaveStream> stream(const WaveSchedule& schedule, FlowRequest request) const {
    return std::make_unique<WaveStream>(flow_track_, kSizes, vocoder_track_, schedule,
                                        std::move(request));
  }

 private:
  Device& host() const { return host_[0]; }

  template <class T>
  cuda::Twin twin(T Device::* member) const {
    T& here = host().*member;
    const auto offset = reinterpret_cast<char*>(&here) - reinterpret_cast<char*>(&host());
    return {&here, memory_.address() + offset, sizeof here};
  }

  cuda::LaunchPlan plan(int kernel) const {
    cuda::LaunchPlan plan(kernels_[kernel].info().name);
    cuda::Arguments arguments("P");
    arguments.add_integer(static_cast<int64_t>(memory_.address()));
    plan.append(kernels_[kernel], {1}, arguments.finish());
    return plan;
  }

  cuda::Stream stream_;
  cuda::DeviceMemory memory_;
  cuda::Pinned<Device> host_;
  cuda::Kernel kernels_[3];
  cuda::GraphReplay noise_, evaluate_, vocode_;
  cuda::FlowReplay flow_;
  FlowTrack flow_track_;
  VocoderTrack vocoder_track_;
};

// All three lanes on the device.
void speaks(const char* where = nullptr, int result = 0, int after = 0, const char* told = "") {
  FAKE(fakeCudaReset)();
  DeviceModels models({{20, 60}, {30, 80}});
  const cuda::Device device(0);
  device.use();
  DeviceSound sound(device);
  FAKE(fakeCudaDelays)(1, 60);
  if (where) FAKE(fakeCudaFail)(where, result, after);
  Scheduler scheduler(models.thinker(), models.talker(), kRing);
  std::vector<float> caches[2];
  std::vector<std::unique_ptr<Session>> sessions;
  for (int slot = 0; slot < 2; ++slot) {
    caches[slot].resize(kEvaluations);
    SessionParams params = models.params(slot);
    params.wave = sound.stream({1, 4, 1, 2}, request(caches[slot], slot));
    sessions.push_back(scheduler.submit(std::move(params)));
  }
  for (int slot = 0; slot < 2; ++slot) {
    Session& session = *sessions[slot];
    if (where) {
      EXPECT_TELLS(told, read_all(session));
      continue;
    }
    const Read read = read_all(session);
    EXPECT(static_cast<int>(session.codes().size()) == models.script(slot).code_length - 1);
    EXPECT(read.samples == Sound::speech(session.codes(), slot, gain(kRows)));
  }
  sessions.clear();
  scheduler.close();
  FAKE(fakeCudaReset)();
}

}  // namespace

int main() {
  fake_library();
  speaks();
  speaks("noise", 700, 0, "CUDA_ERROR_ILLEGAL_ADDRESS");
  speaks("evaluate", 719, 2, "CUDA_ERROR_LAUNCH_FAILED");
  speaks("vocode", 214, 0, "CUDA_ERROR_ECC_UNCORRECTABLE");
  speaks();
}
