#include "cpu/dispatch.h"

#if defined(OMNI_X86) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <atomic>
#include <stdexcept>

namespace omni {

namespace generic {
extern const KernelTable table;
}
#ifdef OMNI_X86
namespace avx2 {
extern const KernelTable table;
}
namespace avx512 {
extern const KernelTable table;
}
namespace amx {
extern const KernelTable table;
}
#endif

namespace {

#ifdef OMNI_X86
bool runs_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         __builtin_cpu_supports("f16c") != 0;
}

bool runs_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vnni") != 0;
}

// Linux keeps the tiles' registers from a process until it asks, once, for all of its threads.
bool may_use_tiles() {
#ifdef __linux__
  constexpr long kRequestState = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestState, kTileData) == 0;
#else
  return false;
#endif
}

bool runs_amx() {
  return runs_avx512() && __builtin_cpu_supports("avx512bf16") &&
         __builtin_cpu_supports("amx-tile") && __builtin_cpu_supports("amx-int8") &&
         __builtin_cpu_supports("amx-bf16") && may_use_tiles();
}
#endif

struct Isa {
  const char* name;
  const KernelTable* table;
  bool (*runs_here)();
};

constexpr Isa kIsas[] = {
    {"generic", &generic::table, [] { return true; }},
#ifdef OMNI_X86
    {"avx2", &avx2::table, runs_avx2},
    {"avx512", &avx512::table, runs_avx512},
    {"amx", &amx::table, runs_amx},
#endif
};

const Isa* widest() {
  const Isa* best = kIsas;
  for (const Isa& isa : kIsas)
    if (isa.runs_here()) best = &isa;
  return best;
}

std::atomic<const Isa*>& chosen() {
  static std::atomic<const Isa*> isa{widest()};
  return isa;
}

}  // namespace

const KernelTable& kernels() { return *chosen().load()->table; }

std::string isa() { return chosen().load()->name; }

std::vector<std::string> isas() {
  std::vector<std::string> names;
  for (const Isa& isa : kIsas)
    if (isa.runs_here()) names.push_back(isa.name);
  return names;
}

void set_isa(const std::string& name) {
  std::string known;
  for (const Isa& isa : kIsas) {
    if (!isa.runs_here()) continue;
    if (isa.name == name) {
      chosen() = &isa;
      return;
    }
    known += (known.empty() ? "" : ", ") + std::string(isa.name);
  }
  throw std::invalid_argument("isa '" + name + "': this machine runs " + known);
}

}  // namespace omni
