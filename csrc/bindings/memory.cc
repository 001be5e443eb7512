#include <sys/mman.h>
#include <unistd.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <cerrno>
#include <cstdint>
#include <system_error>

#include "base/check.h"
#include "bindings/launch.h"
#include "bindings/ops.h"
#include "cpu/dispatch.h"

namespace omni::bindings {
namespace {

// Only whole pages: the ones at either end may belong to a neighbour that is in use.
void advise(const char* name, const Arg& tensor, int advice) {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<uintptr_t>(tensor.tensor.data);
  const auto size = tensor.owner.attr("nbytes").cast<size_t>();
  const uintptr_t end = (begin + size) / page * page;
  const uintptr_t first = (begin + page - 1) / page * page;
  if (first >= end) return;
  if (madvise(reinterpret_cast<void*>(first), end - first, advice) != 0)
    throw std::system_error(errno, std::generic_category(), name);
}

void release_pages(const Arg& tensor) { advise("release_pages", tensor, MADV_DONTNEED); }

// A kernel without huge pages refuses; small ones do as well.
void use_huge_pages([[maybe_unused]] const Arg& tensor) {
#if defined(MADV_HUGEPAGE)
  try {
    advise("use_huge_pages", tensor, MADV_HUGEPAGE);
  } catch (const std::system_error&) {
  }
#endif
}

void read_memory(const Arg& data, const Arg& out) {
  Check check("read_memory");
  check("data", data.tensor, "BYTES", {DType::u8});
  check("out", out.tensor, "PARTS", {DType::i32});
  check.require(check["PARTS"] > 0, "out is empty");
  launch("read_memory", kernels().read_memory,
         ReadMemory{data.tensor.as<uint8_t>(), out.tensor.as<int32_t>(), check["BYTES"],
                    check["PARTS"]},
         {data, out});
}

// glibc keeps freed blocks of up to 32 MB for itself; nothing else has this call or this need.
void return_freed() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

}  // namespace

void register_memory(pybind11::module_& m) {
  m.def("release_pages", &release_pages,
        "Gives the memory behind a tensor of a mapped file back to the system; the file is read "
        "again where it is touched. Other tensors would lose what they hold.",
        pybind11::arg("tensor"));
  m.def("use_huge_pages", &use_huge_pages,
        "Asks for large pages behind a tensor that was not yet touched: they are read faster.",
        pybind11::arg("tensor"));
  m.def("read_memory", &read_memory,
        "Reads all of data, a part at a time per core; out: what each part adds up to, bit by bit",
        pybind11::arg("data"), pybind11::arg("out"));
  m.def("return_freed", &return_freed, "Gives memory that was freed back to the system.");
}

}  // namespace omni::bindings
