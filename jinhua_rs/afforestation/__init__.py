"""Whether what was reported as planted became forest: a ledger a parcel, from published maps."""
