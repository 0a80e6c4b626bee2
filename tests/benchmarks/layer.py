"""How large the built layer is, as it is uploaded and as it is unpacked."""

import io
import zipfile
from pathlib import Path

from tests.benchmarks._table import Row, Table

LAYER = Path(__file__).parents[2] / ".aws-sam" / "build" / "CallcoachLayer"
MOST_ZIPPED_MB, MOST_MB = 4.0, 12.0
MB = 1_000_000


def run() -> Table:
    """Return the table. Raises FileNotFoundError when nothing was built."""
    if not LAYER.exists():
        raise FileNotFoundError(f"{LAYER} is missing: run make build first")
    files = sorted(path for path in LAYER.rglob("*") if path.is_file())
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        for path in files:
            zipped.write(path, path.relative_to(LAYER))
    sizes = (
        ("zipped", len(archive.getvalue()) / MB, MOST_ZIPPED_MB),
        ("unpacked", sum(path.stat().st_size for path in files) / MB, MOST_MB),
    )
    return Table(
        [],
        [
            Row(f"layer.{how}", f"layer, {how}", megabytes, "MB", goal=f"<= {most:g} MB", met=megabytes <= most)
            for how, megabytes, most in sizes
        ],
    )
