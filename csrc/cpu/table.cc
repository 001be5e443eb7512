#include "cpu/kernels.h"

namespace omni::OMNI_ISA {

extern const KernelTable table;
const KernelTable table = {
#define OMNI_ENTRY(name, Args) .name = name,
    OMNI_KERNELS(OMNI_ENTRY)
#undef OMNI_ENTRY
};

}  // namespace omni::OMNI_ISA
