"""When a step's result may be used again: fingerprints of the definitions that a step runs.

A step reruns when, and only when, a number can change.
"""
