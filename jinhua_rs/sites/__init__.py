"""Real reference sites: pixels and ground truth to measure the house by, none in Jinhua."""
