"""With a KMS key of one's own the stack's buckets are encrypted with it, and its functions may use it."""

from tests.sandbox.cloud import Cloud

ROLES = ("SubmitRole", "ScorecardRole")
KEY_ARN = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def test_the_stack_s_buckets_are_encrypted_with_a_key_of_one_s_own() -> None:
    """And both functions may use that key, and no other."""
    with Cloud(parameters={"BucketsKmsKeyArn": KEY_ARN}, invoke=False) as cloud:
        s3 = cloud.client("s3")
        for bucket in ("RecordingsBucket", "ScorecardsBucket"):
            answer = s3.get_bucket_encryption(Bucket=cloud.resources[bucket])
            (rule,) = answer["ServerSideEncryptionConfiguration"]["Rules"]
            assert rule["ApplyServerSideEncryptionByDefault"] == {
                "SSEAlgorithm": "aws:kms",
                "KMSMasterKeyID": KEY_ARN,
            }
            assert rule["BucketKeyEnabled"] is True
            s3.put_object(Bucket=cloud.resources[bucket], Key="a", Body=b"")
            head = s3.head_object(Bucket=cloud.resources[bucket], Key="a")
            assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", KEY_ARN)
        for role in ROLES:
            for action in ("kms:Decrypt", "kms:GenerateDataKey"):
                assert cloud.is_permitted(role, action, KEY_ARN)
                assert not cloud.is_permitted(role, action, KEY_ARN.replace("1234abcd", "5678abcd"))
            assert not cloud.is_permitted(role, "kms:ScheduleKeyDeletion", KEY_ARN)


def test_without_a_key_of_one_s_own_s3_encrypts_and_no_role_uses_kms() -> None:
    with Cloud(invoke=False) as cloud:
        answer = cloud.client("s3").get_bucket_encryption(Bucket=cloud.resources["ScorecardsBucket"])
        (rule,) = answer["ServerSideEncryptionConfiguration"]["Rules"]
        assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
        for role in ROLES:
            assert not cloud.is_permitted(role, "kms:Decrypt", KEY_ARN)
