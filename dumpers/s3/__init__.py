"""The S3 protocol; the only package that knows the SDK.

Loading the SDK takes half a second, so only `dumpers.bucket.open_bucket` imports it.
"""
