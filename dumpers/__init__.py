"""What runs inside the job images: one stream from a database to S3, proved whole."""

__version__ = "0.7.0"
