// Which instruction set the kernels use.
#pragma once

#include <string>
#include <vector>

#include "cpu/kernels.h"

namespace omni {

// The kernels in use: the widest that this machine runs, unless set_isa chose others.
const KernelTable& kernels();

std::string isa();
std::vector<std::string> isas();        // that this machine runs, widest last
void set_isa(const std::string& name);  // throws std::invalid_argument

}  // namespace omni
