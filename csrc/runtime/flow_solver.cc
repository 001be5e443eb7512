#include "runtime/flow_solver.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

#include "runtime/error.h"

namespace omni {

FlowSolver::FlowSolver(const FlowTrack& track, const FlowSizes& sizes, FlowRequest request)
    : track_(track),
      sizes_(sizes),
      request_(std::move(request)),
      evaluation_(request_.evaluations.size()) {
  const auto& all = request_.evaluations;
  int stage = 0;
  for (const Evaluation& evaluation : all) {
    if (stage == kStages) throw std::invalid_argument("WaveStream: a step has at most 4 stages");
    stage = evaluation.last ? 0 : stage + 1;
  }
  if (all.empty() || stage != 0)
    throw std::invalid_argument("WaveStream: evaluations must end with the last one of a step");
}

void FlowSolver::begin(const FlowWindow& window, Team& team) {
  window_ = window;
  evaluation_ = 0;
  const float* noise = track_.y;
  if (request_.noise.empty()) {
    set_state(nullptr);
    track_.noise->run(team);
  } else {
    const size_t first = static_cast<size_t>(window.start) * sizes_.mel;
    if (first + numbers() > request_.noise.size())
      throw InputError("flow_noise=[" + std::to_string(request_.noise.size() / sizes_.mel) + ", " +
                       std::to_string(sizes_.mel) + "]: give at least " +
                       std::to_string(window.start + window.frames) + " frames");
    noise = &request_.noise[first];
  }
  y_.assign(noise, noise + numbers());
}

void FlowSolver::evaluate(std::span<const int> codes, Team& team) {
  const Evaluation& evaluation = request_.evaluations[evaluation_];
  const std::span<float> input(track_.y, numbers());
  std::copy(y_.begin(), y_.end(), input.begin());
  add(input, evaluation.inputs);
  set_state(&codes[window_.start / sizes_.repeats]);
  track_.evaluate->run(team);
  keep_velocity();
  ++stage_;
  if (evaluation.last) {
    add(y_, evaluation.outputs);
    stage_ = 0;
  }
  ++evaluation_;
}

std::span<const float> FlowSolver::mel() const {
  return {y_.data(), static_cast<size_t>(window_.keep) * sizes_.mel};
}

void FlowSolver::set_state(const int* codes) {
  *track_.state = FlowState{
      .frames = window_.frames,
      .start = window_.start,
      .keep = window_.last ? 0 : window_.keep,
      .left = window_.start > 0,
      .evaluation = static_cast<int32_t>(evaluation_),
      .reserved = 0,
      .seed = request_.seed,
      .table = request_.table,
      .cache = request_.cache,
      .voice = request_.voice,
      .codes = codes,
  };
}

void FlowSolver::add(std::span<float> y, const std::array<float, kStages>& factors) const {
  for (int j = 0; j < kStages; ++j) {
    if (factors[j] == 0) continue;
    const float* k = k_[j].data();
    for (size_t i = 0; i < y.size(); ++i) y[i] += factors[j] * k[i];
  }
}

// With guidance, classifier-free (arXiv 2207.12598): away from the velocity without a condition.
void FlowSolver::keep_velocity() {
  std::vector<float>& k = k_[stage_];
  k.resize(numbers());
  const float* v = track_.velocity;
  if (track_.rows == 1) {
    std::copy(v, v + k.size(), k.begin());
    return;
  }
  const size_t mel = sizes_.mel;
  for (size_t i = 0; i < k.size(); ++i) {
    const size_t frame = i / mel, given = i + frame * mel;
    k[i] = v[given] + request_.guidance * (v[given] - v[given + mel]);
  }
}

}  // namespace omni
