"""What a reference sample says about an area, with how much doubt, and what may be claimed."""
