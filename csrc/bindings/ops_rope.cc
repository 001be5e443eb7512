#include "base/check.h"
#include "bindings/cache_arg.h"
#include "bindings/launch.h"
#include "bindings/ops.h"
#include "bindings/states_arg.h"
#include "cpu/dispatch.h"

namespace omni::bindings {
namespace {

void rope_angles(const Arg& positions, const Arg& inv_freq, const Arg& axis, const Arg& cos,
                 const Arg& sin) {
  Check check("rope_angles");
  check("positions", positions.tensor, "A T", {DType::i64});
  check("inv_freq", inv_freq.tensor, "F", {DType::f32});
  check("axis", axis.tensor, "F", {DType::i64});
  check("cos", cos.tensor, "T F", {DType::f32});
  check("sin", sin.tensor, "T F", {DType::f32});
  const auto* chosen = axis.tensor.as<const int64_t>();
  for (int64_t i = 0; i < check["F"]; ++i)
    check.require(chosen[i] >= 0 && chosen[i] < check["A"],
                  "axis[" + std::to_string(i) + "] is " + std::to_string(chosen[i]) +
                      ", expected 0 <= axis < A=" + std::to_string(check["A"]));
  launch("rope_angles", kernels().rope_angles,
         RopeAngles{positions.tensor.as<int64_t>(), inv_freq.tensor.as<float>(), chosen,
                    cos.tensor.as<float>(), sin.tensor.as<float>(), check["T"], check["F"]},
         {positions, inv_freq, axis, cos, sin});
}

void state_rope_angles(const Arg& states, const Arg& inv_freq, const Arg& cos, const Arg& sin) {
  Check check("state_rope_angles");
  const StepState* state = states_of(check, states);
  check("inv_freq", inv_freq.tensor, "F", {DType::f32});
  check("cos", cos.tensor, "B F", {DType::f32});
  check("sin", sin.tensor, "B F", {DType::f32});
  launch("state_rope_angles", kernels().state_rope_angles,
         StateRopeAngles{state, inv_freq.tensor.as<float>(), cos.tensor.as<float>(),
                         sin.tensor.as<float>(), check["B"], check["F"]},
         {states, inv_freq, cos, sin});
}

void require_halves(const Check& check) {
  check.require(check["D"] == 2 * check["F"],
                "head size D=" + std::to_string(check["D"]) +
                    ", expected twice the angles F=" + std::to_string(check["F"]));
}

void rope(const Arg& x, const Arg& cos, const Arg& sin, const Arg& out) {
  Check check("rope");
  check("x", x.tensor, "T H D", {DType::f32});
  check("cos", cos.tensor, "T F", {DType::f32});
  check("sin", sin.tensor, "T F", {DType::f32});
  check("out", out.tensor, "T H D", {DType::f32});
  require_halves(check);
  launch("rope", kernels().rope,
         Rope{x.tensor.as<float>(), cos.tensor.as<float>(), sin.tensor.as<float>(),
              out.tensor.as<float>(), check["T"], check["H"], check["F"]},
         {x, cos, sin, out});
}

void rope_append(const Arg& q, const Arg& k, const Arg& v, const Arg& cos, const Arg& sin,
                 const Arg& states, const Arg& tables, const Arg& k_pages, const Arg& v_pages,
                 const Arg& out) {
  Check check("rope_append");
  const StepState* state = states_of(check, states);
  Cache cache = cache_of(check, "tables", "S W", tables, k_pages, v_pages);
  check("q", q.tensor, "B H D", {DType::f32});
  check("k", k.tensor, "B G D", {DType::f32});
  check("v", v.tensor, "B G D", {DType::f32});
  check("cos", cos.tensor, "B F", {DType::f32});
  check("sin", sin.tensor, "B F", {DType::f32});
  check("out", out.tensor, "B H D", {DType::f32});
  require_halves(check);
  require_cached(check, cache, state);
  launch("rope_append", kernels().rope_append,
         RopeAppend{q.tensor.as<float>(), k.tensor.as<float>(), v.tensor.as<float>(),
                    cos.tensor.as<float>(), sin.tensor.as<float>(), state, cache,
                    out.tensor.as<float>(), check["B"], check["H"]},
         {q, k, v, cos, sin, states, tables, k_pages, v_pages, out});
}

}  // namespace

void register_rope(pybind11::module_& m) {
  using pybind11::arg;
  m.def("rope_angles", &rope_angles, arg("positions"), arg("inv_freq"), arg("axis"), arg("cos"),
        arg("sin"));
  m.def("state_rope_angles", &state_rope_angles, arg("states"), arg("inv_freq"), arg("cos"),
        arg("sin"));
  m.def("rope", &rope, arg("x"), arg("cos"), arg("sin"), arg("out"));
  m.def("rope_append", &rope_append, arg("q"), arg("k"), arg("v"), arg("cos"), arg("sin"),
        arg("states"), arg("tables"), arg("k_pages"), arg("v_pages"), arg("out"));
}

}  // namespace omni::bindings
