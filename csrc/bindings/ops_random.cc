#include "base/check.h"
#include "bindings/launch.h"
#include "bindings/ops.h"
#include "cpu/dispatch.h"

namespace omni::bindings {
namespace {

void philox(const Arg& counters, uint64_t seed, const Arg& out) {
  Check check("philox");
  check("counters", counters.tensor, "T 4", {DType::i32});
  check("out", out.tensor, "T 4", {DType::i32});
  launch("philox", kernels().philox,
         Philox{counters.tensor.as<uint32_t>(), out.tensor.as<uint32_t>(), check["T"], seed},
         {counters, out});
}

void philox_uniform(uint64_t seed, uint32_t stream, uint32_t step, const Arg& out) {
  Check check("philox_uniform");
  check("out", out.tensor, "T", {DType::f32});
  launch("philox_uniform", kernels().philox_uniform,
         PhiloxUniform{out.tensor.as<float>(), check["T"], seed, stream, step}, {out});
}

}  // namespace

void register_random(pybind11::module_& m) {
  using pybind11::arg;
  m.def("philox", &philox, "Four words per counter, as int32 bits", arg("counters"), arg("seed"),
        arg("out"));
  m.def("philox_uniform", &philox_uniform, arg("seed"), arg("stream"), arg("step"), arg("out"));
}

}  // namespace omni::bindings
