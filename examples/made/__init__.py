"""The made estates of CONTOSO, as data."""
