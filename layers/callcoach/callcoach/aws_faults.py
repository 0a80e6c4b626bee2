"""Which errors of AWS pass by themselves."""

from collections.abc import Iterator

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004 - botocore's own name

from callcoach.errors import AwsUnavailable, SettingsError

# https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html (throttling and transient errors)
_PASSING = frozenset(
    """
    BandwidthLimitExceeded EC2ThrottledException InternalError InternalFailure InternalServerError
    LimitExceededException PriorRequestNotComplete ProvisionedThroughputExceededException RequestLimitExceeded
    RequestThrottled RequestThrottledException RequestTimeout RequestTimeoutException ServiceUnavailable
    SlowDown ThrottledException Throttling ThrottlingException TooManyRequestsException
    TransactionInProgressException
    """.split()  # noqa: SIM905 - a list would take a page
)


def passing_fault(error: BaseException) -> AwsUnavailable | None:
    """Return what an AWS call's failure is to us if it passes by itself; None for a refusal and for anything else.

    The library around a call may have wrapped its error, so the causes are looked at too.
    """
    for cause in _causes(error):
        if isinstance(cause, ClientError):
            code = cause.response.get("Error", {}).get("Code", "")
            status = cause.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            passes = code in _PASSING or status >= 500 or status == 429
            return AwsUnavailable(f"{cause.operation_name}: {code}") if passes else None
        if isinstance(cause, ConnectionError | HTTPClientError):
            return AwsUnavailable(type(cause).__name__)
    return None


def refusal(error: BaseException) -> SettingsError | None:
    """Return what an AWS call's refusal is to us: the deployment is wrong. None for any other error.

    It says which call and why, and not on what: AWS's own words name the recording.
    """
    if isinstance(error, ClientError):
        return SettingsError(f"AWS refuses {error.operation_name}: {error.response.get('Error', {}).get('Code', '')}")
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__
