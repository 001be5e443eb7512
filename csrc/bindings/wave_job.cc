#include "bindings/wave_job.h"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <utility>

namespace omni::bindings {
namespace {

namespace py = pybind11;

class PythonWaveJob : public WaveJob {
 public:
  explicit PythonWaveJob(py::object wave) : wave_(std::move(wave)) {}

  ~PythonWaveJob() override {
    py::gil_scoped_acquire acquire;
    iterator_ = py::object();
    wave_ = py::object();
  }

  bool step(std::span<const int> codes, bool, std::vector<float>& pcm) override {
    py::gil_scoped_acquire acquire;
    if (!iterator_) iterator_ = py::iter(wave_(py::cast(std::vector(codes.begin(), codes.end()))));
    const auto item = py::reinterpret_steal<py::object>(PyIter_Next(iterator_.ptr()));
    if (PyErr_Occurred()) throw py::error_already_set();
    if (!item) return true;
    if (!item.is_none()) append(item, pcm);
    return false;
  }

 private:
  static void append(const py::object& item, std::vector<float>& pcm) {
    if (!py::isinstance<py::array_t<float>>(item)) {
      throw py::type_error("wave must yield float32 NumPy arrays or None, not " +
                           py::repr(py::type::of(item)).cast<std::string>());
    }
    const auto samples = py::array_t<float, py::array::c_style>::ensure(item);
    pcm.insert(pcm.end(), samples.data(), samples.data() + samples.size());
  }

  py::object wave_;
  py::object iterator_;
};

}  // namespace

std::unique_ptr<WaveJob> make_wave_job(py::object wave) {
  return std::make_unique<PythonWaveJob>(std::move(wave));
}

}  // namespace omni::bindings
