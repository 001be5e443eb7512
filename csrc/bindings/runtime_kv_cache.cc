#include "base/check.h"
#include "bindings/runtime.h"
#include "bindings/tensor_caster.h"
#include "runtime/kv_cache.h"

namespace omni::bindings {
namespace {

namespace py = pybind11;

// With the owner of the block table.
struct OwnedAllocator {
  PageAllocator allocator;
  py::object table;
};

OwnedAllocator make_allocator(int pages, int page_size, const Arg& tables) {
  Check check("PageAllocator");
  check("tables", tables.tensor, "slots max_pages", {DType::i32});
  return {PageAllocator(tables.tensor.as<int32_t>(), static_cast<int>(check["slots"]),
                        static_cast<int>(check["max_pages"]), pages, page_size),
          tables.owner};
}

}  // namespace

void register_kv_cache(py::module_& m) {
  py::class_<OwnedAllocator>(m, "PageAllocator")
      .def(py::init(&make_allocator), py::arg("pages"), py::arg("page_size"), py::arg("tables"))
      .def(
          "open", [](OwnedAllocator& o, int slot, int tokens) { o.allocator.open(slot, tokens); },
          py::arg("slot"), py::arg("tokens"))
      .def(
          "extend", [](OwnedAllocator& o, int slot, int n) { o.allocator.extend(slot, n); },
          py::arg("slot"), py::arg("tokens"))
      .def(
          "truncate", [](OwnedAllocator& o, int slot, int n) { o.allocator.truncate(slot, n); },
          py::arg("slot"), py::arg("tokens"))
      .def(
          "close", [](OwnedAllocator& o, int slot) { o.allocator.close(slot); }, py::arg("slot"))
      .def(
          "fits", [](OwnedAllocator& o, int n) { return o.allocator.fits(n); }, py::arg("tokens"))
      .def_property_readonly("free_pages",
                             [](OwnedAllocator& o) { return o.allocator.free_pages(); });
}

}  // namespace omni::bindings
