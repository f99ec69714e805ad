"""What is not computed again: fingerprints of code, the memory of jobs, the stores."""
