#include "model/background.h"

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "device/device.h"

namespace neuronspan::background {

namespace {

// The thread ends when there is nothing left to do: an idle process has none, and none is lost by a fork.
struct Worker {
  std::mutex mutex;
  std::condition_variable idle;
  std::deque<std::packaged_task<void()>> waiting;
  bool running = false;
};

// Never destroyed: the thread may outlive static destructors.
Worker& worker() {
  static Worker* const instance = std::make_unique<Worker>().release();
  return *instance;
}

void work() {
  Worker& shared = worker();
  std::unique_lock<std::mutex> lock(shared.mutex);
  while (!shared.waiting.empty()) {
    std::packaged_task<void()> task = std::move(shared.waiting.front());
    shared.waiting.pop_front();
    lock.unlock();
    task();
    task = {};  // what it held goes without the lock
    lock.lock();
  }
  shared.running = false;
  shared.idle.notify_all();
}

}  // namespace

std::shared_future<void> run(std::function<void()> job) {
  std::packaged_task<void()> task(std::move(job));
  std::shared_future<void> ended = task.get_future().share();
  Worker& shared = worker();
  std::lock_guard<std::mutex> lock(shared.mutex);
  shared.waiting.push_back(std::move(task));
  if (!shared.running) {
    std::thread(&work).detach();
    shared.running = true;
  }
  return ended;
}

void finish() {
  if (in_bad_fork()) return;  // the thread is the parent's
  Worker& shared = worker();
  std::unique_lock<std::mutex> lock(shared.mutex);
  shared.idle.wait(lock, [&] { return !shared.running; });
}

}  // namespace neuronspan::background
