#include "base/check.h"
#include "bindings/launch.h"
#include "bindings/ops.h"
#include "bindings/window_arg.h"
#include "cpu/dispatch.h"

namespace omni::bindings {
namespace {

void flow_noise(const Arg& state, const Arg& out) {
  Check check("flow_noise");
  const FlowState* window = flow_state_of(check, state);
  check("out", out.tensor, "F C", {DType::f32});
  require_frames(check, *window, 1, check["F"]);
  launch("flow_noise", kernels().flow_noise, FlowNoise{window, out.tensor.as<float>(), check["C"]},
         {state, out});
}

void require_codes(const Check& check, const FlowState& state, int64_t repeats) {
  check.require(repeats >= 1, "repeats=" + std::to_string(repeats) + ", expected 1 or more");
  check.require(check["N"] * repeats >= state.frames,
                std::to_string(check["N"]) + " codes of " + std::to_string(repeats) +
                    " frames each, expected those of " + std::to_string(state.frames) + " frames");
  for (int64_t i = 0; i < check["N"]; ++i) require_below(check, "code", state.codes[i], check["V"]);
}

void flow_input(const Arg& state, const Arg& voice, const Arg& codes, int64_t rows, const Arg& base,
                const Arg& projected, int64_t repeats, const Arg& out) {
  Check check("flow_input");
  const FlowState* window = flow_state_of(check, state);
  check("base", base.tensor, "F C", {DType::f32});
  check("projected", projected.tensor, "V C", {DType::f32});
  check("voice", voice.tensor, "2 C", {DType::f32});
  check("codes", codes.tensor, "N", {DType::i32});
  check("out", out.tensor, "R C", {DType::f32});
  check.require(rows <= 2, "rows=" + std::to_string(rows) + ", expected 1 or 2");
  require_frames(check, *window, 1, check["F"]);
  require_frames(check, *window, rows, check["R"]);
  require_same(check, "voice", window->voice, voice);
  require_same(check, "codes", window->codes, codes);
  require_codes(check, *window, repeats);
  launch("flow_input", kernels().flow_input,
         FlowInput{window, base.tensor.as<float>(), projected.tensor.as<float>(),
                   out.tensor.as<float>(), rows, check["C"], repeats},
         {state, voice, codes, base, projected, out});
}

void flow_modulate(const Arg& state, const Arg& table, int64_t rows, const Arg& x, int64_t shift,
                   int64_t scale, float eps, const Arg& out) {
  Check check("flow_modulate");
  const FlowState* window = flow_state_of(check, state);
  require_table(check, *window, table);
  check("x", x.tensor, "R C", {DType::f32});
  check("out", out.tensor, "R C", {DType::f32});
  require_frames(check, *window, rows, check["R"]);
  require_below(check, "shift", shift, check["M"]);
  require_below(check, "scale", scale, check["M"]);
  launch("flow_modulate", kernels().flow_modulate,
         FlowModulate{window, x.tensor.as<float>(), out.tensor.as<float>(), rows, check["C"],
                      check["M"], shift, scale, eps},
         {state, table, x, out});
}

void flow_rope_angles(const Arg& state, const Arg& inv_freq, const Arg& cos, const Arg& sin) {
  Check check("flow_rope_angles");
  const FlowState* window = flow_state_of(check, state);
  check("inv_freq", inv_freq.tensor, "H", {DType::f32});
  check("cos", cos.tensor, "F H", {DType::f32});
  check("sin", sin.tensor, "F H", {DType::f32});
  require_frames(check, *window, 1, check["F"]);
  launch("flow_rope_angles", kernels().flow_rope_angles,
         FlowRopeAngles{window, inv_freq.tensor.as<float>(), cos.tensor.as<float>(),
                        sin.tensor.as<float>(), check["H"]},
         {state, inv_freq, cos, sin});
}

void require_heads(const Check& check, int64_t heads) {
  int64_t channels = check["C"], dim = heads < 1 ? 0 : channels / heads;
  check.require(dim * heads == channels && check["Q"] == 3 * channels && dim == 2 * check["H"] &&
                    dim <= kMaxHeadDim,
                std::to_string(heads) + " heads of C=" + std::to_string(channels) + ", qkv of " +
                    std::to_string(check["Q"]) + ", angles of " + std::to_string(check["H"]) +
                    ": expected heads of twice the angles, up to " + std::to_string(kMaxHeadDim));
}

void require_blocks(const Check& check, int64_t block, int64_t back, int64_t ahead) {
  check.require(block >= 1 && block <= kMaxFlowBlock && back >= 0 && ahead >= 0 &&
                    back + ahead < kMaxFlowSpan && (back + 1 + ahead) * block <= kMaxFlowSpan,
                "block=" + std::to_string(block) + ", back=" + std::to_string(back) +
                    ", ahead=" + std::to_string(ahead) + ": expected blocks of up to " +
                    std::to_string(kMaxFlowBlock) + " frames, that see up to " +
                    std::to_string(kMaxFlowSpan));
}

// cache: float32 [E, L, 2, rows, block, C], which the window reads and writes at `layer`.
void require_cache(Check& check, const FlowState& state, const Arg& cache, int64_t rows,
                   int64_t block, int64_t layer) {
  check("cache", cache.tensor, "E L 2 G B C", {DType::f32});
  require_same(check, "cache", state.cache, cache);
  require_below(check, "evaluation", state.evaluation, check["E"]);
  require_below(check, "layer", layer, check["L"]);
  check.require(check["G"] == rows && check["B"] == block,
                "cache of " + std::to_string(check["G"]) + " rows, blocks of " +
                    std::to_string(check["B"]) + ", expected " + std::to_string(rows) + " and " +
                    std::to_string(block));
  check.require(state.keep >= 0 && state.keep <= state.frames && state.keep % block == 0,
                "keep is " + std::to_string(state.keep) + ", expected whole blocks of the " +
                    std::to_string(state.frames) + " frames");
}

void flow_attention(const Arg& state, const Maybe& cache, int64_t rows, const Arg& qkv,
                    int64_t heads, int64_t block, int64_t back, int64_t ahead, const Arg& cos,
                    const Arg& sin, int64_t layer, const Arg& out) {
  Check check("flow_attention");
  const FlowState* window = flow_state_of(check, state);
  check("qkv", qkv.tensor, "R Q", {DType::f32});
  check("out", out.tensor, "R C", {DType::f32});
  check("cos", cos.tensor, "F H", {DType::f32});
  check("sin", sin.tensor, "F H", {DType::f32});
  require_heads(check, heads);
  require_blocks(check, block, back, ahead);
  require_frames(check, *window, 1, check["F"]);
  require_frames(check, *window, rows, check["R"]);
  if (cache) require_cache(check, *window, *cache, rows, block, layer);
  launch("flow_attention", kernels().flow_attention,
         FlowAttention{window, qkv.tensor.as<float>(), cos.tensor.as<float>(),
                       sin.tensor.as<float>(), out.tensor.as<float>(), rows, heads, 2 * check["H"],
                       block, back, ahead, cache ? check["L"] : 0, cache ? layer : -1},
         {state, cache, qkv, cos, sin, out});
}

}  // namespace

void register_flow(pybind11::module_& m) {
  using pybind11::arg;
  m.def("flow_noise", &flow_noise, arg("state"), arg("out"));
  m.def("flow_input", &flow_input, arg("state"), arg("voice"), arg("codes"), arg("rows"),
        arg("base"), arg("projected"), arg("repeats"), arg("out"));
  m.def("flow_modulate", &flow_modulate, arg("state"), arg("table"), arg("rows"), arg("x"),
        arg("shift"), arg("scale"), arg("eps"), arg("out"));
  m.def("flow_rope_angles", &flow_rope_angles, arg("state"), arg("inv_freq"), arg("cos"),
        arg("sin"));
  m.def("flow_attention", &flow_attention, arg("state"), arg("cache").none(true), arg("rows"),
        arg("qkv"), arg("heads"), arg("block"), arg("back"), arg("ahead"), arg("cos"), arg("sin"),
        arg("layer"), arg("out"));
}

}  // namespace omni::bindings
