"""What can be changed: intents, and the concrete before -> after action that each becomes."""
