"""What a study may say: its models, how they are read from YAML, and what is refused."""
