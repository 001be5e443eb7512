#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/check.h"
#include "bindings/plan.h"
#include "bindings/prefill_job.h"
#include "bindings/runtime.h"
#include "bindings/wave_job.h"
#include "cuda/stream_track.h"
#include "runtime/error.h"
#include "runtime/scheduler.h"

namespace omni::bindings {
namespace {

namespace py = pybind11;

using TrackArg = std::pair<py::object, Arg>;  // (Plan, int32 [1, 16])

StepState* row_of(const Arg& states) {
  Check check("Scheduler");
  check("states", states.tensor, "1 16", {DType::i32});
  return states.tensor.as<StepState>();
}

// A decoder's track with its owner: a device's, or one of the host, made of a plan and a row.
class OwnedTrack {
 public:
  explicit OwnedTrack(py::object given) : owner_(std::move(given)) {
    if (py::isinstance<cuda::StreamTrack>(owner_)) return;
    const auto [plan, row] = owner_.cast<TrackArg>();
    host_.emplace(plan.cast<const OwnedPlan&>().plan, *row_of(row));
  }

  Track& get() { return host_ ? *host_ : static_cast<Track&>(owner_.cast<cuda::StreamTrack&>()); }

 private:
  py::object owner_;
  std::optional<PlanTrack> host_;
};

// A scheduler with its tracks.
class OwnedScheduler {
 public:
  OwnedScheduler(py::object thinker, std::optional<py::object> talker, int ring_rows)
      : thinker_(std::move(thinker)) {
    if (talker) talker_.emplace(std::move(*talker));
    scheduler_.emplace(thinker_.get(), talker_ ? &talker_->get() : nullptr, ring_rows);
    live().push_back(this);
  }

  ~OwnedScheduler() {
    std::erase(live(), this);
    shutdown();
  }

  std::unique_ptr<Session> submit(SessionParams params) {
    py::gil_scoped_release release;
    return scheduler_->submit(std::move(params));
  }

  void shutdown() {
    py::gil_scoped_release release;  // a prefill may need it to finish its step
    scheduler_->close();
  }

  py::dict stats() const {
    std::vector<LaneStats> lanes;
    {
      py::gil_scoped_release release;
      lanes = scheduler_->stats();
    }
    static constexpr std::array kNames = {"thinker", "talker", "wave"};
    py::dict all;
    for (size_t i = 0; i < lanes.size(); ++i) {
      all[kNames[i]] = py::dict(
          py::arg("steps") = lanes[i].steps, py::arg("step_seconds") = lanes[i].step_seconds,
          py::arg("gaps") = lanes[i].gaps, py::arg("gap_seconds") = lanes[i].gap_seconds);
    }
    return all;
  }

  // Guarded by the GIL.
  static std::vector<OwnedScheduler*>& live() {
    static std::vector<OwnedScheduler*> schedulers;
    return schedulers;
  }

 private:
  OwnedTrack thinker_;
  std::optional<OwnedTrack> talker_;
  std::optional<Scheduler> scheduler_;
};

Clock::time_point time_of(double monotonic) {
  return Clock::time_point(
      std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(monotonic)));
}

std::unique_ptr<Session> submit(OwnedScheduler& scheduler, py::object prefill, Arg thinker_state,
                                Arg talker_state, int thinker_max_tokens,
                                std::vector<int> thinker_stop_ids, bool speaks,
                                int talker_max_codes, std::vector<int> talker_stop_ids,
                                WaveHandle* wave, int event_capacity,
                                std::optional<double> started) {
  SessionParams params;
  params.prefill =
      make_prefill_job(std::move(prefill), std::move(thinker_state), std::move(talker_state));
  params.thinker_max_tokens = thinker_max_tokens;
  params.thinker_stop_ids = std::move(thinker_stop_ids);
  params.speaks = speaks;
  params.talker_max_codes = talker_max_codes;
  params.talker_stop_ids = std::move(talker_stop_ids);
  if (wave != nullptr) params.wave = wave->take();
  params.event_capacity = event_capacity;
  if (started) params.start = time_of(*started);
  return scheduler.submit(std::move(params));
}

// A lane that waits for the GIL of a finalized interpreter would never come back.
void shutdown_all() {
  while (!OwnedScheduler::live().empty()) {  // looks anew: others may go while the GIL is released
    OwnedScheduler* scheduler = OwnedScheduler::live().back();
    OwnedScheduler::live().pop_back();
    scheduler->shutdown();
  }
}

}  // namespace

void register_scheduler(py::module_& m) {
  using py::arg;
  py::class_<OwnedScheduler>(m, "Scheduler")
      .def(py::init<py::object, std::optional<py::object>, int>(), arg("thinker"), arg("talker"),
           arg("ring_rows"))
      .def("submit", &submit, py::kw_only(), arg("prefill"), arg("thinker_state"),
           arg("talker_state"), arg("thinker_max_tokens"), arg("thinker_stop_ids"),
           arg("speaks") = false, arg("talker_max_codes") = 0,
           arg("talker_stop_ids") = std::vector<int>(), arg("wave") = py::none(),
           arg("event_capacity") = 64, arg("started") = py::none())
      .def("shutdown", &OwnedScheduler::shutdown)
      .def("stats", &OwnedScheduler::stats);
  py::module_::import("atexit").attr("register")(py::cpp_function(&shutdown_all));
}

}  // namespace omni::bindings
