import av
import numpy as np
import pytest

from scenic_video.data.examples import Example

NUM_CLIPS = 7


@pytest.fixture(scope="session")
def clips(tmp_path_factory) -> list[Example]:
    """Seven mp4 files of 14 frames, 40x32, none like another; clip i has the class i."""
    folder = tmp_path_factory.mktemp("clips")
    examples = []
    for number in range(NUM_CLIPS):
        path = folder / f"clip_{number}.mp4"
        _write(path, np.random.default_rng(number))
        examples.append(Example(f"clip_{number}", str(path), {"label": (number,)}))
    return examples


def _write(path, rng: np.random.Generator) -> None:
    picture = rng.integers(0, 256, (8, 10, 3), np.uint8).repeat(4, axis=0).repeat(4, axis=1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"g": "5", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = 40, 32, "yuv420p"
        for time in range(14):
            frame = av.VideoFrame.from_ndarray(np.roll(picture, 3 * time, axis=1), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
