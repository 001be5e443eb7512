#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "bindings/runtime.h"
#include "runtime/session.h"

namespace omni::bindings {
namespace {

namespace py = pybind11;

py::dict dict_of(const ChunkStats& chunk) {
  using py::arg;
  return py::dict(arg("start") = chunk.start, arg("samples") = chunk.samples,
                  arg("time") = chunk.time, arg("codes") = chunk.work.codes,
                  arg("lookahead") = chunk.work.lookahead, arg("solve") = chunk.work.solve,
                  arg("vocode") = chunk.work.vocode);
}

constexpr auto kSlice = std::chrono::milliseconds(50);  // between two looks for Ctrl-C

Clock::time_point deadline_of(std::optional<double> timeout) {
  constexpr double kForever = 1e9;  // seconds: what Clock can add to any time
  if (!timeout || *timeout > kForever) return Clock::time_point::max();
  return Clock::now() +
         std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(*timeout));
}

// Calls wait(deadline of a slice), without the GIL, until it is true or the timeout has passed.
template <class Wait>
bool wait_in_slices(std::optional<double> timeout, Wait wait) {
  const auto deadline = deadline_of(timeout);
  for (;;) {
    bool met;
    {
      py::gil_scoped_release release;
      met = wait(std::min(deadline, Clock::now() + kSlice));
    }
    if (met) return true;
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
    if (Clock::now() >= deadline) return false;
  }
}

std::optional<Event> next(Session& session, std::optional<double> timeout) {
  std::optional<Event> event;
  try {
    wait_in_slices(timeout, [&](Clock::time_point deadline) {
      event = session.next(deadline);
      return event.has_value();
    });
  } catch (const py::error_already_set& error) {
    // The session keeps its copy for the next call, and one copy can be raised once only.
    PyErr_SetObject(error.type().ptr(), error.value().ptr());
    throw py::error_already_set();
  }
  return event;
}

bool join(Session& session, std::optional<double> timeout) {
  return wait_in_slices(timeout, [&](auto deadline) { return session.join(deadline); });
}

py::dict stats(const Session& session) {
  SessionStats stats;
  {
    py::gil_scoped_release release;
    stats = session.stats();
  }
  py::list chunks;
  for (const ChunkStats& chunk : stats.chunks) chunks.append(dict_of(chunk));
  using py::arg;
  return py::dict(arg("text_tokens") = stats.text_tokens, arg("codes") = stats.codes,
                  arg("samples") = stats.samples, arg("finish_reason") = stats.finish_reason,
                  arg("prefill") = stats.prefill, arg("first_text") = stats.first_text,
                  arg("first_code") = stats.first_code, arg("first_audio") = stats.first_audio,
                  arg("last_text") = stats.last_text, arg("total") = stats.done,
                  arg("text_tokens_at_first_code") = stats.text_tokens_at_first_code,
                  arg("codes_at_first_audio") = stats.codes_at_first_audio, arg("chunks") = chunks,
                  arg("thinker_steps") = stats.thinker_steps,
                  arg("talker_steps") = stats.talker_steps, arg("wave_steps") = stats.wave_steps);
}

py::array_t<float> samples(const py::object& self) {
  const auto& pcm = self.cast<const AudioEvent&>().samples;
  return py::array_t<float>(static_cast<py::ssize_t>(pcm.size()), pcm.data(), self);
}

void register_events(py::module_& m) {
  py::class_<TokenEvent>(m, "TokenEvent")
      .def_readonly("id", &TokenEvent::id)
      .def_readonly("time", &TokenEvent::time)
      .def_readonly("stop", &TokenEvent::stop);
  py::class_<AudioEvent>(m, "AudioEvent")
      .def_property_readonly("samples", &samples)
      .def_readonly("start", &AudioEvent::start)
      .def_readonly("time", &AudioEvent::time)
      .def_property_readonly("stats", [](const AudioEvent& event) {
        const auto count = static_cast<int64_t>(event.samples.size());
        return dict_of({event.start, count, event.time, event.work});
      });
  py::class_<DoneEvent>(m, "DoneEvent")
      .def_readonly("finish_reason", &DoneEvent::finish_reason)
      .def_readonly("time", &DoneEvent::time);
}

}  // namespace

void register_session(py::module_& m) {
  register_events(m);
  using Unlocked = py::call_guard<py::gil_scoped_release>;
  py::class_<Session>(m, "Session")
      .def("next", &next, py::arg("timeout") = py::none())
      .def("cancel", &Session::cancel, Unlocked())
      .def("join", &join, py::arg("timeout") = py::none())
      .def("tokens", &Session::tokens, Unlocked())
      .def("codes", &Session::codes, Unlocked())
      .def("stats", &stats);
}

}  // namespace omni::bindings
