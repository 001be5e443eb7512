#include <pybind11/stl.h>

#include <optional>

#include "bindings/launch.h"
#include "bindings/plan.h"
#include "bindings/runtime.h"

namespace omni::bindings {
namespace {

namespace py = pybind11;

thread_local OwnedPlan* recorded = nullptr;

// The context manager of Plan.recording(); entered and left on one thread.
class RecordingContext {
 public:
  explicit RecordingContext(OwnedPlan& plan) : plan_(plan) {}

  void enter() {
    recording_.emplace(plan_.plan);
    recorded = &plan_;
  }

  void exit(const py::args&) {
    recorded = nullptr;
    recording_.reset();
  }

 private:
  OwnedPlan& plan_;
  std::optional<Plan::Recording> recording_;
};

void run(const OwnedPlan& plan) { plan.plan.run(eager_team()); }

}  // namespace

void keep_with_recording(py::handle owner) {
  if (recorded != nullptr) recorded->owners.append(owner);
}

void register_plan(py::module_& m) {
  py::class_<RecordingContext>(m, "Recording")
      .def("__enter__", &RecordingContext::enter)
      .def("__exit__", &RecordingContext::exit);
  py::class_<OwnedPlan>(m, "Plan")
      .def(py::init<std::string>(), py::arg("name"))
      .def(
          "recording", [](OwnedPlan& plan) { return std::make_unique<RecordingContext>(plan); },
          py::keep_alive<0, 1>())
      .def_static("is_recording", [] { return Plan::recording() != nullptr; })
      .def("run", &run, py::call_guard<py::gil_scoped_release>())
      .def("__len__", [](const OwnedPlan& plan) { return plan.plan.size(); })
      .def_property_readonly("name", [](const OwnedPlan& plan) { return plan.plan.name(); })
      .def_property_readonly("calls", [](const OwnedPlan& plan) { return plan.plan.calls(); });
}

}  // namespace omni::bindings
