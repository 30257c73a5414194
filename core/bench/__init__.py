"""Speed and quality against installed peers, measured in one run."""
