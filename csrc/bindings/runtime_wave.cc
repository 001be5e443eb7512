#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <memory>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "base/check.h"
#include "bindings/launch.h"
#include "bindings/runtime.h"
#include "bindings/wave_job.h"
#include "cuda/graph_replay.h"
#include "runtime/wave_stream.h"

namespace omni::bindings {
namespace {

namespace py = pybind11;

// Tracks with the Python owners of their plans and buffers.
struct OwnedFlow {
  FlowTrack track;
  FlowSizes sizes;
  py::tuple owners;
};

struct OwnedVocoder {
  VocoderTrack track;
  py::tuple owners;
};

// A plan of the host, or what replays one on a device.
const Replay* replay_of(const py::object& given) {
  if (py::isinstance<cuda::GraphReplay>(given)) return &given.cast<const cuda::GraphReplay&>();
  if (py::isinstance<cuda::FlowReplay>(given)) return &given.cast<const cuda::FlowReplay&>();
  return &given.cast<const OwnedPlan&>().plan;
}

OwnedFlow make_flow(py::object noise, py::object evaluate, const Arg& state, const Arg& y,
                    const Arg& velocity, int rows, int block, int repeats) {
  Check check("FlowTrack");
  check("state", state.tensor, "16", {DType::i32});
  check("y", y.tensor, "frames mel", {DType::f32});
  check("velocity", velocity.tensor, "R mel", {DType::f32});
  check.require((rows == 1 || rows == 2) && check["R"] >= rows * check["frames"],
                "velocity needs 1 or 2 rows for every frame of y");
  const auto frames = static_cast<int>(check["frames"]), mel = static_cast<int>(check["mel"]);
  return {{replay_of(noise), replay_of(evaluate), state.tensor.as<FlowState>(),
           y.tensor.as<float>(), velocity.tensor.as<float>(), rows},
          {block, repeats, mel, frames},
          py::make_tuple(noise, evaluate, state.owner, y.owner, velocity.owner)};
}

OwnedVocoder make_vocoder(py::object plan, const Arg& spans, const Arg& mel, const Arg& samples,
                          const std::vector<std::tuple<int, int, int>>& levels, int held_first) {
  Check check("VocoderTrack");
  check("spans", spans.tensor, "S 2", {DType::i32});
  check("mel", mel.tensor, "frames mel", {DType::f32});
  check("samples", samples.tensor, "... 1", {DType::f32});
  check.require(!levels.empty() && check["S"] == 2 * static_cast<int64_t>(levels.size()),
                "spans needs two rows for every level");
  const auto frames = static_cast<int>(check["frames"]);
  const auto [one, left, right] = levels.front();
  check.require(check["..."] >= std::get<0>(levels.back()) * (frames - left - right),
                "samples must hold what becomes of mel less its context");
  VocoderTrack track{replay_of(plan),
                     spans.tensor.as<int32_t>(),
                     mel.tensor.as<float>(),
                     samples.tensor.as<float>(),
                     frames,
                     static_cast<int>(check["mel"]),
                     {},
                     held_first};
  for (const auto& [scale, left, right] : levels) track.levels.push_back({scale, left, right});
  return {std::move(track), py::make_tuple(plan, spans.owner, mel.owner, samples.owner)};
}

// A stream with the Python owners of what it works on.
class OwnedStream : public WaveJob {
 public:
  OwnedStream(const OwnedFlow& flow, const OwnedVocoder& vocoder, const WaveSchedule& schedule,
              FlowRequest request, py::tuple owners)
      : owners_(std::move(owners)),
        stream_(flow.track, flow.sizes, vocoder.track, schedule, std::move(request)) {}

  ~OwnedStream() override {
    py::gil_scoped_acquire acquire;
    owners_ = py::object();
  }

  bool wants(size_t known, bool complete) const override { return stream_.wants(known, complete); }
  WavePiece step(std::span<const int> codes, bool complete, Team& team) override {
    return stream_.step(codes, complete, team);
  }

