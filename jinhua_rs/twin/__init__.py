"""The simulated Jinhua: known ground, scenes made from it, and truth to judge products by."""
