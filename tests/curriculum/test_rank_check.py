"""Two ranks notice that they would not draw the same sequence."""

import subprocess
import sys

WORKER = """
import datetime, os, sys
import numpy as np, torch, torch.distributed as dist
from dataclasses import replace
from dataaudit import DistributedCurriculumSampler, Recorder, SmallLoss, SelfPaced, gather_recorder
from dataaudit.curriculum.weights import weights
from dataaudit.errors import DataError
from dataaudit.testing import example_scores

# A second process that need not import all that again.
rank, folder = int(os.fork() == 0), sys.argv[1]
dist.init_process_group("gloo", store=dist.FileStore(folder + "/store", 2), rank=rank, world_size=2,
                        timeout=datetime.timedelta(seconds=120))

def refused(call, message):
    try:
        call()
    except DataError as error:
        assert message in str(error), error
    else:
        raise SystemExit("accepted: " + message)

# Constant weights are compared at the first call, whatever its epoch, and once an epoch.
ones = np.ones(8)
for epoch in (0, 3):
    other = DistributedCurriculumSampler(ones * (1 + rank))
    refused(lambda: other.set_epoch(epoch), "differ between rank 0 and rank 1")
    assert other.epoch == 0
alike = DistributedCurriculumSampler(ones)
for epoch in (0, 0, 1, 1, 0):
    alike.set_epoch(epoch)
if rank == 0:
    alike.set_epoch(0)
for settings in ({"seed": rank}, {"drop_last": rank == 1}, {"num_samples": 6 + rank}):
    refused(lambda: DistributedCurriculumSampler(ones, **settings).set_epoch(0), "differ between")

# One rank's weights fail: it says so, the other does not wait.
def source(epoch):
    return -ones if epoch == 2 and rank == 1 else ones + epoch
failing = DistributedCurriculumSampler(source)
failing.set_epoch(1)
refused(lambda: failing.set_epoch(2), "a weight of -1.0" if rank else "refused on rank 1")
assert failing.epoch == 1
np.testing.assert_array_equal(failing.weights, ones + 1)

# A state that one rank did not load.
steps = iter(failing)
next(steps)
resumed = DistributedCurriculumSampler(source)
if rank == 0:
    resumed.load_state_dict(failing.state_dict())
refused(lambda: resumed.set_epoch(1), "differ between")
resumed.load_state_dict(failing.state_dict())
resumed.set_epoch(1)
assert list(resumed) == list(steps)

# Ranks that are not those of the group are left alone.
DistributedCurriculumSampler(ones + rank, num_replicas=3, rank=rank).set_epoch(1)

# Losses of the training under way: of one's own rows alone, and gathered.
examples = replace(example_scores(8, 1), labels=np.zeros(8, np.int64))
losses = torch.linspace(0.1, 2.0, 8, dtype=torch.float64)
recorder = Recorder(8, 2)
alone = DistributedCurriculumSampler(lambda epoch: weights(SmallLoss(recorder, 0.5, 1), examples, epoch, 3))
def gathered():
    return gather_recorder(recorder)
samplers = [
    DistributedCurriculumSampler(lambda epoch, made=made: weights(made, examples, epoch, 3), replacement=False)
    for made in (SmallLoss(gathered, 0.5, 1), SelfPaced(gathered, 0.5, 1.0))
]
for epoch in range(3):
    for sampler in samplers:
        sampler.set_epoch(epoch)
        found = torch.tensor(list(sampler))
        both = [torch.empty_like(found) for _ in range(2)]
        dist.all_gather(both, found)
        kept = torch.cat(both).sort().values.tolist()
        if epoch == 0:
            assert kept == list(range(8)), kept
        elif sampler is samplers[0]:
            assert kept == list(range(4)), kept
    rows = torch.arange(rank, 8, 2)
    own = losses[rows]
    recorder.update(rows, torch.stack([-own, torch.log1p(-torch.exp(-own))], 1), torch.zeros(4, dtype=torch.int64))
    recorder.end_epoch(group=dist.group.WORLD)
refused(lambda: alone.set_epoch(1), "gather_recorder")
dist.barrier()
dist.destroy_process_group()
# In one piece: the other writes to the same pipe.
os.write(1, b"done\\n")
assert rank or os.waitstatus_to_exitcode(os.wait()[1]) == 0
"""


def test_two_ranks_agree_or_are_told(tmp_path):
    (tmp_path / "worker.py").write_text(WORKER)
    command = [sys.executable, str(tmp_path / "worker.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done
    assert done.stdout.split() == ["done", "done"]
