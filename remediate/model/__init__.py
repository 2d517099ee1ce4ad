"""Frozen records: facts, findings, actions, plans, errors, secrets. Nothing here reads or writes anything."""
