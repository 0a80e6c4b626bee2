"""Which permissions each AWS call needs: the IAM actions, and the ARNs that they are asked for.

What IAM asks on AWS and nobody asks here:
- a resource other than `*` for services beside S3, SQS, SNS, DynamoDB, Secrets Manager and SES, which are the ones that
  this application's roles call;
- kms:Decrypt and kms:GenerateDataKey, because nothing is really encrypted;
- logs:CreateLogStream and logs:PutLogEvents, because a function's output goes to a file;
- service control policies and session policies.
"""

from collections.abc import Callable
from typing import Any

from tests.sandbox.calls import Call

Permission = tuple[str, str]

_S3_ACTIONS = {
    "HeadObject": "GetObject",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "ListParts": "ListMultipartUploadParts",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "HeadBucket": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListBuckets": "ListAllMyBuckets",
    "DeleteObjects": "DeleteObject",
}
_DYNAMODB_TRANSACTION_ACTIONS = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
    "Get": "GetItem",
}


def needed_permissions(call: Call, account_id: str) -> list[Permission]:
    """List the permissions that the caller must have, all of them."""
    resolve = _BY_SERVICE.get(call.service)
    if resolve is None:
        return [(f"{call.service}:{call.operation}", "*")]
    return resolve(call, f"arn:aws:{call.service}:{call.region}:{account_id}:")


def _s3(call: Call, _: str) -> list[Permission]:
    bucket, key = call.parameters.get("Bucket"), call.parameters.get("Key")
    resource = "*" if not bucket else f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}"
    if call.operation == "DeleteObjects":
        resource += "/*"
    action = _S3_ACTIONS.get(call.operation, call.operation)
    if call.parameters.get("VersionId") and action in ("GetObject", "DeleteObject"):
        action += "Version"
    permissions = [(f"s3:{action}", resource)]
    if call.operation == "PutObject" and call.parameters["Tagging"]:
        permissions.append(("s3:PutObjectTagging", resource))
    if source := call.parameters.get("CopySource"):
        permissions.append(("s3:GetObject", f"arn:aws:s3:::{source.removeprefix('/').split('?')[0]}"))
    return permissions


def _sqs(call: Call, prefix: str) -> list[Permission]:
    name = call.parameters.get("QueueUrl", call.parameters.get("QueueName", "*")).rsplit("/", 1)[-1]
    return [(f"sqs:{call.operation.removesuffix('Batch')}", prefix + name)]


def _sns(call: Call, _: str) -> list[Permission]:
    # A subscription's ARN is its topic's and an id.
    of_subscription = call.parameters.get("SubscriptionArn", "").rpartition(":")[0]
    topic = call.parameters.get("TopicArn") or call.parameters.get("TargetArn") or of_subscription or "*"
    return [(f"sns:{call.operation.removesuffix('Batch')}", topic)]


def _dynamodb(call: Call, prefix: str) -> list[Permission]:
    parameters: Any = call.parameters
    if call.operation in ("TransactWriteItems", "TransactGetItems"):
        return [
            (f"dynamodb:{_DYNAMODB_TRANSACTION_ACTIONS[kind]}", f"{prefix}table/{item['TableName']}")
            for transaction in parameters["TransactItems"]
            for kind, item in transaction.items()
        ]
    tables = parameters.get("RequestItems") or [parameters.get("TableName", "*")]
    return [(f"dynamodb:{call.operation}", f"{prefix}table/{table}") for table in tables]


def _secretsmanager(call: Call, prefix: str) -> list[Permission]:
    secret = call.parameters.get("SecretId", "*")
    # Of a secret asked for by name IAM sees the full ARN; its last six characters are random.
    resource = secret if secret.startswith(("arn:", "*")) else f"{prefix}secret:{secret}-AbCdEf"
    return [(f"secretsmanager:{call.operation}", resource)]


def _ses(call: Call, prefix: str) -> list[Permission]:
    if call.operation == "SendEmail":
        action = "SendRawEmail" if "Raw" in call.parameters.get("Content", {}) else "SendEmail"
        return [(f"ses:{action}", f"{prefix}identity/{call.parameters.get('FromEmailAddress', '')}")]
    identity = call.parameters.get("EmailIdentity")
    return [(f"ses:{call.operation}", f"{prefix}identity/{identity}" if identity else "*")]


def circumstances(call: Call) -> dict[str, str]:
    """Return what a policy's conditions may be about, of this call alone."""
    sender = call.parameters.get("FromEmailAddress") if call.service == "ses" else None
    return {"ses:fromaddress": str(sender)} if sender else {}


_BY_SERVICE: dict[str, Callable[[Call, str], list[Permission]]] = {
    "s3": _s3,
    "sqs": _sqs,
    "sns": _sns,
    "dynamodb": _dynamodb,
    "secretsmanager": _secretsmanager,
    "ses": _ses,
}
