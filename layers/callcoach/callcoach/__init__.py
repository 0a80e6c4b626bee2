"""What both functions talk to and say: the error tree, settings, the transcript, and one adapter per outside system.

    errors          who retries
    environment     variables -> typed settings
    transcript      AssemblyAI's transcript as typed values
    documents       the names of what lies in the scorecards bucket, and the records both functions share
    resubmission    putting a recording back that AssemblyAI could not fetch
    languages       AssemblyAI's codes of languages, and what it does in which
    plain_text      text for e-mails: clipped, in lines, without links
    pricing         what a call costs, by the list in prices.toml

    work            working through a Lambda event: what each error comes to
    pause           faults of the account stop everything, a reached cost cap what begins to cost
    spending        what calls cost is added up by the month
    slots           turns in shared rate limits
    failures        why there is no scorecard: the record and the e-mail
    operators       telling the people who run callcoach

    assemblyai      AssemblyAI over HTTP, and what its refusals mean
    aws_clients     how patient the AWS clients are
    aws_faults      which errors of AWS pass by themselves
    storage         S3
    queue           SQS: what a message says; hiding, renewing and giving it up
    state           DynamoDB: progress, leases, rate limits, open jobs, the pause, the month
    idempotency     doing a piece of work once (DynamoDB)
    notifications   SNS
    secrets         Secrets Manager
    observability   log and metrics

    commands        python -m callcoach: what operators can do, one function for each command
    stack           CloudFormation: where a deployed stack keeps its things
    forgetting      taking away all that is kept of a recording
    names           the names under which a recording's work is kept
    polling         SQS by hand: looking through a queue

This package never imports a function; the functions never import each other.
"""
