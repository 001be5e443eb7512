#include <pybind11/stl.h>

#include <array>
#include <stdexcept>

#include "bindings/cuda.h"
#include "cuda/device.h"
#include "cuda/stream.h"

namespace omni::bindings {
namespace {

namespace py = pybind11;

cuda::Priority priority_of(const std::string& word) {
  if (word == "low") return cuda::Priority::low;
  if (word == "middle") return cuda::Priority::middle;
  if (word == "high") return cuda::Priority::high;
  throw std::invalid_argument("priority='" + word + "': use low, middle or high");
}

std::unique_ptr<cuda::Stream> make_stream(const cuda::Device& device, const std::string& priority) {
  return std::make_unique<cuda::Stream>(device, priority_of(priority));
}

}  // namespace

void register_cuda_device(py::module_& m) {
  using py::arg;
  using Unlocked = py::call_guard<py::gil_scoped_release>;
  m.def("set_library", &cuda::set_library, arg("path"),
        "Where to look for the CUDA driver, before anything else is asked of it");
  m.def(
      "driver_version", [] { return cuda::driver().version(); }, Unlocked(),
      "1000 * major + 10 * minor of the CUDA version that the driver supports");
  m.def("device_count", &cuda::Device::count, Unlocked());
  py::class_<cuda::Device>(m, "Device")
      .def(py::init<int>(), arg("ordinal"), Unlocked())
      .def_property_readonly("name", &cuda::Device::name)
      .def_property_readonly("capability",
                             [](const cuda::Device& device) {
                               const auto [major, minor] = device.capability();
                               return std::pair(major, minor);
                             })
      .def_property_readonly(
          "memory",
          [](const cuda::Device& device) {
            const auto [free, total] = device.memory();
            return std::pair(free, total);
          },
          "(free, total) bytes");
  py::class_<cuda::Stream>(m, "Stream")
      .def(py::init(&make_stream), arg("device"), arg("priority"), py::keep_alive<1, 2>())
      .def_property_readonly(
          "handle",
          [](const cuda::Stream& stream) { return reinterpret_cast<uintptr_t>(stream.get()); })
      .def("synchronize", &cuda::Stream::synchronize, Unlocked());
}

}  // namespace omni::bindings
