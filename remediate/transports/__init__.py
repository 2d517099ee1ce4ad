"""How facts come in: WinRM, LDAP, bundles. The only importers of pypsrp, ldap3 and requests."""
