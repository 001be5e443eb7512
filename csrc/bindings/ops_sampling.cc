#include "base/check.h"
#include "bindings/launch.h"
#include "bindings/ops.h"
#include "bindings/states_arg.h"
#include "cpu/dispatch.h"

namespace omni::bindings {
namespace {

void sample(const Arg& states, const Arg& logits, const Arg& seen, const Arg& suppress,
            uint32_t stream, const Arg& work, const Arg& order) {
  Check check("sample");
  StepState* state = states_of(check, states);
  check("logits", logits.tensor, "B V", {DType::f32});
  check("seen", seen.tensor, "S V", {DType::u8});
  check("suppress", suppress.tensor, "V", {DType::u8});
  check("work", work.tensor, "B V", {DType::f32});
  check("order", order.tensor, "B V", {DType::i32});
  check.require(check["V"] > 0, "logits have no ids, V=0");
  require_slots(check, state, check["S"]);
  launch("sample", kernels().sample,
         Sample{state, logits.tensor.as<float>(), seen.tensor.as<uint8_t>(),
                suppress.tensor.as<uint8_t>(), work.tensor.as<float>(), order.tensor.as<int32_t>(),
                check["B"], check["V"], stream},
         {states, logits, seen, suppress, work, order});
}

}  // namespace

void register_sampling(pybind11::module_& m) {
  using pybind11::arg;
  m.def("sample", &sample, arg("states"), arg("logits"), arg("seen"), arg("suppress"),
        arg("stream"), arg("work"), arg("order"));
}

}  // namespace omni::bindings
