"""The fifteen tasks of the Chomsky hierarchy of Delétang et al. 2023 (arXiv 2207.02098)."""
