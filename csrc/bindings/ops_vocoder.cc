#include "base/check.h"
#include "bindings/launch.h"
#include "bindings/ops.h"
#include "cpu/dispatch.h"

namespace omni::bindings {
namespace {

// The span, when it is called for now, must lie in x [R, C] and its rows, times rate, in out [S,
// O].
const Span* span_of(Check& check, const Arg& span, const Arg& x, const Arg& out, int64_t rate) {
  check("span", span.tensor, "2", {DType::i32});
  check("x", x.tensor, "R C", {DType::f32});
  check("out", out.tensor, "S O", {DType::f32});
  auto* value = span.tensor.as<Span>();
  check.require(value->first >= 0 && value->rows >= 0 &&
                    int64_t{value->first} + value->rows <= check["R"] &&
                    value->rows * rate <= check["S"],
                "span (" + std::to_string(value->first) + ", " + std::to_string(value->rows) +
                    ") exceeds the " + std::to_string(check["R"]) + " rows of x or the " +
                    std::to_string(check["S"]) + " of out");
  return value;
}

const float* data(const Maybe& arg) { return view(arg).as<float>(); }

void require_panels(const Check& check) {
  check.require(check["N"] * kPanel >= check["O"] && (check["N"] - 1) * kPanel < check["O"],
                "packed for other outputs than O=" + std::to_string(check["O"]));
}

void vocoder_conv(const Arg& span, const Arg& x, const Arg& weights, const Maybe& bias,
                  int64_t kernel, int64_t dilation, bool add, const Arg& out) {
  Check check("vocoder_conv");
  const Span* value = span_of(check, span, x, out, 1);
  check("weights", weights.tensor, "P N G C 16", {DType::f32});
  if (bias) check("bias", bias->tensor, "O", {DType::f32});
  require_panels(check);
  int64_t points = check["P"], groups = check["G"];
  check.require(points == 1 || points == 7,
                "weights of " + std::to_string(points) + " points, expected 1 or 7");
  check.require(kernel % 2 == 1 && dilation > 0 && (groups - 1) * dilation <= kMaxSpread,
                "a kernel of " + std::to_string(kernel) + " taps and dilation " +
                    std::to_string(dilation) + " reach too far, or nowhere");
  launch("vocoder_conv", kernels().vocoder_conv,
         VocoderConv{value, x.tensor.as<float>(), weights.tensor.as<float>(), data(bias),
                     out.tensor.as<float>(), check["C"], check["O"], points, groups, kernel,
                     dilation, add},
         {span, x, weights, bias, out});
}

void vocoder_upsample(const Arg& span, const Arg& x, const Arg& weights, const Maybe& bias,
                      int64_t rate, int64_t padding, const Arg& out) {
  Check check("vocoder_upsample");
  const Span* value = span_of(check, span, x, out, rate);
  check("weights", weights.tensor, "1 N K C 16", {DType::f32});
  if (bias) check("bias", bias->tensor, "O", {DType::f32});
  require_panels(check);
  check.require(rate > 0 && rate <= kMaxRate && padding >= 0 && check["K"] == rate + 2 * padding &&
                    check["K"] <= kMaxSpread * rate,
                "rate " + std::to_string(rate) + " and padding " + std::to_string(padding) +
                    " do not fit a kernel of " + std::to_string(check["K"]) + " taps");
  launch("vocoder_upsample", kernels().vocoder_upsample,
         VocoderUpsample{value, x.tensor.as<float>(), weights.tensor.as<float>(), data(bias),
                         out.tensor.as<float>(), check["C"], check["O"], check["K"], rate, padding},
         {span, x, weights, bias, out});
}

void vocoder_snake(const Arg& span, const Arg& x, const Arg& alpha, const Arg& beta,
                   const Arg& out) {
  Check check("vocoder_snake");
  const Span* value = span_of(check, span, x, out, 1);
  check("alpha", alpha.tensor, "C", {DType::f32});
  check("beta", beta.tensor, "C", {DType::f32});
  check("out", out.tensor, "S C", {DType::f32});
  launch("vocoder_snake", kernels().vocoder_snake,
         VocoderSnake{value, x.tensor.as<float>(), alpha.tensor.as<float>(),
                      beta.tensor.as<float>(), out.tensor.as<float>(), check["C"]},
         {span, x, alpha, beta, out});
}

void vocoder_mean(const Arg& span, const std::vector<Arg>& parts, const Arg& out) {
  Check check("vocoder_mean");
  check.require(
      !parts.empty() && parts.size() <= kMaxParts,
      std::to_string(parts.size()) + " parts, expected 1 to " + std::to_string(kMaxParts));
  VocoderMean args{};
  args.span = span_of(check, span, parts[0], out, 1);
  check("out", out.tensor, "S C", {DType::f32});
  for (const Arg& part : parts) {
    check("part", part.tensor, "R C", {DType::f32});
    args.parts[args.count++] = part.tensor.as<float>();
  }
  args.out = out.tensor.as<float>();
  args.channels = check["C"];
  launch("vocoder_mean", kernels().vocoder_mean, args, {span, out});
  if (Plan::recording())
    for (const Arg& part : parts) keep_with_recording(part.owner);
}

void vocoder_clamp(const Arg& span, const Arg& x, float scale, float shift, const Arg& out) {
  Check check("vocoder_clamp");
  const Span* value = span_of(check, span, x, out, 1);
  check("out", out.tensor, "S C", {DType::f32});
  launch(
      "vocoder_clamp", kernels().vocoder_clamp,
      VocoderClamp{value, x.tensor.as<float>(), out.tensor.as<float>(), check["C"], scale, shift},
      {span, x, out});
}

}  // namespace

void register_vocoder(pybind11::module_& m) {
  using pybind11::arg;
  m.def("vocoder_conv", &vocoder_conv, arg("span"), arg("x"), arg("weights"),
        arg("bias").none(true), arg("kernel"), arg("dilation"), arg("add"), arg("out"));
  m.def("vocoder_upsample", &vocoder_upsample, arg("span"), arg("x"), arg("weights"),
        arg("bias").none(true), arg("rate"), arg("padding"), arg("out"));
  m.def("vocoder_snake", &vocoder_snake, arg("span"), arg("x"), arg("alpha"), arg("beta"),
        arg("out"));
  m.def("vocoder_mean", &vocoder_mean, arg("span"), arg("parts"), arg("out"));
  m.def("vocoder_clamp", &vocoder_clamp, arg("span"), arg("x"), arg("scale"), arg("shift"),
        arg("out"));
}

}  // namespace omni::bindings
