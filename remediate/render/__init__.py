"""Plans as people and programs read them. Nothing here reads a target or decides anything."""
