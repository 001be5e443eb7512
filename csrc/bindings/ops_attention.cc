#include "base/check.h"
#include "bindings/cache_arg.h"
#include "bindings/launch.h"
#include "bindings/ops.h"
#include "bindings/states_arg.h"
#include "cpu/dispatch.h"

namespace omni::bindings {
namespace {

void require_groups(const Check& check) {
  check.require(
      check["G"] > 0 && check["H"] % check["G"] == 0 && check["H"] / check["G"] <= kMaxGroup,
      "query heads H=" + std::to_string(check["H"]) + ", expected 1 to " +
          std::to_string(kMaxGroup) + " times the key heads G=" + std::to_string(check["G"]));
}

void kv_write(const Arg& k, const Arg& v, const Arg& table_row, int64_t start, const Arg& k_pages,
              const Arg& v_pages) {
  Check check("kv_write");
  Cache cache = cache_of(check, "table_row", "W", table_row, k_pages, v_pages);
  check("k", k.tensor, "T G D", {DType::f32});
  check("v", v.tensor, "T G D", {DType::f32});
  check.require(start >= 0, "start is " + std::to_string(start) + ", expected 0 or more");
  require_pages(check, cache, 0, start + check["T"]);
  launch("kv_write", kernels().kv_write,
         KvWrite{k.tensor.as<float>(), v.tensor.as<float>(), cache, check["T"], start},
         {k, v, table_row, k_pages, v_pages});
}

void prefill_attention(const Arg& q, const Arg& table_row, int64_t start, const Arg& k_pages,
                       const Arg& v_pages, const Arg& out) {
  Check check("prefill_attention");
  Cache cache = cache_of(check, "table_row", "W", table_row, k_pages, v_pages);
  check("q", q.tensor, "T H D", {DType::f32});
  check("out", out.tensor, "T H D", {DType::f32});
  check.require(start >= 0, "start is " + std::to_string(start) + ", expected 0 or more");
  require_groups(check);
  require_pages(check, cache, 0, start + check["T"]);
  launch("prefill_attention", kernels().prefill_attention,
         PrefillAttention{q.tensor.as<float>(), cache, out.tensor.as<float>(), check["T"],
                          check["H"], start},
         {q, table_row, k_pages, v_pages, out});
}

void paged_attention(const Arg& q, const Arg& states, const Arg& tables, const Arg& k_pages,
                     const Arg& v_pages, const Arg& partial, const Arg& out) {
  Check check("paged_attention");
  const StepState* state = states_of(check, states);
  Cache cache = cache_of(check, "tables", "S W", tables, k_pages, v_pages);
  check("q", q.tensor, "B H D", {DType::f32});
  check("partial", partial.tensor, "B H N M", {DType::f32});
  check("out", out.tensor, "B H D", {DType::f32});
  require_groups(check);
  require_cached(check, cache, state);
  int64_t rows = cache.table_width * cache.page;
  check.require(check["M"] == cache.dim + 2 && check["N"] * kAttentionSplit >= rows,
                "partial is too small for tables of " + std::to_string(rows) + " rows");
  launch("paged_attention", kernels().paged_attention,
         PagedAttention{q.tensor.as<float>(), state, cache, partial.tensor.as<float>(),
                        out.tensor.as<float>(), check["B"], check["H"], check["N"]},
         {q, states, tables, k_pages, v_pages, partial, out});
}

}  // namespace

void register_attention(pybind11::module_& m) {
  using pybind11::arg;
  m.attr("ATTENTION_SPLIT") = kAttentionSplit;
  m.def("kv_write", &kv_write, arg("k"), arg("v"), arg("table_row"), arg("start"), arg("k_pages"),
        arg("v_pages"));
  m.def("prefill_attention", &prefill_attention, arg("q"), arg("table_row"), arg("start"),
        arg("k_pages"), arg("v_pages"), arg("out"));
  m.def("paged_attention", &paged_attention, arg("q"), arg("states"), arg("tables"), arg("k_pages"),
        arg("v_pages"), arg("partial"), arg("out"));
}

}  // namespace omni::bindings
