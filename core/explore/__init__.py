"""What the pages draw: projections, distributions, figures."""
