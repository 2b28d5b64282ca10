"""Chains of FFmpeg filters for frames of one format."""

from fractions import Fraction

import av
from av.filter import Graph


def build_graph(
    frame: av.VideoFrame, filters: list[tuple[str, str]], *, time_base: Fraction = Fraction(1)
) -> Graph:
    """A graph for frames like `frame`, with one thread, since clips are decoded in parallel."""
    graph = Graph()
    graph.threads = 1
    source = graph.add(
        "buffer",
        video_size=f"{frame.width}x{frame.height}",
        pix_fmt=frame.format.name,
        time_base=str(time_base),
        colorspace=str(int(frame.colorspace)),
        range=str(int(frame.color_range)),
    )
    nodes = [graph.add(name, arguments or None) for name, arguments in filters]
    graph.link_nodes(source, *nodes, graph.add("buffersink")).configure()
    return graph
