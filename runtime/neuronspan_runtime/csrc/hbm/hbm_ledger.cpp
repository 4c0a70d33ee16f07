#include "hbm/hbm_ledger.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "check.h"
#include "hbm/extents.h"
#include "hbm/hbm_stack.h"

namespace neuronspan {

namespace {

constexpr std::size_t kLedgerBytes = sizeof(std::uint64_t);
constexpr int kHalfBits = 32;  // pages of 4 KiB: up to 16 TiB
constexpr std::uint64_t kHalfMask = (std::uint64_t(1) << kHalfBits) - 1;

struct flock range_of(int side, short type) {
  struct flock range {};
  range.l_type = type;
  range.l_whence = SEEK_SET;
  range.l_start = side;
  range.l_len = 1;
  return range;
}

}  // namespace

HbmLedger::HbmLedger(const std::string& path, int side, std::size_t limit) : side_(side), limit_(limit / kHbmPage) {
  file_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  NEURONSPAN_CHECK_SYSTEM(file_ >= 0, "cannot open ", path, ", which the processes on one HBM share");
  void* mapped = MAP_FAILED;
  if (ftruncate(file_, kLedgerBytes) == 0) mapped = mmap(nullptr, kLedgerBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0);
  if (mapped == MAP_FAILED || !lock(side_, true)) {
    const int problem = errno;
    if (mapped != MAP_FAILED) munmap(mapped, kLedgerBytes);
    close(file_);
    errno = problem;
    NEURONSPAN_CHECK_SYSTEM(false, "cannot map and lock ", path, ", which the processes on one HBM share");
  }
  word_ = static_cast<Word*>(mapped);
  uncharge(half_of(word_->load(), side_) * kHbmPage);  // what the core's former owner left behind when it was killed
}

HbmLedger::~HbmLedger() {
  munmap(word_, kLedgerBytes);
  close(file_);  // drops the lock too; in a forked child, which never had it, nothing but the descriptor
}

bool HbmLedger::charge(std::size_t bytes) noexcept {
  const std::uint64_t pages = bytes / kHbmPage;
  for (bool looked = false;; looked = true) {
    std::uint64_t word = word_->load();
    while (half_of(word, 0) + half_of(word, 1) + pages <= limit_)
      if (word_->compare_exchange_weak(word, word + (pages << (side_ * kHalfBits)))) return true;
    if (looked) return false;
    forget_the_dead();
  }
}

void HbmLedger::uncharge(std::size_t bytes) noexcept { word_->fetch_sub(std::uint64_t(bytes / kHbmPage) << (side_ * kHalfBits)); }

std::size_t HbmLedger::neighbour() noexcept {
  if (half_of(word_->load(), 1 - side_) > 0) forget_the_dead();
  return half_of(word_->load(), 1 - side_) * kHbmPage;
}

std::uint64_t HbmLedger::half_of(std::uint64_t word, int side) const { return word >> (side * kHalfBits) & kHalfMask; }

// Record locks: they are the process's, not the descriptor's, so a forked child does not keep its dead parent's.
bool HbmLedger::lock(int side, bool wait) noexcept {
  struct flock range = range_of(side, F_WRLCK);
  int result = 0;
  do result = fcntl(file_, wait ? F_SETLKW : F_SETLK, &range);
  while (result != 0 && errno == EINTR);
  return result == 0;
}

void HbmLedger::unlock(int side) noexcept {
  struct flock range = range_of(side, F_UNLCK);
  fcntl(file_, F_SETLK, &range);
}

void HbmLedger::forget_the_dead() noexcept {
  // with the lock in our hands no new owner can begin to charge, which is what makes the zero right
  if (!lock(1 - side_, false)) return;
  word_->fetch_and(kHalfMask << (side_ * kHalfBits));
  unlock(1 - side_);
}

}  // namespace neuronspan
