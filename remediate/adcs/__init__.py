"""The domain of Active Directory Certificate Services, pure: no input, no output, only values and decisions."""
