"""What the benchmark compares: small scripts that run in an interpreter of their own and answer over a pipe.

They import nothing of the project but `bench.contenders.lines` and its `listening`, unless they are the project.
"""
