"""The replay table and the model buffer."""

from __future__ import annotations

import itertools

import pytest
import torch

from moore_engine.buffers import Layout, ModelBuffer, ReplayTable

LAYOUT = Layout(3, 2)


def rows(start: int, count: int) -> torch.Tensor:
    """Rows that carry their own number (from 1) in every column."""
    return torch.arange(start, start + count, dtype=torch.float32)[:, None].expand(count, LAYOUT.width).contiguous()


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_layouts_slices_cover_every_column_once_in_order():
    layout = Layout(11, 3)
    columns = list(range(layout.width))
    parts = [columns[s] for s in (layout.obs, layout.action, layout.next_obs, layout.reward, layout.terminal)]
    assert [len(part) for part in parts] == [11, 3, 11, 1, 1]
    assert list(itertools.chain(*parts)) == columns
    assert layout.width == 27


def test_appended_rows_follow_the_offline_ones_in_one_index_space():
    table = ReplayTable(LAYOUT, rows(1, 5), online_capacity=4)
    assert [table.append(row) for row in rows(6, 3)] == [5, 6, 7]
    assert (table.n_off, table.n_on, len(table)) == (5, 3, 8)
    assert table.gather(torch.arange(8))[:, 0].tolist() == [1, 2, 3, 4, 5, 6, 7, 8]


def test_gather_keeps_the_shape_of_the_index_and_writes_into_out():
    table = ReplayTable(LAYOUT, rows(1, 5), online_capacity=0)
    index = torch.tensor([[0, 4, 1], [2, 2, 3]])
    out = torch.zeros(2, 3, LAYOUT.width)
    assert table.gather(index, out) is out
    assert out[..., -1].tolist() == [[1, 5, 2], [3, 3, 4]]
    assert torch.equal(table.gather(index), out)


def test_the_table_copies_the_offline_rows():
    source = rows(1, 5)
    table = ReplayTable(LAYOUT, source, online_capacity=1)
    source.zero_()
    assert table.gather(torch.tensor([0]))[0, 0] == 1


def test_a_full_table_refuses_another_row():
    table = ReplayTable(LAYOUT, rows(1, 2), online_capacity=1)
    table.append(rows(3, 1)[0])
    with pytest.raises(IndexError, match="full at 1 online rows"):
        table.append(rows(4, 1)[0])


def test_offline_rows_of_another_width_are_refused():
    with pytest.raises(ValueError, match=r"needs \(n, 10\)"):
        ReplayTable(LAYOUT, torch.zeros(4, 9), online_capacity=1)


def test_a_restored_table_goes_on_where_the_saved_one_stood():
    table = ReplayTable(LAYOUT, rows(1, 5), online_capacity=4)
    table.append(rows(6, 1)[0])
    state = table.state_dict()
    table.append(rows(7, 1)[0])
    assert state["online"].shape == (1, LAYOUT.width)
    restored = ReplayTable(LAYOUT, rows(1, 5), online_capacity=9)
    restored.load_state_dict(state)
    restored.append(rows(7, 1)[0])
    assert torch.equal(restored.gather(torch.arange(7)), table.gather(torch.arange(7)))


def test_online_rows_of_another_data_set_or_too_many_are_refused():
    table = ReplayTable(LAYOUT, rows(1, 5), online_capacity=4)
    for row in rows(6, 4):
        table.append(row)
    with pytest.raises(ValueError, match="5 offline rows, this one on 6"):
        ReplayTable(LAYOUT, rows(1, 6), 4).load_state_dict(table.state_dict())
    with pytest.raises(ValueError, match="this table holds"):
        ReplayTable(LAYOUT, rows(1, 5), 3).load_state_dict(table.state_dict())


@pytest.mark.parametrize("chunk", [1, 3, 7, 10, 25])
def test_the_ring_holds_the_newest_rows_in_order_whatever_the_chunks(chunk):
    buffer = ModelBuffer(LAYOUT, 10)
    for start in range(1, 51, chunk):
        written = min(start + chunk - 1, 50)
        buffer.append(rows(start, written - start + 1))
        kept = min(written, 10)
        assert buffer.size == kept
        assert buffer.ordered()[:, 0].tolist() == list(range(written - kept + 1, written + 1))


def test_appending_no_rows_changes_nothing():
    buffer = ModelBuffer(LAYOUT, 10)
    buffer.append(rows(1, 3))
    buffer.append(rows(1, 0))
    assert buffer.ordered()[:, 0].tolist() == [1, 2, 3]


def test_a_filled_buffer_has_no_unwritten_row():
    buffer = ModelBuffer(LAYOUT, 100)
    buffer.rows.zero_()
    for start in range(1, 200, 17):
        buffer.append(rows(start, 17))
    assert buffer.size == 100
    assert bool((buffer.rows != 0).all())


def test_sampling_a_part_filled_buffer_reaches_every_written_row_and_no_other():
    buffer = ModelBuffer(LAYOUT, 1000)
    buffer.rows.fill_(-1.0)
    buffer.append(rows(1, 20))
    out = buffer.sample(torch.empty(20_000, LAYOUT.width), generator())
    counts = torch.bincount(out[:, 0].long(), minlength=21)[1:].double()
    assert float(out.min()) == 1
    chi2 = float(((counts - 1000) ** 2 / 1000).sum())
    assert chi2 < 43.8, "19 degrees of freedom, p = .001"


def test_sampling_an_empty_buffer_says_what_to_do():
    buffer = ModelBuffer(LAYOUT, 10)
    buffer.append(rows(1, 3))
    buffer.clear()
    with pytest.raises(ValueError, match="roll the model out"):
        buffer.sample(torch.empty(2, LAYOUT.width), generator())


@pytest.mark.parametrize("capacity", [1, 4, 10, 15])
def test_resizing_keeps_the_newest_rows(capacity):
    buffer = ModelBuffer(LAYOUT, 10)
    buffer.append(rows(1, 13))
    buffer.resize(capacity)
    kept = min(capacity, 10)
    assert buffer.ordered()[:, 0].tolist() == list(range(14 - kept, 14))
    buffer.append(rows(14, 2))
    kept = min(capacity, kept + 2)
    assert buffer.ordered()[:, 0].tolist() == list(range(16 - kept, 16))


def test_a_restored_buffer_draws_and_drops_the_same_rows():
    buffer = ModelBuffer(LAYOUT, 10)
    buffer.append(rows(1, 8))
    buffer.append(rows(9, 5))
    restored = ModelBuffer(LAYOUT, 6)
    restored.load_state_dict(buffer.state_dict())
    for ring in (buffer, restored):
        ring.append(rows(14, 4))
    assert torch.equal(buffer.ordered(), restored.ordered())
    drawn = [ring.sample(torch.empty(64, LAYOUT.width), generator(3)) for ring in (buffer, restored)]
    assert torch.equal(*drawn)


def test_sampling_writes_in_place_and_keeps_its_index_scratch():
    buffer = ModelBuffer(LAYOUT, 10)
    buffer.append(rows(1, 4))
    out = torch.empty(8, LAYOUT.width)
    pointer = out.data_ptr()
    assert buffer.sample(out, generator()) is out
    assert out.data_ptr() == pointer
    scratch = buffer._scratch[8].data_ptr()
    buffer.sample(out, generator())
    assert buffer._scratch[8].data_ptr() == scratch
