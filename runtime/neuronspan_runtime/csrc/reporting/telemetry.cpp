#include "reporting/telemetry.h"

#include <fcntl.h>  // with glibc's own extensions: the seals
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <sstream>

#include "check.h"

namespace neuronspan::telemetry {

namespace {

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010  // Linux 5.1; headers of older systems lack it
#endif

// Reserved once and never given back: the counters of all cores, one page after the other.
Page* pages() {
  static Page* const first = [] {
    void* const address = mmap(nullptr, kPages * kPageBytes, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    NEURONSPAN_CHECK_SYSTEM(address != MAP_FAILED, "cannot reserve memory for the counters");
    return static_cast<Page*>(address);
  }();
  return first;
}

// Replacing a mapping by another of the same size cannot fail half way: the old one stays if the new one is refused.
bool put_under(std::size_t index, std::size_t count, int flags, int file) noexcept {
  return mmap(pages() + index, count * kPageBytes, PROT_READ | PROT_WRITE, flags | MAP_FIXED, file, 0) != MAP_FAILED;
}

void put_private(std::size_t index, std::size_t count) noexcept {
  put_under(index, count, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
}

std::mutex table_mutex;  // of all pages' tables

template <std::size_t size>
void copy_text(char (&field)[size], const std::string& text) {
  std::memset(field, 0, size);
  std::memcpy(field, text.data(), std::min(text.size(), size - 1));
}

// A reader that sees an even number, and the same one after reading, read a whole table.
class TableChange {
 public:
  explicit TableChange(Page& page) : page_(page), lock_(table_mutex) { step(); }
  TableChange(const TableChange&) = delete;
  TableChange& operator=(const TableChange&) = delete;
  ~TableChange() { step(); }

 private:
  void step() { page_.models_sequence.fetch_add(1, std::memory_order_acq_rel); }

  Page& page_;
  std::lock_guard<std::mutex> lock_;
};

}  // namespace

std::size_t bucket_of(std::int64_t nanoseconds) noexcept {
  const auto units = static_cast<std::uint64_t>(std::max<std::int64_t>(nanoseconds, 0)) >> 10;
  if (units < 16) return static_cast<std::size_t>(units);
  const int exponent = 63 - __builtin_clzll(units);
  const std::size_t bucket = 16 + static_cast<std::size_t>(exponent - 4) * 8 + ((units >> (exponent - 3)) & 7);
  return std::min(bucket, kBuckets - 1);
}

Page& page(std::size_t index) { return pages()[index]; }

Page& next_page() {
  static std::atomic<std::size_t> next{0};
  return page(next.fetch_add(1));
}

bool open(int descriptor, std::size_t count) {
  close();
  if (count > kPages) return false;  // configure tells how many cores there can be
  const int seals = fcntl(descriptor, F_GET_SEALS);
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0) return false;
  struct stat status {};
  if (fstat(descriptor, &status) != 0 || status.st_size < static_cast<off_t>(count * kPageBytes)) return false;
  if (!put_under(0, count, MAP_SHARED, descriptor)) return false;
  // this mapping stays writable and is the last one, whoever gets hold of the descriptor
  if (fcntl(descriptor, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) == 0) return true;
  close();
  return false;
}

void close() noexcept { put_private(0, kPages); }

void before_fork() { table_mutex.lock(); }

void after_fork() { table_mutex.unlock(); }

Call::~Call() {
  if (std::uncaught_exceptions() > exceptions_) {
    // what never reached a core was refused for its input
    add(device_ > 0 ? page_.completed_with_error : page_.incorrect_input, 1);
    return;
  }
  add(page_.completed, 1);
  add(page_.total_latency[bucket_of(end_ - begin_)], 1);
  add(page_.device_latency[bucket_of(device_)], 1);
}

std::string json_text(const std::string& json, const std::string& key) {
  const std::string opening = "\"" + key + "\": \"";
  const std::size_t found = json.find(opening);
  if (found == std::string::npos) return {};
  const std::size_t begin = found + opening.size();
  const std::size_t end = json.find('"', begin);
  return end == std::string::npos ? std::string() : json.substr(begin, end - begin);
}

std::int64_t next_model_id() noexcept {
  static std::atomic<std::int64_t> next{10001};
  return next.fetch_add(1);
}

Listing::Listing(Page& page, std::int64_t id, const std::string& metadata, std::size_t bytes, int subgraph, int first_core)
    : page_(&page) {
  const TableChange change(page);
  add(page.models_loaded, 1);
  add(page.model_loads, 1);
  const auto free = std::find_if(std::begin(page.models), std::end(page.models),
                                 [](const ModelSlot& slot) { return slot.id.load(std::memory_order_relaxed) == 0; });
  if (free == std::end(page.models)) return;
  slot_ = &*free;
  slot_->bytes = static_cast<std::int64_t>(bytes);
  slot_->subgraph = subgraph;
  slot_->first_core = first_core;
  copy_text(slot_->uuid, json_text(metadata, "uuid"));
  copy_text(slot_->name, json_text(metadata, "name"));
  set(slot_->id, id);
}

Listing::~Listing() {
  if (page_ == nullptr) return;
  const TableChange change(*page_);
  add(page_->models_loaded, -1);
  if (slot_ != nullptr) set(slot_->id, 0);
}

#define NEURONSPAN_FIELD(type, field) text << #field << ' ' << offsetof(type, field) << ' ' << sizeof(type::field) << '\n'

std::string layout() {
  std::ostringstream text;
  NEURONSPAN_FIELD(Page, header);
  NEURONSPAN_FIELD(Page, completed);
  NEURONSPAN_FIELD(Page, completed_with_error);
  NEURONSPAN_FIELD(Page, completed_with_numerical_error);
  NEURONSPAN_FIELD(Page, timed_out);
  NEURONSPAN_FIELD(Page, incorrect_input);
  NEURONSPAN_FIELD(Page, failed_to_queue);
  NEURONSPAN_FIELD(Page, executions);
  NEURONSPAN_FIELD(Page, busy_nanoseconds);
  NEURONSPAN_FIELD(Page, running_since);
  NEURONSPAN_FIELD(Page, tensor_bytes);
  NEURONSPAN_FIELD(Page, model_bytes);
  NEURONSPAN_FIELD(Page, peak_bytes);
  NEURONSPAN_FIELD(Page, capacity_bytes);
  NEURONSPAN_FIELD(Page, host_to_device_bytes);
  NEURONSPAN_FIELD(Page, device_to_host_bytes);
  NEURONSPAN_FIELD(Page, device_to_device_bytes);
  NEURONSPAN_FIELD(Page, allocation_failures);
  NEURONSPAN_FIELD(Page, models_loaded);
  NEURONSPAN_FIELD(Page, model_loads);
  NEURONSPAN_FIELD(Page, models_sequence);
  NEURONSPAN_FIELD(Page, code_bytes);
  NEURONSPAN_FIELD(Page, simulated_nanoseconds);
  NEURONSPAN_FIELD(Page, computing_nanoseconds);
  NEURONSPAN_FIELD(Page, reserved);
  NEURONSPAN_FIELD(Page, total_latency);
  NEURONSPAN_FIELD(Page, device_latency);
  NEURONSPAN_FIELD(Page, models);
  NEURONSPAN_FIELD(ModelSlot, id);
  NEURONSPAN_FIELD(ModelSlot, bytes);
  NEURONSPAN_FIELD(ModelSlot, subgraph);
  NEURONSPAN_FIELD(ModelSlot, first_core);
  NEURONSPAN_FIELD(ModelSlot, uuid);
  NEURONSPAN_FIELD(ModelSlot, name);
  return text.str();
}

#undef NEURONSPAN_FIELD

}  // namespace neuronspan::telemetry
