"""Which objects are recordings, for SubmitFunction and for whoever wants to know before an upload. Pure."""

from pathlib import PurePosixPath

# AssemblyAI's limit for a file that it fetches.
SIZE_LIMIT_BYTES = 5 * 1000**3

# What AssemblyAI reads: https://www.assemblyai.com/docs/faq (file types).
AUDIO_SUFFIXES = frozenset(
    """
    .3ga .8svx .aac .ac3 .aif .aiff .alac .amr .ape .au .dss .flac .flv .m4a .m4b .m4p .m4r .mp3 .mpga .ogg .oga
    .mogg .opus .qcp .tta .voc .wav .wma .wv .webm .mts .m2ts .ts .mov .mp2 .mp4 .m4v .mxf
    """.split()  # noqa: SIM905 - a list would take a page
)

# What consoles, and Hadoop, end the name of an empty object with that stands for a folder.
FOLDER_ENDS = ("/", "_$folder$")

# What S3 stores when the uploader names no type.
_UNNAMED_TYPES = ("", "binary/octet-stream", "application/octet-stream")


def refusal(key: str, size_bytes: int, content_type: str = "") -> str:
    """Return the reason for which SubmitFunction would refuse an object, "" where it would take it.

    content_type: "" where nobody named one.
    """
    # An HTTP client folds such a path, and the link's signature no longer fits.
    if any(segment in (".", "..") for segment in key.split("/")):
        return "unsupported_key"
    if size_bytes == 0:
        return "empty_recording"
    if size_bytes > SIZE_LIMIT_BYTES:
        return "recording_too_large"
    suffix, media_type = media(key, content_type)
    says_media = media_type.startswith(("audio/", "video/"))
    says_nothing = media_type in _UNNAMED_TYPES and not suffix
    return "" if suffix in AUDIO_SUFFIXES or says_media or says_nothing else "not_a_recording"


def media(key: str, content_type: str) -> tuple[str, str]:
    """Return what the name ends with and what the type says, both in lower case."""
    return PurePosixPath(key).suffix.lower(), content_type.partition(";")[0].strip().lower()


def is_folder(key: str, size_bytes: int) -> bool:
    """Return whether an object is empty and stands for a folder."""
    return key.endswith(FOLDER_ENDS) and size_bytes == 0
