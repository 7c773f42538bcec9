"""Whole catalogues at once, as tasks of a Cloud Run job that share a manifest.

    python -m gpu_worker.bulk gs://BUCKET/MANIFEST [--tenant NAME]

The environment is the worker's. A task that is killed at any line is run again, and goes on where it was.
"""
