"""How each mine recovers: a record a mine, from the maps that were published year by year."""
