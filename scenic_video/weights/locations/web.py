"""Downloads a file by http or https."""

from pathlib import Path

import requests

from scenic_video.errors import UserError
from scenic_video.weights.locations.cache import Progress, appearing, place

PIECE = 1 << 20
"""Bytes that are read at once."""
TIMEOUT = (20, 60)
"""Seconds to connect, and between two pieces."""


def download(location: str, progress: Progress | None) -> Path:
    """The local copy of a file. Errors: UserError."""
    try:
        # As it is stored: its length is compared with the header's.
        headers = {"Accept-Encoding": "identity"}
        with requests.get(location, headers=headers, stream=True, timeout=TIMEOUT) as response:
            if not response.ok:
                reason = f"{response.status_code} {response.reason}"
                raise UserError(f"{location} cannot be downloaded: the server answers {reason}.")
            return _kept(location, response, progress)
    except requests.RequestException as error:
        reason = " ".join(str(error).split())[:300]
        raise UserError(f"{location} cannot be downloaded: {reason}.") from error


def _kept(location: str, response: requests.Response, progress: Progress | None) -> Path:
    stated = response.headers.get("Content-Length", "")
    size = int(stated) if stated.isdigit() else None
    version = response.headers.get("ETag") or response.headers.get("Last-Modified")
    path = place(location, size, version)
    if path.exists() and (size is not None or version is not None):
        return path
    with appearing(path) as scratch:
        arrived = 0
        with scratch.open("wb") as file:
            for piece in response.iter_content(PIECE):
                file.write(piece)
                arrived += len(piece)
                if progress is not None:
                    progress(arrived, size)
        if size is not None and arrived != size:
            raise UserError(
                f"{location} was cut off after {arrived:,} of {size:,} bytes; try again."
            )
    return path
