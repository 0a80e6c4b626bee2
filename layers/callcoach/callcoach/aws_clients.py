"""How patient the AWS clients are: much less than a function's time-out, for a queue waits at no cost."""

from botocore.config import Config

AWS_CONFIG = Config(connect_timeout=3, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 3})

# The default client signs links the old way and on the global host: a bucket outside us-east-1 refuses those.
S3_CONFIG = AWS_CONFIG.merge(
    Config(signature_version="s3v4", s3={"addressing_style": "virtual"}, read_timeout=20),
)
