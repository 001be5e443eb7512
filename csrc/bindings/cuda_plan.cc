#include <pybind11/stl.h>

#include <map>
#include <stdexcept>
#include <tuple>
#include <vector>

#include "bindings/cuda.h"

namespace omni::bindings {
namespace {

namespace py = pybind11;

using GridArg = std::tuple<unsigned, unsigned, unsigned>;

// The letter of Arguments for a type in Triton's words.
char letter_of(const std::string& type) {
  static const std::map<std::string, char> letters = {
      {"i64", 'l'}, {"u64", 'l'}, {"i32", 'i'}, {"u32", 'i'}, {"fp32", 'f'}, {"i16", 'h'},
      {"u16", 'h'}, {"i8", 'b'},  {"u8", 'b'},  {"i1", 'b'},  {"u1", 'b'},
  };
  if (!type.empty() && type.front() == '*') return 'P';
  const auto found = letters.find(type);
  if (found == letters.end())
    throw std::invalid_argument("Kernel: an argument of type '" + type +
                                "'; use pointers, integers or fp32");
  return found->second;
}

// Device, image and metadata, as compilers write them.
std::unique_ptr<cuda::Kernel> make_kernel(const cuda::Device& device, const py::bytes& image,
                                          std::string name, int warps, int shared,
                                          const std::vector<std::string>& args) {
  const std::string bytes = image;
  std::string letters;
  for (const std::string& type : args) letters += letter_of(type);
  return std::make_unique<cuda::Kernel>(device, bytes.c_str(),
                                        cuda::KernelInfo{std::move(name), warps, shared, letters});
}

// Numbers as they are; None is a null address; whatever has data_ptr() is its address.
std::vector<std::byte> pack(const cuda::Kernel& kernel, const py::tuple& values) {
  cuda::Arguments arguments(kernel.info().args);
  for (const py::handle value : values) {
    if (py::isinstance<py::float_>(value)) {
      arguments.add_real(value.cast<float>());
    } else if (py::isinstance<py::int_>(value)) {
      arguments.add_integer(value.cast<int64_t>());
    } else if (value.is_none()) {
      arguments.add_integer(0);
    } else {
      arguments.add_integer(value.attr("data_ptr")().cast<int64_t>());
    }
  }
  return arguments.finish();
}

thread_local OwnedLaunchPlan* recorded = nullptr;

// Now, and again whenever the plan that this thread records is run.
void launch(const py::object& kernel, const GridArg& grid_arg, const py::tuple& args,
            const cuda::Stream& stream) {
  const auto& loaded = kernel.cast<const cuda::Kernel&>();
  const cuda::Grid grid{std::get<0>(grid_arg), std::get<1>(grid_arg), std::get<2>(grid_arg)};
  const std::vector<std::byte> packed = pack(loaded, args);
  if (recorded != nullptr) {
    recorded->plan.append(loaded, grid, packed);
    recorded->owners.append(py::make_tuple(kernel, args));
  }
  py::gil_scoped_release release;
  loaded.device().use();
  cuda::launch(loaded, grid, packed.data(), packed.size(), stream);
}

// The context manager of Plan.recording(); entered and left on one thread.
class RecordingContext {
 public:
  explicit RecordingContext(OwnedLaunchPlan& plan) : plan_(plan) {}

  void enter() {
    if (recorded != nullptr)
      throw std::logic_error("cannot record plan '" + plan_.plan.name() +
                             "': this thread records '" + recorded->plan.name() + "' already");
    recorded = &plan_;
  }

  void exit(const py::args&) { recorded = nullptr; }

 private:
  OwnedLaunchPlan& plan_;
};

}  // namespace

void register_cuda_plan(py::module_& m) {
  using py::arg;
  py::class_<cuda::Kernel>(m, "Kernel")
      .def(py::init(&make_kernel), arg("device"), arg("image"), arg("name"), py::kw_only(),
           arg("warps"), arg("shared"), arg("args"), py::keep_alive<1, 2>(),
           "image: a cubin. args: the type of each argument in Triton's words, such as *bf16, i32")
      .def_property_readonly("name", [](const cuda::Kernel& kernel) { return kernel.info().name; });
  m.def("launch", &launch, arg("kernel"), arg("grid"), arg("args"), arg("stream"),
        "Starts a kernel; args: numbers, None, or tensors by their data_ptr()");
  py::class_<RecordingContext>(m, "Recording")
      .def("__enter__", &RecordingContext::enter)
      .def("__exit__", &RecordingContext::exit);
  py::class_<OwnedLaunchPlan>(m, "Plan")
      .def(py::init<std::string>(), arg("name"))
      .def(
          "recording",
          [](OwnedLaunchPlan& plan) { return std::make_unique<RecordingContext>(plan); },
          py::keep_alive<0, 1>())
      .def_static("is_recording", [] { return recorded != nullptr; })
      .def("__len__", [](const OwnedLaunchPlan& plan) { return plan.plan.size(); })
      .def_property_readonly("name", [](const OwnedLaunchPlan& plan) { return plan.plan.name(); })
      .def_property_readonly("calls",
                             [](const OwnedLaunchPlan& plan) { return plan.plan.calls(); });
}

}  // namespace omni::bindings
