// Each registers the kernels of one family with the module.
#pragma once

#include <pybind11/pybind11.h>

namespace omni::bindings {

void register_linear(pybind11::module_& m);
void register_norm(pybind11::module_& m);
void register_activation(pybind11::module_& m);
void register_embedding(pybind11::module_& m);
void register_rope(pybind11::module_& m);
void register_attention(pybind11::module_& m);
void register_sampling(pybind11::module_& m);
void register_random(pybind11::module_& m);
void register_flow(pybind11::module_& m);
void register_gemm(pybind11::module_& m);
void register_vocoder(pybind11::module_& m);
void register_memory(pybind11::module_& m);
void register_quant(pybind11::module_& m);

}  // namespace omni::bindings
