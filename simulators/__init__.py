"""Task distributions of known mechanism: one family per file, with ranges, units and source in its docstring.

They are found by entry point (group `discovery.simulators`) and never imported by `discovery`. `draws`, `columns` and
`measuring` are what families share: randomness, the map from encoded columns to parameters, the noisy measurement.
"""
