"""Features as other people store them: containers, single files, names, arrays, digests."""
