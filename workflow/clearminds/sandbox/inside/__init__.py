"""What runs inside a sandbox: with the standard library only, and imported by nothing else but tests."""
