"""Models that have no closed form, sampled by PyMC and read through ArviZ; `abkit.bayes` has their public names."""
