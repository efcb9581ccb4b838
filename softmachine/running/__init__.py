"""Running machines: the loop over their steps, scores, sizes, devices."""
