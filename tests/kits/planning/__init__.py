"""What planning is tried on: drafts as they are kept, scenes on few nodes, and worlds in which anything changes."""
