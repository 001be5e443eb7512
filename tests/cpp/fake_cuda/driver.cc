// The entry points. Their prototypes are checked against our own declaration of them.
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "machine.h"

namespace fake {
namespace {

using namespace omni::cuda;

thread_local bool has_context = false;

struct Image {
  std::set<std::string> kernels;
};

struct Symbol {
  std::string name;
  unsigned shared = 48 * 1024;  // that a launch may ask for
};

constexpr unsigned kMaxShared = 100 * 1024, kMaxThreads = 1024;

Machine& machine() { return Machine::instance(); }

template <class T>
T* as(void* handle) {
  return static_cast<T*>(handle);
}

using SharedEvent = std::shared_ptr<Event>;

Stream& stream_of(StreamHandle handle) { return *reinterpret_cast<Stream*>(handle); }
SharedEvent& event_of(EventHandle handle) { return *reinterpret_cast<SharedEvent*>(handle); }

// What every call that needs a device checks first.
Result begin(const char* name) {
  if (!machine().initialized) return kNotInitialized;
  if (const Result result = machine().call(name)) return result;
  if (!has_context) return kInvalidContext;
  return machine().broken;
}

Result enqueue(const char* name, StreamHandle stream, Work work) {
  if (const Result result = begin(name)) return result;
  if (stream == nullptr) return kInvalidValue;  // the legacy stream orders all others: not ours
  Sequence one;
  one.push_back(std::move(work));
  stream_of(stream).push(std::move(one));
  return kSuccess;
}

Result cuInit(unsigned) {
  machine().read_environment();
  if (const Result result = machine().call("cuInit")) return result;
  machine().initialized = true;
  return machine().devices > 0 ? kSuccess : kNoDevice;
}

Result cuGetErrorName(Result result, const char** name) {
  static const std::map<Result, const char*> names = {
      {kSuccess, "CUDA_SUCCESS"},
      {kInvalidValue, "CUDA_ERROR_INVALID_VALUE"},
      {kOutOfMemory, "CUDA_ERROR_OUT_OF_MEMORY"},
      {kNotInitialized, "CUDA_ERROR_NOT_INITIALIZED"},
      {46, "CUDA_ERROR_DEVICE_UNAVAILABLE"},
      {kNoDevice, "CUDA_ERROR_NO_DEVICE"},
      {kInvalidImage, "CUDA_ERROR_INVALID_IMAGE"},
      {kInvalidContext, "CUDA_ERROR_INVALID_CONTEXT"},
      {214, "CUDA_ERROR_ECC_UNCORRECTABLE"},
      {kNotFound, "CUDA_ERROR_NOT_FOUND"},
      {700, "CUDA_ERROR_ILLEGAL_ADDRESS"},
      {702, "CUDA_ERROR_LAUNCH_TIMEOUT"},
      {719, "CUDA_ERROR_LAUNCH_FAILED"},
      {kCaptureUnsupported, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"},
  };
  const auto found = names.find(result);
  *name = found == names.end() ? nullptr : found->second;
  return *name ? kSuccess : kInvalidValue;
}

Result cuGetErrorString(Result result, const char** words) {
  *words = result == kSuccess ? "no error" : "from the fake driver";
  return kSuccess;
}

Result cuDeviceGetCount(int* count) {
  *count = machine().devices;
  return machine().initialized ? machine().call("cuDeviceGetCount") : kNotInitialized;
}

Result cuDeviceGet(DeviceId* device, int ordinal) {
  *device = ordinal;
  return ordinal < machine().devices ? kSuccess : 101;
}

Result cuDeviceGetName(char* name, int bytes, DeviceId) {
  std::strncpy(name, "Fake GPU", bytes);
  return kSuccess;
}

Result cuDeviceGetAttribute(int* value, int attribute, DeviceId) {
  *value = attribute == kComputeMajor ? 8 : attribute == kMaxSharedOptIn ? int{kMaxShared} : 0;
  return kSuccess;
}

Result cuDevicePrimaryCtxRetain(Context* context, DeviceId) {
  *context = reinterpret_cast<Context>(&machine());
  return machine().call("cuDevicePrimaryCtxRetain");
}

Result cuDevicePrimaryCtxRelease(DeviceId) { return kSuccess; }

Result cuCtxSetCurrent(Context context) {
  has_context = context != nullptr;
  return kSuccess;
}

Result cuCtxGetCurrent(Context* context) {
  *context = has_context ? reinterpret_cast<Context>(&machine()) : nullptr;
  return kSuccess;
}

Result cuCtxGetStreamPriorityRange(int* least, int* greatest) {
  *least = 0;
  *greatest = -5;
  return begin("cuCtxGetStreamPriorityRange");
}

Result cuModuleLoadData(Module* module, const void* image) {
  if (const Result result = begin("cuModuleLoadData")) return result;
  std::istringstream lines(static_cast<const char*>(image));
  std::string line;
  if (!std::getline(lines, line) || line != "fake cubin") return kInvalidImage;
  auto* loaded = new Image;
  while (std::getline(lines, line)) loaded->kernels.insert(line);
  *module = reinterpret_cast<Module>(loaded);
  return kSuccess;
}

// Its functions stay: graphs may hold them.
Result cuModuleUnload(Module module) {
  delete reinterpret_cast<Image*>(module);
  return kSuccess;
}

Result cuModuleGetFunction(Function* function, Module module, const char* name) {
  if (const Result result = begin("cuModuleGetFunction")) return result;
  if (!reinterpret_cast<Image*>(module)->kernels.contains(name)) return kNotFound;
  static std::map<std::string, Symbol> symbols;
  std::lock_guard lock(machine().mutex);
  *function = reinterpret_cast<Function>(&symbols.try_emplace(name, Symbol{name}).first->second);
  return kSuccess;
}

Result cuFuncSetAttribute(Function function, int attribute, int value) {
  if (const Result result = begin("cuFuncSetAttribute")) return result;
  if (attribute != kMaxDynamicShared || value > int{kMaxShared}) return kInvalidValue;
  reinterpret_cast<Symbol*>(function)->shared = value;
  return kSuccess;
}

Result run_kernel(const FakeLaunch& launch) {
  if (const Result result = machine().call(launch.kernel)) return result;
  Kernel kernel{};
  {
    std::lock_guard lock(machine().mutex);
    const auto& all = machine().kernels;
    const auto own = all.find(launch.kernel), any = all.find("*");
    if (own == all.end() && any == all.end()) return kNotFound;
    kernel = own == all.end() ? any->second : own->second;
  }
  return kernel.function(&launch, kernel.context);
}

Result cuLaunchKernel(Function function, unsigned gx, unsigned gy, unsigned gz, unsigned bx,
                      unsigned by, unsigned bz, unsigned shared, StreamHandle stream, void** params,
                      void** extra) {
  const auto& symbol = *reinterpret_cast<Symbol*>(function);
  const bool packed = params == nullptr && extra != nullptr && extra[0] == kParamPointer &&
                      extra[2] == kParamSize && extra[4] == kParamEnd;
  if (!packed || gx * gy * gz == 0 || bx * by * bz == 0 || bx * by * bz > kMaxThreads ||
      shared > symbol.shared)
    return kInvalidValue;
  const auto* first = static_cast<const std::byte*>(extra[1]);
  std::vector<std::byte> arguments(first, first + *static_cast<size_t*>(extra[3]));
  auto run = [=, name = symbol.name, arguments = std::move(arguments)] {
    return run_kernel(
        {name.c_str(), {gx, gy, gz}, {bx, by, bz}, shared, arguments.data(), arguments.size()});
  };
  return enqueue("cuLaunchKernel", stream,
                 {.kind = FakeWork::kernel, .run = std::move(run), .kernel = symbol.name});
}

Result cuMemGetInfo(size_t* free, size_t* total) {
  if (const Result result = begin("cuMemGetInfo")) return result;
  std::lock_guard lock(machine().mutex);
  *total = machine().total;
  *free = machine().total - machine().used;
  return kSuccess;
}

Result cuMemAlloc(Address* address, size_t bytes) {
  if (const Result result = begin("cuMemAlloc")) return result;
  if (bytes == 0) return kInvalidValue;
  std::lock_guard lock(machine().mutex);
  if (machine().used + bytes > machine().total) return kOutOfMemory;
  *address = reinterpret_cast<Address>(std::malloc(bytes));
  machine().allocations[*address] = bytes;
  machine().used += bytes;
  return kSuccess;
}

Result cuMemFree(Address address) {
  if (!has_context) return kInvalidContext;
  std::lock_guard lock(machine().mutex);
  const auto found = machine().allocations.find(address);
  if (found == machine().allocations.end()) return kInvalidValue;
  machine().used -= found->second;
  machine().allocations.erase(found);
  std::free(reinterpret_cast<void*>(address));
  return kSuccess;
}

Result cuMemHostAlloc(void** data, size_t bytes, unsigned) {
  if (const Result result = begin("cuMemHostAlloc")) return result;
  *data = std::calloc(1, bytes);
  return kSuccess;
}

Result cuMemFreeHost(void* data) {
  std::free(data);
  return kSuccess;
}

Result copy(const char* name, void* to, const void* from, size_t bytes, StreamHandle stream) {
  auto run = [=] {
    std::memcpy(to, from, bytes);
    return kSuccess;
  };
  return enqueue(name, stream, {.kind = FakeWork::copy, .run = run});
}

Result cuMemcpyHtoDAsync(Address to, const void* from, size_t bytes, StreamHandle stream) {
  return copy("cuMemcpyHtoDAsync", reinterpret_cast<void*>(to), from, bytes, stream);
}

Result cuMemcpyDtoHAsync(void* to, Address from, size_t bytes, StreamHandle stream) {
  return copy("cuMemcpyDtoHAsync", to, reinterpret_cast<void*>(from), bytes, stream);
}

Result cuMemcpyDtoDAsync(Address to, Address from, size_t bytes, StreamHandle stream) {
  return copy("cuMemcpyDtoDAsync", reinterpret_cast<void*>(to), reinterpret_cast<void*>(from),
              bytes, stream);
}

Result cuMemsetD8Async(Address to, unsigned char value, size_t bytes, StreamHandle stream) {
  auto run = [=] {
    std::memset(reinterpret_cast<void*>(to), value, bytes);
    return kSuccess;
  };
  return enqueue("cuMemsetD8Async", stream, {.kind = FakeWork::set, .run = run});
}

Result cuStreamCreateWithPriority(StreamHandle* stream, unsigned, int) {
  if (const Result result = begin("cuStreamCreateWithPriority")) return result;
  *stream = reinterpret_cast<StreamHandle>(new Stream(machine().streams++));
  return kSuccess;
}

Result cuStreamDestroy(StreamHandle stream) {
  delete &stream_of(stream);
  return kSuccess;
}

Result cuStreamSynchronize(StreamHandle stream) {
  if (const Result result = begin("cuStreamSynchronize")) return result;
  if (stream_of(stream).captured) return kCaptureUnsupported;
  stream_of(stream).synchronize();
  return machine().broken;
}

Result cuStreamWaitEvent(StreamHandle stream, EventHandle handle, unsigned) {
  const SharedEvent event = event_of(handle);
  if (stream_of(stream).captured) return kCaptureUnsupported;
  const unsigned ticket = event->last_ticket();
  auto run = [=] {
    if (!machine().ignore_waits) event->wait(ticket);
    return kSuccess;
  };
  return enqueue("cuStreamWaitEvent", stream,
                 {.kind = FakeWork::wait, .run = run, .event = event, .ticket = ticket});
}

Result cuStreamBeginCapture(StreamHandle stream, int) {
  if (const Result result = begin("cuStreamBeginCapture")) return result;
  if (stream_of(stream).captured) return kInvalidValue;
  stream_of(stream).captured = std::make_unique<Sequence>();
  return kSuccess;
}

Result cuStreamEndCapture(StreamHandle stream, GraphHandle* graph) {
  std::unique_ptr<Sequence> captured = std::move(stream_of(stream).captured);
  if (!captured) return kInvalidValue;
  if (const Result result = begin("cuStreamEndCapture")) return result;
  *graph = reinterpret_cast<GraphHandle>(captured.release());
  return kSuccess;
}

Result cuEventCreate(EventHandle* event, unsigned) {
  if (const Result result = begin("cuEventCreate")) return result;
  const int id = machine().events++;
  *event = reinterpret_cast<EventHandle>(new SharedEvent(std::make_shared<Event>(id)));
  return kSuccess;
}

Result cuEventDestroy(EventHandle event) {
  delete &event_of(event);
  return kSuccess;
}

Result cuEventRecord(EventHandle handle, StreamHandle stream) {
  if (const Result result = begin("cuEventRecord")) return result;
  if (stream_of(stream).captured) return kCaptureUnsupported;
  const SharedEvent event = event_of(handle);
  return enqueue("", stream,
                 {.kind = FakeWork::record,
                  .run = [] { return kSuccess; },
                  .event = event,
                  .ticket = event->next_ticket()});
}

Result cuEventSynchronize(EventHandle handle) {
  if (const Result result = begin("cuEventSynchronize")) return result;
  event_of(handle)->wait(event_of(handle)->last_ticket());
  return machine().broken;
}

Result cuGraphInstantiate(GraphExec* exec, GraphHandle graph, unsigned long long) {
  if (const Result result = begin("cuGraphInstantiate")) return result;
  *exec = reinterpret_cast<GraphExec>(new Sequence(*as<Sequence>(graph)));
  return kSuccess;
}

Result cuGraphLaunch(GraphExec exec, StreamHandle stream) {
  if (const Result result = begin("cuGraphLaunch")) return result;
  if (stream_of(stream).captured) return kCaptureUnsupported;
  stream_of(stream).push(*as<Sequence>(exec));
  return kSuccess;
}

Result cuGraphExecDestroy(GraphExec exec) {
  delete as<Sequence>(exec);
  return kSuccess;
}

Result cuGraphDestroy(GraphHandle graph) {
  delete as<Sequence>(graph);
  return kSuccess;
}

const std::map<std::string, void*>& entries() {
#define FAKE_CUDA_ENTRY(name, ...) \
  {#name, reinterpret_cast<void*>(static_cast<Result (*)(__VA_ARGS__)>(&name))},
  static const std::map<std::string, void*> all = {OMNI_CUDA_ENTRIES(FAKE_CUDA_ENTRY)};
#undef FAKE_CUDA_ENTRY
  return all;
}

}  // namespace
}  // namespace fake

extern "C" {

int cuDriverGetVersion(int* version) {
  const char* given = std::getenv("FAKE_CUDA_VERSION");
  *version = given ? std::atoi(given) : 13000;
  return 0;
}

int cuGetProcAddress_v2(const char* name, void** function, int, uint64_t, int*) {
  const char* missing = std::getenv("FAKE_CUDA_WITHOUT");
  const auto found = fake::entries().find(name);
  if (found == fake::entries().end() || (missing && std::strcmp(missing, name) == 0)) {
    *function = nullptr;
    return fake::kNotFound;
  }
  *function = found->second;
  return 0;
}

}  // extern "C"
