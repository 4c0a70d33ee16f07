"""A cluster with the product installed: access, the Helm release, workloads, and what they must agree on."""
