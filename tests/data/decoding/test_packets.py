import numpy as np

from scenic_video.data.decoding.packets import Packets


def packets(pts, keys):
    """Packets in decoding order, of which those at positions `keys` are keyframes."""
    pts = np.array(pts)
    return Packets(
        pts=pts,
        is_key=np.isin(np.arange(len(pts)), keys),
        kept=None,
        ticks=np.sort(pts),
        frames=np.sort(pts),
        last_duration=1,
        is_untimed=False,
    )


def needed(stretch, wanted):
    return np.flatnonzero(stretch.needed_for(np.array(wanted))).tolist()


def test_a_frame_needs_all_packets_from_its_keyframe_and_none_after_it():
    closed = packets([0, 2, 1, 3, 4, 6, 5, 7], keys=[0, 4])
    assert needed(closed, [3]) == [0, 1, 2, 3]
    assert needed(closed, [1]) == [0, 1, 2]
    assert needed(closed, [4]) == [4]
    assert needed(closed, [6]) == [4, 5]


def test_groups_of_pictures_without_a_wanted_frame_are_not_needed():
    closed = packets(range(12), keys=[0, 4, 8])
    assert needed(closed, [1, 9]) == [0, 1, 8, 9]


def test_frames_shown_before_their_keyframe_need_the_one_before():
    # Frames 3 and 4 follow keyframe 5 in the stream, but also refer to earlier frames.
    opened = packets([0, 2, 1, 5, 3, 4, 7, 6], keys=[0, 3])
    assert needed(opened, [4]) == [0, 1, 2, 3, 4, 5]
    assert needed(opened, [5]) == [3]
    assert needed(opened, [6]) == [3, 4, 5, 6, 7]


def test_a_section_without_keyframe_is_decoded_from_its_start():
    assert needed(packets(range(5), keys=[]), [3]) == [0, 1, 2, 3]
    assert needed(packets([4, 3, 5, 6], keys=[0]), [3]) == [0, 1]
