// The extension module: C++ kernels on torch's memory, and the runtime that replays them.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "bindings/ops.h"
#include "cpu/dispatch.h"

namespace omni::bindings {

void register_runtime(pybind11::module_& m);

}  // namespace omni::bindings

PYBIND11_MODULE(_core, m) {
  using namespace omni::bindings;
  m.doc() = "Kernels and runtime of omnirt";
  m.def("isa", &omni::isa, "The instruction set that kernels use");
  m.def("isas", &omni::isas, "Those that this machine runs, widest last");
  m.def("set_isa", &omni::set_isa, pybind11::arg("name"));
  register_linear(m);
  register_norm(m);
  register_activation(m);
  register_embedding(m);
  register_rope(m);
  register_attention(m);
  register_sampling(m);
  register_random(m);
  register_flow(m);
  register_gemm(m);
  register_vocoder(m);
  register_memory(m);
  register_quant(m);
  register_runtime(m);
}
