"""What a study is refused for before anything runs."""
