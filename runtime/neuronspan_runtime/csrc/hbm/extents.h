// The free addresses of one pool of HBM, as extents. First fit, as the driver's gen_pool does it, in logarithmic time.
// Law: extents neither overlap nor touch; touching ones become one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace neuronspan {

// A treap by address; each node also knows the largest extent of its subtree, which is what first fit descends by.
class FreeExtents {
 public:
  void clear();
  // Takes `size` bytes from the start of the lowest extent that has them.
  std::optional<std::size_t> take(std::size_t size);
  // Gives back bytes that are not free; joins them with their neighbours.
  void give_back(std::size_t offset, std::size_t size);
  // Size of the largest extent, 0 when nothing is free.
  std::size_t largest() const { return nodes_[root_].largest; }
  void for_each(const std::function<void(std::size_t offset, std::size_t size)>& visit) const { walk(root_, visit); }

 private:
  using Index = std::uint32_t;  // 0 = none
  struct Node {
    std::size_t offset = 0;
    std::size_t size = 0;
    std::size_t largest = 0;
    std::uint32_t priority = 0;
    Index left = 0;
    Index right = 0;
  };

  Index created(std::size_t offset, std::size_t size);
  void update(Index node);
  Index merged(Index low, Index high);
  void split(Index node, std::size_t offset, Index& low, Index& high);
  Index inserted(Index node, Index fresh);
  Index erased(Index node, std::size_t offset);
  Index taken(Index node, std::size_t size, std::size_t& offset);
  // Gives the extent that begins at `offset` another begin and size; its place in the order stays.
  void change(Index node, std::size_t offset, std::size_t new_offset, std::size_t new_size);
  void walk(Index node, const std::function<void(std::size_t, std::size_t)>& visit) const;

  std::vector<Node> nodes_{1};  // nodes_[0] stands for "none": size and largest 0
  std::vector<Index> unused_;
  Index root_ = 0;
  std::uint32_t random_ = 0x9e3779b9;
};

}  // namespace neuronspan
