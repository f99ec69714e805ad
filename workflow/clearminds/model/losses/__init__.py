"""Online rules, found by name: a module each."""
