"""TensorBoard's event file, written with its own messages and record writer; importing this needs its package."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event, SourceMetadata
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from tensorboard.plugins.hparams.summary_v2 import hparams_pb
from tensorboard.plugins.text.metadata import create_summary_metadata
from tensorboard.summary.writer.record_writer import RecordWriter

from moore_tui.report.tensorboard import Header, Scalar

VERSION = "brain.Event:2"
"""First record of every event file."""


def save(path: Path, scalars: Sequence[Scalar], header: Header) -> None:
    """Write the file anew, whole or not at all; the same points give the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(".part")  # a name that TensorBoard does not look at
    try:
        with open(part, "wb") as file:
            writer = RecordWriter(file)
            for event in _events(scalars, header):
                writer.write(event.SerializeToString(deterministic=True))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _events(scalars: Sequence[Scalar], header: Header) -> Iterator[Event]:
    source = SourceMetadata(writer="moore-console")
    yield Event(wall_time=header.t, file_version=VERSION, source_metadata=source)
    if header.hparams:
        yield Event(wall_time=header.t, step=0, summary=_hparams(header))
    if header.texts:
        values = [_text(tag, text) for tag, text in header.texts.items()]
        yield Event(wall_time=header.t, step=0, summary=Summary(value=values))
    for (t, step), group in groupby(scalars, key=lambda each: (each.t, each.step)):
        values = [Summary.Value(tag=each.tag, simple_value=each.value) for each in group]
        yield Event(wall_time=t, step=step, summary=Summary(value=values))


def _hparams(header: Header) -> Summary:
    """What the page of hyperparameters reads, with its map in the same order every time."""
    found = hparams_pb(dict(header.hparams), trial_id=header.run, start_time_secs=header.t)
    for value in found.value:
        plugin = value.metadata.plugin_data
        plugin.content = HParamsPluginData.FromString(plugin.content).SerializeToString(deterministic=True)
    return found


def _text(tag: str, text: str) -> Summary.Value:
    tensor = TensorProto(dtype=DT_STRING, string_val=[text.encode()])
    return Summary.Value(tag=tag, tensor=tensor, metadata=create_summary_metadata(tag, ""))
