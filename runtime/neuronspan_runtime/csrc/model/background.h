// The thread that loads models for async_load, one after the other, in the order in which they were read from their files.
// Law: what runs there needs no Python, so whoever waits for it may hold the GIL.
#pragma once

#include <functional>
#include <future>

namespace neuronspan::background {

// Runs the work later; the future says how it ended. Not for use before the runtime is initialised.
std::shared_future<void> run(std::function<void()> work);

// Waits until everything given so far has ended, well or badly: before the interpreter, and with it torch, goes away.
void finish();

}  // namespace neuronspan::background
