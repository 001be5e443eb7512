// A Python callable as the wave lane's job.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>

#include "runtime/wave.h"

namespace omni::bindings {

// wave(codes: list[int]) -> Iterator[numpy.ndarray | None]: None means that work went on, a float32
// array is the next samples. The GIL is taken inside a step only.
std::unique_ptr<WaveJob> make_wave_job(pybind11::object wave);

}  // namespace omni::bindings
