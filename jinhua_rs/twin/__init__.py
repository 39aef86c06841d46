"""The simulated Jinhua: a known ground truth from which scenes are made and against which products are judged."""
