#include <pybind11/stl.h>

#include <algorithm>
#include <stdexcept>
#include <tuple>
#include <utility>
#include <vector>

#include "base/check.h"
#include "bindings/cuda.h"
#include "bindings/tensor_caster.h"
#include "cuda/graph_replay.h"
#include "cuda/stream_track.h"

namespace omni::bindings {
namespace {

namespace py = pybind11;

cuda::Address address_of(const py::object& tensor) {
  return tensor.attr("data_ptr")().cast<cuda::Address>();
}

std::unique_ptr<cuda::StreamTrack> make_track(
    const cuda::Device& device, const cuda::Stream& stream,
    const std::vector<std::pair<int, OwnedLaunchPlan*>>& plans, const py::object& batch,
    const py::object& slots, const py::object& blank, int ahead,
    const cuda::StreamTrack* upstream) {
  if (plans.empty() || ahead < 1)
    throw std::invalid_argument("Track: give a plan or more, and ahead of 1 or more");
  std::vector<cuda::Bucket> buckets;
  for (const auto& [rows, plan] : plans) buckets.push_back({rows, &plan->plan});
  if (!std::is_sorted(buckets.begin(), buckets.end(),
                      [](const auto& a, const auto& b) { return a.rows < b.rows; }))
    throw std::invalid_argument("Track: plans must be in the order of their rows");
  const cuda::StateRows states{address_of(batch), address_of(slots), address_of(blank)};
  py::gil_scoped_release release;
  device.use();
  return std::make_unique<cuda::StreamTrack>(device, stream, buckets, states, ahead, upstream);
}

using TwinArg = std::pair<py::object, py::object>;  // tensors: the host's, the device's

std::vector<cuda::Twin> twins_of(const std::vector<TwinArg>& args) {
  std::vector<cuda::Twin> twins;
  for (const auto& [host, device] : args) {
    const auto bytes = host.attr("nbytes").cast<size_t>();
    if (device.attr("nbytes").cast<size_t>() != bytes)
      throw std::invalid_argument("Replay: a tensor and its twin on the device differ in size");
    twins.push_back({reinterpret_cast<void*>(address_of(host)), address_of(device), bytes});
  }
  return twins;
}

std::unique_ptr<cuda::GraphReplay> make_replay(const cuda::Device& device,
                                               const cuda::Stream& stream,
                                               const OwnedLaunchPlan& plan,
                                               const std::vector<TwinArg>& inputs,
                                               const std::vector<TwinArg>& outputs) {
  auto in = twins_of(inputs), out = twins_of(outputs);
  py::gil_scoped_release release;
  device.use();
  return std::make_unique<cuda::GraphReplay>(device, stream, plan.plan, std::move(in),
                                             std::move(out));
}

std::unique_ptr<cuda::FlowReplay> make_flow_replay(const cuda::GraphReplay& replay,
                                                   const Arg& state, const py::object& codes,
                                                   int repeats) {
  Check check("FlowReplay");
  check("state", state.tensor, "16", {DType::i32});
  replay.device().use();
  return std::make_unique<cuda::FlowReplay>(replay, *state.tensor.as<FlowState>(),
                                            address_of(codes), codes.attr("numel")().cast<int>(),
                                            repeats);
}

}  // namespace

void register_cuda_track(py::module_& m) {
  using py::arg;
  py::class_<cuda::StreamTrack>(m, "Track")
      .def(py::init(&make_track), py::kw_only(), arg("device"), arg("stream"), arg("plans"),
           arg("batch"), arg("slots"), arg("blank"), arg("ahead"), arg("upstream") = nullptr,
           py::keep_alive<1, 2>(), py::keep_alive<1, 3>(), py::keep_alive<1, 4>(),
           py::keep_alive<1, 5>(), py::keep_alive<1, 6>(), py::keep_alive<1, 7>(),
           py::keep_alive<1, 9>(),
           "plans: (rows, Plan) for each bucket. batch, slots, blank: int32 device tensors of "
           "StepStates [rows, 16], [slots, 16], [1, 16]. ahead: steps under way");
  py::class_<cuda::GraphReplay>(m, "Replay")
      .def(py::init(&make_replay), py::kw_only(), arg("device"), arg("stream"), arg("plan"),
           arg("inputs"), arg("outputs"), py::keep_alive<1, 2>(), py::keep_alive<1, 3>(),
           py::keep_alive<1, 4>(), py::keep_alive<1, 5>(), py::keep_alive<1, 6>(),
           "inputs, outputs: pairs of a host tensor, best pinned, and a device tensor");
  py::class_<cuda::FlowReplay>(m, "FlowReplay")
      .def(py::init(&make_flow_replay), arg("replay"), arg("state"), arg("codes"), arg("repeats"),
           py::keep_alive<1, 2>(), py::keep_alive<1, 3>(), py::keep_alive<1, 4>(),
           "codes: an int32 device tensor for those of the longest window");
}

}  // namespace omni::bindings
