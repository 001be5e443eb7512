#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

#include "bindings/ops.h"
#include "bindings/tensor_caster.h"

namespace omni::bindings {
namespace {

// Only whole pages: the ones at either end may belong to a neighbour that is in use.
void release_pages(const Arg& tensor) {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<uintptr_t>(tensor.tensor.data);
  const auto size = tensor.owner.attr("nbytes").cast<size_t>();
  const uintptr_t end = (begin + size) / page * page;
  const uintptr_t first = (begin + page - 1) / page * page;
  if (first >= end) return;
  if (madvise(reinterpret_cast<void*>(first), end - first, MADV_DONTNEED) != 0)
    throw std::system_error(errno, std::generic_category(), "release_pages");
}

}  // namespace

void register_memory(pybind11::module_& m) {
  m.def("release_pages", &release_pages,
        "Gives the memory behind a tensor of a mapped file back to the system; the file is read "
        "again where it is touched. Other tensors would lose what they hold.",
        pybind11::arg("tensor"));
}

}  // namespace omni::bindings
