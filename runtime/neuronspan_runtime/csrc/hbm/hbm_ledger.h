// What the processes that own the cores of one HBM stack have charged to it, in a file that they map. One half per core
// of the stack, both in one word, so that a charge is one compare-and-swap: the sum never exceeds the stack, and no two
// processes refuse each other what one of them could have had.
// Law: a half is its owner's while the owner lives; the kernel drops the owner's lock on it when the process ends.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

namespace neuronspan {

class HbmLedger {
 public:
  // `side` is this process's core, 0 or 1; `limit` is what both together may charge. Makes the file if it is missing.
  // Throws c10::Error when the file cannot be used.
  HbmLedger(const std::string& path, int side, std::size_t limit);
  HbmLedger(const HbmLedger&) = delete;
  HbmLedger& operator=(const HbmLedger&) = delete;
  ~HbmLedger();

  // Whole pages. False, charging nothing, when the neighbour's share leaves too little.
  bool charge(std::size_t bytes) noexcept;
  void uncharge(std::size_t bytes) noexcept;
  // What the living owner of the other core has charged.
  std::size_t neighbour() noexcept;

 private:
  using Word = std::atomic<std::uint64_t>;
  static_assert(Word::is_always_lock_free, "processes share this word: it may not be guarded by a lock of one of them");

  std::uint64_t half_of(std::uint64_t word, int side) const;
  bool lock(int side, bool wait) noexcept;
  void unlock(int side) noexcept;
  // Sets the other half to zero when nobody owns it any more.
  void forget_the_dead() noexcept;

  const int side_;
  const std::uint64_t limit_;  // pages
  int file_ = -1;
  Word* word_ = nullptr;
};

}  // namespace neuronspan
