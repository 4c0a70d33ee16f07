#include "hbm/extents.h"

#include <algorithm>

namespace neuronspan {

void FreeExtents::clear() {
  nodes_.assign(1, Node{});
  unused_.clear();
  root_ = 0;
}

std::optional<std::size_t> FreeExtents::take(std::size_t size) {
  if (size == 0 || largest() < size) return std::nullopt;
  std::size_t offset = 0;
  root_ = taken(root_, size, offset);
  return offset;
}

void FreeExtents::give_back(std::size_t offset, std::size_t size) {
  Index before = 0;
  Index after = 0;
  for (Index node = root_; node != 0;) {
    if (nodes_[node].offset < offset) {
      before = node;
      node = nodes_[node].right;
    } else {
      after = node;
      node = nodes_[node].left;
    }
  }
  const bool joins_before = before != 0 && nodes_[before].offset + nodes_[before].size == offset;
  const bool joins_after = after != 0 && offset + size == nodes_[after].offset;
  if (joins_before) {
    std::size_t grown = nodes_[before].size + size;
    if (joins_after) {
      grown += nodes_[after].size;
      root_ = erased(root_, nodes_[after].offset);
    }
    change(root_, nodes_[before].offset, nodes_[before].offset, grown);
  } else if (joins_after) {
    change(root_, nodes_[after].offset, offset, size + nodes_[after].size);
  } else {
    root_ = inserted(root_, created(offset, size));
  }
}

FreeExtents::Index FreeExtents::created(std::size_t offset, std::size_t size) {
  if (unused_.empty()) {
    unused_.push_back(static_cast<Index>(nodes_.size()));
    nodes_.emplace_back();
  }
  const Index node = unused_.back();
  unused_.pop_back();
  // xorshift: the shape of the tree must not follow the order of the frees, and a run must be repeatable
  random_ ^= random_ << 13;
  random_ ^= random_ >> 17;
  random_ ^= random_ << 5;
  nodes_[node] = Node{offset, size, size, random_, 0, 0};
  return node;
}

void FreeExtents::update(Index node) {
  Node& at = nodes_[node];
  at.largest = std::max({at.size, nodes_[at.left].largest, nodes_[at.right].largest});
}

FreeExtents::Index FreeExtents::merged(Index low, Index high) {
  if (low == 0 || high == 0) return low == 0 ? high : low;
  if (nodes_[low].priority > nodes_[high].priority) {
    nodes_[low].right = merged(nodes_[low].right, high);
    update(low);
    return low;
  }
  nodes_[high].left = merged(low, nodes_[high].left);
  update(high);
  return high;
}

void FreeExtents::split(Index node, std::size_t offset, Index& low, Index& high) {
  if (node == 0) {
    low = high = 0;
  } else if (nodes_[node].offset < offset) {
    low = node;
    split(nodes_[node].right, offset, nodes_[node].right, high);
    update(node);
  } else {
    high = node;
    split(nodes_[node].left, offset, low, nodes_[node].left);
    update(node);
  }
}

FreeExtents::Index FreeExtents::inserted(Index node, Index fresh) {
  if (node == 0) return fresh;
  if (nodes_[fresh].priority > nodes_[node].priority) {
    split(node, nodes_[fresh].offset, nodes_[fresh].left, nodes_[fresh].right);
    update(fresh);
    return fresh;
  }
  Index& side = nodes_[fresh].offset < nodes_[node].offset ? nodes_[node].left : nodes_[node].right;
  side = inserted(side, fresh);
  update(node);
  return node;
}

FreeExtents::Index FreeExtents::erased(Index node, std::size_t offset) {
  if (nodes_[node].offset == offset) {
    unused_.push_back(node);
    return merged(nodes_[node].left, nodes_[node].right);
  }
  Index& side = offset < nodes_[node].offset ? nodes_[node].left : nodes_[node].right;
  side = erased(side, offset);
  update(node);
  return node;
}

FreeExtents::Index FreeExtents::taken(Index node, std::size_t size, std::size_t& offset) {
  Node& at = nodes_[node];
  if (nodes_[at.left].largest >= size) {
    at.left = taken(at.left, size, offset);
  } else if (at.size >= size) {
    offset = at.offset;
    if (at.size == size) {
      unused_.push_back(node);
      return merged(at.left, at.right);
    }
    at.offset += size;
    at.size -= size;
  } else {
    at.right = taken(at.right, size, offset);
  }
  update(node);
  return node;
}

void FreeExtents::change(Index node, std::size_t offset, std::size_t new_offset, std::size_t new_size) {
  if (nodes_[node].offset == offset) {
    nodes_[node].offset = new_offset;
    nodes_[node].size = new_size;
  } else {
    change(offset < nodes_[node].offset ? nodes_[node].left : nodes_[node].right, offset, new_offset, new_size);
  }
  update(node);
}

void FreeExtents::walk(Index node, const std::function<void(std::size_t, std::size_t)>& visit) const {
  if (node == 0) return;
  walk(nodes_[node].left, visit);
  visit(nodes_[node].offset, nodes_[node].size);
  walk(nodes_[node].right, visit);
}

}  // namespace neuronspan
