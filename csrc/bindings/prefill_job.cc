#include "bindings/prefill_job.h"

#include <utility>

#include "base/check.h"

namespace omni::bindings {
namespace {

namespace py = pybind11;

StepState* row_of(const char* name, const Arg& state) {
  Check check("prefill");
  check(name, state.tensor, "1 16", {DType::i32});
  return state.tensor.as<StepState>();
}

class PythonPrefillJob : public PrefillJob {
 public:
  PythonPrefillJob(py::object iterator, Arg thinker, Arg talker)
      : iterator_(std::move(iterator)),
        owners_(py::make_tuple(thinker.owner, talker.owner)),
        thinker_(row_of("thinker_state", thinker)),
        talker_(row_of("talker_state", talker)) {}

  ~PythonPrefillJob() override {
    py::gil_scoped_acquire acquire;
    iterator_ = py::object();
    owners_ = py::object();
  }

  bool step() override {
    py::gil_scoped_acquire acquire;
    const auto item = py::reinterpret_steal<py::object>(PyIter_Next(iterator_.ptr()));
    if (PyErr_Occurred()) throw py::error_already_set();
    return !item;
  }

  StepState thinker() const override { return *thinker_; }
  StepState talker() const override { return *talker_; }

 private:
  py::object iterator_;
  py::object owners_;
  StepState* thinker_;
  StepState* talker_;
};

}  // namespace

std::unique_ptr<PrefillJob> make_prefill_job(py::object iterator, Arg thinker, Arg talker) {
  return std::make_unique<PythonPrefillJob>(py::iter(iterator), std::move(thinker),
                                            std::move(talker));
}

}  // namespace omni::bindings
