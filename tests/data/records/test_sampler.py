import pytest

from dctc.data.records.sampler import StepBatchSampler, StepDataLoader


class Echo:
    """Returns the draws that it is asked for."""

    def __len__(self):
        return 23

    def __getitem__(self, draw):
        return draw


def loader(num_workers=0, seed=3):
    return StepDataLoader(
        Echo(),
        batch_sampler=StepBatchSampler(23, 4, seed),
        num_workers=num_workers,
        collate_fn=list,
    )


def test_a_batch_depends_on_seed_and_number_only():
    forward = StepBatchSampler(23, 4, seed=3)
    batches = [forward.batch(k) for k in range(20)]
    backward = StepBatchSampler(23, 4, seed=3)
    assert [backward.batch(k) for k in reversed(range(20))][::-1] == batches


def test_seeds_and_epochs_have_orders_of_their_own():
    sampler = StepBatchSampler(1000, 1000, seed=3)
    orders = [[draw.index for draw in sampler.batch(k)] for k in range(2)]
    orders.append([draw.index for draw in StepBatchSampler(1000, 1000, seed=4).batch(0)])
    assert all(sorted(order) == list(range(1000)) for order in orders)
    assert len({tuple(order) for order in orders}) == 3


def test_an_epoch_repeats_nothing_and_drops_the_partial_batch():
    sampler = StepBatchSampler(23, 4, seed=3)
    batches = list(sampler)
    assert len(batches) == len(sampler) == 5
    assert all(len(batch) == 4 for batch in batches)
    assert len({draw.index for batch in batches for draw in batch}) == 20


@pytest.mark.parametrize("world_size", [2, 4])
@pytest.mark.parametrize("k", [0, 3, 7])
def test_ranks_partition_the_batch(world_size, k):
    whole = StepBatchSampler(23, 4, seed=3).batch(k)
    parts = [
        StepBatchSampler(23, 4, seed=3, rank=rank, world_size=world_size).batch(k)
        for rank in range(world_size)
    ]
    assert {len(part) for part in parts} == {4 // world_size}
    assert sorted(draw for part in parts for draw in part) == sorted(whole)


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"batch_size 4 .* does not divide by 3 processes"):
        StepBatchSampler(23, 4, seed=3, world_size=3)
    with pytest.raises(ValueError, match="3 training samples do not fill one batch of 4"):
        StepBatchSampler(3, 4, seed=3)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_the_loader_saves_what_was_read_and_not_what_was_fetched(num_workers):
    first = loader(num_workers)
    whole = [*first, *first]
    interrupted, resumed = loader(num_workers), loader()
    batches = iter(interrupted)
    read = [next(batches) for _ in range(3)]
    assert interrupted.state_dict() == {"next_batch": 3}
    resumed.load_state_dict(interrupted.state_dict())
    assert [*read, *resumed, *resumed] == whole
    assert resumed.state_dict() == first.state_dict() == {"next_batch": 10}