 private:
  py::object owners_;
  WaveStream stream_;
};

using Factors = std::array<float, kStages>;

WaveHandle make_stream(const py::object& flow, const py::object& vocoder,
                       const std::tuple<int, int, int, double>& schedule,
                       const std::vector<std::tuple<Factors, bool, Factors>>& evaluations,
                       float guidance, uint64_t seed, const AnyArg& table, const AnyArg& cache,
                       const AnyArg& voice, const Maybe& noise) {
  const auto& owned = flow.cast<const OwnedFlow&>();
  Check check("WaveStream");
  check("table", table.tensor, "E T C", {DType::f32});
  check(
      "cache", cache.tensor,
      "E L 2 " + std::to_string(owned.track.rows) + " " + std::to_string(owned.sizes.block) + " C",
      {DType::f32});
  check("voice", voice.tensor, "2 C", {DType::f32});
  check.require(check["E"] == static_cast<int64_t>(evaluations.size()),
                "table and cache need a row for every evaluation");
  FlowRequest request{{},
                      guidance,
                      seed,
                      {},
                      table.tensor.as<float>(),
                      cache.tensor.as<float>(),
                      voice.tensor.as<float>()};
  for (const auto& [inputs, last, outputs] : evaluations)
    request.evaluations.push_back({inputs, last, outputs});
  if (noise) {
    check("noise", noise->tensor, "F " + std::to_string(owned.sizes.mel), {DType::f32});
    request.noise = {noise->tensor.as<float>(), static_cast<size_t>(check["F"] * owned.sizes.mel)};
  }
  const auto& [first, chunk, lookahead, growth] = schedule;
  return WaveHandle(std::make_unique<OwnedStream>(
      owned, vocoder.cast<const OwnedVocoder&>(), WaveSchedule{first, chunk, lookahead, growth},
      std::move(request),
      py::make_tuple(flow, vocoder, table.owner, cache.owner, voice.owner,
                     noise ? noise->owner : py::none())));
}

WavePiece step(const WaveHandle& handle, const Arg& codes, bool complete) {
  Check check("WaveStream");
  check("codes", codes.tensor, "N", {DType::i32});
  WaveJob& job = handle.job();
  py::gil_scoped_release release;
  const std::span<const int> known(codes.tensor.as<const int>(), static_cast<size_t>(check["N"]));
  return job.wants(known.size(), complete) ? job.step(known, complete, eager_team()) : WavePiece{};
}

}  // namespace

void register_wave(py::module_& m) {
  using py::arg;
  py::class_<ChunkWork>(m, "ChunkWork")
      .def_readonly("codes", &ChunkWork::codes)
      .def_readonly("lookahead", &ChunkWork::lookahead)
      .def_readonly("solve", &ChunkWork::solve)
      .def_readonly("vocode", &ChunkWork::vocode);
  py::class_<WavePiece>(m, "WavePiece")
      .def_property_readonly("samples",
                             [](const WavePiece& piece) {
                               return py::array_t<float>(
                                   static_cast<py::ssize_t>(piece.samples.size()),
                                   piece.samples.data());
                             })
      .def_readonly("work", &WavePiece::work)
      .def_readonly("finished", &WavePiece::finished);
  py::class_<OwnedFlow>(m, "FlowTrack")
      .def(py::init(&make_flow), arg("noise"), arg("evaluate"), arg("state"), arg("y"),
           arg("velocity"), arg("rows"), arg("block"), arg("repeats"));
  py::class_<OwnedVocoder>(m, "VocoderTrack")
      .def(py::init(&make_vocoder), arg("plan"), arg("spans"), arg("mel"), arg("samples"),
           arg("levels"), arg("held_first"));
  py::class_<WaveHandle>(m, "WaveStream")
      .def(py::init(&make_stream), py::kw_only(), arg("flow"), arg("vocoder"), arg("schedule"),
           arg("evaluations"), arg("guidance"), arg("seed"), arg("table"), arg("cache"),
           arg("voice"), arg("noise") = py::none())
      .def(
          "wants",
          [](const WaveHandle& h, size_t known, bool end) { return h.job().wants(known, end); },
          arg("known"), arg("complete"))
      .def("step", &step, arg("codes"), arg("complete"));
}

}  // namespace omni::bindings
