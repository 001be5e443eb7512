#include "bindings/runtime.h"

#include <exception>

#include "base/parallel.h"
#include "bindings/cuda.h"
#include "runtime/error.h"

namespace omni::bindings {
namespace {

namespace py = pybind11;

void raise(const char* name, const std::exception& error) {
  py::set_error(py::module_::import("omnirt.errors").attr(name), error.what());
}

void translate(std::exception_ptr thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const InputError& error) {
    raise("InputError", error);
  } catch (const CapacityError& error) {
    raise("CapacityError", error);
  } catch (const EngineError& error) {
    raise("EngineError", error);
  }
}

}  // namespace

void register_cuda(py::module_& m) {
  py::module_ cuda = m.def_submodule("cuda", "NVIDIA's driver, and the runtime on its streams");
  register_cuda_device(cuda);
  register_cuda_plan(cuda);
  register_cuda_track(cuda);
}

void register_runtime(py::module_& m) {
  py::register_local_exception_translator(translate);
  m.def("set_cores", &set_cores, py::arg("cores"), py::call_guard<py::gil_scoped_release>());
  m.def("cores", &cores);
  register_cuda(m);
  register_plan(m);
  register_kv_cache(m);
  register_session(m);
  register_wave(m);
  register_scheduler(m);
}

}  // namespace omni::bindings
