"""clearminds: fine-tune language models without making them forget.

Pure functions, one concept per file, no import of Snakemake. A stage's module bears the name of its rule
(`workflow/rules/`) and of its launcher (`workflow/scripts/`); `evaluate` is that of both evaluations. Each folder has a
README.
"""
