"""How each type of resource comes to be: the creators that a deployment calls, one per CloudFormation type."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

from botocore.exceptions import ClientError, ParamValidationError
from tests.sandbox import strictness
from tests.sandbox.calls import AwsError
from tests.sandbox.deployment import (
    Created,
    Deployment,
    DeploymentError,
    FunctionSettings,
    Properties,
    QueueSource,
    RestApi,
    Updater,
    UsagePlan,
    random_id,
)
from tests.sandbox.policies import Policy

Creator = Callable[[Deployment, str, Properties], Created]

CREATORS: dict[str, Creator] = {}


def _creates(resource_type: str) -> Callable[[Creator], Creator]:
    def register(creator: Creator) -> Creator:
        def create(deployment: Deployment, logical_id: str, properties: Properties) -> Created:
            try:
                return creator(deployment, logical_id, properties)
            except (ClientError, ParamValidationError) as error:
                raise DeploymentError(f"{logical_id}: {error}") from error

        CREATORS[resource_type] = create
        return creator

    return register


@_creates("AWS::S3::Bucket")
def _bucket(deployment: Deployment, logical_id: str, properties: Properties) -> Created:
    s3, name = deployment.client("s3"), deployment.physical_name(logical_id).lower()
    create_bucket(s3, name, deployment.account.region)
    if "BucketEncryption" in properties:
        rules = [
            {
                "ApplyServerSideEncryptionByDefault": dict(rule["ServerSideEncryptionByDefault"]),
                "BucketKeyEnabled": rule.get("BucketKeyEnabled", False),
            }
            for rule in properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        ]
        s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": rules})
    if "PublicAccessBlockConfiguration" in properties:
        blocks = dict(properties["PublicAccessBlockConfiguration"])
        s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=blocks)
    if "NotificationConfiguration" in properties:
        eventbridge = properties["NotificationConfiguration"]["EventBridgeConfiguration"]
        if eventbridge["EventBridgeEnabled"] is True:
            enable_eventbridge(s3, name)
    if "LifecycleConfiguration" in properties:
        rules = [_lifecycle_rule(rule) for rule in properties["LifecycleConfiguration"]["Rules"]]
        s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": rules})
    domain = f"{name}.s3.amazonaws.com"
    return Created(name, {"Arn": f"arn:{deployment.account.partition}:s3:::{name}", "DomainName": domain})


def create_bucket(s3: Any, name: str, region: str) -> None:
    # us-east-1 is the one region that S3 does not let one name.
    location = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=name, **location)


def enable_eventbridge(s3: Any, bucket: str) -> None:
    """Let the bucket tell EventBridge of its objects."""
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}})


def _lifecycle_rule(rule: Properties) -> dict[str, Any]:
    applied = {"ID": rule["Id"], "Status": rule["Status"], "Filter": {"Prefix": rule.get("Prefix", "")}}
    if "ExpirationInDays" in rule:
        applied["Expiration"] = {"Days": int(rule["ExpirationInDays"])}
    if "AbortIncompleteMultipartUpload" in rule:
        applied["AbortIncompleteMultipartUpload"] = dict(rule["AbortIncompleteMultipartUpload"])
    return applied


@_creates("AWS::S3::BucketPolicy")
def _bucket_policy(deployment: Deployment, _: str, properties: Properties) -> Created:
    bucket, document = properties["Bucket"], _policy_document(properties)
    deployment.client("s3").put_bucket_policy(Bucket=bucket, Policy=document)
    return Created(bucket)


def _policy_document(properties: Properties, name: str = "PolicyDocument") -> str:
    document = properties.document(name)
    Policy(document)
    return json.dumps(document)


@_creates("AWS::Events::Rule")
def _rule(deployment: Deployment, logical_id: str, properties: Properties) -> Created:
    name, events = deployment.physical_name(logical_id), deployment.client("events")
    pattern = json.dumps(properties.document("EventPattern"))
    arn = events.put_rule(Name=name, EventPattern=pattern, Description=properties.get("Description", ""))["RuleArn"]
    targets = []
    for target in properties["Targets"]:
        dead_letters = {"DeadLetterConfig": dict(target["DeadLetterConfig"])} if "DeadLetterConfig" in target else {}
        retries = {key: int(value) for key, value in target.get("RetryPolicy", {}).items()}
        targets.append({"Id": target["Id"], "Arn": target["Arn"], "RetryPolicy": retries, **dead_letters})
        if ":sqs:" not in target["Arn"]:
            raise DeploymentError(f"{logical_id}: the sandbox carries events to queues only, not to {target['Arn']}")
    events.put_targets(Rule=name, Targets=targets)
    return Created(name, {"Arn": arn})


@_creates("AWS::SQS::Queue")
def _queue(deployment: Deployment, logical_id: str, properties: Properties) -> Created:
    names = ("SqsManagedSseEnabled", "MessageRetentionPeriod", "VisibilityTimeout", "DelaySeconds")
    attributes = {name: _attribute_text(properties[name]) for name in names if name in properties}
    if "RedrivePolicy" in properties:
        attributes["RedrivePolicy"] = json.dumps(dict(properties["RedrivePolicy"]))
    name = deployment.physical_name(logical_id)
    url = deployment.client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return Created(url, {"Arn": deployment.arn("sqs", name), "QueueName": name, "QueueUrl": url})


def _attribute_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@_creates("AWS::SQS::QueuePolicy")
def _queue_policy(deployment: Deployment, logical_id: str, properties: Properties) -> Created:
    document = _policy_document(properties)
    for url in properties["Queues"]:
        deployment.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": document})
    return Created(deployment.physical_name(logical_id))


@_creates("AWS::SNS::Topic")
def _topic(deployment: Deployment, logical_id: str, properties: Properties) -> Created:
    attributes = {name: properties[name] for name in ("KmsMasterKeyId", "DisplayName") if name in properties}
    name = deployment.physical_name(logical_id)
    arn = deployment.client("sns").create_topic(Name=name, Attributes=attributes)["TopicArn"]
    return Created(arn, {"TopicArn": arn, "TopicName": name})


@_creates("AWS::SNS::TopicPolicy")
def _topic_policy(deployment: Deployment, logical_id: str, properties: Properties) -> Created:
    document = _policy_document(properties)
    for arn in properties["Topics"]:
        deployment.client("sns").set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=document)
    return Created(deployment.physical_name(logical_id))


@_creates("AWS::SNS::Subscription")
def _subscription(deployment: Deployment, _: str, properties: Properties) -> Created:
    subscription = deployment.client("sns").subscribe(
        TopicArn=properties["TopicArn"],
        Protocol=properties["Protocol"],
        Endpoint=properties["Endpoint"],
        ReturnSubscriptionArn=True,
    )
    if properties["Protocol"] == "email":
        # Whoever has the address follows the link in AWS's message.
        link = deployment.account.link_to_confirm(properties["TopicArn"], properties["Endpoint"])
        token = parse_qs(urlsplit(link).query)["Token"][0]
        deployment.client("sns").confirm_subscription(TopicArn=properties["TopicArn"], Token=token)
    return Created(subscription["SubscriptionArn"])


@_creates("AWS::DynamoDB::Table")
def _table(deployment: Deployment, logical_id: str, properties: Properties) -> Created:
    name, dynamodb = deployment.physical_name(logical_id), deployment.client("dynamodb")
    encryption = properties.get("SSESpecification", {})
    arn = dynamodb.create_table(
        TableName=name,
        BillingMode=properties["BillingMode"],
        AttributeDefinitions=[dict(definition) for definition in properties["AttributeDefinitions"]],
        KeySchema=[dict(key) for key in properties["KeySchema"]],
        SSESpecification={"Enabled": encryption["SSEEnabled"]} if encryption else {},
    )["TableDescription"]["TableArn"]
    if "TimeToLiveSpecification" in properties:
        dynamodb.update_time_to_live(
            TableName=name, TimeToLiveSpecification=dict(properties["TimeToLiveSpecification"])
        )
    return Created(name, {"Arn": arn})


@_creates("AWS::SecretsManager::Secret")
def _secret(deployment: Deployment, logical_id: str, properties: Properties) -> Created:
    secretsmanager = deployment.client("secretsmanager")
    wanted = properties["GenerateSecretString"]
    value = secretsmanager.get_random_password(
        PasswordLength=int(wanted.get("PasswordLength", 32)),
        ExcludePunctuation=wanted.get("ExcludePunctuation", False),
    )["RandomPassword"]
    arn = secretsmanager.create_secret(
        Name=f"{logical_id}-{random_id(12)}", Description=properties.get("Description", ""), SecretString=value
    )["ARN"]
    return Created(arn, {"Id": arn})


@_creates("AWS::IAM::Role")
def _role(deployment: Deployment, logical_id: str, properties: Properties) -> Created:
    name, iam = deployment.physical_name(logical_id), deployment.client("iam")
    boundary = {"PermissionsBoundary": properties["PermissionsBoundary"]} if "PermissionsBoundary" in properties else {}
    arn = iam.create_role(
        RoleName=name,
        Description=properties.get("Description", ""),
        AssumeRolePolicyDocument=_policy_document(properties, "AssumeRolePolicyDocument"),
        **boundary,
    )["Role"]["Arn"]
    _put_policies(deployment, name, properties)
    return Created(name, {"Arn": arn})


def _put_policies(deployment: Deployment, role: str, properties: Properties) -> None:
    for policy in properties.get("Policies", []):
        document = _policy_document(policy)
        deployment.client("iam").put_role_policy(
            RoleName=role, PolicyName=policy["PolicyName"], PolicyDocument=document
        )


@_creates("AWS::Logs::LogGroup")
def _log_group(deployment: Deployment, logical_id: str, properties: Properties) -> Created:
    name, logs = deployment.physical_name(logical_id), deployment.client("logs")
    logs.create_log_group(logGroupName=name)
    logs.put_retention_policy(logGroupName=name, retentionInDays=int(properties["RetentionInDays"]))
    return Created(name, {"Arn": deployment.arn("logs", f"log-group:{name}:*")})


@_creates("AWS::CloudWatch::Alarm")
def _alarm(deployment: Deployment, logical_id: str, properties: Properties) -> Created:
    name = deployment.physical_name(logical_id)
    numbers = {"Period": int, "EvaluationPeriods": int, "Threshold": float}
    settings = {key: numbers.get(key, _plain)(properties[key]) for key in properties}
    deployment.client("cloudwatch").put_metric_alarm(AlarmName=name, **settings)
    return Created(name, {"Arn": deployment.arn("cloudwatch", f"alarm:{name}")})


@_creates("AWS::CloudWatch::Dashboard")
def _dashboard(deployment: Deployment, logical_id: str, properties: Properties) -> Created:
    name, body = deployment.physical_name(logical_id), properties["DashboardBody"]
    try:
        json.loads(body)
    except ValueError as fault:
        raise DeploymentError(f"{logical_id}: the dashboard's body is no JSON: {fault}") from fault
    deployment.client("cloudwatch").put_dashboard(DashboardName=name, DashboardBody=body)
    return Created(name)


@_creates("AWS::Logs::QueryDefinition")
def _query_definition(deployment: Deployment, logical_id: str, properties: Properties) -> Created:
    """Saved queries are for people: nothing here runs them, and moto cannot keep them."""
    groups = deployment.client("logs").describe_log_groups()["logGroups"]
    unknown = set(properties["LogGroupNames"]) - {group["logGroupName"] for group in groups}
    if unknown:
        raise DeploymentError(f"{logical_id}: there is no log group {', '.join(sorted(unknown))}")
    properties.without_effect("Name", "QueryString")
    return Created(random_id(36))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


@_creates("AWS::Lambda::LayerVersion")
def _layer(deployment: Deployment, _: str, properties: Properties) -> Created:
    arn = deployment.arn("lambda", f"layer:{properties['LayerName']}:1")
    deployment.layers[arn] = deployment.artifacts[_artifact(properties["Content"])]
    properties.without_effect("Description", "LicenseInfo", "CompatibleRuntimes", "CompatibleArchitectures")
    return Created(arn, {"LayerVersionArn": arn})


def _artifact(location: Properties) -> str:
    location.without_effect("S3Bucket")
    # The translator names the logical id of the untransformed resource as the object's key.
    return str(location["S3Key"])


@_creates("AWS::Lambda::Function")
def _function(deployment: Deployment, logical_id: str, properties: Properties) -> Created:
    name = deployment.physical_name(logical_id)
    variables = properties.document("Environment").get("Variables", {}) if "Environment" in properties else {}
    strictness.refuse_bad_environment(logical_id, variables)
    log_group = properties["LoggingConfig"]["LogGroup"] if "LoggingConfig" in properties else f"/aws/lambda/{name}"
    settings = FunctionSettings(
        logical_id=logical_id,
        name=name,
        arn=deployment.arn("lambda", f"function:{name}"),
        handler=properties["Handler"],
        runtime=properties["Runtime"],
        code=deployment.artifacts[_artifact(properties["Code"])],
        layers=tuple(_deployed_layer(deployment, arn) for arn in properties.get("Layers", [])),
        variables=variables,
        role_arn=properties["Role"],
        credentials=deployment.account.assume_role(properties["Role"], "lambda.amazonaws.com", name),
        timeout_seconds=int(properties.get("Timeout", 3)),
        memory_mb=int(properties.get("MemorySize", 128)),
        log_group=log_group,
    )
    if not 1 <= settings.timeout_seconds <= 900 or not 128 <= settings.memory_mb <= 10_240:
        raise DeploymentError(f"{logical_id}: Timeout or MemorySize is out of bounds")
    properties.without_effect("Description", "Architectures", "Tags")
    deployment.functions[logical_id] = settings
    return Created(name, {"Arn": settings.arn})


def _deployed_layer(deployment: Deployment, arn: str) -> Any:
    if arn not in deployment.layers:
        raise DeploymentError(f"Layer {arn} is not one of this stack")
    return deployment.layers[arn]


@_creates("AWS::Lambda::EventSourceMapping")
def _event_source_mapping(deployment: Deployment, logical_id: str, properties: Properties) -> Created:
    scaling = properties.get("ScalingConfig", {})
    response_types = properties.get("FunctionResponseTypes", [])
    source = QueueSource(
        queue_arn=properties["EventSourceArn"],
        function_name=properties["FunctionName"],
        batch_size=int(properties.get("BatchSize", 10)),
        maximum_concurrency=int(scaling["MaximumConcurrency"]) if scaling else 1_000,
        reports_batch_item_failures=response_types == ["ReportBatchItemFailures"],
    )
    _check_queue_source(deployment, logical_id, source)
    deployment.queue_sources.append(source)
    return Created(random_id(36))


def _check_queue_source(deployment: Deployment, logical_id: str, source: QueueSource) -> None:
    """Raise AwsError or DeploymentError where Lambda would refuse the mapping."""
    if not 1 <= source.batch_size <= 10 or not 2 <= source.maximum_concurrency <= 1_000:
        raise DeploymentError(f"{logical_id}: BatchSize or MaximumConcurrency is out of bounds")
    function = next(item for item in deployment.functions.values() if item.name == source.function_name)
    for action in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes"):
        if not deployment.account.is_permitted(function.role_arn, (f"sqs:{action}", source.queue_arn)):
            message = f"The function execution role does not have permissions to call {action} on SQS"
            raise AwsError("InvalidParameterValueException", message)
    queue = deployment.account.queue(source.queue_arn.rsplit(":", 1)[-1])
    visibility_seconds = int(queue.attributes["VisibilityTimeout"])
    if visibility_seconds < function.timeout_seconds:
        message = (
            f"Queue visibility timeout: {visibility_seconds} seconds is less than "
            f"Function timeout: {function.timeout_seconds} seconds"
        )
        raise AwsError("InvalidParameterValueException", message)


@_creates("AWS::ApiGateway::RestApi")
def _rest_api(deployment: Deployment, _: str, properties: Properties) -> Created:
    api = RestApi(random_id(10), properties.document("Body"))
    properties.without_effect("Name", "Parameters", "EndpointConfiguration")
    deployment.apis[api.api_id] = api
    return Created(api.api_id, {"RestApiId": api.api_id, "RootResourceId": random_id(10)})


@_creates("AWS::ApiGateway::Deployment")
def _api_deployment(deployment: Deployment, _: str, properties: Properties) -> Created:
    deployment_id = random_id(6)
    deployment.deployments[deployment_id] = properties["RestApiId"]
    properties.without_effect("Description")
    return Created(deployment_id, {"DeploymentId": deployment_id})


@_creates("AWS::ApiGateway::Stage")
def _api_stage(deployment: Deployment, logical_id: str, properties: Properties) -> Created:
    api_id, name = properties["RestApiId"], properties["StageName"]
    if deployment.deployments.get(properties["DeploymentId"]) != api_id:
        raise DeploymentError(f"{logical_id}: the deployment is not one of this API")
    deployment.apis[api_id].stages.append(name)
    return Created(name)


@_creates("AWS::ApiGateway::ApiKey")
def _api_key(deployment: Deployment, _: str, properties: Properties) -> Created:
    value = properties["Value"]
    if not 20 <= len(value) <= 128:
        raise AwsError("BadRequestException", "API Key value should be at least 20 characters")
    if value in deployment.api_keys.values():
        raise AwsError("ConflictException", "API Key already exists", 409)
    key_id = random_id(10)
    if properties["Enabled"] is True:
        deployment.api_keys[key_id] = value
    properties.without_effect("Description")
    return Created(key_id, {"APIKeyId": key_id})


@_creates("AWS::ApiGateway::UsagePlan")
def _usage_plan(deployment: Deployment, _: str, properties: Properties) -> Created:
    throttle = properties.get("Throttle", {})
    stages = frozenset((stage["ApiId"], stage["Stage"]) for stage in properties["ApiStages"])
    for api_id, stage in stages:
        if api_id not in deployment.apis or stage not in deployment.apis[api_id].stages:
            raise AwsError("NotFoundException", f"Stage {stage} of API {api_id} does not exist", 404)
    plan_id = random_id(6)
    deployment.usage_plans[plan_id] = UsagePlan(
        stages=stages,
        rate_per_second=float(throttle["RateLimit"]) if throttle else None,
        burst=int(throttle["BurstLimit"]) if throttle else None,
    )
    properties.without_effect("Description")
    return Created(plan_id, {"Id": plan_id})


@_creates("AWS::ApiGateway::UsagePlanKey")
def _usage_plan_key(deployment: Deployment, logical_id: str, properties: Properties) -> Created:
    key_id, plan_id = properties["KeyId"], properties["UsagePlanId"]
    if properties["KeyType"] != "API_KEY" or plan_id not in deployment.usage_plans:
        raise DeploymentError(f"{logical_id}: KeyType must be API_KEY and the usage plan must exist")
    deployment.usage_plans[plan_id].key_ids.append(key_id)
    return Created(f"{key_id}:{plan_id}", {"Id": f"{key_id}:{plan_id}"})


# What can change in place.


def _update_policies(deployment: Deployment, logical_id: str, properties: Properties) -> None:
    _put_policies(deployment, deployment.resources.ref(logical_id), properties)


def _update_environment(deployment: Deployment, logical_id: str, properties: Properties) -> None:
    variables = properties.document("Environment").get("Variables", {})
    strictness.refuse_bad_environment(logical_id, variables)
    deployment.functions[logical_id] = replace(deployment.functions[logical_id], variables=variables)


def _replace_api_key(deployment: Deployment, logical_id: str, properties: Properties) -> None:
    """CloudFormation makes another key, and puts it into the usage plan; here it takes the old one's id."""
    deployment.api_keys[deployment.resources.ref(logical_id)] = properties["Value"]


UPDATERS: dict[tuple[str, str], Updater] = {
    ("AWS::ApiGateway::ApiKey", "Value"): _replace_api_key,
    ("AWS::IAM::Role", "Policies"): _update_policies,
    ("AWS::Lambda::Function", "Environment"): _update_environment,
}
