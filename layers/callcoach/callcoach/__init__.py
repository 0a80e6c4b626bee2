"""What both functions talk to and say: the error tree, settings, the transcript, and one adapter per outside system.

    errors          who retries
    environment     variables -> typed settings
    transcript      AssemblyAI's transcript as typed values
    documents       the names of what lies in the scorecards bucket, and the records both functions share
    assemblyai      AssemblyAI over HTTP
    storage         S3
    queue           SQS: what a message says, hiding it until later, and working through a Lambda event
    idempotency     doing a piece of work once (DynamoDB)
    notifications   SNS
    plain_text      text for e-mails: ASCII, clipped, without links
    failures        why there is no scorecard: the record and the e-mail
    secrets         Secrets Manager
    observability   log and metrics

This package never imports a function; the functions never import each other.
"""
