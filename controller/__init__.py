"""The operator: reads the cluster, decides what should exist, applies the difference."""
