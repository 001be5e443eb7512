// Each registers one part of the runtime with the module.
#pragma once

#include <pybind11/pybind11.h>

namespace omni::bindings {

void register_runtime(pybind11::module_& m);  // all of the below

void register_plan(pybind11::module_& m);
void register_kv_cache(pybind11::module_& m);
void register_session(pybind11::module_& m);
void register_wave(pybind11::module_& m);
void register_scheduler(pybind11::module_& m);
void register_cuda(pybind11::module_& m);

}  // namespace omni::bindings
