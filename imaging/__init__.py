"""Pure image functions: inspection, guarded decode, foreground colours, effects, encode.

Nothing is imported here: `imaging.inspection` needs the standard library alone, and a function that only inspects
must not pay for NumPy, OpenCV and Pillow in its cold start.
"""
