"""The Trainers of transformers and Lightning in two processes over gloo."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

from dataaudit.curriculum.trainers import RecordDynamics
from dataaudit.dynamics.recorder import Recorder
from tests.curriculum import tiny_trainer as single

FOLDER = Path(__file__).parent

WORKER = """
import importlib.util, os, sys
from pathlib import Path
import numpy as np, torch, torch.distributed as dist
from dataaudit.curriculum.samplers import CurriculumSampler, DistributedCurriculumSampler
from dataaudit.errors import DataError

def module(name):
    spec = importlib.util.spec_from_file_location(name, f"{sys.argv[1]}/{name}.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made

single, light = module("tiny_trainer"), module("test_trainers_lightning")
# A second process that need not import all that again.
folder, rank = Path(sys.argv[2]), int(os.fork() == 0)
os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank)}
two = {"per_device_train_batch_size": 4, "ddp_backend": "gloo"}

# 37 rows in batches of 2 x 4: the last are filled up with rows seen before.
whole = single.RecordDynamics()
weights = 1.0 + np.arange(single.N)
drawn = {"sampling": CurriculumSampler(weights, replacement=False, seed=3)}
undisturbed = single.trained(folder / "whole", callbacks=[whole], extra=drawn, **two)
assert undisturbed.args.world_size == 2
assert whole.recorder.dynamics().seen.tolist() == [2] * single.N

# Broken off in the middle of the second epoch.
drawn = {"sampling": CurriculumSampler(weights, replacement=False, seed=3)}
stopped = single.StopAt(7, kindly=True)
saving = {"save_strategy": "steps", "save_steps": 1000, **two}
single.trained(folder / "broken", callbacks=[single.RecordDynamics(), stopped], extra=drawn, **saving)
drawn = {"sampling": CurriculumSampler(weights, replacement=False, seed=3)}
resumed = single.RecordDynamics()
trainer = single.curriculum_trainer()(
    model=single.model(), args=single.arguments(folder / "broken", **saving), train_dataset=single.examples(),
    data_collator=single.pad, callbacks=[resumed], **drawn)
trainer.train(resume_from_checkpoint=True)
single.same_weights(single.weights_of(undisturbed), single.weights_of(trainer))
single.same_record(resumed.recorder, whole.recorder)

class Asks(single.transformers.TrainerCallback):
    def on_epoch_end(self, args, state, control, **kwargs):
        try:
            even.latest_losses()
        except DataError as error:
            self.told = str(error)

even, asks = single.RecordDynamics(), Asks()
single.trained(folder / "even", net=single.model(dropout=0.0), callbacks=[even, asks], rows=single.examples(32),
               optim="sgd", extra={"loss_weights": np.linspace(0.5, 2, 32)},
               # Else the Trainer multiplies this model's mean loss by the number of processes, weighted or not.
               average_tokens_across_devices=False, **two)

assert "losses in 2 processes, each of which saw its own rows alone" in asks.told
assert even.latest_losses().shape == (32,)

# Equal weights change nothing in two processes either.
moved = []
for trainer, extra in ((single.transformers.Trainer, {}), (None, {"loss_weights": np.full(32, 7.0)})):
    moved.append(single.weights_of(single.trained(
        folder / "equal", trainer, net=single.model(dropout=0.0), rows=single.examples(32), optim="sgd",
        max_grad_norm=0.0, gradient_accumulation_steps=2, num_train_epochs=1, extra=extra, **two)))
for name, value in moved[0].items():
    torch.testing.assert_close(moved[1][name], value, rtol=1e-4, atol=1e-6)

if rank == 0:
    torch.save(even.recorder.state_dict(), folder / "even.pt")

# Lightning: the same 37 rows.
both = {"devices": 2, "strategy": "ddp", "use_distributed_sampler": False}

def sampler():
    return DistributedCurriculumSampler(np.ones(light.N), replacement=False, num_replicas=2, rank=rank)

whole, net = light.LightningRecordDynamics(light.N, light.CLASSES), light.Net()
saving = light.ModelCheckpoint(folder, "{epoch}", save_top_k=-1, save_on_train_epoch_end=False)
assert light.fit(folder, net, [whole, saving], sampler(), **both).world_size == 2
assert whole.recorder.dynamics().seen.tolist() == [3] * light.N
resumed, again = light.LightningRecordDynamics(light.N, light.CLASSES), light.Net()
light.fit(folder, again, [resumed], sampler(), ckpt=folder / "epoch=0.ckpt", enable_checkpointing=False, **both)
assert torch.equal(net.layer.weight, again.layer.weight)
for name, value in vars(whole.recorder.dynamics()).items():
    if value is not None:
        # Sums over epochs are added up in another order.
        found = getattr(resumed.recorder.dynamics(), name)
        np.testing.assert_allclose(found, value, rtol=1e-6, err_msg=name)
dist.barrier()
dist.destroy_process_group()
print("done", flush=True)
assert rank or os.waitstatus_to_exitcode(os.wait()[1]) == 0
"""


def test_two_processes_record_what_one_does(tmp_path):
    (tmp_path / "worker.py").write_text(WORKER)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    shared["CUDA_VISIBLE_DEVICES"] = ""
    shared |= {"TORCHELASTIC_RUN_ID": "test", "GROUP_RANK": "0", "LOCAL_WORLD_SIZE": "2"}
    command = [sys.executable, str(tmp_path / "worker.py"), str(FOLDER), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **shared}, timeout=600)
    assert done.returncode == 0, done
    # Two processes write to one stream, and their lines may run into each other.
    assert done.stdout.count("done") == 2

    gathered, alone = Recorder(32, 3), RecordDynamics()
    gathered.load_state_dict(torch.load(tmp_path / "even.pt", weights_only=True))
    options = {"optim": "sgd", "extra": {"loss_weights": np.linspace(0.5, 2, 32)}}
    single.trained(tmp_path, net=single.model(dropout=0.0), callbacks=[alone], rows=single.examples(32), **options)
    found, wanted = gathered.dynamics(), alone.recorder.dynamics()
    # Gradients that are averaged over processes are rounded otherwise.
    for name in ("mean_margin", "mean_confidence", "mean_el2n", "cumulative_loss", "mean_probabilities"):
        np.testing.assert_allclose(getattr(found, name), getattr(wanted, name), rtol=1e-5, atol=1e-6, err_msg=name)
    np.testing.assert_array_equal(found.seen, wanted.seen)
    np.testing.assert_array_equal(gathered.labels, alone.recorder.labels)
