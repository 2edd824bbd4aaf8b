"""Users of other systems, from the files that those write."""
