"""Users of other systems: what those write into files, and how it gets into a core."""
